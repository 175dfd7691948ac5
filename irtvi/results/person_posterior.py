"""Each person's posterior of ability on a grid, and what follows from it without another formula."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.answers import answers_of
from irtvi.inference.engines.engine import Data
from irtvi.inference.interruption import may_stop
from irtvi.inference.listed import listed
from irtvi.inference.marginal import MarginalPosterior
from irtvi.inference.nodes import Grid
from irtvi.inference.placing import GridPlacing
from irtvi.inference.table import coefficient_table
from irtvi.models.items.continuous import ContinuousModel
from irtvi.models.model import Model
from irtvi.responses.cells import Cells
from irtvi.responses.measures import MeasuredCells

LEAST_LOG_WEIGHT = -80.0
LARGEST_BLOCK = 4_000_000
"""Numbers in a block of persons x nodes or persons x columns."""


@dataclass(frozen=True)
class Spacing:
    """How fine a grid is.

    Attributes
    ----------
    sd_share, slope_share : float
        The spacing is at most this share of the narrowest posterior sd, and of one over the steepest slope of
        any item's log-odds.
    """

    sd_share: float
    slope_share: float


INTEGRAL = Spacing(0.8, 1.0)
"""Sums over nodes are integrals to better than 1e-7."""
SMOOTH = Spacing(0.4, 0.4)
"""The density between nodes can be read off as well: band limits are kept to about 1e-8."""


@dataclass(frozen=True)
class PosteriorBlock:
    """Posteriors of some persons on one equally spaced grid.

    Attributes
    ----------
    persons : Int[Tensor, " block"]
    theta : Float[Tensor, " nodes"]
    weights : Float[Tensor, "block nodes"]
        Posterior probability of the cell around each node; rows sum to 1. float64.
    """

    persons: Int[Tensor, " block"]
    theta: Float[Tensor, " nodes"]
    weights: Float[Tensor, "block nodes"]

    @property
    def spacing(self) -> float:
        return float(self.theta[1] - self.theta[0])

    @property
    def mean(self) -> Float[Tensor, " block"]:
        return self.weights @ self.theta


def placed_grid(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    groups: Int[Tensor, " persons"],
    spacing: Spacing,
) -> Grid:
    """The grid that these persons' posteriors ask for."""
    answers = answers_of(model, cells)
    persons = torch.arange(cells.n_persons, device=free.device)
    placing = GridPlacing(answers, persons, groups, spacing.sd_share, spacing.slope_share)
    data = Data(cells, None, groups)
    problem = MarginalPosterior(model, data, persons, placing, torch.Generator())
    problem.run(free, torch.float32)
    return placing.place(model, free).placement.grid


def posterior_blocks(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    groups: Int[Tensor, " persons"],
    spacing: Spacing = INTEGRAL,
    grid: Grid | None = None,
) -> Iterator[PosteriorBlock]:
    """Posteriors of all persons, block by block (float64).

    Parameters
    ----------
    model : Model
    free : Float[Tensor, " n_free"]
        Item and population parameters that are conditioned on.
    cells : Cells
        Answers, each item in the coding that its model uses; somebody without an answer keeps the population.
    groups : Int[Tensor, " persons"]
    spacing : Spacing
    grid : Grid, optional
        Nodes to use; by default they are found by a pass over the persons.
    """
    if cells.n_persons == 0:
        return
    if grid is None:
        grid = placed_grid(model, free, cells, groups, spacing)
    answers = answers_of(model, cells)
    theta = grid.theta(free.device)
    used, base = answers.table(coefficient_table(model, theta, free))
    population = model.population_log_prob(theta, model.population_slots.free_values(free))
    size = max(1, min(2048, LARGEST_BLOCK // grid.n_nodes))
    for group in groups.unique().tolist():
        members = torch.nonzero(groups == group)[:, 0]
        start = base + population[:, group]
        for persons in members.split(size):
            may_stop()
            log_joint = answers.block(persons).forward(used, start - start.max())
            log_joint = (log_joint - log_joint.amax(0)).clamp_(min=LEAST_LOG_WEIGHT)
            yield PosteriorBlock(persons, theta[:, 0], torch.softmax(log_joint, 0).T)


def probability_above(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    groups: Int[Tensor, " persons"],
    cut: float,
    grid: Grid | None = None,
) -> Float[Tensor, " persons"]:
    """Posterior probability that ability exceeds ``cut``; ``grid`` is one of :func:`placed_grid`, as for SMOOTH.

    Notes
    -----
    The posterior density is interpolated by the sinc function, whose integral is known: every node adds its
    weight times ``1/2 + Si(pi (node - cut) / spacing) / pi`` (Stenger 1993, Numerical Methods Based on Sinc
    and Analytic Functions). On the fine grid used here that is exact to about 1e-7.
    """
    from scipy.special import sici

    out = torch.full((cells.n_persons,), torch.nan, dtype=torch.float64, device=free.device)
    for block in posterior_blocks(model, free, cells, groups, SMOOTH, grid):
        steps = ((block.theta - cut) / block.spacing).cpu().numpy()
        above = torch.as_tensor(0.5 + sici(np.pi * steps)[0] / np.pi, device=free.device)
        out[block.persons] = (block.weights @ above).clamp(0.0, 1.0)
    return out


def plausible_values(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    groups: Int[Tensor, " persons"],
    n: int,
    generator: torch.Generator,
) -> Float[Tensor, "persons n"]:
    """Independent draws from each person's posterior of ability, the items held at ``free``.

    Parameters
    ----------
    n : int
        Draws for each person.
    generator : torch.Generator
        On the CPU. Person i's draws depend on the generator and on i, not on the size of blocks.
    """
    uniform = torch.rand(cells.n_persons, n, generator=generator, dtype=torch.float64).to(free.device)
    out = torch.empty_like(uniform)
    for block in posterior_blocks(model, free, cells, groups, SMOOTH):
        out[block.persons] = _quantiles(block, uniform[block.persons])
    return out


def plausible_values_over_items(
    model: Model,
    draws: Float[Tensor, "n n_free"],
    cells: Cells,
    groups: Int[Tensor, " persons"],
    generator: torch.Generator,
) -> Float[Tensor, "persons n"]:
    """One draw from each person's posterior for every draw of the items, so that it has their uncertainty."""
    columns = [plausible_values(model, free, cells, groups, 1, generator) for free in draws]
    return torch.cat(columns, 1)


CELL_RULE = torch.tensor([11.0, -93.0, 802.0, 802.0, -93.0, 11.0], dtype=torch.float64) / 1440.0
"""Integral over the middle one of five cells from the density at their six ends; exact to degree five."""
HALVINGS = 26
"""Of a cell of the grid, to find a quantile in it."""


def _quantiles(block: PosteriorBlock, uniform: Float[Tensor, "block n"]) -> Float[Tensor, "block n"]:
    """Inverse of the posterior distribution function, a cubic within each cell of the grid."""
    weights = block.weights
    padded = torch.nn.functional.pad(weights, (2, 2))
    rule = CELL_RULE.to(weights.device)
    cell = sum(rule[k] * padded[:, k : k + weights.shape[1] - 1] for k in range(6))
    cumulative = torch.cat([torch.zeros_like(weights[:, :1]), cell.clamp(min=0.0).cumsum(1)], 1)  # pyright: ignore
    cumulative = cumulative / cumulative[:, -1:]
    last = weights.shape[1] - 2
    k = (torch.searchsorted(cumulative, uniform.contiguous(), right=True) - 1).clamp(0, last)
    low, high = cumulative.gather(1, k), cumulative.gather(1, k + 1)
    rise_low, rise_high = weights.gather(1, k), weights.gather(1, k + 1)
    rise = high - low
    share = ((uniform - low) / rise.clamp(min=1e-300)).clamp(0.0, 1.0)
    # Slopes of more than three times the mean slope would let the cubic turn back (Fritsch & Carlson 1980).
    first = (rise_low / rise.clamp(min=1e-300)).clamp(max=3.0)
    second = (rise_high / rise.clamp(min=1e-300)).clamp(max=3.0)
    left, right = torch.zeros_like(share), torch.ones_like(share)
    for _ in range(HALVINGS):
        t = 0.5 * (left + right)
        value = t * (first + t * (3.0 - 2.0 * first - second + t * (first + second - 2.0)))
        left, right = torch.where(value < share, t, left), torch.where(value < share, right, t)
    return block.theta[k] + block.spacing * 0.5 * (left + right)


def expected_responses(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    groups: Int[Tensor, " persons"],
    values: Float[Tensor, "items codes"],
) -> Float[Tensor, "persons items"]:
    """Expected answer to every item, answered or not, averaged over each person's posterior (float32).

    Parameters
    ----------
    values : Float[Tensor, "items codes"]
        What each code is worth, in the user's units.

    Returns
    -------
    Float[Tensor, "persons items"]
        NaN for items that take no part in the likelihood.
    """
    out = torch.empty(cells.n_persons, model.n_items, dtype=torch.float32, device=free.device)
    layout = model.columns
    coded = ~model.measured[layout.item]
    worth = values.to(free.device, torch.float64)[layout.item, torch.where(coded, layout.code, 0)]
    table: Tensor | None = None
    for block in posterior_blocks(model, free, cells, groups):
        if table is None:
            probabilities = coefficient_table(model, block.theta[:, None], free).exp()
            table = torch.zeros(len(block.theta), model.n_items, dtype=torch.float64, device=free.device)
            table.index_add_(1, layout.item, torch.where(coded, probabilities * worth, 0.0))
            table[:, model.measured] = measured_means(model, block.theta[:, None], free)[:, model.measured]
            table[:, model.excluded] = torch.nan
        out[block.persons] = (block.weights @ table).float()
    return out


def measured_means(
    model: Model, theta: Float[Tensor, "nodes 1"], free: Float[Tensor, " n_free"]
) -> Float[Tensor, "nodes items"]:
    """Expected answers to the measured items at abilities, in the user's units; 0 for the others."""
    out = torch.zeros(len(theta), model.n_items, dtype=torch.float64, device=free.device)
    for component in model.components:
        if isinstance(component.item_model, ContinuousModel):
            params = component.slots.natural(free)
            out[:, component.items] = component.item_model.mean(theta[:, None, :], params, component.facts)
    return out


@dataclass(frozen=True)
class Predicted:
    """Predictions of observed cells, in the order of ``Cells.pairs``.

    Attributes
    ----------
    persons, items : Int[Tensor, " cells"]
    answers : Tensor
        Observed codes, or, where some items are measured, codes and numbers as floats, ``[cells]``.
    log_prob : Float[Tensor, " cells"]
        Of the observed code, or log density of the number, nats.
    probabilities : Float[Tensor, "cells codes"]
        Of every category; 0 where the item has no such category, NaN where it is measured.
    mean : Float[Tensor, " cells"]
        Expected answer of measured items; NaN for the others.
    """

    persons: Int[Tensor, " cells"]
    items: Int[Tensor, " cells"]
    answers: Tensor
    log_prob: Float[Tensor, " cells"]
    probabilities: Float[Tensor, "cells codes"]
    mean: Float[Tensor, " cells"]


def predictive(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    groups: Int[Tensor, " persons"],
    held_out: Cells,
) -> Predicted:
    """Predict cells from the same persons' other answers, ability integrated out.

    Parameters
    ----------
    cells : Cells
        The answers that are known.
    held_out : Cells
        The same persons and items; its observed cells are predicted. NaN for items that take no part in the
        likelihood.
    """
    persons, items, codes = held_out.pairs()
    layout, measured = model.columns, model.measured
    n_codes = int(torch.where(measured, 1, model.n_categories).max())
    n_codes = 0 if bool(measured.all()) else n_codes
    starts = torch.searchsorted(persons, torch.arange(cells.n_persons + 1, device=persons.device))
    probabilities = torch.zeros(len(persons), n_codes, dtype=torch.float64, device=free.device)
    probabilities[measured[items]] = torch.nan
    log_density = torch.full((len(persons),), torch.nan, dtype=torch.float64, device=free.device)
    mean = torch.full_like(log_density, torch.nan)
    statistics = _statistics_of(model, held_out)
    table: Tensor | None = None
    size = max(1, LARGEST_BLOCK // len(layout.item))
    for block in posterior_blocks(model, free, cells, groups):
        if table is None:
            log_table = coefficient_table(model, block.theta[:, None], free)
            log_table[:, model.excluded[layout.item]] = torch.nan
            means = measured_means(model, block.theta[:, None], free)
            table = torch.where(measured[layout.item], 0.0, log_table).exp()
        for rows in torch.arange(len(block.persons), device=free.device).split(size):
            averaged = block.weights[rows] @ table
            who = block.persons[rows]
            counts = starts[who + 1] - starts[who]
            row = torch.repeat_interleave(torch.arange(len(rows), device=free.device), counts)
            first = torch.cumsum(counts, 0) - counts
            cell = starts[who][row] + torch.arange(len(row), device=free.device) - first[row]
            numbers = measured[items[cell]]
            for item in items[cell[numbers]].unique().tolist():
                own = items[cell] == item
                weights = block.weights[rows][row[own]]
                columns = slice(int(layout.offset[item]), int(layout.offset[item] + model.n_categories[item]))
                log_p = statistics[cell[own], : columns.stop - columns.start] @ log_table[:, columns].T  # pyright: ignore[reportPossiblyUnbound]
                log_density[cell[own]] = torch.logsumexp(weights.log() + log_p, 1)
                mean[cell[own]] = weights @ means[:, item]  # pyright: ignore[reportPossiblyUnbound]
            row, cell = row[~numbers], cell[~numbers]
            for code in range(n_codes):
                has = model.n_categories[items[cell]] > code
                column = layout.offset[items[cell]] + code
                chosen = averaged[row, column.clamp(max=len(layout.item) - 1)]
                probabilities[cell, code] = torch.where(has, chosen, 0.0)
    if not bool(measured.any()):
        observed = probabilities.gather(1, codes[:, None])[:, 0]
        return Predicted(persons, items, codes, observed.log(), probabilities, mean)
    coded = ~measured[items]
    log_density[coded] = probabilities[coded].gather(1, codes[coded, None])[:, 0].log()
    answers = codes.double()
    assert isinstance(held_out, MeasuredCells)
    answers[~coded] = held_out.measures.values
    mean[model.excluded[items]] = torch.nan
    return Predicted(persons, items, answers, log_density, probabilities, mean)


def _statistics_of(model: Model, cells: Cells) -> Float[Tensor, "cells statistics"]:
    """Statistics of all answers, in the order of ``Cells.pairs``; 0 for those in categories."""
    persons, items, _ = cells.pairs()
    n_most = int(torch.where(model.measured, model.n_categories, 0).max())
    out = torch.zeros(len(persons), n_most, dtype=torch.float64, device=persons.device)
    for component in model.components:
        if component.is_measured:
            answers = listed(component, torch.zeros_like(model.excluded), cells)
            mine = torch.isin(items, component.items)
            out[mine, : answers.statistics.shape[1]] = answers.statistics
    return out
