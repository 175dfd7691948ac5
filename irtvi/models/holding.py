"""Parameter values that the user holds, from a table as ``result.items`` has them."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from irtvi.errors import SpecificationError
from irtvi.models.items import Facts, ItemModel
from irtvi.models.items.item_model import element_name, event_size


def parameter_names(item_model: ItemModel, dims: int, n_categories: int) -> list[str]:
    """Names of all numbers of an item with that many categories."""
    return [
        element_name(spec, k, event_size(spec, dims, n_categories))
        for spec in item_model.parameters
        for k in range(event_size(spec, dims, n_categories))
    ]


def held_values(
    fixed: pd.DataFrame | None, item_models: tuple[ItemModel, ...], item_ids: list, facts: Facts, dims: int
) -> dict[int, dict[str, float]]:
    """Held parameters by item position and name, on the formula's scale.

    Raises
    ------
    SpecificationError
        No table, no column of a parameter, unknown or repeated items, or values that cannot be held.
    """
    if fixed is None:
        return {}
    if not isinstance(fixed, pd.DataFrame):
        raise SpecificationError(f"fixed= takes a DataFrame with items as rows, got {type(fixed).__name__}.")
    repeated = fixed.index[fixed.index.duplicated()]
    if len(repeated):
        raise SpecificationError(f"fixed= has item {repeated[0]!r} more than once.")
    position = {item: j for j, item in enumerate(item_ids)}
    unknown = [item for item in fixed.index if item not in position]
    if unknown:
        raise SpecificationError(
            f"fixed= has {len(unknown)} items that the data do not have, the first: {unknown[:5]}; "
            "leave them out."
        )
    held: dict[int, dict[str, float]] = {}
    understood: set[str] = set()
    for item, row in zip(fixed.index, fixed.to_dict("records"), strict=True):
        j = position[item]
        own = facts.take(torch.tensor(j))
        names = parameter_names(item_models[j], dims, int(own.n_categories))
        known = {*names, *_readable_columns(item_models[j], {1, dims, 2}, own)}
        understood |= {*names, *_readable_columns(item_models[j], {dims}, own)}
        given = {str(c): v for c, v in row.items() if c in known}
        text = {c: v for c, v in given.items() if not isinstance(v, (int, float)) and not pd.isna(v)}
        if text:
            raise SpecificationError(f"fixed= holds what is no number for item {item!r}: {text}.")
        columns = {c: float(v) for c, v in given.items() if not pd.isna(v)}
        infinite = {c: v for c, v in columns.items() if np.isinf(v)}
        if infinite:
            raise SpecificationError(f"fixed= holds infinite values for item {item!r}: {infinite}.")
        try:
            params = item_models[j].unreport(columns, own)
        except SpecificationError as error:
            raise SpecificationError(f"fixed= for item {item!r}: {error}") from error
        values = {n: v for n, v in params.items() if n in names and not np.isnan(v)}
        if values:
            held[j] = values
    named = set(map(str, fixed.columns)) - {"model"}
    if named and understood and understood.isdisjoint(named):
        raise SpecificationError(
            f"fixed= has no column of a parameter: it has {list(map(str, fixed.columns))}, the items have "
            f"{sorted(understood)}."
        )
    return held


def _readable_columns(item_model: ItemModel, forms: set[int], facts: Facts) -> set[str]:
    """Names of the columns that the model reports for an item, in such numbers of dimensions."""
    names: set[str] = set()
    for form in forms:
        params: dict[str, Tensor] = {}
        for spec in item_model.parameters:
            size = event_size(spec, form, int(facts.n_categories))
            params[spec.name] = torch.full(
                () if spec.per == "item" else (size,), spec.start, dtype=torch.float64
            )
        names |= set(item_model.report(params, facts))
    return names
