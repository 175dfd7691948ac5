"""The figures that show all items of a result, for a page of their own."""

import plotly.graph_objects as go

from irtvi.plots.category_curves import category_curves
from irtvi.plots.icc import MOST_PANELS, icc
from irtvi.plots.icc_lines import icc_lines
from irtvi.results.result import Result


def curves_page(result: Result, *, dark: bool = False) -> list[go.Figure]:
    """Characteristic curves of all items: panels where there is room, else all in one panel.

    Items whose categories have no order get a figure of their options each (the first forty of them).
    """
    models = dict(zip(result.coding.item_ids, result.item_models, strict=True))
    ordered = [item for item, model in models.items() if model.ordered]
    unordered = [item for item, model in models.items() if not model.ordered]
    figures = []
    if ordered:
        room = len(ordered) <= MOST_PANELS
        figures.append(icc(result, ordered, dark=dark) if room else icc_lines(result, ordered, dark=dark))
    return figures + [category_curves(result, item, dark=dark) for item in unordered[:MOST_PANELS]]
