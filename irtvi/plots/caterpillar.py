"""People in order of ability."""

import numpy as np
import plotly.graph_objects as go

from irtvi.errors import SpecificationError
from irtvi.plots.labels import name_of
from irtvi.plots.theme import ABILITY, look, styled, translucent
from irtvi.results.result import Result

MOST_NAMED = 40
LONGEST_NAME = 20


def caterpillar(result: Result, *, most: int = 300, level: float = 0.95, dark: bool = False) -> go.Figure:
    """Abilities in order, with intervals; the highest, whose place is 1, on top.

    Parameters
    ----------
    result : Result
    most : int
        With more people than that, so many are shown, evenly by rank (the lowest and the highest among them).
    level : float
        Of the intervals, which carry the uncertainty of the items too.
    dark : bool

    Returns
    -------
    plotly.graph_objects.Figure
        Up to 40 people are named on the axis; ``customdata`` holds the id.
    """
    if most < 2:
        raise SpecificationError(f"caterpillar(most=) must be at least 2, got {most}.")
    colours = look(dark)
    table = result.abilities.loc[:, ["theta", "n_answered"]].join(result.intervals(level))
    table = table.loc[table["n_answered"] > 0].sort_values(by="theta", kind="stable")
    rank = np.unique(np.linspace(0, len(table) - 1, min(most, len(table))).round().astype(int))
    shown = table.iloc[rank]
    place = len(table) - rank
    half = (shown["upper"] - shown["theta"]).to_numpy()
    ids = [str(person) for person in shown.index]
    figure = go.Figure(
        go.Scatter(
            x=shown["theta"], y=place, mode="markers", marker={"color": colours.main, "size": 5},
            error_x={
                "type": "data", "array": half, "color": translucent(colours.main, 0.45), "thickness": 1.2, "width": 0
            },
            customdata=np.column_stack([np.array(ids, dtype=object), shown["lower"], shown["upper"]]),
            hovertemplate=(
                "%{customdata[0]}: θ %{x:.2f} (%{customdata[1]:.2f} to %{customdata[2]:.2f})"
                "<br>place %{y}<extra></extra>"
            ),
            showlegend=False, cliponaxis=False,
        )
    )  # fmt: skip
    named = len(shown) <= MOST_NAMED
    # There is no place 0: an axis of numbers ends where the first place does.
    edge = 1.0 if named else 0.5
    figure.update_xaxes(title_text=ABILITY)
    figure.update_yaxes(title_text="Place", range=[len(table) + edge, 1 - edge])
    if named:
        names = [name_of(person, LONGEST_NAME) for person in ids]
        figure.update_yaxes(title_text=None, tickvals=place, ticktext=names)
    title = "Abilities in order"
    if len(shown) < len(table):
        title += f": {len(shown)} of {len(table):,} persons, evenly by rank"
    alt = f"{title}, with {level:.0%} intervals, from {shown['theta'].iloc[0]:.2f} to {shown['theta'].iloc[-1]:.2f}."
    styled(figure, dark, title=title, alt=alt, height=520)
    figure.update_yaxes(automargin=True)
    return figure
