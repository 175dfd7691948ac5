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
from irtvi.inference.answers import answers_of
from irtvi.inference.nodes import TAIL, Grid
from irtvi.inference.placing import population_range
from irtvi.inference.table import coefficient_table, steepest_slope
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
ALIKE = 1.3
"""And how much longer than the shortest the longest of them may be."""
MIXER = 0x9E3779B97F4A7C1 * 2 + 1
"""Odd, so that multiplying a 64-bit number by it loses nothing."""
CHUNK_NUMBERS = 1500
"""Most sets times sums that go through it together."""


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
    rough = _Rough(model, free)
    information = rough.information[:, model.columns.offset][:, answered].sum(1)
    nodes = _nodes(model, free, rough, float(rough.spacing(information.max())))
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
    people = _people(model, cells, lattice)
    spacing = _spacings(model, free, cells)
    finest = float(spacing.min()) if cells.n_persons else 1.0
    nodes = _nodes(model, free, _Rough(model, free), finest)
    for group in groups.unique().tolist():
        who = torch.nonzero(groups == group)[:, 0]
        who = who[torch.argsort(people.same[who], stable=True)]
        first = torch.ones(len(who), dtype=torch.bool, device=device)
        first[1:] = people.same[who][1:] != people.same[who][:-1]
        starts = torch.cat([torch.nonzero(first)[:, 0], torch.tensor([len(who)], device=device)])
        by_length = torch.argsort(people.longest[who[starts[:-1]]])
        for sets in _chunks(by_length, people.longest[who[starts[:-1]]]):
            examples = who[starts[sets]]
            answered = (cells.take(examples).to_dense().codes >= 0) & ~model.excluded
            stride = max(1, int(float(spacing[examples].min()) / finest))
            _, mean, spread, _ = nodes.every(stride).moments(lattice, answered, group)
            counts = starts[sets + 1] - starts[sets]
            row = torch.repeat_interleave(torch.arange(len(sets), device=device), counts)
            before = torch.cumsum(counts, 0) - counts
            mine = who[starts[sets][row] + torch.arange(len(row), device=device) - before[row]]
            theta[mine], sd[mine] = mean[row, people.reached[mine]], spread[row, people.reached[mine]]
    status = np.full(cells.n_persons, "", dtype=object)
    status[people.empty.cpu().numpy()] = NO_ANSWER
    return Scores(theta, sd, status)


@dataclass(frozen=True)
class _People:
    """What the recursion needs to know of each person.

    Attributes
    ----------
    reached, longest : Int[Tensor, " persons"]
        Steps on the lattice that were made, and that could have been made.
    same : Int[Tensor, " persons"]
        Equal for persons who answered the same items.
    empty : Bool[Tensor, " persons"]
    """

    reached: Int[Tensor, " persons"]
    longest: Int[Tensor, " persons"]
    same: Int[Tensor, " persons"]
    empty: Bool[Tensor, " persons"]


def _people(model: Model, cells: Cells, lattice: _Lattice) -> _People:
    shape = lattice.steps.shape
    device = lattice.steps.device

    def total(values: Tensor) -> Int[Tensor, " persons"]:
        counted = torch.where(model.excluded[:, None], 0, values.expand(shape))
        return cells.sum_of(counted.double()).long()

    # Two sums of random numbers that float64 holds exactly: different sets of items have the same about never.
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randint(2**37, (2, model.n_items, 1), generator=generator).to(device)
    return _People(
        total(lattice.steps),
        total(lattice.steps.amax(1, keepdim=True)),
        total(numbers[0]) * MIXER + total(numbers[1]),
        total(torch.ones(1, 1, dtype=torch.long, device=device)) == 0,
    )


def _chunks(order: Int[Tensor, " sets"], longest: Int[Tensor, " sets"]) -> Iterator[Int[Tensor, " chunk"]]:
    """Sets of similar size together, fewer of them where sums are many."""
    start = 0
    sizes = longest[order].tolist()
    for end in range(1, len(sizes) + 1):
        full = end == len(sizes) or (
            end - start >= PATTERNS
            or sizes[end] > ALIKE * (sizes[start] + 8)
            or (end - start + 1) * (sizes[end] + 1) > CHUNK_NUMBERS
        )
        if full:
            yield order[start:end]
            start = end


class _Rough:
    """Information of all answers on a coarse grid, which says how fine a grid must be."""

    def __init__(self, model: Model, free: Tensor) -> None:
        self.low, self.high = population_range(model, free)
        theta = torch.linspace(self.low, self.high, 201, dtype=torch.float64, device=free.device)[:, None]
        tables = information_tables(model, theta, free)
        assert tables.information is not None
        self.information = tables.information
        self.steepest = max(steepest_slope(model, theta, free), 1e-6)
        self.unit = (self.high - self.low) / (2 * TAIL)

    def spacing(self, information: Tensor) -> Tensor:
        """Largest spacing that suits somebody with this much information at most."""
        return (SHARE * (information + self.unit**-2).rsqrt()).clamp(max=1.0 / self.steepest)


def _spacings(model: Model, free: Tensor, cells: Cells) -> Float[Tensor, " persons"]:
    rough = _Rough(model, free)
    out = torch.empty(cells.n_persons, dtype=torch.float64, device=free.device)
    answers = answers_of(model, cells)
    table = answers.table(rough.information)
    for persons in torch.arange(cells.n_persons, device=free.device).split(2048):
        out[persons] = rough.spacing(answers.block(persons).forward(*table).amax(0))
    return out


def _nodes(model: Model, free: Tensor, rough: _Rough, spacing: float) -> "_Nodes":
    theta = Grid.covering(rough.low, rough.high, spacing).theta(free.device)
    log_density = model.population_log_prob(theta, model.population_slots.free_values(free))
    return _Nodes(model, theta[:, 0], coefficient_table(model, theta, free).exp(), log_density)


@dataclass(frozen=True)
class _Nodes:
    """Probabilities of all answers at the nodes of a grid, and the log densities of the populations."""

    model: Model
    theta: Float[Tensor, " nodes"]
    probabilities: Float[Tensor, "nodes columns"]
    log_density: Float[Tensor, "nodes groups"]

    def every(self, stride: int) -> "_Nodes":
        """A coarser grid."""
        return _Nodes(self.model, self.theta[::stride], self.probabilities[::stride], self.log_density[::stride])

    def moments(
        self, lattice: _Lattice, answered: Bool[Tensor, "patterns items"], group: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Score, mean, sd and probability of every sum on the lattice, ``[patterns, sums]``."""
        distribution = self.distribution(lattice, answered)
        density = torch.softmax(self.log_density[:, group], 0)
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
            reached = min(reached + int(top.gather(1, item[:, None]).max()), n_sums)
            before = current[:, :, :reached]
            after: Tensor | None = None
            for code in range(int(self.model.n_categories[item].max())):
                has = uses & (self.model.n_categories[item] > code)
                column = torch.where(has, self.model.columns.offset[item] + code, zero)
                column = torch.where(~uses & (code == 0), one, column)
                shift = torch.where(has, lattice.steps[item, code], 0)
                share = probabilities[:, column]
                for by in shift.unique().tolist():
                    part = torch.where(shift == by, share, 0.0)[:, :, None]
                    moved = part * before[:, :, : reached - by]
                    if after is None:
                        after = moved if by == 0 else torch.nn.functional.pad(moved, (by, 0))
                    else:
                        after[:, :, by:] += moved
            assert after is not None
            current[:, :, :reached] = after
        return current


def _lattice(model: Model, values: Float[Tensor, "items codes"]) -> _Lattice:
    if bool(model.measured.any()):
        raise SpecificationError(
            f"Sum scores are about answers in categories, but {int(model.measured.sum())} items are measured; use "
            "method='eap', or fit the other items alone."
        )
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
