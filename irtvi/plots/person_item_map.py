"""Persons and items on one scale (Wright map)."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from irtvi.plots.abilities import bin_edges
from irtvi.plots.difficulties import difficulties
from irtvi.plots.labels import name_of, packed
from irtvi.plots.theme import ABILITY, look, styled, translucent
from irtvi.results.result import Result

MOST_LABELS = 60
"""With more steps of items, a histogram takes the place of their names."""
LONGEST_LABEL = 14
ROOM = 30
"""Characters that fit side by side in half a page; where names need more, a histogram takes their place."""
MARK = 2
"""Characters that the mark before a name takes, and the gap after it."""
LINES = 36
"""Names that fit one above the other."""
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

    ordered = steps.dropna(subset=["place"]).sort_values("place")
    room = _room(ordered, (high - low) / LINES)
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.0, column_widths=[0.36, 0.64])
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
    figure.update_xaxes(
        title_text="Persons", tickvals=_ticks(counts), tickangle=0, range=[1.05 * max(1, counts.max()), 0], row=1, col=1
    )
    if room is not None:
        figure.add_trace(_labels(ordered, *room, dark), row=1, col=2)
        figure.update_xaxes(title_text="Items", showgrid=False, range=[-1, ROOM + MARK], row=1, col=2)
    else:
        ends = bin_edges(ordered["place"].to_numpy(dtype=float))
        what = "items" if len(steps) == steps["item"].nunique() else "steps"
        bars = _histogram(ordered, ends, what, dark)
        figure.add_trace(bars, row=1, col=2)
        # The zero of both panels is where they meet: the left one has its name.
        ticks = _ticks(np.asarray(bars.x))[1:]
        title = f"Number of {what}"
        figure.update_xaxes(title_text=title, tickvals=ticks, tickangle=0, rangemode="tozero", row=1, col=2)
        low, high = min(low, float(ends[0])), max(high, float(ends[-1]))
    figure.update_yaxes(range=[low, high])
    figure.update_yaxes(title_text=f"{ABILITY} and difficulty", row=1, col=1)
    title = "Persons and items on one scale"
    alt = (
        f"Persons: mean {theta.mean():.2f}, sd {theta.std():.2f}. {len(steps)} item difficulties, median "
        f"{steps['difficulty'].median():.2f}."
    )
    styled(figure, dark, title=title, alt=alt, height=520)
    if room is not None:
        # Ticks without a colour keep both axes' titles on one line.
        figure.update_xaxes(ticks="", tickfont={"color": translucent(colours.paper, 0.0)}, row=1, col=2)
    return figure


def _ticks(counts: np.ndarray) -> list[int]:
    """Zero and at most three round numbers up to the largest count: there is no room for more."""
    most = max(1, int(counts.max(initial=1)))
    step = next(size * 10**power for power in range(12) for size in (1, 2, 5) if 3 * size * 10**power > 0.95 * most)
    return list(range(0, most + 1, step))


def _room(ordered: pd.DataFrame, row_height: float) -> tuple[np.ndarray, list[str]] | None:
    """Left end of each name, moved to the right where names would overlap, and the names; None without room."""
    if len(ordered) > MOST_LABELS:
        return None
    names = [label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…" for label in ordered["label"]]
    left = packed(ordered["place"].to_numpy(dtype=float), [len(name) + MARK for name in names], row_height)
    return (left, names) if bool((left + [len(name) for name in names] <= ROOM).all()) else None


def _labels(ordered: pd.DataFrame, left: np.ndarray, names: list[str], dark: bool) -> go.Scatter:
    """Names beside marks."""
    colours = look(dark)
    beyond = (ordered["difficulty"] - ordered["place"]).to_numpy()
    symbols = np.where(beyond > 0, "triangle-up", np.where(beyond < 0, "triangle-down", "line-ew"))
    return go.Scatter(
        x=left, y=ordered["place"], mode="markers+text", text=[f" {name_of(name)}" for name in names],
        textposition="middle right", textfont={"size": 10, "color": colours.ink}, cliponaxis=False,
        marker={
            "symbol": symbols, "size": 8, "color": colours.accent, "line": {"color": colours.accent, "width": 2}
        },
        customdata=ordered[["item", "difficulty", "sd"]].astype(object),
        hovertemplate="%{customdata[0]}: difficulty %{customdata[1]:.2f} (sd %{customdata[2]:.2f})<extra></extra>",
        name="items", showlegend=False,
    )  # fmt: skip


def _histogram(steps: pd.DataFrame, edges: np.ndarray, what: str, dark: bool) -> go.Bar:
    place = steps["place"].to_numpy(dtype=float)
    counts, _ = np.histogram(place, edges)
    inside = np.digitize(place, edges) - 1
    names = steps["label"].map(name_of).to_numpy()
    examples = [
        ", ".join(names[inside == k][:6]) + (" …" if (inside == k).sum() > 6 else "") for k in range(len(counts))
    ]
    return go.Bar(
        x=counts, y=(edges[:-1] + edges[1:]) / 2, width=(edges[1] - edges[0]) * 0.94, orientation="h",
        marker={"color": translucent(look(dark).accent, 0.65), "line": {"width": 0}}, name="items", showlegend=False,
        text=examples, textposition="none",
        hovertemplate=f"difficulty about %{{y:.2f}}: %{{x}} {what}<br>%{{text}}<extra></extra>",
    )  # fmt: skip
