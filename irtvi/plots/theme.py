"""One look for all figures, light and dark."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

ABILITY = "Ability (θ)"
MOST_SVG_POINTS = 5_000
"""Beyond, points are drawn by WebGL."""
DEFAULT_HEIGHT = 450
TITLE_HEIGHT = 40
"""Pixels for the title; the legend begins below it, takes as many lines as it needs, and pushes the panel down."""
LEGEND_ABOVE = {"yref": "paper", "yanchor": "bottom"}
"""For figures of several panels, whose own titles stand between the legend and the panels."""


@dataclass(frozen=True)
class Look:
    """Colours of a figure.

    Attributes
    ----------
    paper, ink, faint, grid : str
        Background, text, secondary text, lines of the grid.
    series : tuple of str
        Colours that stay apart for people with colour-vision deficiencies (after Okabe and Ito 2008).
    """

    paper: str
    ink: str
    faint: str
    grid: str
    series: tuple[str, ...]

    @property
    def main(self) -> str:
        """Colour of the fitted model."""
        return self.series[0]

    @property
    def accent(self) -> str:
        """Colour of whatever stands beside it."""
        return self.series[1]


LIGHT = Look(
    paper="#ffffff", ink="#1f2933", faint="#66727f", grid="#e4e8ec",
    series=("#0072b2", "#d55e00", "#009e73", "#b0569b", "#c98a00", "#6a5acd", "#4b5563"),
)  # fmt: skip
DARK = Look(
    paper="#0e1117", ink="#e6e9ed", faint="#9aa5b1", grid="#2a313a",
    series=("#56b4e9", "#f0904a", "#35c99b", "#e29bd0", "#f0c14b", "#8490ff", "#aab4bf"),
)  # fmt: skip


def look(dark: bool) -> Look:
    """The light or the dark look."""
    return DARK if dark else LIGHT


def colours_of(n: int, dark: bool) -> list[str]:
    """Colours for so many curves; where they are more than the series has, from dark to bright."""
    series = look(dark).series
    if n <= len(series):
        return list(series[:n])
    low, high = (0.25, 1.0) if dark else (0.0, 0.85)
    return [str(colour) for colour in sample_colorscale("Viridis", np.linspace(low, high, n))]


def styled(figure: go.Figure, dark: bool, *, title: str = "", alt: str = "", height: int | None = None) -> go.Figure:
    """A figure in the look of all others; ``alt`` describes it in words (``figure.layout.meta["alt"]``).

    Notes
    -----
    Legends are placed from the top edge downwards: a narrow window breaks them into several lines.
    """
    colours = look(dark)
    figure.update_layout(
        template="none",
        title={
            "text": title,
            "x": 0,
            "xref": "paper",
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 18},
            "font": {"size": 16},
        },
        paper_bgcolor=colours.paper,
        plot_bgcolor=colours.paper,
        font={
            "family": "system-ui, -apple-system, Segoe UI, Roboto, sans-serif",
            "size": 13,
            "color": colours.ink,
        },
        colorway=list(colours.series),
        margin={"l": 64, "r": 24, "t": TITLE_HEIGHT + 8, "b": 56},
        hoverlabel={"namelength": -1},
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1 - TITLE_HEIGHT / (height or DEFAULT_HEIGHT),
            "yref": "container",
            "yanchor": "top",
            "font": {"size": 12},
        },
        meta={"alt": alt or title},
        height=height,
    )
    axis = {
        "gridcolor": colours.grid,
        "zerolinecolor": colours.grid,
        "linecolor": colours.faint,
        "tickcolor": colours.faint,
        "showline": True,
        "ticks": "outside",
        "ticklen": 4,
    }
    # Plotly leaves out points until curves have corners.
    figure.for_each_trace(lambda trace: trace.update(line_simplify=False), selector=_is_short_line)
    figure.update_xaxes(**axis, zeroline=False)
    figure.update_yaxes(**axis, zeroline=False)
    return figure


def _is_short_line(trace: Any) -> bool:
    return trace.type == "scatter" and trace.x is not None and len(trace.x) <= MOST_SVG_POINTS


def translucent(colour: str, share: float) -> str:
    """A colour such as ``#0072b2`` with an opacity."""
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share})"
