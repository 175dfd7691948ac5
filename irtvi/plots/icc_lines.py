"""The characteristic curves of any number of items in one panel."""

from collections.abc import Hashable, Sequence

import numpy as np
import plotly.graph_objects as go

from irtvi.plots.item_curves import chosen_items
from irtvi.plots.labels import name_of
from irtvi.plots.reach import drawn_abilities, reach_of
from irtvi.plots.theme import ABILITY, look, styled, translucent
from irtvi.plots.traces import joined
from irtvi.results.result import Result

N_POINTS = 61


def icc_lines(
    result: Result, items: Sequence[Hashable] | None = None, *, highlight: Hashable = None, dark: bool = False
) -> go.Figure:
    """Characteristic curves of many items in one panel, as a share of the highest answer.

    Parameters
    ----------
    result : Result
    items : list of item ids, optional
        Default: all whose categories have an order.
    highlight : item id, optional
        Drawn on top of the others.
    dark : bool

    Notes
    -----
    All curves are one line with gaps: hundreds of separate lines would take seconds to appear.
    """
    ordered = {item for item, model in zip(result.coding.item_ids, result.item_models, strict=True) if model.ordered}
    wanted = [item for item in chosen_items(result, list(items) if items is not None else None) if item in ordered]
    colours, reach = look(dark), reach_of(result)
    table = result.curves(wanted, drawn_abilities(result, N_POINTS), what="expected")
    ranges = {
        item: coding.range
        for item, coding in zip(result.coding.item_ids, result.coding.codings, strict=True)
    }
    low, high = (np.repeat([ranges[item][end] for item in wanted], N_POINTS) for end in (0, 1))
    table["value"] = (table["value"] - low) / (high - low)
    theta, value, names = joined(table, wanted)
    opacity = 0.75 if len(wanted) <= 10 else 0.45 if len(wanted) <= 60 else 0.16
    figure = go.Figure(
        go.Scattergl(
            x=theta, y=value, mode="lines", line={"color": translucent(colours.main, opacity), "width": 1.4},
            text=names, hovertemplate="%{text}: θ %{x:.2f}, %{y:.3f}<extra></extra>", showlegend=False,
        )
    )  # fmt: skip
    if highlight is not None:
        own = table[table["item"] == highlight]
        figure.add_trace(
            go.Scattergl(
                x=own["theta"], y=own["value"], mode="lines", name=name_of(highlight),
                line={"color": colours.accent, "width": 3},
            )
        )  # fmt: skip
    figure.update_xaxes(title_text=ABILITY, range=[-reach, reach])
    figure.update_yaxes(title_text="Share of the highest answer", range=[-0.02, 1.02])
    title = f"Characteristic curves of {len(wanted)} items"
    return styled(figure, dark, title=title, alt=f"{title} over ability from {-reach:g} to {reach:g}.", height=460)
