"""Tables that item curves are drawn from."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from irtvi.diagnostics.empirical import empirical_categories, empirical_scores
from irtvi.errors import SpecificationError
from irtvi.responses.responses import Responses
from irtvi.results.result import Result

N_GROUPS = 10


class Axis(NamedTuple):
    """What stands on the vertical axis of an item's curve."""

    title: str
    low: float
    high: float


def chosen_items(result: Result, items: Hashable | Sequence[Hashable] | None) -> list:
    """Item ids as a list.

    Raises
    ------
    SpecificationError
        An item that the result does not have.
    """
    known = list(result.coding.item_ids)
    if items is None:
        return known
    wanted = list(items) if isinstance(items, (list, pd.Index)) else [items]
    for item in wanted:
        if item not in known:
            shown = ", ".join(map(repr, known[:5]))
            raise SpecificationError(f"There is no item {item!r}; the items are {shown}{' ..' * (len(known) > 5)}.")
    return wanted


def is_binary(result: Result, item: Hashable) -> bool:
    """Whether the item has two categories."""
    place = _position(result, item)
    return int(result.model.n_categories[place]) == 2 and not is_measured(result, item)


def is_measured(result: Result, item: Hashable) -> bool:
    """Whether answers to the item are numbers on a continuous scale."""
    return bool(result.model.measured[_position(result, item)])


def is_ordered(result: Result, item: Hashable) -> bool:
    """Whether a higher category of the item stands for more."""
    return result.item_models[_position(result, item)].ordered


def axis_of(result: Result, item: Hashable) -> Axis:
    """Probability of the higher of two categories, or the expected answer in the user's units."""
    if is_binary(result, item):
        return Axis("Probability of a right answer" if _is_right_or_wrong(result, item) else "Probability", 0.0, 1.0)
    return Axis("Expected answer", *result.coding.codings[_position(result, item)].range)


def curves_of(
    result: Result, items: Sequence[Hashable], level: float = 0.95, theta: np.ndarray | None = None
) -> dict[Hashable, pd.DataFrame]:
    """Columns theta, value, lower, upper for each item, which must have ordered categories."""
    return _by_item(result, items, result.curves(items, theta, what="expected", level=level))


def points_of(
    result: Result, items: Sequence[Hashable], level: float, responses: Responses | None
) -> dict[Hashable, pd.DataFrame]:
    """What groups of people answered, on the axis of :func:`curves_of`; nothing without responses."""
    if result.responses is None and responses is None:
        return {}
    table = empirical_scores(result, items, n_groups=N_GROUPS, level=level, responses=responses)
    return _by_item(result, items, table)


def category_points(result: Result, item: Hashable, level: float, responses: Responses | None) -> pd.DataFrame | None:
    """Which categories groups of people chose; None without responses."""
    if result.responses is None and responses is None:
        return None
    return empirical_categories(result, item, n_groups=N_GROUPS, level=level, responses=responses)


def _position(result: Result, item: Hashable) -> int:
    return int(result.coding.item_ids.get_indexer(pd.Index([item]))[0])


def _is_right_or_wrong(result: Result, item: Hashable) -> bool:
    return tuple(result.coding.codings[_position(result, item)].values) == (0.0, 1.0)


def _by_item(result: Result, items: Sequence[Hashable], table: pd.DataFrame) -> dict[Hashable, pd.DataFrame]:
    parts = dict(tuple(table.groupby("item", sort=False)))
    return {item: _as_probability(result, item, parts[item]) for item in items if item in parts}


def _as_probability(result: Result, item: Hashable, table: pd.DataFrame) -> pd.DataFrame:
    if not is_binary(result, item):
        return table
    low, high = sorted(result.coding.codings[_position(result, item)].values[:2])
    columns = ["value", "lower", "upper"]
    return table.assign(**{name: (table[name] - low) / (high - low) for name in columns})
