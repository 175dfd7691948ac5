"""What a sum score says about ability: the posterior given the sum, by the Lord-Wingersky recursion."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from irtvi.errors import SpecificationError
from irtvi.inference.nodes import TAIL, Grid
from irtvi.inference.placing import population_range
from irtvi.inference.table import log_prob_table, steepest_slope
from irtvi.models.model import Model
from irtvi.responses.cells import Cells
from irtvi.results.estimates import information_tables
from irtvi.results.scoring import NO_ANSWER, Scores

SHARE = 0.7
"""Spacing of nodes as a share of the narrowest width that any posterior could have."""
LONGEST = 200_000
"""Most sums on the lattice of the values."""
PATTERNS = 64
"""Sets of answered items that go through the recursion together."""
CHUNK_NUMBERS = 50_000
"""Most sets times sums that go through it together."""
CELLS = 50_000_000
"""Cells of a block of persons within which equal sets of items are looked for."""


@dataclass(frozen=True)
class SumScoreTable:
    """The posterior of ability for every sum that can be reached.

    Attributes
    ----------
    score : Float[Tensor, " sums"]
        In the user's units, ascending.
    theta, sd : Float[Tensor, " sums"]
        Mean and sd of ability given the sum.
    probability : Float[Tensor, " sums"]
        Of the sum in the population; times the number of persons it is the expected count.
    """

    score: Float[Tensor, " sums"]
    theta: Float[Tensor, " sums"]
    sd: Float[Tensor, " sums"]
    probability: Float[Tensor, " sums"]


@dataclass(frozen=True)
class _Lattice:
    """Values of all codes as whole numbers of steps above the item's lowest."""

    step: float
    lowest: Float[Tensor, " items"]
    steps: Int[Tensor, "items codes"]


def sum_score_table(
    model: Model,
    free: Float[Tensor, " n_free"],
    values: Float[Tensor, "items codes"],
    answered: Bool[Tensor, " items"] | None = None,
    group: int = 0,
) -> SumScoreTable:
    """Ability by sum score over the items that were answered (default: all that take part in the likelihood).

    Parameters
    ----------
    values : Float[Tensor, "items codes"]
        What each code is worth, in the user's units.
    answered : Bool[Tensor, " items"], optional
    group : int
        Whose population is the prior.

    Raises
    ------
    SpecificationError
        The values have no common step, so that nearly every pattern has a sum of its own.

    Notes
    -----
    The distribution of the sum at each node is built item by item (Lord & Wingersky 1984; Thissen, Pommerich,
    Billeaud & Williams 1995 for several categories).
    """
    answered = ~model.excluded if answered is None else answered & ~model.excluded
    lattice = _lattice(model, values)
    nodes = _Nodes(model, free, answered[None])
    score, theta, sd, probability = nodes.moments(lattice, answered[None], group)
    reached = probability[0] > 0
    return SumScoreTable(score[0, reached], theta[0, reached], sd[0, reached], probability[0, reached])


def eap_sum(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    groups: Int[Tensor, " persons"],
    values: Float[Tensor, "items codes"],
) -> Scores:
    """Posterior mean and sd of ability given only the sum over the items that each person answered.

    Parameters
    ----------
    cells : Cells
        Answers, each item in the coding that its model uses. Items outside the likelihood do not count.
    values : Float[Tensor, "items codes"]
        What each code is worth, in the user's units.
    """
    lattice = _lattice(model, values)
    device = free.device
    theta = torch.full((cells.n_persons,), torch.nan, dtype=torch.float64, device=device)
    sd = torch.full_like(theta, torch.nan)
    persons, items, codes = cells.pairs()
    counted = ~model.excluded[items]
    persons, items, codes = persons[counted], items[counted], codes[counted]
    reached = torch.zeros(cells.n_persons, dtype=torch.long, device=device)
    reached.index_add_(0, persons, lattice.steps[items, codes])
    for group, who, answered, pattern in _patterns(cells, model, groups):
        longest = int((lattice.steps.amax(1) * answered).sum(1).max()) + 1
        order = torch.argsort(pattern)
        who, pattern = who[order], pattern[order]
        starts = torch.searchsorted(pattern, torch.arange(len(answered) + 1, device=device))
        size = max(1, min(PATTERNS, CHUNK_NUMBERS // longest))
        for part in torch.arange(len(answered), device=device).split(size):
            _, mean, spread, _ = _Nodes(model, free, answered[part]).moments(lattice, answered[part], group)
            rows = slice(int(starts[part[0]]), int(starts[part[-1] + 1]))
            mine, row = who[rows], pattern[rows] - part[0]
            theta[mine], sd[mine] = mean[row, reached[mine]], spread[row, reached[mine]]
    status = np.full(cells.n_persons, "", dtype=object)
    empty = torch.bincount(persons, minlength=cells.n_persons) == 0
    status[empty.cpu().numpy()] = NO_ANSWER
    return Scores(theta, sd, status)


def _patterns(cells: Cells, model: Model, groups: Tensor) -> Iterator[tuple[int, Tensor, Tensor, Tensor]]:
    """Group, persons, the distinct sets of answered items by size, and which set is each person's."""
    for group in groups.unique().tolist():
        for who in torch.nonzero(groups == group)[:, 0].split(max(1, CELLS // cells.n_items)):
            answered = (cells.take(who).to_dense().codes >= 0) & ~model.excluded
            sets, pattern = torch.unique(answered, dim=0, return_inverse=True)
            order = torch.argsort(sets.sum(1))
            yield group, who, sets[order], torch.argsort(order)[pattern]


class _Nodes:
    """Probabilities of all answers at the nodes of a grid that suits any sum over some sets of items."""

    def __init__(self, model: Model, free: Tensor, answered: Bool[Tensor, "patterns items"]) -> None:
        self.model = model
        low, high = population_range(model, free)
        rough = torch.linspace(low, high, 201, dtype=torch.float64, device=free.device)[:, None]
        tables = information_tables(model, rough, free)
        assert tables.information is not None
        information = tables.information[:, model.columns.offset] @ answered.double().T
        unit = (high - low) / (2 * TAIL)
        width = float((information + unit**-2).max()) ** -0.5
        spacing = min(SHARE * width, 1.0 / max(steepest_slope(model, rough, free), 1e-6))
        theta = Grid.covering(low, high, spacing).theta(free.device)
        self.theta = theta[:, 0]
        self.probabilities = log_prob_table(model, theta, free).exp()
        log_density = model.population_log_prob(theta, model.population_slots.free_values(free))
        self.density = torch.softmax(log_density, 0)

    def moments(
        self, lattice: _Lattice, answered: Bool[Tensor, "patterns items"], group: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Score, mean, sd and probability of every sum on the lattice, ``[patterns, sums]``."""
        distribution = self.distribution(lattice, answered)
        density = self.density[:, group]
        powers = torch.stack([density, density * self.theta, density * self.theta.square()])
        probability, first, second = torch.einsum("mk,kps->mps", powers, distribution)
        mean = first / probability
        sd = (second / probability - mean.square()).clamp(min=0.0).sqrt()
        sums = torch.arange(distribution.shape[2], dtype=torch.float64, device=self.theta.device)
        base = (lattice.lowest * answered).sum(1)
        return base[:, None] + lattice.step * sums, mean, sd, probability

    def distribution(
        self, lattice: _Lattice, answered: Bool[Tensor, "patterns items"]
    ) -> Float[Tensor, "nodes patterns sums"]:
        """Probability of every sum at every node, one answered item of each pattern after the other.

        A pattern whose items are used up goes on with an item that is worth nothing.
        """
        device = self.theta.device
        top = lattice.steps.amax(1) * answered
        n_sums = int(top.sum(1).max()) + 1
        current = torch.zeros(len(self.theta), len(answered), n_sums, dtype=torch.float64, device=device)
        current[:, :, 0] = 1.0
        none = torch.zeros(len(self.theta), 1, dtype=torch.float64, device=device)
        probabilities = torch.cat([self.probabilities, none, none + 1.0], 1)
        zero, one = probabilities.shape[1] - 2, probabilities.shape[1] - 1
        items_in_turn = torch.argsort(~answered, dim=1, stable=True)
        reached = 1
        for t in range(int(answered.sum(1).max())):
            item = items_in_turn[:, t]
            uses = answered.gather(1, item[:, None])[:, 0]
            before = current[:, :, :reached]
            reached = min(reached + int(top.gather(1, item[:, None]).max()), n_sums)
            after = torch.zeros(len(self.theta), len(answered), reached, dtype=torch.float64, device=device)
            for code in range(int(self.model.n_categories[item].max())):
                has = uses & (self.model.n_categories[item] > code)
                column = torch.where(has, self.model.columns.offset[item] + code, zero)
                column = torch.where(~uses & (code == 0), one, column)
                shift = torch.where(has, lattice.steps[item, code], 0)
                share = probabilities[:, column]
                for by in shift.unique().tolist():
                    part = torch.where(shift == by, share, 0.0)[:, :, None]
                    length = min(before.shape[2], reached - by)
                    after[:, :, by : by + length].addcmul_(part, before[:, :, :length])
            current[:, :, :reached] = after
        return current


def _lattice(model: Model, values: Float[Tensor, "items codes"]) -> _Lattice:
    counts = model.n_categories.cpu().tolist()
    rows = [row[:n] for row, n in zip(values.cpu().double().tolist(), counts, strict=True)]
    lowest = [min(row) for row in rows]
    above = [[Fraction(str(round(v - low, 10))) for v in row] for row, low in zip(rows, lowest, strict=True)]
    step = _common_step({v for row in above for v in row if v})
    length = sum(max(row) for row in above) / step
    if length > LONGEST:
        raise SpecificationError(
            "Sum scores need values with a common step; "
            f"these need {int(length)} sums in steps of {float(step):g}. "
            "Declare categories with simple values, or use method='eap'."
        )
    steps = torch.zeros(len(rows), max(counts), dtype=torch.long)
    for j, row in enumerate(above):
        steps[j, : len(row)] = torch.tensor([int(v / step) for v in row])
    device = model.n_categories.device
    return _Lattice(float(step), torch.tensor(lowest, dtype=torch.float64, device=device), steps.to(device))


def _common_step(differences: set[Fraction]) -> Fraction:
    """The largest step of which all are multiples; 1 where there is nothing to divide."""
    whole = math.lcm(*(d.denominator for d in differences))
    return Fraction(math.gcd(*(int(d * whole) for d in differences)) or whole, whole)
