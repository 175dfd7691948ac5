"""Labels of categories: what a value in a table means, whatever type it came in."""

import math
import numbers
import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

Label = int | float | str
"""A category as irtvi keeps it: whole numbers as int, other numbers as float, everything else as text."""

BLANK = "blank"
"""In ``wrong=``: an empty cell of a wide table, or a row without a response in a long one."""

MISSING_TEXT = frozenset({"", "NA", "N/A", "#N/A", "n/a", "NaN", "nan", "<NA>", "null", "NULL", "."})
"""Texts that stand for a missing value in every data set."""

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_INFINITE = re.compile(r"([+-]?)inf(inity)?", re.IGNORECASE)


class NotALabelError(TypeError):
    """A value of a type that is no answer, such as a date or a list."""


def label_of(value: object) -> Label | None:
    """The label of a value, or None where it is missing.

    Booleans and numbers in text become numbers (with a decimal point or comma), so that ``True``, ``1``,
    ``1.0``, ``"1"`` and ``"01"`` are one label.

    Raises
    ------
    NotALabelError
        For dates, lists and whatever else is no number, boolean or text.
    """
    if isinstance(value, str):
        return _label_of_text(value)
    if isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    try:
        number = float(value)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError):
        raise NotALabelError(type(value).__name__) from None
    return _label_of_number(number)


def labels_of(values: object) -> tuple[Label, ...]:
    """Labels of one value or of several, missing ones as `BLANK`, each once, in their order."""
    several = isinstance(values, Iterable) and not isinstance(values, str)
    found = [label_of(value) for value in (list(values) if several else [values])]  # pyright: ignore
    return tuple(dict.fromkeys(BLANK if label is None else label for label in found))


def is_number(label: Label) -> bool:
    """Whether a label is a number."""
    return not isinstance(label, str)


def shown(label: object) -> str:
    """A label as a message shows it."""
    return repr(label.item() if isinstance(label, np.generic) else label)


def some(things: Iterable[object], most: int = 5) -> str:
    """The first few things of a list and how many more there are."""
    listed = list(things)
    text = ", ".join(shown(thing) for thing in listed[:most])
    return text if len(listed) <= most else f"{text} and {len(listed) - most} more"


def _label_of_number(number: float) -> Label | None:
    if math.isnan(number):
        return None
    if math.isinf(number):
        return number
    return int(number) if number.is_integer() else number


def _label_of_text(text: str) -> Label | None:
    text = text.strip()
    if text in MISSING_TEXT:
        return None
    if _NUMBER.fullmatch(text):
        return _label_of_number(float(text.replace(",", ".")))
    if infinite := _INFINITE.fullmatch(text):
        return -math.inf if infinite[1] == "-" else math.inf
    return text


def counted(n: int, what: str) -> str:
    """A number of things, in the singular for one."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
