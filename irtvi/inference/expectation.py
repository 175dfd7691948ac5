"""One pass over persons: marginal likelihoods, posterior moments, expected counts."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.answers import AnswerBlock, Answers
from irtvi.inference.interruption import may_stop
from irtvi.inference.nodes import Block, Placement
from irtvi.inference.table import Expectations, coefficient_table, steepest_of
from irtvi.models.model import Model

EDGE = 3e-6
"""Largest share of a posterior that may lie on an outermost node."""
WIDEN = {torch.float32: EDGE, torch.float64: 1e-7}
"""Above this share a window is widened: for a search, and where what is said of a person is reported."""
FLOOR = -80.0
"""Log weights below this are raised to it: denormal numbers make matrix products crawl."""
AT_ONCE = 64
"""Blocks whose persons are put in order together: few calls where people are few, little memory where they are many."""
CACHE_BYTES = 192 * 2**20


@dataclass(frozen=True)
class PersonSums:
    """What a pass says about each person, in the order of the data (NaN for persons not visited).

    Attributes
    ----------
    log_marginal : Float[Tensor, " persons"]
        Log-likelihood of the answers with ability integrated out, nats.
    mean, sd : Float[Tensor, " persons"]
        Moments of the posterior of ability.
    edge : Float[Tensor, " persons"]
        Share of the posterior on the outermost nodes.
    halving : Float[Tensor, " persons"]
        Difference of the rules on even and odd nodes, relative to their sum.
    """

    log_marginal: Float[Tensor, " persons"]
    mean: Float[Tensor, " persons"]
    sd: Float[Tensor, " persons"]
    edge: Float[Tensor, " persons"]
    halving: Float[Tensor, " persons"]

    @staticmethod
    def empty(n_persons: int, device: torch.device) -> "PersonSums":
        return PersonSums(*(torch.full((n_persons,), torch.nan, dtype=torch.float64, device=device) for _ in range(5)))

    def filled(self, others: "PersonSums") -> "PersonSums":
        """With those persons of ``others`` who are not known here."""
        unknown = self.log_marginal.isnan()
        names = [field.name for field in fields(self)]
        return PersonSums(*(torch.where(unknown, getattr(others, n), getattr(self, n)) for n in names))


@dataclass(frozen=True)
class Pass:
    """Result of a pass over a placement.

    Attributes
    ----------
    log_likelihood : float
        Sum of weighted log marginal likelihoods.
    expectations : Expectations
    persons : PersonSums
    """

    log_likelihood: float
    expectations: Expectations
    persons: PersonSums


class PlacedAnswers:
    """A placement with the answers of its blocks, kept in matrix form while they fit into fixed memory.

    Attributes
    ----------
    steepest : float
        Largest slope of any item's log-odds at the last pass, see :func:`steepest_slope`.
    """

    steepest: float = math.inf

    def __init__(self, answers: Answers, placement: Placement) -> None:
        self.answers, self.placement = answers, placement
        n_persons = sum(len(block.persons) for block in placement.blocks)
        self._keep = 4 * len(answers.columns) * n_persons <= CACHE_BYTES
        self._kept: list[AnswerBlock | None] = [None] * len(placement.blocks)

    def __iter__(self) -> Iterator[tuple[Block, AnswerBlock]]:
        for k, block in enumerate(self.placement.blocks):
            matrix = self._kept[k] or self.answers.block(block.persons)
            if self._keep:
                self._kept[k] = matrix
            yield block, matrix


@dataclass(frozen=True)
class SharedTables:
    """What the blocks of a pass share.

    Attributes
    ----------
    theta : Float[Tensor, "nodes 1"]
    used : Float[Tensor, "nodes used"]
        Log-probabilities in the columns that the answers use.
    base : Float[Tensor, "nodes groups"]
        What is added for everybody: log density of ability and log spacing among it.
    steepest : float
        Largest slope of any item's log-odds, where that is asked for.
    """

    theta: Float[Tensor, "nodes 1"]
    used: Float[Tensor, "nodes used"]
    base: Float[Tensor, "nodes groups"]
    steepest: float = math.inf

    @staticmethod
    def of(model: Model, placed: PlacedAnswers, free: Float[Tensor, " n_free"], dtype: torch.dtype) -> "SharedTables":
        grid = placed.placement.grid
        theta = grid.theta(free.device)
        table = coefficient_table(model, theta, free)
        used, base = placed.answers.table(table)
        population = model.population_log_prob(theta, model.population_slots.free_values(free))
        base = base[:, None] + population + math.log(grid.spacing)
        return SharedTables(theta, used.to(dtype).contiguous(), base, steepest_of(model, theta, free, table))

    def log_joint(self, block: Block, answers: AnswerBlock) -> tuple[Float[Tensor, "nodes persons"], Tensor]:
        """Log joint of a block's persons at its nodes, weight of the rule included, less a number for the block."""
        start = self.base[block.rows, block.group] + math.log(block.stride)
        highest = start.max()
        return answers.forward(self.used[block.rows], (start - highest).to(self.used.dtype)), highest


@dataclass(frozen=True)
class BlockPosterior:
    """Posterior of ability of a block's persons at its nodes.

    Attributes
    ----------
    block : Block
    weights : Float[Tensor, "nodes persons"]
        Columns sum to 1.
    total, top : Float[Tensor, " persons"]
        Sum of the joint over nodes, in units of its largest value, and the log of that, less ``highest``.
    edge : Float[Tensor, " persons"]
        Share on the outermost nodes.
    highest : Float[Tensor, ""]
        Log of what all joints of the block are divided by.
    """

    block: Block
    weights: Float[Tensor, "nodes persons"]
    total: Float[Tensor, " persons"]
    top: Float[Tensor, " persons"]
    edge: Float[Tensor, " persons"]
    highest: Float[Tensor, ""]

    @staticmethod
    def of(block: Block, answers: AnswerBlock, tables: SharedTables) -> "BlockPosterior":
        """At the block's nodes, whose slice is widened as needed."""
        while True:
            weights, highest = tables.log_joint(block, answers)
            top = weights.amax(0)
            weights = weights.sub_(top).clamp_(min=FLOOR).exp_()
            total = weights.sum(0)
            edge = torch.maximum(weights[0], weights[-1]) / total
            if float(edge.max()) < WIDEN[tables.used.dtype] or not block.widen(len(tables.theta)):
                break
        weights /= total
        return BlockPosterior(block, weights, total, top, edge, highest)

    def summary(self, theta: Float[Tensor, "nodes 1"]) -> "BlockSummary":
        """What is said of each person, without the weights."""
        nodes = theta[self.block.rows, 0]
        centre = nodes[len(nodes) // 2]
        x = (nodes - centre).to(self.weights.dtype)
        even = torch.zeros_like(x)
        even[::2] = 1.0
        sums = torch.stack([even, x, x.square()]) @ self.weights
        rows = torch.stack([self.total, self.top, self.edge, *sums])
        return BlockSummary(self.block.persons, rows, centre, self.highest)


@dataclass(frozen=True)
class BlockSummary:
    """Total, top, edge, share of every other node and the two moments about a centre, of a block's persons."""

    persons: Int[Tensor, " block"]
    rows: Float[Tensor, "6 block"]
    centre: Float[Tensor, ""]
    highest: Float[Tensor, ""]


class SumsOfBlocks:
    """Puts what blocks say of their persons into the order of the data, some blocks at a time.

    Parameters
    ----------
    sums : PersonSums
        Is written into.
    """

    def __init__(self, sums: PersonSums) -> None:
        self._sums = sums
        self._parts: list[BlockSummary] = []

    def add(self, part: BlockSummary) -> None:
        """Another block."""
        self._parts.append(part)
        if len(self._parts) == AT_ONCE:
            self.written()

    def written(self) -> PersonSums:
        """The sums, with all blocks so far."""
        parts, self._parts, sums = self._parts, [], self._sums
        if not parts:
            return sums
        sizes = torch.tensor([len(part.persons) for part in parts], device=sums.mean.device)
        total, top, edge, even, first, second = torch.cat([part.rows for part in parts], 1).double()
        centre = torch.stack([part.centre for part in parts]).repeat_interleave(sizes)
        highest = torch.stack([part.highest for part in parts]).repeat_interleave(sizes)
        persons = torch.cat([part.persons for part in parts])
        sums.log_marginal[persons] = total.log() + top + highest
        sums.mean[persons] = first + centre
        sums.sd[persons] = (second - first.square()).clamp(min=0.0).sqrt()
        sums.edge[persons] = edge
        sums.halving[persons] = (2 * even - 1).abs()
        return sums


@runtime_checkable
class Visitor(Protocol):
    """Sees the posterior of every block of a pass."""

    def visit(self, shared: SharedTables, found: BlockPosterior) -> None:
        """Another block, at some of the nodes of the shared tables."""
        ...


def integrate(
    model: Model, placed: PlacedAnswers, free: Float[Tensor, " n_free"], dtype: torch.dtype = torch.float64
) -> PersonSums:
    """As :func:`run_pass`, for persons alone: no expected counts, so no product back."""
    tables = SharedTables.of(model, placed, free, dtype)
    placed.steepest = tables.steepest
    sums = SumsOfBlocks(PersonSums.empty(placed.answers.n_persons, free.device))
    for block, answers in placed:
        sums.add(BlockPosterior.of(block, answers, tables).summary(tables.theta))
    return sums.written()


def run_pass(
    model: Model,
    placed: PlacedAnswers,
    free: Float[Tensor, " n_free"],
    weights: Float[Tensor, " persons"] | None,
    dtype: torch.dtype = torch.float32,
    counted_in: torch.dtype | None = None,
    visitor: Visitor | None = None,
) -> Pass:
    """Integrate over the ability of every person of a placement.

    Parameters
    ----------
    model : Model
    placed : PlacedAnswers
        Nodes, blocks and their answers; a block with mass at its edge is widened in place.
    free : Float[Tensor, " n_free"]
        Free parameters.
    weights : Float[Tensor, " persons"] or None
        Weight of each person in sums (None: all ones).
    dtype : torch.dtype
        float32 for a search, float64 where the log marginal of each person is reported.
    counted_in : torch.dtype, optional
        Of the products back, ``dtype`` by default. Expected counts go into information matrices, for which
        float32 is enough where persons are many.
    visitor : Visitor, optional

    Notes
    -----
    The expected counts need the posterior weights of the block, so every block costs one product forward,
    one normalisation and one product back.
    """
    answers, tables = placed.answers, SharedTables.of(model, placed, free, dtype)
    theta, used, placed.steepest = tables.theta, tables.used, tables.steepest
    accumulated = torch.zeros(len(theta), used.shape[1], dtype=torch.float64, device=free.device)
    mass = torch.zeros_like(tables.base)
    of_blocks = SumsOfBlocks(PersonSums.empty(answers.n_persons, free.device))
    for block, answer_block in placed:
        may_stop()
        found = BlockPosterior.of(block, answer_block, tables)
        of_blocks.add(found.summary(theta))
        if visitor is not None:
            visitor.visit(tables, found)
        posterior = found.weights if weights is None else found.weights * weights[block.persons].to(dtype)
        posterior = posterior.to(counted_in or dtype)
        accumulated[block.rows] += answer_block.backward(posterior)
        mass[block.rows, block.group] += posterior.sum(1)
    counts = answers.expand(accumulated, mass.sum(1))
    sums = of_blocks.written()
    log_marginal = sums.log_marginal if weights is None else weights * sums.log_marginal
    return Pass(float(log_marginal.nansum()), Expectations(theta, counts, mass), sums)
