"""What can be said of items without a model: how many answered, the mean, the correlation with the rest."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.responses.cells import Cells, DenseCells
from irtvi.responses.responses import Responses

BLOCK = 8192


@dataclass(frozen=True)
class ItemStatistics:
    """Arrays over items.

    Attributes
    ----------
    n_answered : Float[np.ndarray, "items"]
        Number of persons (sum of frequencies) who answered.
    mean : Float[np.ndarray, "items"]
        Mean answer in the user's units; NaN where nobody answered.
    item_rest : Float[np.ndarray, "items"]
        Correlation of the answer with the share of points reached on the person's other items.
    """

    n_answered: Float[np.ndarray, " items"]
    mean: Float[np.ndarray, " items"]
    item_rest: Float[np.ndarray, " items"]


def item_statistics(responses: Responses) -> ItemStatistics:
    """Classical statistics of all items, weighted by the persons' weights."""
    cells = responses.scored()
    n_most = int(responses.n_categories("scored").max())
    values = torch.zeros(responses.n_items, n_most, dtype=torch.float64)
    for j, coding in enumerate(responses.codings):
        values[j, : len(coding.values)] = torch.tensor(coding.values, dtype=torch.float64)
    total = cells.sum_of(values)
    largest = values.amax(1)
    reachable = cells.sum_of(largest[:, None].expand(-1, n_most))
    weights = responses.person_weights()
    sums = torch.zeros(6, responses.n_items, dtype=torch.float64)
    for x, rest, w, items in _blocks(cells, values, total, reachable, largest, weights):
        terms = torch.stack([w, w * x, w * x * x, w * rest, w * rest * rest, w * x * rest])
        if items is None:
            sums += terms.sum(1)
        else:
            sums.index_add_(1, items, terms)
    n, sx, sxx, sr, srr, sxr = sums
    mean = torch.where(n > 0, sx / n, torch.nan)
    covariance = sxr / n - mean * sr / n
    spread = ((sxx / n - mean.square()) * (srr / n - (sr / n).square())).clamp(min=0.0).sqrt()
    item_rest = torch.where(spread > 1e-12, covariance / spread, torch.nan)
    return ItemStatistics(n.numpy(), mean.numpy(), item_rest.numpy())


def _blocks(cells: Cells, values: Tensor, total: Tensor, reachable: Tensor, largest: Tensor, weights: Tensor):
    """Answers, rest shares and weights; persons x items blocks of dense cells, lists of sparse ones."""
    if isinstance(cells, DenseCells):
        item = torch.arange(cells.n_items)
        for rows in torch.arange(cells.n_persons).split(BLOCK):
            codes = cells.codes[rows].long()
            answered = codes >= 0
            x = values[item, codes.clamp(min=0)]
            others = (reachable[rows, None] - largest).clamp(min=1e-12)
            rest = torch.where(answered, (total[rows, None] - x) / others, 0.0)
            only = answered & (reachable[rows, None] - largest > 0)
            w = torch.where(answered, weights[rows, None], 0.0)
            yield torch.where(answered, x, 0.0), torch.where(only, rest, 0.0), w, None
        return
    persons, items, codes = cells.pairs()
    x = values[items, codes]
    others = reachable[persons] - largest[items]
    rest = torch.where(others > 0, (total[persons] - x) / others.clamp(min=1e-12), 0.0)
    yield x, rest, weights[persons], items
