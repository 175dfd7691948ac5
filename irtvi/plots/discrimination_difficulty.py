"""Items by difficulty and discrimination."""

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
    place = known["difficulty"].clip(-REACH, REACH)
    beyond = (known["difficulty"] - place).to_numpy()
    bars = len(known) <= MOST_BARS
    names = _names(known.assign(place=place)) if len(known) <= MOST_LABELS else None
    scatter = go.Scatter if len(known) <= MOST_SVG_POINTS else go.Scattergl
    faint = translucent(colours.main, 0.35)
    figure = go.Figure(
        scatter(
            x=place.astype(np.float32), y=known["slope"].astype(np.float32),
            mode="markers" if names is None else "markers+text", text=names, textposition="top center",
            textfont={"size": 11, "color": colours.faint},
            marker={
                "color": np.where(known["slope"] > 0, colours.main, colours.accent), "size": 8 if bars else 6,
                "opacity": 0.9 if bars else 0.6,
                "symbol": np.where(beyond > 0, "triangle-right", np.where(beyond < 0, "triangle-left", "circle")),
            },
            error_x={"array": known["difficulty_sd"].where(beyond == 0), "color": faint, "width": 0} if bars else None,
            error_y={"array": known["slope_sd"], "color": faint, "width": 0} if bars else None,
            customdata=np.column_stack(
                [np.array([str(i) for i in known.index], dtype=object), known["difficulty"], known["difficulty_sd"],
                 known["slope_sd"]]
            ),
            hovertemplate=(
                "%{customdata[0]}<br>difficulty %{customdata[1]:.2f} (sd %{customdata[2]:.2f})"
                "<br>discrimination %{y:.2f} (sd %{customdata[3]:.2f})<extra></extra>"
            ),
            showlegend=False,
        )
    )  # fmt: skip
    if bool((known["slope"] < 0).any()):
        figure.add_hline(y=0, line={"color": colours.accent, "width": 1, "dash": "dot"})
    figure.update_xaxes(title_text="Difficulty")
    figure.update_yaxes(title_text="Discrimination")
    title = "Difficulty and discrimination"
    if len(known) < len(points):
        title += f" ({len(points) - len(known)} without an estimate left out)"
    alt = (
        f"{title}: {len(known)} items, median difficulty {known['difficulty'].median():.2f}, "
        f"median discrimination {known['slope'].median():.2f}."
    )
    return styled(figure, dark, title=title, alt=alt, height=480)


def _names(points: pd.DataFrame) -> list[str]:
    """Names of the items, empty where there is no room."""
    x, y = (points[name].to_numpy(dtype=float) for name in ("place", "slope"))
    wide, high = (max(float(np.ptp(values)), 1e-9) * 1.1 for values in (x, y))
    outermost = np.argsort(-np.hypot((x - np.median(x)) / wide, (y - np.median(y)) / high), kind="stable")
    names = [name_of(item, LONGEST_NAME) for item in points.index]
    width = NAME_WIDTH * wide * np.array([len(name) for name in names])
    shown = np.zeros(len(names), dtype=bool)
    shown[outermost] = apart(x[outermost], y[outermost], width[outermost], NAME_HEIGHT * high)
    return [name if show else "" for name, show in zip(names, shown, strict=True)]


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
