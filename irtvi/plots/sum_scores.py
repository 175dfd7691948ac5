"""The distribution of sum scores."""

import numpy as np
import plotly.graph_objects as go

from irtvi.plots.theme import look, styled
from irtvi.responses.responses import Responses

MOST_BINS = 60
FEW = 10
"""Up to so many points, every number stands on the axis."""


def sum_scores(responses: Responses, *, dark: bool = False) -> go.Figure:
    """Histogram of sum scores; of the share of the points that a person could reach, where not all answered alike.

    Parameters
    ----------
    responses : Responses
    dark : bool
    """
    colours = look(dark)
    total, most = responses.sum_score(), responses.max_score()
    known = np.isfinite(total)
    alike = known.any() and np.unique(most[known]).size == 1
    value = total[known] if alike else 100 * total[known] / np.where(most[known] > 0, most[known], np.nan)
    value = value[np.isfinite(value)]
    low, high = (float(value.min()), float(value.max())) if value.size else (0.0, 1.0)
    whole = alike and np.allclose(value, np.round(value)) and high - low < MOST_BINS
    points = int(most[known].max(initial=0)) if value.size else 0
    if whole:
        edges = np.arange(low - 0.5, high + 1.0)
    elif not alike and 0 < points <= MOST_BINS // 2:
        # Most answered all: their shares are multiples of one point, and a finer grid would be a comb.
        edges = (np.arange(points + 2) - 0.5) * 100 / points
    else:
        edges = np.linspace(low, max(high, low + 1e-6), 31)
    counts, _ = np.histogram(value, edges)
    figure = go.Figure(
        go.Bar(
            x=(edges[:-1] + edges[1:]) / 2, y=counts, width=np.diff(edges) * 0.92, marker={"color": colours.main},
            hovertemplate="%{x:.4g}: %{y} persons<extra></extra>",
        )
    )  # fmt: skip
    name = "Sum of answers" if responses.measured_items.any() else "Sum score"
    axis = name if alike else f"{name} in % of what could be reached"
    figure.update_xaxes(title_text=axis, dtick=1 if whole and high - low <= FEW else None)
    figure.update_yaxes(title_text="Persons")
    figure.update_layout(bargap=0)
    alt = f"Histogram of the sum scores of {value.size} persons."
    return styled(figure, dark, title=name if responses.measured_items.any() else "Sum scores", alt=alt, height=380)
