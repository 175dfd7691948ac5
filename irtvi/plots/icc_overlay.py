"""One item under several models."""

from collections.abc import Hashable, Mapping

import plotly.graph_objects as go

from irtvi.errors import SpecificationError
from irtvi.plots.item_curves import axis_of, chosen_items, curves_of, points_of
from irtvi.plots.labels import name_of
from irtvi.plots.theme import ABILITY, look, styled
from irtvi.plots.traces import band, error_bars
from irtvi.results.result import Result

MOST_MODELS = 7
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid")


def icc_overlay(
    results: Mapping[str, Result],
    item: Hashable,
    *,
    level: float = 0.95,
    bands: bool = True,
    dark: bool = False,
) -> go.Figure:
    """Characteristic curves of one item under several models, and what people answered.

    Parameters
    ----------
    results : mapping of name to Result
        At most seven. The answers are grouped by the abilities of the first.
    item : item id
    level : float
    bands : bool
        Draw the bands of the first three models.
    dark : bool
    """
    if not results or len(results) > MOST_MODELS:
        raise SpecificationError(f"icc_overlay takes 1 to {MOST_MODELS} results by name, got {len(results)}.")
    colours = look(dark)
    figure = go.Figure()
    for k, (name, result) in enumerate(results.items()):
        (one,) = chosen_items(result, [item])
        table = curves_of(result, [one], level)[one]
        if bands and k < 3:
            figure.add_trace(band(table, colours.series[k], name, name, False))
        figure.add_trace(
            go.Scatter(
                x=table["theta"], y=table["value"], mode="lines", name=name, legendgroup=name,
                line={"color": colours.series[k], "width": 2.2, "dash": DASHES[k]}, customdata=[[name]] * len(table),
                hovertemplate="%{customdata[0]}: θ %{x:.2f}, %{y:.3f}<extra></extra>",
            )
        )  # fmt: skip
    first = next(iter(results.values()))
    observed = points_of(first, [item], level, None).get(item)
    if observed is not None:
        figure.add_trace(
            go.Scatter(
                x=observed["theta"], y=observed["value"], mode="markers", name="answers",
                error_y=error_bars(observed, colours.ink),
                marker={"color": colours.paper, "size": 6, "line": {"color": colours.ink, "width": 1.4}},
                hovertemplate="θ about %{x:.2f}: %{y:.3f}<extra></extra>",
            )
        )  # fmt: skip
    axis = axis_of(first, item)
    pad = 0.02 * (axis.high - axis.low)
    figure.update_xaxes(title_text=ABILITY, range=[-4, 4])
    figure.update_yaxes(title_text=axis.title, range=[axis.low - pad, axis.high + pad])
    under = f"under {len(results)} models"
    alt = f"{item} {under}: {', '.join(results)}."
    return styled(figure, dark, title=f"{name_of(item)} {under}", alt=alt, height=420)
