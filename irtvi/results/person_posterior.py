"""Each person's posterior of ability on a grid, and what follows from it without another formula."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import sici
from torch import Tensor

from irtvi.inference.answers import answers_of
from irtvi.inference.engines.engine import Data
from irtvi.inference.interruption import may_stop
from irtvi.inference.marginal import MarginalPosterior
from irtvi.inference.nodes import Grid
from irtvi.inference.placing import GridPlacing
from irtvi.inference.table import log_prob_table
from irtvi.models.model import Model
from irtvi.responses.cells import Cells

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
    used, base = answers.table(log_prob_table(model, theta, free))
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
    model: Model, free: Float[Tensor, " n_free"], cells: Cells, groups: Int[Tensor, " persons"], cut: float
) -> Float[Tensor, " persons"]:
    """Posterior probability that ability exceeds ``cut``.

    Notes
    -----
    The posterior density is interpolated by the sinc function, whose integral is known: every node adds its
    weight times ``1/2 + Si(pi (node - cut) / spacing) / pi`` (Stenger 1993, Numerical Methods Based on Sinc
    and Analytic Functions). On the fine grid used here that is exact to about 1e-7.
    """
    out = torch.full((cells.n_persons,), torch.nan, dtype=torch.float64, device=free.device)
    for block in posterior_blocks(model, free, cells, groups, SMOOTH):
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
    worth = values.to(free.device, torch.float64)[layout.item, layout.code]
    table: Tensor | None = None
    for block in posterior_blocks(model, free, cells, groups):
        if table is None:
            probabilities = log_prob_table(model, block.theta[:, None], free).exp()
            table = torch.zeros(len(block.theta), model.n_items, dtype=torch.float64, device=free.device)
            table.index_add_(1, layout.item, probabilities * worth)
            table[:, model.excluded] = torch.nan
        out[block.persons] = (block.weights @ table).float()
    return out


@dataclass(frozen=True)
class Predicted:
    """Predictions of observed cells, in the order of ``Cells.pairs``.

    Attributes
    ----------
    persons, items, codes : Int[Tensor, " cells"]
    log_prob : Float[Tensor, " cells"]
        Of the observed code, nats.
    probabilities : Float[Tensor, "cells codes"]
        Of every category; 0 where the item has no such category.
    """

    persons: Int[Tensor, " cells"]
    items: Int[Tensor, " cells"]
    codes: Int[Tensor, " cells"]
    log_prob: Float[Tensor, " cells"]
    probabilities: Float[Tensor, "cells codes"]


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
    layout = model.columns
    n_codes = int(model.n_categories.max())
    starts = torch.searchsorted(persons, torch.arange(cells.n_persons + 1, device=persons.device))
    probabilities = torch.zeros(len(persons), n_codes, dtype=torch.float64, device=free.device)
    table: Tensor | None = None
    size = max(1, LARGEST_BLOCK // len(layout.item))
    for block in posterior_blocks(model, free, cells, groups):
        if table is None:
            table = log_prob_table(model, block.theta[:, None], free).exp()
            table[:, model.excluded[layout.item]] = torch.nan
        for rows in torch.arange(len(block.persons), device=free.device).split(size):
            averaged = block.weights[rows] @ table
            who = block.persons[rows]
            counts = starts[who + 1] - starts[who]
            row = torch.repeat_interleave(torch.arange(len(rows), device=free.device), counts)
            first = torch.cumsum(counts, 0) - counts
            cell = starts[who][row] + torch.arange(len(row), device=free.device) - first[row]
            for code in range(n_codes):
                has = model.n_categories[items[cell]] > code
                column = layout.offset[items[cell]] + code
                chosen = averaged[row, column.clamp(max=len(layout.item) - 1)]
                probabilities[cell, code] = torch.where(has, chosen, 0.0)
    observed = probabilities.gather(1, codes[:, None])[:, 0]
    return Predicted(persons, items, codes, observed.log(), probabilities)
