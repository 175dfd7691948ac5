"""Which answers are there and which are missing."""

import numpy as np
import plotly.graph_objects as go

from irtvi.plots.theme import look, styled
from irtvi.responses.responses import Responses

FEW = 10
"""Up to so many persons, each has a tick."""
MOST_ROWS = 150
MOST_COLUMNS = 200
MOST_LABELS = 12


def missingness(responses: Responses, *, dark: bool = False) -> go.Figure:
    """Share of answers that are there, by blocks of neighbouring persons and items.

    Parameters
    ----------
    responses : Responses
    dark : bool

    Notes
    -----
    At most 150 x 200 blocks, whatever the size of the data: booklets show as stripes.
    """
    colours = look(dark)
    n_persons, n_items = responses.n_persons, responses.n_items
    rows, columns = min(n_persons, MOST_ROWS), min(n_items, MOST_COLUMNS)
    answered = np.zeros(rows * columns, np.int64)
    for block, part in responses.cells.parts():
        persons, items, _ = (tensor.cpu().numpy() for tensor in part.pairs())
        row, column = (persons + block.start) * rows // n_persons, items * columns // n_items
        answered += np.bincount(row * columns + column, minlength=rows * columns)
    answered = answered.reshape(rows, columns)
    tall = np.bincount(np.arange(n_persons, dtype=np.int64) * rows // n_persons, minlength=rows)
    wide = np.bincount(np.arange(n_items, dtype=np.int64) * columns // n_items, minlength=columns)
    share = answered / (tall[:, None] * wide[None, :])
    first_item = np.searchsorted(np.arange(n_items, dtype=np.int64) * columns // n_items, np.arange(columns))
    first_person = np.searchsorted(np.arange(n_persons, dtype=np.int64) * rows // n_persons, np.arange(rows))
    figure = go.Figure(
        go.Heatmap(
            x=first_item, y=first_person, z=np.round(100 * share).astype(np.uint8), zmin=0, zmax=100,
            colorscale=[[0, colours.accent], [0.5, colours.grid], [1, colours.main]],
            colorbar={"title": {"text": "answered", "side": "right"}, "ticksuffix": "%"},
            hovertemplate="item from number %{x}, person from number %{y}: %{z}% answered<extra></extra>",
        )
    )  # fmt: skip
    if n_items <= MOST_LABELS:
        figure.update_xaxes(tickvals=list(range(n_items)), ticktext=[str(item)[:14] for item in responses.item_ids])
    figure.update_xaxes(title_text="Items", automargin=True)
    figure.update_yaxes(title_text="Persons", autorange="reversed", dtick=1 if n_persons <= FEW else None)
    missing = 1 - responses.n_responses / max(1, n_persons * n_items)
    alt = f"Map of {n_persons} persons by {n_items} items: {missing:.1%} of the answers are missing."
    return styled(figure, dark, title=f"{missing:.1%} of the answers are missing", alt=alt, height=380)
