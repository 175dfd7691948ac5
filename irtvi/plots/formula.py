"""Curves of items that somebody made up."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from irtvi.plots.theme import ABILITY, look, styled


def formula(tables: Mapping[str, pd.DataFrame], *, what: str = "probability", dark: bool = False) -> go.Figure:
    """Curves of made-up items, from the tables of :func:`irtvi.results.formula.formula_table`.

    Parameters
    ----------
    tables : mapping of name to DataFrame
        The first is drawn on top.
    what : "probability" or "information"
    dark : bool
    """
    colours = look(dark)
    figure = go.Figure()
    for k, (name, table) in reversed(list(enumerate(tables.items()))):
        figure.add_trace(
            go.Scatter(
                x=table["theta"], y=table[what], mode="lines", name=name,
                line={"color": colours.main if k == 0 else colours.faint, "width": 3 if k == 0 else 1.6,
                      "dash": "solid" if k == 0 else "dot"},
                hovertemplate="θ %{x:.2f}: %{y:.3f}<extra></extra>",
            )
        )  # fmt: skip
    is_probability = what == "probability"
    title = "Probability of a right answer" if is_probability else "Information"
    figure.update_xaxes(title_text=ABILITY, range=[-4, 4])
    figure.update_yaxes(title_text=title, range=[-0.02, 1.02] if is_probability else None)
    if not is_probability:
        figure.update_yaxes(rangemode="tozero")
    first = next(iter(tables))
    alt = f"{title} over ability from -4 to 4: {first}."
    return styled(figure, dark, title=title, alt=alt, height=420 if is_probability else 300)


def formula_categories(table: pd.DataFrame, *, dark: bool = False) -> go.Figure:
    """Curves of the categories of a made-up item, from :func:`irtvi.results.formula.category_table`.

    Parameters
    ----------
    table : DataFrame
    dark : bool
    """
    colours = look(dark)
    figure = go.Figure()
    for k, (category, own) in enumerate(table.groupby("category", sort=False)):
        figure.add_trace(
            go.Scatter(
                x=own["theta"], y=own["probability"], mode="lines", name=str(category),
                line={"color": colours.series[k % len(colours.series)], "width": 2.4},
                hovertemplate=f"answer {category}: θ %{{x:.2f}}, %{{y:.3f}}<extra></extra>",
            )
        )  # fmt: skip
    figure.update_xaxes(title_text=ABILITY, range=[-4, 4])
    figure.update_yaxes(title_text="Probability of an answer", range=[-0.02, 1.02])
    figure.update_layout(legend_title_text="answer ")
    title = "Probability of each answer"
    most = table.loc[table.groupby("category")["probability"].idxmax()]
    where = ", ".join(f"{own.category} at {own.theta:.1f}" for own in most.itertuples())
    return styled(figure, dark, title=title, alt=f"{title} over ability from -4 to 4; highest: {where}.", height=420)
