"""Scores of the same people under two models."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from irtvi.plots.labels import lines_of
from irtvi.plots.theme import MOST_SVG_POINTS, look, styled

MOST_POINTS = 20_000


def agreement(table: pd.DataFrame, first: str, second: str, *, dark: bool = False) -> go.Figure:
    """Abilities of one fit against those of another, from :func:`irtvi.results.score_report.score_changes`.

    Parameters
    ----------
    table : DataFrame
    first, second : str
        Names of the two fits.
    dark : bool

    Notes
    -----
    With more than 20,000 people, so many are drawn, evenly by their order in the table.
    """
    colours = look(dark)
    step = max(1, -(-len(table) // MOST_POINTS))
    shown = table.iloc[::step]
    scatter = go.Scatter if len(shown) <= MOST_SVG_POINTS else go.Scattergl
    both = table[["theta_first", "theta_second"]].to_numpy()
    low, high = float(np.nanmin(both)), float(np.nanmax(both))
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=[low, high], y=[low, high], mode="lines", line={"color": colours.faint, "dash": "dot", "width": 1.2},
            hoverinfo="skip", showlegend=False,
        )
    )  # fmt: skip
    figure.add_trace(
        scatter(
            x=shown["theta_first"].astype(np.float32), y=shown["theta_second"].astype(np.float32), mode="markers",
            marker={"color": colours.main, "size": 5, "opacity": 0.6}, showlegend=False,
            customdata=np.array([[str(person)] for person in shown.index], dtype=object),
            hovertemplate="%{customdata[0]}: %{x:.2f} and %{y:.2f}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title_text="<br>".join(lines_of(first)))
    figure.update_yaxes(title_text="<br>".join(lines_of(second)))
    r = float(np.corrcoef(table["theta_first"], table["theta_second"])[0, 1])
    title = f"The same people twice (r = {r:.3f})"
    alt = f"Scatter of abilities under {first} and {second}; correlation {r:.3f}."
    return styled(figure, dark, title=title, alt=alt, height=440)
