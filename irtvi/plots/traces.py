"""Pieces that several figures are made of."""

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from irtvi.plots.labels import name_of
from irtvi.plots.theme import translucent


def band(table: pd.DataFrame, colour: str, name: str, group: str | None, show_in_legend: bool) -> go.Scatter:
    """The area between ``lower`` and ``upper`` over ``theta``; ``group`` is what the legend hides together."""
    known = table.dropna(subset=["lower", "upper"])
    theta = np.concatenate([known["theta"], known["theta"][::-1]])
    return go.Scatter(
        x=theta.astype(np.float32),
        y=np.concatenate([known["upper"], known["lower"][::-1]]).astype(np.float32),
        fill="toself", fillcolor=translucent(colour, 0.18), line={"width": 0}, mode="lines",
        hoverinfo="skip", name=name, legendgroup=group, showlegend=show_in_legend,
    )  # fmt: skip


def joined(table: pd.DataFrame, items: Sequence[Hashable]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Curves of many items as one line with gaps: theta, value, and the item of each point."""
    n_points = len(table) // len(items)
    theta = table["theta"].to_numpy(dtype=np.float32).reshape(len(items), n_points)
    value = table["value"].to_numpy(dtype=np.float32).reshape(len(items), n_points)
    gap = np.full((len(items), 1), np.nan, dtype=np.float32)
    names = np.repeat(np.array([name_of(item) for item in items], dtype=object), n_points + 1)
    return np.hstack([theta, gap]).ravel(), np.hstack([value, gap]).ravel(), names


def error_bars(table: pd.DataFrame, colour: str) -> dict:
    """Vertical bars from ``lower`` to ``upper`` around ``value``."""
    return {
        "type": "data",
        "symmetric": False,
        "array": (table["upper"] - table["value"]).clip(lower=0),
        "arrayminus": (table["value"] - table["lower"]).clip(lower=0),
        "color": colour,
        "thickness": 1.2,
        "width": 3,
    }
