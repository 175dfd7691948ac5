"""What not knowing the items exactly adds to the sd of a mode of ability, by the delta method.

A mode is where the slope g of what is maximised is zero, so by the implicit function theorem its derivative with
respect to a parameter is minus the derivative of g by that parameter over its derivative by ability. The latter is
minus one over the squared sd that is reported.
"""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.answers import AnswerBlock, Answers, answers_of
from irtvi.inference.item_posterior import Curvature
from irtvi.inference.item_uncertainty import variance_of_combination
from irtvi.inference.louis import CHUNK_NUMBERS
from irtvi.inference.score_tables import ScoreTables
from irtvi.inference.table import steepest_slope
from irtvi.models.model import Model
from irtvi.responses.cells import Cells
from irtvi.results.chebyshev import chebyshev_points, reading_weights
from irtvi.results.criteria import Criterion, Interpolated
from irtvi.results.estimates import sums_at
from irtvi.results.scoring import Scores

POINTS = 12
WIDEST, SLOPE_SHARE = 1.0, 1.0
"""Abilities that share a polynomial lie within this, and within this over the steepest slope: its error is 1e-11."""


def sd_items_of_modes(
    criterion: Criterion,
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    groups: Int[Tensor, " persons"],
    curvature: Curvature | None,
    scores: Scores,
) -> Float[Tensor, " persons"]:
    """Standard deviation of each person's estimate that comes from the items' posterior.

    Parameters
    ----------
    criterion : Criterion
        What was maximised.
    curvature : Curvature or None
        Precision of the free parameters; None gives NaN, no free parameters 0.
    scores : Scores
        The estimates; somebody without a finite maximum has no sd, and none here.
    """
    out = torch.full_like(scores.theta, torch.nan)
    found = torch.nonzero(torch.isfinite(scores.sd))[:, 0]
    if model.n_free == 0:
        out[found] = 0.0
    if model.n_free == 0 or curvature is None:
        return out
    for persons, tables, columns in mode_derivatives(criterion, model, free, cells, groups, scores, found):
        out[persons] = variance_of_combination(curvature, tables, columns).clamp(min=0.0).sqrt()
    return out


def mode_derivatives(
    criterion: Criterion,
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    groups: Int[Tensor, " persons"],
    scores: Scores,
    persons: Int[Tensor, " some"],
) -> Iterator[tuple[Int[Tensor, " block"], ScoreTables, Float[Tensor, "block columns"]]]:
    """Derivatives of the modes of some persons, block by block, in the columns of the tables that come with them."""
    if not len(persons):
        return
    answers = answers_of(model, cells)
    theta = scores.theta[persons]
    low, high = math.floor(float(theta.min())), math.floor(float(theta.max())) + 1
    rough = torch.linspace(low, high, 201, dtype=torch.float64, device=free.device)
    width = min(WIDEST, SLOPE_SHARE / max(steepest_slope(model, rough[:, None], free), 1e-6))
    place = torch.floor(theta / width)
    size = max(16, CHUNK_NUMBERS // max(1, model.n_free))
    for k in place.unique().tolist():
        inside = persons[place == k]
        interval = _Interval(criterion, model, free, width * k, width * (k + 1))
        for group in groups[inside].unique().tolist():
            for block in inside[groups[inside] == group].split(size):
                own = cells.take(block)
                columns = interval.slope_derivatives(scores.theta[block], answers.block(block), answers, own, group)
                yield block, interval.tables[0], scores.sd[block].square()[:, None] * columns


class _Interval:
    """Abilities that share one polynomial, and the tables at its points."""

    def __init__(
        self, criterion: Criterion, model: Model, free: Float[Tensor, " n_free"], low: float, high: float
    ) -> None:
        places, self._to_series = chebyshev_points(POINTS, free.device)
        self._criterion, self._centre, self._half = criterion, 0.5 * (low + high), 0.5 * (high - low)
        nodes = (self._centre + self._half * places)[:, None]
        self._columns = criterion.columns(model, nodes, free)
        self.tables = [ScoreTables(model, nodes, free, torch.float64, of) for of in criterion.derivatives]

    def slope_derivatives(
        self, theta: Float[Tensor, " block"], block: AnswerBlock, answers: Answers, cells: Cells, group: int
    ) -> Float[Tensor, "block columns"]:
        """Derivatives of the slope of what is maximised, at each person's ability, by the parameters."""
        value, slope = reading_weights(self._to_series, (theta - self._centre) / self._half)
        at = Interpolated(value, slope / self._half, sums_at(answers, block, self._columns))
        answered = self.tables[0].answered(cells)
        first, *others = (
            table.products(weights, slice(0, POINTS), group, answered)
            for table, weights in zip(self.tables, self._criterion.dependence(at), strict=True)
        )
        items = self.tables[0].of_items
        if not self._criterion.uses_prior:
            first[:, items.stop :] = 0.0
        for other in others:
            first[:, items] += other[:, items]
        return first
