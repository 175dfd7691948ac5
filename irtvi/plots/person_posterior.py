"""What is known about one person's ability."""

from collections.abc import Hashable

import numpy as np
import plotly.graph_objects as go

from irtvi.plots.labels import name_of
from irtvi.plots.theme import ABILITY, look, styled, translucent
from irtvi.results.person_density import person_density
from irtvi.results.result import Result

VISIBLE = 0.003
"""Share of the highest density below which a line lies on the axis."""


def person_posterior(
    result: Result, person: Hashable, *, cut: float | None = None, level: float = 0.95, dark: bool = False
) -> go.Figure:
    """Posterior density of one person's ability beside the population, with the point estimate and its interval.

    Parameters
    ----------
    result : Result
    person : person id
    cut : float, optional
        A cut score, drawn as a line; the part of the density above it is filled.
    level : float
        Of the interval, which carries the uncertainty of the items too.
    dark : bool
    """
    colours = look(dark)
    table = person_density(result, person)
    score, interval = result.abilities.loc[person], result.intervals(level).loc[person]
    estimate, low, high = float(score["theta"]), float(interval["lower"]), float(interval["upper"])
    top = 1.1 * float(table[["posterior", "population"]].to_numpy().max())
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=table["theta"], y=table["population"], mode="lines", fill="tozeroy", line={"width": 0},
            fillcolor=translucent(colours.faint, 0.2), name="population", hoverinfo="skip",
        )
    )  # fmt: skip
    above = table if cut is None else table.loc[table["theta"] >= cut]
    figure.add_trace(
        go.Scatter(
            x=above["theta"], y=above["posterior"], mode="lines", fill="tozeroy", line={"width": 0},
            fillcolor=translucent(colours.main, 0.25), hoverinfo="skip", showlegend=False,
        )
    )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=table["theta"], y=table["posterior"], mode="lines", name="posterior",
            line={"color": colours.main, "width": 2.2}, hoverinfo="skip",
        )
    )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=[estimate], y=[0.04 * top], mode="markers", marker={"color": colours.accent, "size": 9},
            error_x={
                "type": "data", "symmetric": False, "array": [high - estimate], "arrayminus": [estimate - low],
                "color": colours.accent, "thickness": 2.4, "width": 6,
            },
            name=f"estimate and {level:.0%} interval",
            hovertemplate=f"θ %{{x:.2f}} ({low:.2f} to {high:.2f})<extra></extra>",
        )
    )  # fmt: skip
    seen = table.loc[table["posterior"] > VISIBLE * table["posterior"].max(), "theta"]
    ends = [min(-4.0, float(seen.min()), low), max(4.0, float(seen.max()), high)]
    alt = f"Ability of {person}: {estimate:.2f}, {level:.0%} interval {low:.2f} to {high:.2f}."
    if cut is not None:
        ends = [min(ends[0], cut), max(ends[1], cut)]
        chance = float(np.sum(above["posterior"]) / np.sum(table["posterior"]))
        figure.add_vline(
            x=cut, line={"color": colours.ink, "dash": "dash", "width": 1.4},
            annotation_position="top right" if cut <= 0 else "top left",
            annotation={"text": f"cut {cut:g}", "font": {"color": colours.ink}, "xshift": 4 if cut <= 0 else -4},
        )  # fmt: skip
        alt += f" Above the cut {cut:g} with a chance of {chance:.0%}."
    figure.update_xaxes(title_text=ABILITY, range=ends)
    figure.update_yaxes(title_text="Density", range=[0, top])
    return styled(figure, dark, title=f"Ability of person {name_of(person)}", alt=alt, height=360)
