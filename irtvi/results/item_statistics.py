"""What can be said of items without a model: how many answered, the mean, the correlation with the rest."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.responses.cells import Cells, DenseCells
from irtvi.responses.responses import Responses

BLOCK = 1024
"""Persons whose numbers stay in the cache."""


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
    total, reachable = (
        torch.from_numpy(np.nan_to_num(score)) for score in (responses.sum_score(), responses.max_score())
    )
    weights = responses.person_weights()
    of_cells = _sums_dense if isinstance(cells, DenseCells) else _sums_listed
    n, sx, sxx, sr, srr, sxr = of_cells(cells, values, total, reachable, weights)
    mean = torch.where(n > 0, sx / n, torch.nan)
    covariance = sxr / n - mean * sr / n
    spread = ((sxx / n - mean.square()) * (srr / n - (sr / n).square())).clamp(min=0.0).sqrt()
    item_rest = torch.where(spread > 1e-12, covariance / spread, torch.nan)
    return ItemStatistics(n.numpy(), mean.numpy(), item_rest.numpy())


def _sums_dense(cells: Cells, values: Tensor, total: Tensor, reachable: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums by item of 1, x, x^2, rest, rest^2 and x rest."""
    assert isinstance(cells, DenseCells)
    largest = values.amax(1)
    padded = torch.cat([torch.zeros_like(values[:, :1]), values], 1)
    first = torch.arange(cells.n_items) * padded.shape[1] + 1
    sums = torch.zeros(6, cells.n_items, dtype=torch.float64)
    for rows in torch.arange(cells.n_persons).split(BLOCK):
        codes = cells.codes[rows[0] : rows[-1] + 1]
        x = padded.take(codes + first)
        others = reachable[rows, None] - largest
        rest = (total[rows, None] - x).div_(others.clamp(min=1e-12))
        rest *= (codes >= 0) & (others > 0)
        w = weights[rows]
        terms = (codes >= 0).double(), x, x.square(), rest, rest.square(), x * rest
        for row, term in zip(sums, terms, strict=True):
            row += w @ term
    return sums


def _sums_listed(cells: Cells, values: Tensor, total: Tensor, reachable: Tensor, weights: Tensor) -> Tensor:
    """As :func:`_sums_dense`, answer by answer."""
    sums = torch.zeros(6, cells.n_items, dtype=torch.float64)
    for rows, part in cells.parts():
        persons, items, codes = part.pairs()
        x, largest = values[items, codes], values.amax(1)[items]
        others = reachable[rows][persons] - largest
        rest = torch.where(others > 0, (total[rows][persons] - x) / others.clamp(min=1e-12), 0.0)
        w = weights[rows][persons]
        terms = w, w * x, w * x * x, w * rest, w * rest * rest, w * x * rest
        sums += torch.stack([torch.bincount(items, term, minlength=cells.n_items) for term in terms])
    return sums
