"""Numbers on a continuous scale out of what a table holds."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from irtvi.errors import InfiniteValueError, UnparsableValueError
from irtvi.responses.labels import Label, is_number, shown
from irtvi.responses.settings import ItemRule


@dataclass(frozen=True, eq=False)
class Column:
    """Numbers of one item.

    Parameters
    ----------
    item : position of the item
    rows : rows of the table that hold a number, ascending
    values : those numbers
    """

    item: int
    rows: np.ndarray
    values: np.ndarray


def column_of_numbers(
    place: int, item: Hashable, labels: Sequence[Label], rule: ItemRule, rows: np.ndarray, codes: np.ndarray
) -> Column:
    """The numbers of a measured item.

    Parameters
    ----------
    place, item : position and name
    labels : different answers to the item
    rule : what was declared about it
    rows, codes : where in the table the item has an answer, and its position among the labels

    Raises
    ------
    UnparsableValueError, InfiniteValueError
        An answer is text, or infinite; the message says where it stands first.
    """
    for code, label in enumerate(labels):
        if label in rule.missing or (is_number(label) and abs(float(label)) < float("inf")):
            continue
        found = rows[codes == code]
        if not len(found):
            continue
        where = f"row {found[0] + 1}, column {item!r}: {shown(label)}"
        if is_number(label):
            raise InfiniteValueError(
                f"{where} is infinite; an answer is finite: correct it or declare it in missing=", item=item
            )
        raise UnparsableValueError(
            f"{where} is no number, but {item!r} is read as measured (continuous=); correct it, or declare it in "
            "missing=",
            item=item,
        )
    numbers = np.array([np.nan if label in rule.missing else _number(label) for label in labels], dtype=np.float64)
    values = numbers[codes] if len(labels) else np.zeros(0)
    kept = ~np.isnan(values)
    return Column(place, rows[kept], values[kept])


def _number(label: Label) -> float:
    return np.nan if isinstance(label, str) else float(label)
