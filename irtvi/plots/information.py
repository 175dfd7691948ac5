"""How much each item tells, over ability."""

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from irtvi.plots.item_curves import chosen_items
from irtvi.plots.labels import name_of
from irtvi.plots.reach import drawn_abilities, reach_of
from irtvi.plots.theme import ABILITY, look, styled, translucent
from irtvi.plots.traces import band, joined
from irtvi.results.result import Result

MOST_NAMED = 7
N_POINTS = 81
LARGEST_SE = 2.0


def information(
    result: Result,
    items: Hashable | Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
    dark: bool = False,
) -> go.Figure:
    """Information of items over ability, and the standard error of a test made of them.

    Parameters
    ----------
    result : Result
    items : item id or list of ids, optional
        Default: all. Up to seven get a colour and a name each (a band too where there are at most three); more are
        drawn as one line with gaps, their names in the hover text.
    level : float
        Of the bands.
    dark : bool

    Returns
    -------
    plotly.graph_objects.Figure
        Fisher information on the left axis; of several items, the conditional standard error
        ``1 / sqrt(sum of the information)`` dashed on the right one.
    """
    wanted = chosen_items(result, items)
    colours = look(dark)
    reach, theta = reach_of(result), drawn_abilities(result, N_POINTS)
    table = result.curves(wanted, theta, what="information", level=level)
    figure = make_subplots(specs=[[{"secondary_y": len(wanted) > 1}]])
    if len(wanted) <= MOST_NAMED:
        for colour, (item, own) in zip(colours.series, table.groupby("item", sort=False), strict=False):
            if len(wanted) <= 3:
                figure.add_trace(band(own, colour, name_of(item), name_of(item), False))
            figure.add_trace(
                go.Scatter(
                    x=own["theta"], y=own["value"], mode="lines", name=name_of(item), legendgroup=name_of(item),
                    line={"color": colour, "width": 2}, customdata=[[name_of(item)]] * len(own),
                    hovertemplate="%{customdata[0]}: θ %{x:.2f}, information %{y:.2f}<extra></extra>",
                    showlegend=len(wanted) > 1,
                )
            )  # fmt: skip
    else:
        place, value, names = joined(table, wanted)
        opacity = 0.6 if len(wanted) <= 60 else 0.2
        figure.add_trace(
            go.Scatter(
                x=place, y=value, mode="lines", text=names, name="items",
                line={"color": translucent(colours.main, opacity), "width": 1.3},
                hovertemplate="%{text}: θ %{x:.2f}, information %{y:.2f}<extra></extra>",
            )
        )  # fmt: skip
    errors = _standard_error(table, theta, colours.ink)
    if len(wanted) > 1:
        figure.add_trace(errors, secondary_y=True)
    figure.update_xaxes(title_text=ABILITY, range=[-reach, reach])
    figure.update_yaxes(title_text="Information", rangemode="tozero")
    top = int(np.nanargmax(table["value"].to_numpy()))
    most, at = wanted[top // N_POINTS], theta[top % N_POINTS]
    title = f"Information of {len(wanted)} items" if len(wanted) > 1 else f"Information of item {name_of(wanted[0])}"
    alt = f"{title} over ability from {-reach:g} to {reach:g}; item {most} tells most, at ability {at:.1f}."
    styled(figure, dark, title=title, alt=alt, height=420)
    if len(wanted) > 1:
        highest = min([LARGEST_SE, 1.1 * float(np.max(np.array(errors.y), initial=0.0)) or LARGEST_SE])
        figure.update_yaxes(
            title_text="Standard error of θ", range=[0, highest], showgrid=False, tickmode="auto", secondary_y=True
        )
        figure.update_layout(margin={"r": 64})
    return figure


def _standard_error(table: pd.DataFrame, theta: np.ndarray, colour: str) -> go.Scatter:
    """Of a test made of the items of the table, where it is small enough to be of interest."""
    total = np.nansum(table["value"].to_numpy().reshape(-1, len(theta)), 0)
    shown = total > (2 * LARGEST_SE) ** -2.0
    return go.Scatter(
        x=theta[shown], y=total[shown] ** -0.5, mode="lines", name="standard error of all of them",
        line={"color": colour, "width": 2, "dash": "dash"},
        hovertemplate="θ %{x:.2f}: standard error %{y:.2f}<extra></extra>",
    )  # fmt: skip
