"""Modes of ability: MAP, maximum likelihood, Warm's weighted likelihood and Jeffreys' prior.

All four are maxima of a function of one ability for each person. The derivative of that function is
evaluated for everybody at the nodes of one grid, as matrix products; among the brackets in which it falls
through zero the highest is taken, and within it the derivative is a polynomial through Chebyshev points at
which it was evaluated exactly, for the persons of that bracket. No formula is evaluated per response.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.func import jvp

from irtvi.inference.answers import AnswerBlock, Answers, answers_of
from irtvi.inference.table import finite, steepest_slope
from irtvi.models.model import Component, Model
from irtvi.responses.cells import Cells
from irtvi.results.scoring import NO_ANSWER, NO_MAXIMUM, Scores

LIMIT = 6.0
"""Where an ability without a finite maximum is put, with its sign."""
COARSEST, SLOPE_SHARE = 0.1, 0.5
"""Nodes are no further apart than this, and than this share of one over the steepest slope."""
CENTRAL, FARTHEST, GROWTH = 10.0, 300.0, 1.1
"""Half widths of the evenly spaced nodes and of all, in population sds; growth of the distances beyond."""
MOST_NODES = 4000
POINTS = 12
"""Chebyshev points in a bracket."""
HALVINGS = 60
SAME = 1e-9
"""Nats by which a maximum must exceed the ends of the range to be one."""
BLOCK, CHUNK = 1024, 2**17
"""Persons of a product, and persons whose maxima are refined together."""


@dataclass(frozen=True)
class NodeTables:
    """What the answers contribute at nodes, by (item, category) column.

    Attributes
    ----------
    log_probs, score : Float[Tensor, "nodes columns"]
        Log-probability and its derivative with respect to ability.
    information, information_slope, third : Float[Tensor, "nodes columns"] or None
        Of the item, repeated for each of its categories: ``sum (P')^2 / P``, its derivative, and
        ``sum P' P'' / P``. In general, with coefficients c and expected statistics E: ``sum c' E'`` and ``sum c' E''``,
        in the column of the statistic 1.
    """

    log_probs: Float[Tensor, "nodes columns"]
    score: Float[Tensor, "nodes columns"]
    information: Float[Tensor, "nodes columns"] | None = None
    information_slope: Float[Tensor, "nodes columns"] | None = None
    third: Float[Tensor, "nodes columns"] | None = None


def likelihood_tables(model: Model, theta: Float[Tensor, "nodes 1"], free: Float[Tensor, " n_free"]) -> NodeTables:
    """Log-probabilities and scores."""
    log_probs = theta.new_empty(len(theta), len(model.columns.item))
    score = torch.empty_like(log_probs)
    ones = torch.ones_like(theta)
    for component, columns in zip(model.components, model.component_columns, strict=True):
        values = component.slots.free_values(free)
        exists = columns >= 0
        value, slope = jvp(lambda t, c=component, v=values: c.coefficients(t, v), (theta,), (ones,))[:2]
        log_probs[:, columns[exists]] = value[:, exists]
        score[:, columns[exists]] = finite(slope)[:, exists]
    return NodeTables(log_probs, score)


def information_tables(model: Model, theta: Float[Tensor, "nodes 1"], free: Float[Tensor, " n_free"]) -> NodeTables:
    """As :func:`likelihood_tables`, with the items' information and what goes with it."""
    shape = len(theta), len(model.columns.item)
    log_probs, score, information, information_slope, third = (theta.new_empty(shape) for _ in range(5))
    for component, columns in zip(model.components, model.component_columns, strict=True):
        values = component.slots.free_values(free)
        exists = columns >= 0
        value, s, ds = _two_slopes(lambda t, c=component, v=values: c.coefficients(t, v), theta)
        _, moved, bent = _two_slopes(lambda t, c=component, v=values: c.expectations(t, v), theta)
        s, ds = finite(s), finite(ds)
        log_probs[:, columns[exists]] = value[:, exists]
        score[:, columns[exists]] = s[:, exists]
        for out, terms in (
            (information, s * moved),
            (information_slope, ds * moved + s * bent),
            (third, s * bent),
        ):
            out[:, columns[exists]] = _by_answer(component, terms)[:, exists]
    return NodeTables(log_probs, score, information, information_slope, third)


def _two_slopes(function: Callable[[Tensor], Tensor], theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A function of ability with its first two derivatives."""
    ones = torch.ones_like(theta)

    def value_and_slope(t: Tensor) -> tuple[Tensor, Tensor]:
        return jvp(function, (t,), (ones,))[:2]

    (value, slope), (_, bend) = jvp(value_and_slope, (theta,), (ones,))[:2]
    return value, slope, bend


def _by_answer(
    component: Component, terms: Float[Tensor, "nodes members statistics"]
) -> Float[Tensor, "nodes members statistics"]:
    """Sums over statistics, where whoever answered meets them once: at every category, or at the statistic 1."""
    sums = terms.sum(-1, keepdim=True).expand_as(terms)
    if component.is_measured:
        return torch.where(torch.arange(terms.shape[-1], device=terms.device) == 0, sums, 0.0)
    return sums


class Criterion(ABC):
    """A function of ability, to be maximised for each person."""

    uses_prior = False

    @abstractmethod
    def columns(self, model: Model, theta: Float[Tensor, "nodes 1"], free: Float[Tensor, " n_free"]) -> list[Tensor]:
        """Tables ``[nodes, columns]`` whose sums over a person's answers :meth:`combine` needs."""

    @abstractmethod
    def combine(
        self, theta: Float[Tensor, " nodes"], sums: list[Tensor], prior: Float[Tensor, "2 nodes 1"]
    ) -> tuple[Float[Tensor, "nodes persons"], Float[Tensor, "nodes persons"]]:
        """The function and its derivative at nodes, from those sums and the log prior with its derivative."""


class Likelihood(Criterion):
    """The log-likelihood: maximum likelihood."""

    def columns(self, model: Model, theta: Float[Tensor, "nodes 1"], free: Float[Tensor, " n_free"]) -> list[Tensor]:
        tables = likelihood_tables(model, theta, free)
        return [tables.log_probs, tables.score]

    def combine(
        self, theta: Float[Tensor, " nodes"], sums: list[Tensor], prior: Float[Tensor, "2 nodes 1"]
    ) -> tuple[Float[Tensor, "nodes persons"], Float[Tensor, "nodes persons"]]:
        return sums[0], sums[1]


class LogPosterior(Likelihood):
    """Log-likelihood plus log density of the person's population: the posterior mode."""

    uses_prior = True

    def combine(
        self, theta: Float[Tensor, " nodes"], sums: list[Tensor], prior: Float[Tensor, "2 nodes 1"]
    ) -> tuple[Float[Tensor, "nodes persons"], Float[Tensor, "nodes persons"]]:
        return sums[0] + prior[0], sums[1] + prior[1]


class WithJeffreys(Criterion):
    """Log-likelihood plus half the log information (Jeffreys 1946); the "WLE" of R mirt."""

    def columns(self, model: Model, theta: Float[Tensor, "nodes 1"], free: Float[Tensor, " n_free"]) -> list[Tensor]:
        tables = information_tables(model, theta, free)
        assert tables.information is not None
        assert tables.information_slope is not None
        return [tables.log_probs, tables.score, tables.information, tables.information_slope]

    def combine(
        self, theta: Float[Tensor, " nodes"], sums: list[Tensor], prior: Float[Tensor, "2 nodes 1"]
    ) -> tuple[Float[Tensor, "nodes persons"], Float[Tensor, "nodes persons"]]:
        log_likelihood, score, information, information_slope = sums
        correction = (0.5 * information_slope / information).nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        return log_likelihood + 0.5 * information.log(), score + correction


class Warm(Criterion):
    """The function whose derivative is ``score + J / (2 I)`` (Warm 1989; Penfield & Bergeron 2005).

    ``J`` is the sum over items and categories of ``P' P'' / P``. The function itself, an integral of its
    derivative, only serves to choose among several maxima.
    """

    def columns(self, model: Model, theta: Float[Tensor, "nodes 1"], free: Float[Tensor, " n_free"]) -> list[Tensor]:
        tables = information_tables(model, theta, free)
        assert tables.information is not None
        assert tables.third is not None
        return [tables.log_probs, tables.score, tables.information, tables.third]

    def combine(
        self, theta: Float[Tensor, " nodes"], sums: list[Tensor], prior: Float[Tensor, "2 nodes 1"]
    ) -> tuple[Float[Tensor, "nodes persons"], Float[Tensor, "nodes persons"]]:
        log_likelihood, score, information, third = sums
        correction = (0.5 * third / information).nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        steps = 0.5 * theta.diff()[:, None] * (correction[1:] + correction[:-1])
        integral = torch.cat([torch.zeros_like(correction[:1]), steps.cumsum(0)])
        return log_likelihood + integral, score + correction


def map_(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    groups: Int[Tensor, " persons"],
    limit: float = LIMIT,
) -> Scores:
    """Posterior mode of every person; sd from the curvature of the log posterior there.

    Parameters
    ----------
    cells : Cells
        Answers, each item in the coding that its model uses.
    groups : Int[Tensor, " persons"]
        Whose population is the prior.
    limit : float
        Where somebody without a finite maximum is put, with its sign; the status then says so, sd is NaN.
    """
    return _maximise(LogPosterior(), model, free, cells, groups, limit)


def ml(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    groups: Int[Tensor, " persons"],
    limit: float = LIMIT,
) -> Scores:
    """Maximum likelihood, no prior; parameters as for :func:`map_`.

    All right and all wrong have no finite maximum, and with a lower asymptote neither have some other
    patterns: the likelihood as ability falls without end is compared with every finite maximum.
    """
    return _maximise(Likelihood(), model, free, cells, groups, limit)


def wle(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    groups: Int[Tensor, " persons"],
    limit: float = LIMIT,
) -> Scores:
    """Warm's weighted likelihood estimate, no prior; parameters as for :func:`map_`."""
    return _maximise(Warm(), model, free, cells, groups, limit)


def jeffreys(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    groups: Int[Tensor, " persons"],
    limit: float = LIMIT,
) -> Scores:
    """Mode under Jeffreys' prior, equal to :func:`wle` without asymptotes; parameters as for :func:`map_`."""
    return _maximise(WithJeffreys(), model, free, cells, groups, limit)


def search_nodes(model: Model, free: Float[Tensor, " n_free"]) -> Float[Tensor, " nodes"]:
    """Abilities between which maxima are bracketed: even where people are, ever wider beyond."""
    mean, sd = model.population.moments(model.population_params(free))
    unit = max(1.0, float(sd.max()))
    low, high = float(mean.min()) - CENTRAL * unit, float(mean.max()) + CENTRAL * unit
    rough = torch.linspace(low, high, 201, dtype=torch.float64, device=free.device)
    steepest = max(steepest_slope(model, rough[:, None], free), 1e-6)
    spacing = max(min(COARSEST * unit, SLOPE_SHARE / steepest), (high - low) / MOST_NODES)
    n_central = int(np.ceil((high - low) / spacing)) + 1
    central = torch.linspace(low, high, n_central, dtype=torch.float64, device=free.device)
    n_outer = int(np.ceil(np.log(FARTHEST / CENTRAL) / np.log(GROWTH)))
    growth = GROWTH ** torch.arange(1, n_outer + 1, dtype=torch.float64, device=free.device)
    beyond = CENTRAL * unit * (growth - 1.0)
    return torch.cat([low - beyond.flip(0), central, high + beyond])


def _maximise(criterion: Criterion, model: Model, free: Tensor, cells: Cells, groups: Tensor, limit: float) -> Scores:
    n_persons = cells.n_persons
    theta = torch.full((n_persons,), torch.nan, dtype=torch.float64, device=free.device)
    sd = torch.full_like(theta, torch.nan)
    status = np.full(n_persons, "", dtype=object)
    if n_persons == 0:
        return Scores(theta, sd, status)
    answers = answers_of(model, cells)
    nodes = search_nodes(model, free)
    for persons in torch.arange(n_persons, device=free.device).split(CHUNK):
        bracket, direction, informed = _brackets(criterion, model, free, answers, persons, groups[persons], nodes)
        if not criterion.uses_prior:
            bracket = torch.where(informed, bracket, -1)
            direction = torch.where(informed, direction, torch.nan)
        found = bracket >= 0
        theta[persons[~found]] = direction[~found] * limit
        maximum = _refine(criterion, model, free, answers, persons, groups[persons], nodes, bracket)
        theta[persons[found]], sd[persons[found]] = maximum
        status[persons[~found].cpu().numpy()] = NO_MAXIMUM
        status[persons[~informed].cpu().numpy()] = NO_ANSWER
    return Scores(theta, sd, status)


def _log_prior(model: Model, theta: Float[Tensor, "nodes 1"], free: Tensor) -> Float[Tensor, "2 nodes groups"]:
    values = model.population_slots.free_values(free)
    ones = torch.ones_like(theta)
    return torch.stack(jvp(lambda t: model.population_log_prob(t, values), (theta,), (ones,))[:2])


def _sums(answers: Answers, block: AnswerBlock, tables: list[Tensor]) -> list[Tensor]:
    return [block.forward(*answers.table(table)) for table in tables]


def _brackets(
    criterion: Criterion,
    model: Model,
    free: Tensor,
    answers: Answers,
    everyone: Int[Tensor, " persons"],
    groups: Int[Tensor, " persons"],
    nodes: Tensor,
) -> tuple[Int[Tensor, " persons"], Float[Tensor, " persons"], Bool[Tensor, " persons"]]:
    """Node left of the highest maximum (-1: none), sign of the higher end, and whether there are answers."""
    theta = nodes[:, None]
    prior = _log_prior(model, theta, free)
    tables = criterion.columns(model, theta, free)
    counted = ~model.measured[model.columns.item] | (model.columns.code == 0)
    ones = counted.to(torch.float64)[None]
    bracket = torch.full((len(everyone),), -1, dtype=torch.long, device=free.device)
    direction = torch.zeros(len(everyone), dtype=torch.float64, device=free.device)
    informed = torch.zeros(len(everyone), dtype=torch.bool, device=free.device)
    for group in groups.unique().tolist():
        for persons in torch.nonzero(groups == group)[:, 0].split(BLOCK):
            block = answers.block(everyone[persons])
            value, slope = criterion.combine(nodes, _sums(answers, block, tables), prior[:, :, group, None])
            value = value.nan_to_num(nan=-torch.inf)
            falls = (slope[:-1] > 0) & (slope[1:] <= 0)
            height = torch.where(falls, torch.maximum(value[:-1], value[1:]), -torch.inf)
            best, at = height.max(0)
            ends = torch.maximum(value[0], value[-1])
            bracket[persons] = torch.where(best > ends + SAME, at, -1)
            direction[persons] = torch.where(value[0] > value[-1], -1.0, 1.0).to(direction.dtype)
            informed[persons] = block.forward(*answers.table(ones))[0] > 0.5
    return bracket, direction, informed


def _refine(
    criterion: Criterion,
    model: Model,
    free: Tensor,
    answers: Answers,
    everyone: Int[Tensor, " persons"],
    groups: Int[Tensor, " persons"],
    nodes: Tensor,
    bracket: Int[Tensor, " persons"],
) -> tuple[Float[Tensor, " found"], Float[Tensor, " found"]]:
    """Maximum and sd of the persons that have a bracket."""
    order = torch.arange(POINTS, dtype=torch.float64, device=free.device)
    angle = torch.pi * (order + 0.5) / POINTS
    to_series = 2.0 / POINTS * torch.cos(order[:, None] * angle)
    to_series[0] *= 0.5
    series = torch.zeros(POINTS, len(everyone), dtype=torch.float64, device=free.device)
    for k in bracket[bracket >= 0].unique().tolist():
        centre, half = 0.5 * (nodes[k] + nodes[k + 1]), 0.5 * (nodes[k + 1] - nodes[k])
        theta = (centre + half * torch.cos(angle))[:, None]
        prior = _log_prior(model, theta, free)
        tables = criterion.columns(model, theta, free)
        inside = torch.nonzero(bracket == k)[:, 0]
        for group in groups[inside].unique().tolist():
            for persons in inside[groups[inside] == group].split(BLOCK):
                sums = _sums(answers, answers.block(everyone[persons]), tables)
                slope = criterion.combine(theta[:, 0], sums, prior[:, :, group, None])[1]
                series[:, persons] = to_series @ slope
    found = bracket >= 0
    series, k = series[:, found], bracket[found]
    root = _falling_root(series)
    half = 0.5 * (nodes[k + 1] - nodes[k])
    curvature = -_series_slope(series, root) / half
    sd = torch.where(curvature > 0, curvature.clamp(min=1e-300).rsqrt(), torch.nan)
    return 0.5 * (nodes[k] + nodes[k + 1]) + half * root, sd


def _series_value(series: Float[Tensor, "points some"], x: Float[Tensor, " some"]) -> Float[Tensor, " some"]:
    """Chebyshev series at x in [-1, 1] (Clenshaw 1955)."""
    ahead = torch.zeros_like(x)
    after = torch.zeros_like(x)
    for coefficient in series[1:].flip(0):
        ahead, after = coefficient + 2 * x * ahead - after, ahead
    return series[0] + x * ahead - after


def _series_slope(series: Float[Tensor, "points some"], x: Float[Tensor, " some"]) -> Float[Tensor, " some"]:
    return jvp(lambda t: _series_value(series, t), (x,), (torch.ones_like(x),))[1]


def _falling_root(series: Float[Tensor, "points some"]) -> Float[Tensor, " some"]:
    """Where the series falls through zero, by halving."""
    left = torch.full_like(series[0], -1.0)
    right = torch.full_like(series[0], 1.0)
    for _ in range(HALVINGS):
        middle = 0.5 * (left + right)
        rises = _series_value(series, middle) > 0
        left, right = torch.where(rises, middle, left), torch.where(rises, right, middle)
    return 0.5 * (left + right)
