"""One item under several models."""

from collections.abc import Hashable, Mapping

import numpy as np
import plotly.graph_objects as go

from irtvi.errors import SpecificationError
from irtvi.plots.item_curves import axis_of, chosen_items, curves_of, points_of
from irtvi.plots.labels import lines_of, name_of
from irtvi.plots.theme import look, styled
from irtvi.plots.traces import band, error_bars
from irtvi.results.result import Result
from irtvi.results.score_report import Scale, reference_population, rescaled

MOST_MODELS = 7
STANDARDISED = "Ability (mean 0, sd 1)"
N_POINTS = 121
LINE = 20
"""Pixels of a line of the legend, whose lines take nothing from the panel."""
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

    Notes
    -----
    Models differ in the unit of ability: a Rasch model has slopes of 1 and estimates the sd of its population, others
    fix the sd at 1. Every curve is drawn over the ability on which the population of its own model has mean 0 and sd 1
    (of several groups: the first), so that the same place means the same people.
    """
    if not results or len(results) > MOST_MODELS:
        raise SpecificationError(f"icc_overlay takes 1 to {MOST_MODELS} results by name, got {len(results)}.")
    colours = look(dark)
    figure = go.Figure()
    place = np.linspace(-4, 4, N_POINTS)
    for k, (name, result) in enumerate(results.items()):
        (one,) = chosen_items(result, [item])
        population = reference_population(result, "population")
        table = curves_of(result, [one], level, population.mean + population.sd * place)[one].assign(theta=place)
        if bands and k < 3:
            figure.add_trace(band(table, colours.series[k], name, name, False))
        figure.add_trace(
            go.Scatter(
                x=table["theta"], y=table["value"], mode="lines", name="<br>".join(lines_of(name)), legendgroup=name,
                line={"color": colours.series[k], "width": 2.2, "dash": DASHES[k]}, customdata=[[name]] * len(table),
                hovertemplate="%{customdata[0]}: ability %{x:.2f}, %{y:.3f}<extra></extra>",
            )
        )  # fmt: skip
    first = next(iter(results.values()))
    observed = points_of(first, [item], level, None).get(item)
    if observed is not None:
        place = rescaled(observed["theta"], reference_population(first, "population"), Scale(0.0, 1.0))
        figure.add_trace(
            go.Scatter(
                x=place, y=observed["value"], mode="markers", name="answers",
                error_y=error_bars(observed, colours.ink),
                marker={"color": colours.paper, "size": 6, "line": {"color": colours.ink, "width": 1.4}},
                hovertemplate="ability about %{x:.2f}: %{y:.3f}<extra></extra>",
            )
        )  # fmt: skip
    axis = axis_of(first, item)
    pad = 0.02 * (axis.high - axis.low)
    figure.update_xaxes(title_text=STANDARDISED, range=[-4, 4])
    figure.update_yaxes(title_text=axis.title, range=[axis.low - pad, axis.high + pad])
    under = f"under {len(results)} models"
    alt = f"{item} {under}: {', '.join(results)}; abilities in standard deviations of each model's population."
    lines = sum(len(lines_of(name)) for name in results)
    return styled(figure, dark, title=f"{name_of(item)} {under}", alt=alt, height=380 + LINE * lines)
