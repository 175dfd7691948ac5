"""In which direction items point: whether higher answers go with higher or lower answers to the rest."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.responses.cells import Cells

MOST_PERSONS = 5_000
MOST_ROUNDS = 10
CLEARLY = 2.5
"""An item is turned round where its correlation with the rest is this many standard errors below 0."""


def item_directions(cells: Cells) -> Int[Tensor, " items"]:
    """Sign of each item's correlation with the rest score, the rest in its own directions.

    Parameters
    ----------
    cells : Cells
        Scored answers; at most 5,000 persons spread over the file are looked at.

    Returns
    -------
    Int[Tensor, " items"]
        1, or -1 where the correlation is clearly negative. Most items have 1.
    """
    step = max(1, cells.n_persons // MOST_PERSONS)
    rows = torch.arange(0, cells.n_persons, step, device=cells.n_answered().device)
    persons, items, codes = cells.take(rows).pairs()
    n_items = cells.n_items
    z, n_answers = _standardised(items, codes.double(), n_items)
    sign = torch.ones(n_items, dtype=torch.float64, device=z.device)
    for _ in range(MOST_ROUNDS):
        signed = sign[items] * z
        total = z.new_zeros(len(rows)).index_add_(0, persons, signed)
        n_answered = z.new_zeros(len(rows)).index_add_(0, persons, torch.ones_like(z))
        rest = (total[persons] - signed) / (n_answered[persons] - 1).clamp(min=1).sqrt()
        correlation = _correlation(items, z, rest, n_items)
        turned = torch.where(correlation < -CLEARLY / n_answers.clamp(min=1).sqrt(), -1.0, 1.0)
        if bool((turned == sign).all()):
            break
        sign = turned
    return (sign if float(sign.sum()) >= 0 else -sign).long()


def _standardised(
    items: Int[Tensor, " answers"], value: Float[Tensor, " answers"], n_items: int
) -> tuple[Float[Tensor, " answers"], Float[Tensor, " items"]]:
    """Values centred and scaled within items, and the number of values of each item."""
    zero = value.new_zeros(n_items)
    n = zero.index_add(0, items, torch.ones_like(value))
    centred = value - (zero.index_add(0, items, value) / n.clamp(min=1))[items]
    spread = (zero.index_add(0, items, centred.square()) / n.clamp(min=1)).sqrt()
    return centred / spread.clamp(min=1e-6)[items], n


def _correlation(items: Tensor, z: Tensor, rest: Tensor, n_items: int) -> Float[Tensor, " items"]:
    other, n = _standardised(items, rest, n_items)
    return z.new_zeros(n_items).index_add_(0, items, z * other) / n.clamp(min=1)
