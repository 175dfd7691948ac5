"""One pass over persons: marginal likelihoods, posterior moments, expected counts."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.inference.answers import AnswerBlock, Answers
from irtvi.inference.interruption import may_stop
from irtvi.inference.nodes import Block, Placement
from irtvi.inference.table import Expectations, coefficient_table
from irtvi.models.model import Model

EDGE = 3e-6
"""Largest share of a posterior that may lie on an outermost node."""
WIDEN = {torch.float32: EDGE, torch.float64: 1e-10}
"""Above this share a window is widened: for a search, and where what is said of a person is reported."""
FLOOR = -80.0
"""Log weights below this are raised to it: denormal numbers make matrix products crawl."""
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
    """A placement with the answers of its blocks, kept in matrix form while they fit into fixed memory."""

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
    """

    theta: Float[Tensor, "nodes 1"]
    used: Float[Tensor, "nodes used"]
    base: Float[Tensor, "nodes groups"]

    @staticmethod
    def of(model: Model, placed: PlacedAnswers, free: Float[Tensor, " n_free"], dtype: torch.dtype) -> "SharedTables":
        grid = placed.placement.grid
        theta = grid.theta(free.device)
        used, base = placed.answers.table(coefficient_table(model, theta, free))
        population = model.population_log_prob(theta, model.population_slots.free_values(free))
        return SharedTables(theta, used.to(dtype).contiguous(), base[:, None] + population + math.log(grid.spacing))

    def log_joint(self, block: Block, answers: AnswerBlock) -> tuple[Float[Tensor, "nodes persons"], Tensor]:
        """Log joint of a block's persons at its nodes, weight of the rule included, less a number for the block."""
        start = self.base[block.rows, block.group] + math.log(block.stride)
        highest = start.max()
        return answers.forward(self.used[block.rows], (start - highest).to(self.used.dtype)), highest


def posterior_weights(
    block: Block, answers: AnswerBlock, tables: SharedTables, sums: PersonSums
) -> Float[Tensor, "nodes persons"]:
    """Posterior weights of a block's persons, its slice widened as needed; fills in what they say of each person."""
    while True:
        posterior, highest = tables.log_joint(block, answers)
        top = posterior.amax(0)
        posterior = posterior.sub_(top).clamp_(min=FLOOR).exp_()
        total = posterior.sum(0)
        edge = torch.maximum(posterior[0], posterior[-1]) / total
        if float(edge.max()) < WIDEN[tables.used.dtype] or not block.widen(len(tables.theta)):
            break
    even = posterior[::2].sum(0)
    posterior /= total
    nodes = tables.theta[block.rows, 0]
    centre = nodes[len(nodes) // 2]
    x = (nodes - centre).to(posterior.dtype)
    moments = (torch.stack([x, x.square()]) @ posterior).double()
    persons = block.persons
    sums.log_marginal[persons] = total.double().log() + top.double() + highest
    sums.mean[persons] = moments[0] + centre
    sums.sd[persons] = (moments[1] - moments[0].square()).clamp(min=0.0).sqrt()
    sums.edge[persons] = edge.double()
    sums.halving[persons] = (2 * even / total - 1).abs().double()
    return posterior


def integrate(
    model: Model, placed: PlacedAnswers, free: Float[Tensor, " n_free"], dtype: torch.dtype = torch.float64
) -> PersonSums:
    """As :func:`run_pass`, for persons alone: no expected counts, so no product back."""
    tables = SharedTables.of(model, placed, free, dtype)
    sums = PersonSums.empty(placed.answers.n_persons, free.device)
    for block, answer_block in placed:
        posterior_weights(block, answer_block, tables, sums)
    return sums


def run_pass(
    model: Model,
    placed: PlacedAnswers,
    free: Float[Tensor, " n_free"],
    weights: Float[Tensor, " persons"] | None,
    dtype: torch.dtype = torch.float32,
    counted_in: torch.dtype | None = None,
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

    Notes
    -----
    The expected counts need the posterior weights of the block, so every block costs one product forward,
    one normalisation and one product back.
    """
    answers, tables = placed.answers, SharedTables.of(model, placed, free, dtype)
    theta, used = tables.theta, tables.used
    accumulated = torch.zeros(len(theta), used.shape[1], dtype=torch.float64, device=free.device)
    mass = torch.zeros_like(tables.base)
    sums = PersonSums.empty(answers.n_persons, free.device)
    log_likelihood = 0.0
    for block, answer_block in placed:
        may_stop()
        posterior = posterior_weights(block, answer_block, tables, sums)
        log_marginal = sums.log_marginal[block.persons]
        if weights is None:
            log_likelihood += float(log_marginal.sum())
        else:
            w = weights[block.persons]
            log_likelihood += float((w * log_marginal).sum())
            posterior = posterior * w.to(dtype)
        posterior = posterior.to(counted_in or dtype)
        accumulated[block.rows] += answer_block.backward(posterior)
        mass[block.rows, block.group] += posterior.sum(1)
    counts = answers.expand(accumulated, mass.sum(1))
    return Pass(log_likelihood, Expectations(theta, counts, mass), sums)
