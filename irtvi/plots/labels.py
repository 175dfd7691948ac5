"""Names inside figures: what they look like, and where there is room for them."""

from collections.abc import Sequence
from html import escape
from textwrap import wrap
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int


def name_of(thing: Any, longest: int | None = None) -> str:
    """The id of a person or an item as a figure shows it: letter by letter, though it looks like HTML.

    Parameters
    ----------
    thing : id
    longest : int, optional
        Characters after which an ellipsis stands.
    """
    text = str(thing)
    if longest is not None and len(text) > longest:
        text = text[: longest - 1] + "…"
    return escape(text, quote=False)


def lines_of(name: str, longest: int = 38) -> list[str]:
    """A name of several words, in lines that a narrow figure has room for."""
    return [name_of(line) for line in wrap(str(name), longest)] or [""]


def apart(
    x: Float[np.ndarray, " names"], y: Float[np.ndarray, " names"], width: Float[np.ndarray, " names"], height: float
) -> Bool[np.ndarray, " names"]:
    """Which names can be shown without one lying on another; the first come first.

    Parameters
    ----------
    x, y : arrays
        Where the middle of each name lies; NaN is not shown.
    width : array
        Of each name, in units of ``x``.
    height : float
        Of all names, in units of ``y``.
    """
    shown = np.zeros(len(x), dtype=bool)
    for k in range(len(x)):
        near = shown & (np.abs(y - y[k]) < height) & (np.abs(x - x[k]) < (width + width[k]) / 2)
        shown[k] = np.isfinite(x[k] + y[k]) and not near.any()
    return shown


def packed(y: Float[np.ndarray, " names"], width: Sequence[int], height: float) -> Int[np.ndarray, " names"]:
    """Left ends of names that stand at heights ``y``, each as far to the left as it can.

    Parameters
    ----------
    y : array
        Heights in ascending order.
    width : sequence of int
        Of each name with the gap after it.
    height : float
        Names whose heights differ by less would overlap.
    """
    left = np.zeros(len(y), dtype=int)
    for k in range(len(y)):
        near = [j for j in range(k) if y[k] - y[j] < height]
        for j in sorted(near, key=lambda j: left[j]):
            if left[k] + width[k] > left[j]:
                left[k] = max(left[k], left[j] + width[j])
    return left
