"""Persons and items on one scale (Wright map)."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from irtvi.plots.abilities import bin_edges
from irtvi.plots.difficulties import difficulties
from irtvi.plots.theme import ABILITY, look, styled, translucent
from irtvi.results.result import Result

MOST_LABELS = 60
"""With more steps of items, a histogram takes the place of their names."""
LONGEST_LABEL = 14
FEWEST_COLUMNS = 5
"""Room for so many names side by side, so that the marks of a few items stay near the scale."""
REACH = 5.0
"""Difficulties beyond this stand at the edge, with an arrow."""


def person_item_map(result: Result, *, dark: bool = False) -> go.Figure:
    """Wright map: people on the left, items on the right, one scale of ability between them.

    Parameters
    ----------
    result : Result
    dark : bool

    Returns
    -------
    plotly.graph_objects.Figure
        Items of several steps have a label for each. Points carry the item's id in ``customdata``.
    """
    colours = look(dark)
    answered = result.abilities.loc[result.abilities["n_answered"] > 0]
    theta = answered["theta"].to_numpy(dtype=float)
    steps = difficulties(result)
    limit = max(REACH, float(np.abs(theta).max()) + 0.5)
    steps["place"] = steps["difficulty"].clip(-limit, limit)
    low = float(np.nanmin([*theta, *steps["place"]])) - 0.35
    high = float(np.nanmax([*theta, *steps["place"]])) + 0.35

    labelled = len(steps) <= MOST_LABELS
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.0, column_widths=[0.4, 0.6])
    edges = bin_edges(theta)
    counts, _ = np.histogram(theta, edges)
    figure.add_trace(
        go.Bar(
            x=counts, y=(edges[:-1] + edges[1:]) / 2, width=(edges[1] - edges[0]) * 0.94, orientation="h",
            marker={"color": translucent(colours.main, 0.6), "line": {"width": 0}}, name="persons", showlegend=False,
            hovertemplate="θ about %{y:.2f}: %{x} persons<extra></extra>",
        ),
        row=1, col=1,
    )  # fmt: skip
    for trace in _labels(steps, low, high, dark) if labelled else [_histogram(steps, dark)]:
        figure.add_trace(trace, row=1, col=2)
    figure.update_xaxes(title_text="Persons", autorange="reversed", row=1, col=1)
    figure.update_xaxes(
        title_text="Items" if labelled else "Number of items", showticklabels=not labelled, showgrid=not labelled,
        row=1, col=2,
    )  # fmt: skip
    figure.update_yaxes(range=[low, high])
    figure.update_yaxes(title_text=f"{ABILITY} and difficulty", row=1, col=1)
    title = "Persons and items on one scale"
    alt = (
        f"Persons: mean {theta.mean():.2f}, sd {theta.std():.2f}. {len(steps)} item difficulties, median "
        f"{steps['difficulty'].median():.2f}."
    )
    styled(figure, dark, title=title, alt=alt, height=520)
    figure.update_xaxes(ticks="" if labelled else "outside", row=1, col=2)
    return figure


def _labels(steps: pd.DataFrame, low: float, high: float, dark: bool) -> list[go.Scatter]:
    """Names beside marks, moved to the right where they would overlap."""
    colours = look(dark)
    ordered = steps.dropna(subset=["place"]).sort_values("place")
    row_height = (high - low) / 24
    last: list[float] = []
    columns = []
    for place in ordered["place"]:
        column = next((k for k, top in enumerate(last) if place - top >= row_height), len(last))
        last[column : column + 1] = [place]
        columns.append(column)
    beyond = (ordered["difficulty"] - ordered["place"]).to_numpy()
    symbols = np.where(beyond > 0, "triangle-up", np.where(beyond < 0, "triangle-down", "line-ew"))
    shown = [t if len(t) <= LONGEST_LABEL else t[: LONGEST_LABEL - 1] + "…" for t in ordered["label"]]
    marks = go.Scatter(
        x=columns, y=ordered["place"], mode="markers+text", text=[f"  {t}" for t in shown],
        textposition="middle right", textfont={"size": 12, "color": colours.ink}, cliponaxis=False,
        marker={
            "symbol": symbols, "size": 10, "color": colours.accent, "line": {"color": colours.accent, "width": 2}
        },
        customdata=ordered[["item", "difficulty", "sd"]].astype(object),
        hovertemplate="%{customdata[0]}: difficulty %{customdata[1]:.2f} (sd %{customdata[2]:.2f})<extra></extra>",
        name="items", showlegend=False,
    )  # fmt: skip
    edge = go.Scatter(
        x=[-0.3, max(FEWEST_COLUMNS, max(columns, default=0) + 1.0)], y=[low, low], mode="markers",
        marker={"opacity": 0}, hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    return [marks, edge]


def _histogram(steps: pd.DataFrame, dark: bool) -> go.Bar:
    place = steps["place"].dropna().to_numpy(dtype=float)
    edges = bin_edges(place)
    counts, _ = np.histogram(place, edges)
    inside = np.digitize(place, edges) - 1
    names = steps.dropna(subset=["place"])["label"].to_numpy()
    examples = [
        ", ".join(names[inside == k][:6]) + (" …" if (inside == k).sum() > 6 else "") for k in range(len(counts))
    ]
    return go.Bar(
        x=counts, y=(edges[:-1] + edges[1:]) / 2, width=(edges[1] - edges[0]) * 0.94, orientation="h",
        marker={"color": translucent(look(dark).accent, 0.65), "line": {"width": 0}}, name="items", showlegend=False,
        text=examples, textposition="none",
        hovertemplate="difficulty about %{y:.2f}: %{x} items<br>%{text}<extra></extra>",
    )  # fmt: skip
