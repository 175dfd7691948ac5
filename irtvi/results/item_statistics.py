"""What can be said of items without a model: how many answered, the mean, the correlation with the rest."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int8
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
        Correlation of the answer with the share of points reached on the person's other items; where some items are
        measured and have no points, with the mean of the other answers, each in sds from its item's mean.
    """

    n_answered: Float[np.ndarray, " items"]
    mean: Float[np.ndarray, " items"]
    item_rest: Float[np.ndarray, " items"]


def item_statistics(responses: Responses) -> ItemStatistics:
    """Classical statistics of all items, weighted by the persons' weights."""
    if responses.measured_items.any():
        return _of_numbers(responses)
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


def _of_numbers(responses: Responses) -> ItemStatistics:
    """Where some items are measured: all answers as numbers."""
    numbers = responses.numbers(range(responses.n_items))
    person, item, x = numbers.persons(), numbers.items.long(), numbers.values
    w = responses.person_weights()[person]

    def by_item(terms: Tensor) -> Tensor:
        return torch.bincount(item, terms, minlength=responses.n_items)

    n = by_item(w)
    mean = by_item(w * x) / n
    sd = (by_item(w * (x - mean[item]).square()) / n).sqrt()
    z = torch.where(sd[item] > 0, (x - mean[item]) / sd[item].clamp(min=1e-300), 0.0)
    total = torch.bincount(person, z, minlength=responses.n_persons)
    others = torch.bincount(person, minlength=responses.n_persons)[person] - 1
    rest = torch.where(others > 0, (total[person] - z) / others.clamp(min=1), 0.0)
    centred = rest - (by_item(w * rest) / n)[item]
    spread = (by_item(w * centred.square()) / n).sqrt()
    item_rest = torch.where(spread > 1e-12, by_item(w * z * centred) / n / spread, torch.nan)
    return ItemStatistics(n.numpy(), mean.numpy(), torch.where(sd > 0, item_rest, torch.nan).numpy())


def _sums_dense(cells: Cells, values: Tensor, total: Tensor, reachable: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums by item of 1, x, x^2, rest, rest^2 and x rest.

    The rest is (total - x) / (reachable - largest): for items with the same largest answer, sums of products of
    what belongs to a person alone, taken over those who gave an answer.
    """
    assert isinstance(cells, DenseCells)
    sums = torch.zeros(6, cells.n_items, dtype=torch.float64)
    complete = bool((cells.n_answered() == cells.n_items).all())
    for largest in values.amax(1).unique():
        own = torch.nonzero(values.amax(1) == largest)[:, 0]
        codes = cells.codes if len(own) == cells.n_items else cells.codes[:, own]
        others = reachable - largest
        share = torch.where(others > 0, 1 / others.clamp(min=1e-12), 0.0)
        reached = total * share
        of_person = torch.stack(
            [torch.ones_like(share), reached, share, reached.square(), reached * share, share.square()]
        )
        of_person *= weights
        by_code = _sums_by_code(codes, of_person, values.shape[1], complete)
        for (n, r, u, rr, ru, uu), x in zip(by_code, values[own].T, strict=True):
            terms = n, x * n, x.square() * n, r - x * u, rr - 2 * x * ru + x.square() * uu, x * (r - x * u)
            sums[:, own] += torch.stack(terms)
    return sums


def _sums_by_code(
    codes: Int8[Tensor, "persons items"], of_person: Float[Tensor, "numbers persons"], n_codes: int, complete: bool
) -> Float[Tensor, "codes numbers items"]:
    """Sums of what belongs to persons over those who gave each code; where all answered, the first is what is left."""
    sums = of_person.new_zeros(n_codes, len(of_person), codes.shape[1])
    gave = of_person.new_empty(BLOCK, codes.shape[1])
    first = int(complete)
    for part, numbers in zip(codes.split(BLOCK), of_person.split(BLOCK, 1), strict=True):
        for code in range(first, n_codes):
            sums[code] += numbers @ torch.eq(part, code, out=gave[: len(part)])
    if complete:
        sums[0] = of_person.sum(1)[:, None] - sums.sum(0)
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
