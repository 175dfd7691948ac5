"""Modes of ability: MAP, maximum likelihood, Warm's weighted likelihood and Jeffreys' prior.

All four are maxima of a function of one ability for each person. The derivative of that function is
evaluated for everybody at the nodes of one grid, as matrix products; among the brackets in which it falls
through zero the highest is taken, and within it the derivative is a polynomial through Chebyshev points at
which it was evaluated exactly, for the persons of that bracket. No formula is evaluated per response.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from irtvi.inference.answers import AnswerBlock, Answers, answers_of
from irtvi.inference.table import steepest_slope
from irtvi.models.derivatives import slopes
from irtvi.models.model import Model
from irtvi.responses.cells import Cells
from irtvi.results.chebyshev import chebyshev_points, falling_root, series_slope
from irtvi.results.criteria import Criterion, Likelihood, LogPosterior, Warm, WithJeffreys
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
SAME = 1e-9
"""Nats by which a maximum must exceed the ends of the range to be one."""
BLOCK, CHUNK = 1024, 2**17
"""Persons of a product, and persons whose maxima are refined together."""


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
    return maximise(LogPosterior(), model, free, cells, groups, limit)


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
    return maximise(Likelihood(), model, free, cells, groups, limit)


def wle(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    groups: Int[Tensor, " persons"],
    limit: float = LIMIT,
) -> Scores:
    """Warm's weighted likelihood estimate, no prior; parameters as for :func:`map_`."""
    return maximise(Warm(), model, free, cells, groups, limit)


def jeffreys(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    groups: Int[Tensor, " persons"],
    limit: float = LIMIT,
) -> Scores:
    """Mode under Jeffreys' prior, equal to :func:`wle` without asymptotes; parameters as for :func:`map_`."""
    return maximise(WithJeffreys(), model, free, cells, groups, limit)


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


def maximise(criterion: Criterion, model: Model, free: Tensor, cells: Cells, groups: Tensor, limit: float) -> Scores:
    """The highest maximum of a criterion for every person; parameters as for :func:`map_`."""
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
    return torch.stack(slopes(lambda t: model.population_log_prob(t, values), theta))


def sums_at(answers: Answers, block: AnswerBlock, tables: list[Tensor]) -> list[Tensor]:
    """Sums of tables over the answers of each person of a block, ``[nodes, persons]``."""
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
            value, slope = criterion.combine(nodes, sums_at(answers, block, tables), prior[:, :, group, None])
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
    places, to_series = chebyshev_points(POINTS, free.device)
    series = torch.zeros(POINTS, len(everyone), dtype=torch.float64, device=free.device)
    for k in bracket[bracket >= 0].unique().tolist():
        centre, half = 0.5 * (nodes[k] + nodes[k + 1]), 0.5 * (nodes[k + 1] - nodes[k])
        theta = (centre + half * places)[:, None]
        prior = _log_prior(model, theta, free)
        tables = criterion.columns(model, theta, free)
        inside = torch.nonzero(bracket == k)[:, 0]
        for group in groups[inside].unique().tolist():
            for persons in inside[groups[inside] == group].split(BLOCK):
                sums = sums_at(answers, answers.block(everyone[persons]), tables)
                slope = criterion.combine(theta[:, 0], sums, prior[:, :, group, None])[1]
                series[:, persons] = to_series @ slope
    found = bracket >= 0
    series, k = series[:, found], bracket[found]
    root = falling_root(series)
    half = 0.5 * (nodes[k + 1] - nodes[k])
    curvature = -series_slope(series, root) / half
    sd = torch.where(curvature > 0, curvature.clamp(min=1e-300).rsqrt(), torch.nan)
    return 0.5 * (nodes[k] + nodes[k + 1]) + half * root, sd
