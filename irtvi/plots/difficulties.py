"""Where the steps of items lie on the scale of ability."""

import pandas as pd

from irtvi.errors import SpecificationError
from irtvi.results.result import Result


def difficulties(result: Result) -> pd.DataFrame:
    """One row for each step of each item, in the order of the items.

    Returns
    -------
    DataFrame
        Columns ``item``, ``label`` (the item, and the number of the step where there are several), ``difficulty``,
        ``sd``.

    Raises
    ------
    SpecificationError
        No item has a difficulty.
    """
    table = result.items
    steps = [name for name in table.columns if name[:1] == "b" and name[1:].isdigit()]
    thresholds = [name for name in table.columns if name[:1] == "t" and name[1:].isdigit()]
    rows = []
    for item, row in table.iterrows():
        single = next((name for name in ("b", "difficulty") if name in row.index and pd.notna(row[name])), None)
        own = [name for name in steps if pd.notna(row[name])]
        if single is not None and thresholds and any(pd.notna(row[name]) for name in thresholds):
            shifts = [name for name in thresholds if pd.notna(row[name])]
            rows += [
                (item, f"{item}.{k + 1}", row[single] + row[name], row.get(f"{single}_sd"))
                for k, name in enumerate(shifts)
            ]
        elif single is not None:
            rows.append((item, str(item), row[single], row.get(f"{single}_sd")))
        elif len(own) == 1:
            rows.append((item, str(item), row[own[0]], row.get(f"{own[0]}_sd")))
        else:
            rows += [(item, f"{item}.{k + 1}", row[name], row.get(f"{name}_sd")) for k, name in enumerate(own)]
    if not rows:
        raise SpecificationError(f"The items of the {result.model_name} model have no difficulties to be drawn.")
    return pd.DataFrame(rows, columns=["item", "label", "difficulty", "sd"])
