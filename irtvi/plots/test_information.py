"""How precisely a test measures, over ability."""

# ruff: noqa: PT028 (a test is a set of items here)

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from irtvi.plots.abilities import posterior_density
from irtvi.plots.item_curves import chosen_items
from irtvi.plots.reach import drawn_abilities, reach_of
from irtvi.plots.theme import ABILITY, look, styled, translucent
from irtvi.plots.traces import band
from irtvi.results.result import Result

LARGEST_SE = 2.0
"""Where a standard error leaves the figure."""


def test_information(
    result: Result, items: Sequence[Hashable] | None = None, *, level: float = 0.95, dark: bool = False
) -> go.Figure:
    """Information of a test, its conditional standard error, and where people are.

    Parameters
    ----------
    result : Result
    items : list of item ids, optional
        Those of the test; default: all.
    level : float
        Of the bands, which carry the items' uncertainty.
    dark : bool

    Returns
    -------
    plotly.graph_objects.Figure
        Information (Fisher, without the prior) on the left axis, the standard error ``1 / sqrt(information)``
        dashed on the right one, the distribution of ability as a shade.
    """
    colours = look(dark)
    wanted = chosen_items(result, list(items) if items is not None else None)
    table = result.curves(wanted, drawn_abilities(result), what="test_information", level=level)
    figure = make_subplots(specs=[[{"secondary_y": True}]])
    answered = result.abilities.loc[result.abilities["n_answered"] > 0]
    place, density = posterior_density(answered)
    top = float(table["value"].to_numpy().max())
    figure.add_trace(
        go.Scatter(
            x=place, y=density / density.max() * 0.45 * top, fill="tozeroy", mode="lines", line={"width": 0},
            fillcolor=translucent(colours.faint, 0.2), name="where people are", hoverinfo="skip",
        )
    )  # fmt: skip
    figure.add_trace(band(table, colours.main, "band", None, False))
    figure.add_trace(
        go.Scatter(
            x=table["theta"], y=table["value"], mode="lines", name="information",
            line={"color": colours.main, "width": 2.4},
            hovertemplate="θ %{x:.2f}: information %{y:.2f}<extra></extra>",
        )
    )  # fmt: skip
    errors = _standard_errors(table)
    figure.add_trace(band(errors, colours.accent, "band", None, False), secondary_y=True)
    figure.add_trace(
        go.Scatter(
            x=errors["theta"], y=errors["value"], mode="lines", name="standard error",
            line={"color": colours.accent, "width": 2, "dash": "dash"},
            hovertemplate="θ %{x:.2f}: standard error %{y:.2f}<extra></extra>",
        ),
        secondary_y=True,
    )  # fmt: skip
    figure.update_xaxes(title_text=ABILITY, range=[-reach_of(result), reach_of(result)])
    figure.update_yaxes(title_text="Information", rangemode="tozero", secondary_y=False)
    highest = min(LARGEST_SE, 1.1 * float(np.nanmax(errors["value"].to_numpy())))
    figure.update_yaxes(title_text="Standard error of θ", range=[0, highest], secondary_y=True)
    best = table.loc[table["value"].idxmax()]
    title = f"Information of {len(wanted)} items"
    alt = (
        f"{title}: highest ({best['value']:.1f}) at ability {best['theta']:.1f}, where the standard error is "
        f"{best['value'] ** -0.5:.2f}."
    )
    styled(figure, dark, title=title, alt=alt, height=420)
    figure.update_yaxes(showgrid=False, tickmode="auto", secondary_y=True)
    figure.update_layout(margin={"r": 64})
    return figure


def _standard_errors(table: pd.DataFrame) -> pd.DataFrame:
    with np.errstate(divide="ignore"):
        se = pd.DataFrame(
            {
                "theta": table["theta"],
                "value": table["value"] ** -0.5,
                "lower": table["upper"] ** -0.5,
                "upper": table["lower"] ** -0.5,
            }
        )
    se = se.replace(np.inf, np.nan)
    return se.assign(upper=se["upper"].clip(upper=2 * LARGEST_SE), value=se["value"].clip(upper=2 * LARGEST_SE))
