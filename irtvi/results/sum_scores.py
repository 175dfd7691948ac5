"""What a sum score says about ability: the posterior given the sum, by the Lord-Wingersky recursion."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from irtvi.inference.answers import answers_of
from irtvi.inference.nodes import TAIL, Grid
from irtvi.inference.placing import population_range
from irtvi.inference.table import coefficient_table, steepest_slope
from irtvi.models.model import Model
from irtvi.responses.cells import Cells
from irtvi.results.lord_wingersky import Lattice, Recursion, lattice_of
from irtvi.results.node_tables import information_tables
from irtvi.results.scoring import NO_ANSWER, Scores

SHARE = 0.7
"""Spacing of nodes as a share of the narrowest width that any posterior could have."""
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
    lattice = lattice_of(model, values)
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
    lattice = lattice_of(model, values)
    theta = torch.full((cells.n_persons,), torch.nan, dtype=torch.float64, device=free.device)
    sd = torch.full_like(theta, torch.nan)
    for batch in batches(model, free, cells, groups, lattice):
        _, mean, spread, _ = batch.nodes.moments(lattice, batch.answered, batch.group)
        theta[batch.persons] = mean[batch.row, batch.reached]
        sd[batch.persons] = spread[batch.row, batch.reached]
    status = np.full(cells.n_persons, "", dtype=object)
    status[_people(model, cells, lattice).empty.cpu().numpy()] = NO_ANSWER
    return Scores(theta, sd, status)


@dataclass(frozen=True)
class Batch:
    """Persons of one group whose sets of answered items go through the recursion together.

    Attributes
    ----------
    nodes : Nodes
        As fine as these persons need.
    answered : Bool[Tensor, "sets items"]
    group : int
    persons, row, reached : Int[Tensor, " some"]
        Who they are, the set of each, and the steps on the lattice that each made.
    """

    nodes: "Nodes"
    answered: Bool[Tensor, "sets items"]
    group: int
    persons: Int[Tensor, " some"]
    row: Int[Tensor, " some"]
    reached: Int[Tensor, " some"]


def batches(
    model: Model, free: Float[Tensor, " n_free"], cells: Cells, groups: Int[Tensor, " persons"], lattice: Lattice
) -> Iterator[Batch]:
    """All persons; the recursion is run once for each set of answered items."""
    device = free.device
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
            counts = starts[sets + 1] - starts[sets]
            row = torch.repeat_interleave(torch.arange(len(sets), device=device), counts)
            before = torch.cumsum(counts, 0) - counts
            mine = who[starts[sets][row] + torch.arange(len(row), device=device) - before[row]]
            yield Batch(nodes.every(stride), answered, group, mine, row, people.reached[mine])


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


def _people(model: Model, cells: Cells, lattice: Lattice) -> _People:
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


def _nodes(model: Model, free: Tensor, rough: _Rough, spacing: float) -> "Nodes":
    theta = Grid.covering(rough.low, rough.high, spacing).theta(free.device)
    log_density = model.population_log_prob(theta, model.population_slots.free_values(free))
    return Nodes(model, theta[:, 0], coefficient_table(model, theta, free).exp(), log_density)


@dataclass(frozen=True)
class Nodes:
    """Probabilities of all answers at the nodes of a grid, and the log densities of the populations."""

    model: Model
    theta: Float[Tensor, " nodes"]
    probabilities: Float[Tensor, "nodes columns"]
    log_density: Float[Tensor, "nodes groups"]

    def every(self, stride: int) -> "Nodes":
        """A coarser grid."""
        return Nodes(self.model, self.theta[::stride], self.probabilities[::stride], self.log_density[::stride])

    def moments(
        self, lattice: Lattice, answered: Bool[Tensor, "patterns items"], group: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Score, mean, sd and probability of every sum on the lattice, ``[patterns, sums]``."""
        distribution = Recursion(self.model, self.probabilities, lattice, answered).distribution()
        density = torch.softmax(self.log_density[:, group], 0)
        powers = torch.stack([density, density * self.theta, density * self.theta.square()])
        probability, first, second = torch.einsum("mk,kps->mps", powers, distribution)
        mean = first / probability
        sd = (second / probability - mean.square()).clamp(min=0.0).sqrt()
        sums = torch.arange(distribution.shape[2], dtype=torch.float64, device=self.theta.device)
        base = (lattice.lowest * answered).sum(1)
        return base[:, None] + lattice.step * sums, mean, sd, probability
