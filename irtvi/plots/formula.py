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
