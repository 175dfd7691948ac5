"""What not knowing the items exactly adds to the sd of a person's ability, by the delta method."""

from collections.abc import Callable, Sequence
from itertools import combinations_with_replacement

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.expectation import BlockPosterior, PersonSums, SharedTables
from irtvi.inference.item_posterior import BlockCurvature, Curvature, DiagonalCurvature, FullCurvature
from irtvi.inference.louis import FirstOrder, ScoreBlock, mostly_missing, score_blocks
from irtvi.inference.score_tables import ScoreTables
from irtvi.models.model import Model
from irtvi.responses.cells import Cells

EXACT_WORK, FEW = 1e9, 150
"""Persons times squared parameters, and parameters, up to which every covariance between items is gone through for
every person."""
DIRECTIONS, ROUNDS = 32, 3
"""Of covariances between items that are kept beyond that, and rounds of the subspace iteration that finds them."""
SOME = 32
"""Persons of a block who tell what the other directions add."""


def sd_items(
    model: Model,
    free: Float[Tensor, " n_free"],
    curvature: Curvature | None,
    cells: Cells,
    groups: Int[Tensor, " persons"],
    sums: PersonSums,
) -> Float[Tensor, " persons"]:
    """Standard deviation of each person's EAP that comes from the items' posterior.

    Parameters
    ----------
    curvature : Curvature or None
        Precision of the free parameters; None gives NaN, no free parameters 0.
    sums : PersonSums
        Posterior moments of the persons at ``free``.

    Notes
    -----
    The derivative of a posterior mean with respect to a parameter is the posterior covariance of ability with
    the derivative of the person's complete-data log-likelihood: the posterior sd times the first coefficient of
    :meth:`ScoreBlock.coefficients`. Nothing is drawn, so the numbers are the same at every call. Where persons and
    parameters are many the numbers are good to about a percent, see :func:`_variance_nearly`.
    """
    out = torch.full((cells.n_persons,), torch.nan, dtype=torch.float64, device=free.device)
    if model.n_free == 0:
        return out.zero_()
    if curvature is None:
        return out
    persons = torch.nonzero(torch.isfinite(sums.sd) & (sums.sd > 0))[:, 0]
    variance: Variance | None = None
    for block in score_blocks(model, cells, free, persons, sums.mean, sums.sd, groups):
        variance = variance or _variance(model, curvature, cells, block.tables)
        out[block.persons] = variance(block).double().clamp(min=0.0).sqrt() * sums.sd[block.persons]
    return out


class SdItems:
    """As :func:`sd_items`, on the way through a pass.

    Parameters
    ----------
    model : Model
    cells : Cells
    free : Float[Tensor, " n_free"]
    curvature : Curvature
    """

    def __init__(self, model: Model, cells: Cells, free: Float[Tensor, " n_free"], curvature: Curvature) -> None:
        self._model, self._cells, self._free, self._curvature = model, cells, free, curvature
        self._tables: ScoreTables | None = None
        self._variance: Variance | None = None
        self._shares = torch.full((cells.n_persons,), torch.nan, dtype=torch.float64, device=free.device)

    def visit(self, shared: SharedTables, found: BlockPosterior) -> None:
        """See a block of the pass."""
        if self._tables is None or self._variance is None:
            self._tables = ScoreTables(self._model, shared.theta, self._free, torch.float32)
            self._variance = _variance(self._model, self._curvature, self._cells, self._tables)
        own = ScoreBlock.of(found, shared.theta, self._tables)
        self._shares[own.persons] = self._variance(own).double().clamp(min=0.0).sqrt()

    def of(self, sums: PersonSums) -> Float[Tensor, " persons"]:
        """The standard deviations, given what the pass said of persons."""
        return self._shares * sums.sd


def sd_items_of_kept(curvature: Curvature, first: FirstOrder, sums: PersonSums) -> Float[Tensor, " persons"]:
    """As :func:`sd_items`, from coefficients that the standard errors left behind."""
    out = torch.full_like(sums.sd, torch.nan)
    assert first.tables is not None
    root = _root_of_covariance(curvature)[first.tables.target]
    for persons, coefficients in first.parts:
        spread = (coefficients @ root.to(coefficients.dtype)).square().sum(1)
        out[persons] = spread.double().sqrt() * sums.sd[persons]
    return out


Variance = Callable[[ScoreBlock], Float[Tensor, " block"]]
"""Variance of each person's mean that the parameters' posterior implies, in squared posterior sds of ability."""


def _variance(model: Model, curvature: Curvature, cells: Cells, tables: ScoreTables) -> Variance:
    if _is_listed(curvature, cells):
        return _variance_by_answer(curvature, cells, tables)
    n, work = model.n_free, cells.n_persons * model.n_free**2
    if isinstance(curvature, FullCurvature) and n > FEW and work > EXACT_WORK:
        return _variance_nearly(curvature, cells, tables)
    return _variance_by_column(curvature, cells, tables)


def _is_listed(curvature: Curvature, cells: Cells) -> bool:
    """Whether the terms of single answers are enough: items are uncorrelated, and most answers are missing."""
    return isinstance(curvature, BlockCurvature) and mostly_missing(cells)


def _variance_by_column(curvature: Curvature, cells: Cells, tables: ScoreTables) -> Variance:
    if isinstance(curvature, BlockCurvature):
        inverses = [x.to(tables.dtype) for x in _without_held(curvature)]
        return lambda block: _within_members(tables.by_part(next(block.coefficients(cells, 1))), inverses)
    root = _root_of_covariance(curvature)[tables.target].to(tables.dtype).contiguous()
    return lambda block: (next(block.coefficients(cells, 1)) @ root).square().sum(1)


def _variance_nearly(curvature: Curvature, cells: Cells, tables: ScoreTables) -> Variance:
    """As :func:`_variance_by_column` from covariances within items and a few directions of those between items.

    What is left is spread over many directions and adds nearly the same share, a percent or two, for all persons
    of like ability, so that some persons of a block tell it for all.
    """
    root = _root_of_covariance(curvature)[tables.target]
    covariance = root @ root.T
    same = tables.member[:, None] == tables.member
    within = [blocks.to(tables.dtype) for blocks in tables.blocks_by_part(covariance)]
    directions, weights = _leading(torch.where(same, 0.0, covariance))
    directions, weights, root = directions.to(tables.dtype), weights.to(tables.dtype), root.to(tables.dtype)

    def variance(block: ScoreBlock) -> Float[Tensor, " block"]:
        columns = next(block.coefficients(cells, 1))
        near = _within_members(tables.by_part(columns), within) + (columns @ directions).square() @ weights
        some = slice(None, None, max(1, len(near) // SOME))
        return near * ((columns[some] @ root).square().sum() / near[some].sum())

    return variance


def _leading(matrix: Float[Tensor, "n n"]) -> tuple[Float[Tensor, "n directions"], Float[Tensor, " directions"]]:
    """Eigenvectors of the largest eigenvalues, of either sign, of a symmetric matrix, and the eigenvalues."""
    generator = torch.Generator(matrix.device).manual_seed(0)
    shape = len(matrix), min(2 * DIRECTIONS, len(matrix))
    basis = torch.randn(shape, generator=generator, dtype=matrix.dtype, device=matrix.device)
    for _ in range(ROUNDS):
        basis = torch.linalg.qr(matrix @ basis)[0]
    values, turn = torch.linalg.eigh(basis.T @ matrix @ basis)
    largest = values.abs().argsort(descending=True)[:DIRECTIONS]
    return basis @ turn[:, largest], values[largest]


def variance_of_combination(
    curvature: Curvature, tables: ScoreTables, columns: Float[Tensor, "block all_columns"]
) -> Float[Tensor, " block"]:
    """Variance of a few linear combinations of the parameters, for which no root of the covariance is formed.

    Parameters
    ----------
    columns : Float[Tensor, "block all_columns"]
        Coefficients, in the columns of the tables.
    """
    if isinstance(curvature, BlockCurvature):
        return _within_members(tables.by_part(columns), _without_held(curvature))
    coefficients = tables.by_free(columns)
    if isinstance(curvature, DiagonalCurvature):
        return coefficients.square() @ curvature.variance
    assert isinstance(curvature, FullCurvature)
    return torch.linalg.solve_triangular(curvature.factor, coefficients.T, upper=False).square().sum(0)


def _within_members(
    parts: Sequence[Float[Tensor, "block _slots _members"]], inverses: Sequence[Float[Tensor, "_members _slots _slots"]]
) -> Float[Tensor, " block"]:
    """Variances from coefficients and covariances within items, by part of the model."""
    total = parts[0].new_zeros(len(parts[0]))
    for part, inverse in zip(parts, inverses, strict=True):
        for s, t in combinations_with_replacement(range(part.shape[1]), 2):
            total += (part[:, s] * part[:, t]) @ (inverse[:, s, t] if s == t else 2.0 * inverse[:, s, t])
    return total


def _variance_by_answer(curvature: Curvature, cells: Cells, tables: ScoreTables) -> Variance:
    assert isinstance(curvature, BlockCurvature)
    inverses = [x.to(tables.dtype) for x in _without_held(curvature)]

    def by_answer(block: ScoreBlock) -> Float[Tensor, " block"]:
        total = block.posterior.new_zeros(len(block.persons))
        for scores, inverse in zip(next(block.coefficients_by_answer(cells, 1)), inverses, strict=False):
            own = torch.einsum("rs,rst,rt->r", scores.values, inverse[scores.member], scores.values)
            total.index_add_(0, scores.person, own)
        return total

    return by_answer


def _without_held(curvature: BlockCurvature) -> list[Float[Tensor, "_members _slots _slots"]]:
    """Covariances within items, 0 for slots that are held."""
    return [
        torch.where((index >= 0)[:, :, None] & (index >= 0)[:, None, :], inverse, 0.0)
        for inverse, index in zip(curvature.inverses, curvature.indices, strict=True)
    ]


def _root_of_covariance(curvature: Curvature) -> Float[Tensor, "n_free n_free"]:
    """A matrix whose product with its transpose is the covariance."""
    if isinstance(curvature, DiagonalCurvature):
        return torch.diag(curvature.variance.sqrt())
    assert isinstance(curvature, FullCurvature)
    identity = torch.eye(len(curvature.factor), dtype=torch.float64, device=curvature.factor.device)
    return torch.linalg.solve_triangular(curvature.factor, identity, upper=False).T
