"""What a sum score says about ability: the posterior given the sum, by the Lord-Wingersky recursion."""

import math
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

SHARE = 0.5
"""Spacing of nodes as a share of the narrowest width that any posterior could have."""
LONGEST = 200_000
"""Most sums on the lattice of the values."""
CHUNK_NUMBERS = 8_000_000


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
    nodes = _Nodes(model, free)
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
    nodes = _Nodes(model, free)
    device = free.device
    theta = torch.full((cells.n_persons,), torch.nan, dtype=torch.float64, device=device)
    sd = torch.full_like(theta, torch.nan)
    persons, items, codes = cells.pairs()
    counted = ~model.excluded[items]
    persons, items, codes = persons[counted], items[counted], codes[counted]
    reached = torch.zeros(cells.n_persons, dtype=torch.long, device=device)
    reached.index_add_(0, persons, lattice.steps[items, codes])
    for group, who, answered, pattern in _patterns(cells, model, groups):
        for part in torch.arange(len(answered), device=device).split(nodes.patterns_at_once(lattice, answered)):
            _, mean, spread, _ = nodes.moments(lattice, answered[part], group)
            inside = (pattern >= part[0]) & (pattern <= part[-1])
            mine = who[inside]
            row = pattern[inside] - part[0]
            theta[mine], sd[mine] = mean[row, reached[mine]], spread[row, reached[mine]]
    status = np.full(cells.n_persons, "", dtype=object)
    empty = torch.bincount(persons, minlength=cells.n_persons) == 0
    status[empty.cpu().numpy()] = NO_ANSWER
    return Scores(theta, sd, status)


def _patterns(cells: Cells, model: Model, groups: Tensor):
    """By group: persons, the distinct sets of answered items, and which set is each person's."""
    for group in groups.unique().tolist():
        who = torch.nonzero(groups == group)[:, 0]
        answered = (cells.take(who).to_dense().codes >= 0) & ~model.excluded
        sets, pattern = torch.unique(answered, dim=0, return_inverse=True)
        yield group, who, sets, pattern


class _Nodes:
    """Probabilities of all answers at the nodes of a grid that suits any sum."""

    def __init__(self, model: Model, free: Tensor) -> None:
        self.model = model
        low, high = population_range(model, free)
        rough = torch.linspace(low, high, 201, dtype=torch.float64, device=free.device)[:, None]
        tables = information_tables(model, rough, free)
        assert tables.information is not None
        information = tables.information[:, model.columns.offset][:, ~model.excluded].sum(1)
        unit = (high - low) / (2 * TAIL)
        width = float((information + unit**-2).max()) ** -0.5
        spacing = min(SHARE * width, 1.0 / max(steepest_slope(model, rough, free), 1e-6))
        theta = Grid.covering(low, high, spacing).theta(free.device)
        self.theta = theta[:, 0]
        self.probabilities = log_prob_table(model, theta, free).exp()
        log_density = model.population_log_prob(theta, model.population_slots.free_values(free))
        self.density = torch.softmax(log_density, 0)

    def patterns_at_once(self, lattice: _Lattice, answered: Bool[Tensor, "patterns items"]) -> int:
        longest = int((lattice.steps.amax(1) * answered).sum(1).max()) + 1
        return max(1, CHUNK_NUMBERS // (len(self.theta) * longest))

    def moments(
        self, lattice: _Lattice, answered: Bool[Tensor, "patterns items"], group: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Score, mean, sd and probability of every sum on the lattice, ``[patterns, sums]``."""
        distribution = self.distribution(lattice, answered)
        joint = distribution * self.density[:, group, None]
        probability = joint.sum(1)
        mean = torch.einsum("pks,k->ps", joint, self.theta) / probability
        deviation = self.theta[:, None] - mean[:, None, :]
        sd = ((joint * deviation.square()).sum(1) / probability).sqrt()
        sums = torch.arange(distribution.shape[2], dtype=torch.float64, device=self.theta.device)
        base = (lattice.lowest * answered).sum(1)
        return base[:, None] + lattice.step * sums, mean, sd, probability

    def distribution(
        self, lattice: _Lattice, answered: Bool[Tensor, "patterns items"]
    ) -> Float[Tensor, "patterns nodes sums"]:
        """Probability of every sum at every node, one answered item of each pattern after the other."""
        top = lattice.steps.amax(1)
        longest = int((top * answered).sum(1).max()) + 1 if len(top) else 1
        current = torch.zeros(len(answered), len(self.theta), longest, dtype=torch.float64, device=self.theta.device)
        current[:, :, 0] = 1.0
        turn = answered.long().cumsum(1) * answered
        for t in range(1, int(turn.max()) + 1 if turn.numel() else 1):
            patterns, items = torch.nonzero(turn == t, as_tuple=True)
            before = current[patterns]
            after = torch.zeros_like(before)
            for code in range(int(self.model.n_categories[items].max())):
                has = self.model.n_categories[items] > code
                columns = (self.model.columns.offset[items] + code).clamp(max=self.probabilities.shape[1] - 1)
                share = torch.where(has, self.probabilities[:, columns], 0.0).T[:, :, None]
                shift = torch.where(has, lattice.steps[items, code], 0)
                for by in shift.unique().tolist():
                    rows = shift == by
                    after[rows, :, by:] += share[rows] * before[rows, :, : longest - by]
            current[patterns] = after
        return current


def _lattice(model: Model, values: Float[Tensor, "items codes"]) -> _Lattice:
    counts = model.n_categories.cpu().tolist()
    rows = [row[:n] for row, n in zip(values.cpu().double().tolist(), counts, strict=True)]
    lowest = [min(row) for row in rows]
    above = [[Fraction(str(round(v - low, 10))) for v in row] for row, low in zip(rows, lowest, strict=True)]
    differences = [v for row in above for v in row if v]
    step = Fraction(0)
    for difference in set(differences):
        step = Fraction(math.gcd(step.numerator * difference.denominator, difference.numerator * step.denominator),
                        step.denominator * difference.denominator)  # fmt: skip
    if not step:
        step = Fraction(1)
    length = sum(max(row) for row in above) / step
    if length > LONGEST:
        raise SpecificationError(
            f"Sum scores need values with a common step; these need {int(length)} sums in steps of {float(step):g}. "
            "Declare categories with simple values, or use method='eap'."
        )
    steps = torch.zeros(len(rows), max(counts), dtype=torch.long)
    for j, row in enumerate(above):
        steps[j, : len(row)] = torch.tensor([int(v / step) for v in row])
    device = model.n_categories.device
    return _Lattice(
        float(step), torch.tensor(lowest, dtype=torch.float64, device=device), steps.to(device)
    )
