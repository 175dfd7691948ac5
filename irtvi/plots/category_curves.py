"""The probability of every category of one item."""

from collections.abc import Hashable

import plotly.graph_objects as go

from irtvi.plots.item_curves import category_points, chosen_items
from irtvi.plots.labels import name_of
from irtvi.plots.reach import drawn_abilities, reach_of
from irtvi.plots.theme import ABILITY, colours_of, look, styled
from irtvi.plots.traces import band, error_bars
from irtvi.responses.responses import Responses
from irtvi.results.result import Result


def category_curves(
    result: Result,
    item: Hashable,
    *,
    level: float = 0.95,
    responses: Responses | None = None,
    dark: bool = False,
) -> go.Figure:
    """Probability of every category of an item, or of every option that people could choose.

    More categories than a figure has colours go from dark to bright in their order, without bands and answers.

    Parameters
    ----------
    result : Result
    item : item id
    level : float
        Of the bands and of the intervals of the shares that were observed.
    responses : Responses, optional
        In place of those of the fit; without any, the curves stand alone.
    dark : bool
    """
    (item,) = chosen_items(result, [item])
    colours = look(dark)
    table = result.curves(item, drawn_abilities(result), what="probability", level=level)
    observed = category_points(result, item, level, responses)
    reach = reach_of(result)
    figure = go.Figure()
    categories = list(table.groupby("category", sort=False))
    crowded = len(categories) > len(colours.series)
    for (category, own), colour in zip(categories, colours_of(len(categories), dark), strict=True):
        name = name_of(category)
        if not crowded:
            figure.add_trace(band(own, colour, name, name, False))
        figure.add_trace(
            go.Scatter(
                x=own["theta"], y=own["value"], mode="lines", name=name, legendgroup=name,
                line={"color": colour, "width": 2.2}, customdata=[[name]] * len(own),
                hovertemplate="answer %{customdata[0]}: θ %{x:.2f}, %{y:.3f}<extra></extra>",
            )
        )  # fmt: skip
        if observed is None or crowded:
            continue
        seen = observed.loc[observed["category"] == category]
        figure.add_trace(
            go.Scatter(
                x=seen["theta"], y=seen["value"], mode="markers", name=name, legendgroup=name, showlegend=False,
                error_y=error_bars(seen, colour), marker={"color": colour, "size": 6}, customdata=seen[["n"]],
                hovertemplate="θ about %{x:.2f}: %{y:.3f} of %{customdata[0]:.0f} answers<extra></extra>",
            )
        )  # fmt: skip
    figure.update_xaxes(title_text=ABILITY, range=[-reach, reach])
    figure.update_yaxes(title_text="Probability", range=[-0.02, 1.02])
    figure.update_layout(legend_title_text="answer ")
    title = f"Answers to {name_of(item)}"
    alt = f"Answers to {item}: probability of {table['category'].nunique()} categories "
    alt += f"over ability from {-reach:g} to {reach:g}."
    return styled(figure, dark, title=title, alt=alt, height=420)
