"""Items by difficulty and discrimination."""

from html import unescape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from irtvi.errors import SpecificationError
from irtvi.plots.difficulties import difficulties
from irtvi.plots.labels import apart, name_of
from irtvi.plots.theme import MOST_SVG_POINTS, look, styled, translucent
from irtvi.results.result import Result

MOST_BARS = 100
MOST_LABELS = 60
NAME_WIDTH, NAME_HEIGHT = 0.03, 0.05
"""Of one letter and of a line, as a share of the panel in two fifths of a page."""
LONGEST_NAME = 16
REACH = 6.0
"""Difficulties beyond this stand at the edge, with an arrow."""


def discrimination_difficulty(result: Result, *, dark: bool = False) -> go.Figure:
    """Scatter of items: how hard they are, and how sharply they tell people apart.

    Parameters
    ----------
    result : Result
    dark : bool

    Returns
    -------
    plotly.graph_objects.Figure
        Bars of one standard deviation for up to 100 items; names for up to 60, where one does not lie on another (the
        outermost first). Items of several steps stand at the mean of their difficulties. ``customdata`` holds the
        item's id; items that cannot be estimated are left out, and the title counts them.
    """
    colours = look(dark)
    points = item_points(result)
    known = points.dropna(subset=["difficulty", "slope"])
    known = known.assign(place=known["difficulty"].clip(-REACH, REACH))
    # One trace for each look: looks of single points are checked and sent one by one, which takes seconds for many.
    known["symbol"] = np.select(
        [known["difficulty"] > REACH, known["difficulty"] < -REACH], ["triangle-right", "triangle-left"], "circle"
    )
    known["colour"] = np.where(known["slope"] > 0, colours.main, colours.accent)
    known["name"], ends = "", None
    if 0 < len(known) <= MOST_LABELS:
        known["name"] = _names(known, 1.1 * float(np.ptp(known["place"])))
        ends = _ends(known)
        known["name"] = _names(known, ends[1] - ends[0])
    looks = known.groupby(["symbol", "colour"], sort=False)
    figure = go.Figure([_points(part, len(known), dark) for _, part in looks])
    if bool((known["slope"] < 0).any()):
        figure.add_hline(y=0, line={"color": colours.accent, "width": 1, "dash": "dot"})
    figure.update_xaxes(title_text="Difficulty", range=ends)
    figure.update_yaxes(title_text="Discrimination")
    title = "Difficulty and discrimination"
    if len(known) < len(points):
        title += f" ({len(points) - len(known)} without an estimate left out)"
    alt = (
        f"{title}: {len(known)} items, median difficulty {known['difficulty'].median():.2f}, "
        f"median discrimination {known['slope'].median():.2f}."
    )
    return styled(figure, dark, title=title, alt=alt, height=480)


def _points(part: pd.DataFrame, n_items: int, dark: bool) -> go.Scatter | go.Scattergl:
    """Items that look alike, of ``n_items`` in the figure."""
    symbol, colour = str(part["symbol"].iloc[0]), str(part["colour"].iloc[0])
    faint = translucent(look(dark).main, 0.35)
    bars, named = n_items <= MOST_BARS, n_items <= MOST_LABELS
    spread = part["difficulty_sd"] if symbol == "circle" else None
    numbers = part[["difficulty", "difficulty_sd", "slope_sd"]].round(4)
    return (go.Scatter if n_items <= MOST_SVG_POINTS else go.Scattergl)(
        x=part["place"].astype(np.float32), y=part["slope"].astype(np.float32),
        mode="markers+text" if named else "markers", text=part["name"] if named else None,
        textposition="top center", textfont={"size": 11, "color": look(dark).faint},
        marker={"color": colour, "symbol": symbol, "size": 8 if bars else 6, "opacity": 0.9 if bars else 0.6},
        error_x={"array": spread, "color": faint, "width": 0} if bars and spread is not None else None,
        error_y={"array": part["slope_sd"], "color": faint, "width": 0} if bars else None,
        customdata=np.column_stack([part.index.map(str).to_numpy(dtype=object), numbers]),
        hovertemplate=(
            "%{customdata[0]}<br>difficulty %{customdata[1]:.2f} (sd %{customdata[2]:.2f})"
            "<br>discrimination %{y:.2f} (sd %{customdata[3]:.2f})<extra></extra>"
        ),
        showlegend=False,
    )  # fmt: skip


def _names(points: pd.DataFrame, wide: float) -> list[str]:
    """Names of the items, empty where there is no room on an axis of difficulty of this length."""
    x, y = (points[name].to_numpy(dtype=float) for name in ("place", "slope"))
    wide, high = max(wide, 1e-9), max(1.1 * float(np.ptp(y)), 1e-9)
    outermost = np.argsort(-np.hypot((x - np.median(x)) / wide, (y - np.median(y)) / high), kind="stable")
    names = [name_of(item, LONGEST_NAME) for item in points.index]
    width = NAME_WIDTH * wide * np.array([_letters(name) for name in names])
    shown = np.zeros(len(names), dtype=bool)
    shown[outermost] = apart(x[outermost], y[outermost], width[outermost], NAME_HEIGHT * high)
    return [name if show else "" for name, show in zip(names, shown, strict=True)]


def _letters(name: str) -> int:
    """How many are seen of a name that is written as HTML."""
    return len(unescape(name))


def _ends(points: pd.DataFrame) -> list[float]:
    """Ends of the axis of difficulty, inside of which names and bars lie."""
    x, spread = points["place"].to_numpy(dtype=float), points["difficulty_sd"].fillna(0.0).to_numpy(dtype=float)
    spread = np.where(points["symbol"] == "circle", spread, 0.0)  # what stands at the edge has no bar
    half = NAME_WIDTH / 2 * np.array([_letters(name) for name in points["name"]])
    low, high = float((x - spread).min()), float((x + spread).max())
    low, high = low - 0.05 * max(high - low, 1.0), high + 0.05 * max(high - low, 1.0)
    # A name is as wide as a share of the panel, which grows with the ends.
    for _ in range(10):
        wide = high - low
        low, high = min(low, float((x - half * wide).min())), max(high, float((x + half * wide).max()))
    return [low, high]


def item_points(result: Result) -> pd.DataFrame:
    """Difficulty and discrimination of each item with their sds; NaN where there is none.

    Raises
    ------
    SpecificationError
        The model has no discrimination.
    """
    table = result.items
    name = next((n for n in ("a", "slope") if n in table), None)
    if name is None:
        raise SpecificationError(f"The items of the {result.model_name} model have no discrimination.")
    steps = difficulties(result)
    means = pd.pivot_table(steps, index="item", values=["difficulty", "sd"], sort=False, dropna=False)
    means = means.reindex(index=table.index, columns=["difficulty", "sd"])
    points = {
        "difficulty": means["difficulty"],
        "difficulty_sd": means["sd"],
        "slope": table[name],
        "slope_sd": table[f"{name}_sd"],
    }
    return pd.DataFrame(points, index=table.index)
