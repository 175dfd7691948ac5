"""Item characteristic curves."""

import math
from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from irtvi.errors import SpecificationError
from irtvi.plots.item_curves import Axis, axis_of, chosen_items, curves_of, is_binary, is_ordered, points_of
from irtvi.plots.labels import name_of
from irtvi.plots.reach import drawn_abilities, reach_of
from irtvi.plots.theme import ABILITY, LEGEND_ABOVE, look, styled
from irtvi.plots.traces import band, error_bars
from irtvi.responses.responses import Responses
from irtvi.results.result import Result

MOST_PANELS = 40
PANELS_ACROSS = 4
PANEL_HEIGHT = 230
LONGEST_NAME = 20


def icc(
    result: Result,
    item: Hashable | Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
    responses: Responses | None = None,
    dark: bool = False,
) -> go.Figure:
    """Item characteristic curves: the model with its posterior band, and what people answered.

    Parameters
    ----------
    result : Result
    item : item id or list of ids, optional
        One item fills the figure; several get a panel each (40 at most; :func:`icc_lines` draws any number in one
        panel). Default: all.
    level : float
        Of the band and of the intervals.
    responses : Responses, optional
        In place of those of the fit. Without any, the curves stand alone.
    dark : bool

    Returns
    -------
    plotly.graph_objects.Figure
        Points are shares in groups of ability with Wilson intervals (see
        :func:`irtvi.diagnostics.empirical.empirical_scores`). With more than two categories, the expected answer.
    """
    items = chosen_items(result, item)
    for one in items:
        if not is_ordered(result, one):
            raise SpecificationError(
                f"The categories of item {one!r} have no order; irtvi.plots.category_curves shows them."
            )
    if len(items) > MOST_PANELS:
        raise SpecificationError(
            f"icc has room for {MOST_PANELS} panels, not {len(items)}; name fewer items, or use icc_lines."
        )
    across = min(len(items), PANELS_ACROSS)
    down = math.ceil(len(items) / across)
    single = len(items) == 1
    figure = make_subplots(
        rows=down, cols=across, subplot_titles=None if single else [name_of(one, LONGEST_NAME) for one in items],
        horizontal_spacing=0.05, vertical_spacing=0.32 / down if down > 1 else 0.1,
    )  # fmt: skip
    reach = reach_of(result)
    fitted = curves_of(result, items, level, drawn_abilities(result))
    observed = points_of(result, items, level, responses)
    for k, one in enumerate(items):
        row, column = divmod(k, across)
        axis = axis_of(result, one)
        for trace in _panel(fitted[one], observed.get(one), one, k == 0, dark):
            figure.add_trace(trace, row=row + 1, col=column + 1)
        figure.update_yaxes(range=_padded(axis), row=row + 1, col=column + 1)
        figure.update_yaxes(title_text=axis.title if single else None, row=row + 1, col=column + 1)
        if row == down - 1 or k + across >= len(items):
            figure.update_xaxes(title_text=ABILITY, row=row + 1, col=column + 1)
    figure.update_xaxes(range=[-reach, reach])
    what = "Item characteristic curve" if is_binary(result, items[0]) else "Expected answer"
    title = f"{what}: {name_of(items[0])}" if single else "Item characteristic curves"
    alt = f"{_said(what, items[0], fitted[items[0]]) if single else title}, with a {level:.0%} band"
    alt += f", and the answers of groups of ability with {level:.0%} intervals." if observed else "."
    height = 420 if single else 156 + PANEL_HEIGHT * down
    styled(figure, dark, title=title, alt=alt, height=height)
    if not single:
        # The panels' own titles lie just above them.
        figure.update_layout(legend={"y": 1 + 26 / (height - 156), **LEGEND_ABOVE}, margin={"t": 100})
    return figure


def _said(what: str, item: Hashable, fitted: pd.DataFrame) -> str:
    """The curve in words."""
    values = [f"{np.interp(theta, fitted['theta'], fitted['value']):.2f} at ability {theta}" for theta in (-2, 0, 2)]
    return f"{what} of {item}: {', '.join(values)}"


def _padded(axis: Axis) -> list[float]:
    pad = 0.02 * (axis.high - axis.low)
    return [axis.low - pad, axis.high + pad]


def _panel(
    fitted: pd.DataFrame, observed: pd.DataFrame | None, item: Hashable, first: bool, dark: bool
) -> list[go.Scatter]:
    colours = look(dark)
    traces = [
        band(fitted, colours.main, "band of the model", "band", first),
        go.Scatter(
            x=fitted["theta"], y=fitted["value"], mode="lines", line={"color": colours.main, "width": 2.2},
            name="model", legendgroup="model", showlegend=first,
            customdata=[[name_of(item)]] * len(fitted),
            hovertemplate="%{customdata[0]}: θ %{x:.2f}, model %{y:.3f}<extra></extra>",
        ),
    ]  # fmt: skip
    if observed is not None:
        traces.append(
            go.Scatter(
                x=observed["theta"], y=observed["value"], error_y=error_bars(observed, colours.ink), mode="markers",
                marker={"color": colours.paper, "size": 6, "line": {"color": colours.ink, "width": 1.4}},
                name="answers", legendgroup="answers", showlegend=first,
                customdata=observed[["n", "lower", "upper"]],
                hovertemplate=(
                    "θ about %{x:.2f}: %{y:.3f} (%{customdata[1]:.3f} to %{customdata[2]:.3f})"
                    "<br>of %{customdata[0]:.0f} answers<extra></extra>"
                ),
            )
        )  # fmt: skip
    return traces
