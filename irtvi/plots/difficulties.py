"""Where the steps of items lie on the scale of ability."""

import pandas as pd

from irtvi.errors import SpecificationError
from irtvi.results.result import Result


def has_difficulties(result: Result) -> bool:
    """Whether any item has a place on the scale of ability; measured answers have none."""
    names = ("b", "difficulty")
    return any(name in names or (name[:1] == "b" and name[1:].isdigit()) for name in result.items.columns)


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
    for item, record in zip(table.index, table.to_dict("records"), strict=True):
        known = {str(name): value for name, value in record.items() if not pd.isna(value)}
        single = next((name for name in ("b", "difficulty") if name in known), None)
        shifts = [name for name in thresholds if name in known]
        own = [name for name in steps if name in known]
        if single is not None and shifts:
            rows += [
                (item, f"{item}.{k + 1}", known[single] + known[name], known.get(f"{single}_sd"))
                for k, name in enumerate(shifts)
            ]
        elif single is not None or len(own) == 1:
            name = single or own[0]
            rows.append((item, str(item), known[name], known.get(f"{name}_sd")))
        else:
            rows += [(item, f"{item}.{k + 1}", known[name], known.get(f"{name}_sd")) for k, name in enumerate(own)]
    if not rows:
        raise SpecificationError(f"The items of the {result.model_name} model have no difficulties to be drawn.")
    frame = pd.DataFrame(rows, columns=["item", "label", "difficulty", "sd"])
    return frame.astype({"difficulty": float, "sd": float})
