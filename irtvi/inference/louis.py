"""What not knowing abilities costs: the missing information of Louis (1982), and each person's score.

The observed information of a marginal likelihood is the expected complete-data information minus the covariance,
over each person's posterior of ability, of that person's complete-data score. The score is a smooth function of
ability, so it is expanded in the polynomials that are orthonormal under the posterior: the constant term is the
person's gradient of the log marginal likelihood, and the products of the other coefficients, added up, are the
covariance. A few terms are enough where the posterior is narrow; more are taken until they say nothing new.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.answers import answers_of
from irtvi.inference.expectation import BlockPosterior, PlacedAnswers, SharedTables
from irtvi.inference.interruption import may_stop
from irtvi.inference.item_posterior import uses_blocks
from irtvi.inference.nodes import TAIL, Grid
from irtvi.inference.placing import population_range
from irtvi.inference.score_tables import AnswerScores, ScoreTables
from irtvi.inference.table import steepest_slope
from irtvi.inference.windows import windows
from irtvi.models.model import Model
from irtvi.responses.cells import Cells, SparseCells
from irtvi.responses.measures import MeasuredCells

SPACING, HALF_WIDTH = {torch.float64: 0.6, torch.float32: 1.0}, {torch.float64: 8.0, torch.float32: 5.4}
"""Largest spacing of nodes, and half width of a window, in posterior standard deviations."""
EXACT, NEGLIGIBLE, ROUGH = 1e-8, 1e-3, 1e-2
"""Shares for ``left_over``."""
SMALL = 100_000
"""Persons x free parameters up to which sums run in float64: it costs nothing there."""
CHUNK_NUMBERS = 6_000_000
"""Persons x columns that are worked on at once."""
ROUGH_SPACING = 0.25
LEAST_HALVED = 128
"""Columns beyond which a product is put together from those of its halves."""
KEPT_NUMBERS = 4_000_000
"""Persons x free parameters up to which coefficients of scores are kept for later."""


@dataclass(frozen=True)
class ScoreBlock:
    """Persons of one block, their posterior at its nodes, and the tables to read scores off.

    Attributes
    ----------
    persons : Int[Tensor, " block"]
    group : int
    theta : Float[Tensor, " nodes"]
    posterior : Float[Tensor, "nodes block"]
        Columns sum to 1.
    rows : slice
        The nodes among those of the tables.
    tables : ScoreTables
    """

    persons: Int[Tensor, " block"]
    group: int
    theta: Float[Tensor, " nodes"]
    posterior: Float[Tensor, "nodes block"]
    rows: slice
    tables: ScoreTables

    @staticmethod
    def of(found: BlockPosterior, theta: Float[Tensor, "all_nodes 1"], tables: ScoreTables) -> "ScoreBlock":
        """From a pass whose nodes are those of the tables."""
        block, posterior = found.block, found.weights.to(tables.dtype)
        return ScoreBlock(block.persons, block.group, theta[block.rows, 0], posterior, block.rows, tables)

    def coefficients(self, cells: Cells, lowest: int) -> Iterator[Float[Tensor, "block columns"]]:
        """Of each person's score in the posterior's polynomials, degree by degree; degree 0 is the mean.

        The coefficient of degree 1 is the posterior covariance of score and ability, over the sd of ability.

        Parameters
        ----------
        cells : Cells
            Answers of all persons of the data.
        lowest : int
            Degree of the first.
        """
        answered = self.tables.answered(cells.take(self.persons))
        for polynomial in islice(polynomials(self.theta, self.posterior), lowest, None):
            yield self.tables.products(self.posterior * polynomial, self.rows, self.group, answered)

    def coefficients_by_answer(self, cells: Cells, lowest: int) -> Iterator[list[AnswerScores]]:
        """As :meth:`coefficients`, a term for each answer."""
        own = cells.take(self.persons)
        for polynomial in islice(polynomials(self.theta, self.posterior), lowest, None):
            yield list(self.tables.by_answer(self.posterior * polynomial, self.rows, self.group, own))


def polynomials(
    theta: Float[Tensor, " nodes"], posterior: Float[Tensor, "nodes block"]
) -> Iterator[Float[Tensor, "nodes block"]]:
    """Polynomials of ability, orthonormal under each person's posterior, in order of degree.

    By the three-term recurrence of Stieltjes (Gautschi 2004, Orthogonal Polynomials, section 2.2), in float64
    whatever the posterior is kept in: where a block's nodes reach many standard deviations beyond somebody's
    posterior the polynomials grow so large there that float32 soon has them orthogonal no more.
    """
    weights = posterior.double()
    x = (theta - theta[len(theta) // 2]).double()[:, None]
    previous, current = torch.zeros_like(weights), torch.ones_like(weights)
    size: Tensor | float = 0.0
    for _ in range(len(theta)):
        yield current.to(posterior.dtype)
        following = (x - (weights * current.square() * x).sum(0)) * current - size * previous
        size = (weights * following.square()).sum(0).sqrt()
        if float(size.max()) < 1e-6:
            return
        previous, current = current, following / size.clamp(min=1e-6)


def score_blocks(
    model: Model,
    cells: Cells,
    free: Float[Tensor, " n_free"],
    persons: Int[Tensor, " some"],
    mean: Float[Tensor, " persons"],
    sd: Float[Tensor, " persons"],
    groups: Int[Tensor, " persons"],
) -> Iterator[ScoreBlock]:
    """Blocks of persons over windows that their posterior moments place.

    Parameters
    ----------
    persons : Int[Tensor, " some"]
        Rows of ``cells``; their ``mean`` and ``sd`` are finite.
    mean, sd : Float[Tensor, " persons"]
        Posterior moments of ability of all persons.
    """
    if not len(persons):
        return
    m, s = mean[persons], sd[persons]
    low, high = population_range(model, free)
    low, high = min(low, float((m - TAIL * s).min())), max(high, float((m + TAIL * s).max()))
    rough = Grid.covering(low, high, ROUGH_SPACING).theta(free.device)
    steepest = 1.0 / max(steepest_slope(model, rough, free), 1e-6)
    dtype = torch.float64 if cells.n_persons * model.n_free <= SMALL else torch.float32
    placement = windows(m, s, persons, groups[persons], (low, high), SPACING[dtype], steepest, HALF_WIDTH[dtype])
    placed = PlacedAnswers(answers_of(model, cells), placement)
    shared = SharedTables.of(model, placed, free, dtype)
    tables = ScoreTables(model, shared.theta, free, dtype)
    size = max(16, CHUNK_NUMBERS // max(tables.n_columns, 1))
    for block, answers in placed:
        may_stop()
        posterior = BlockPosterior.of(block, answers, shared).weights
        theta = shared.theta[block.rows, 0]
        for members, own in zip(block.persons.split(size), posterior.split(size, 1), strict=True):
            yield ScoreBlock(members, block.group, theta, own, block.rows, tables)


class FirstOrder:
    """The coefficient of degree 1 of each person's score, kept: standard errors and abilities both ask for it.

    Parameters
    ----------
    model : Model
    cells : Cells
    free : Float[Tensor, " n_free"]

    Attributes
    ----------
    tables : ScoreTables or None
        The tables that the columns belong to; None before the first visit.
    parts : list of tuple
        Persons ``[block]`` and coefficients ``[block, columns]``.
    """

    def __init__(self, model: Model, cells: Cells, free: Float[Tensor, " n_free"]) -> None:
        self._model, self._cells, self._free = model, cells, free
        self.tables: ScoreTables | None = None
        self.parts: list[tuple[Tensor, Tensor]] = []

    def visit(self, shared: SharedTables, found: BlockPosterior) -> None:
        """Keep what a block of a pass says."""
        if self.tables is None:
            self.tables = ScoreTables(self._model, shared.theta, self._free, torch.float32)
        own = ScoreBlock.of(found, shared.theta, self.tables)
        self.parts.append((own.persons, next(own.coefficients(self._cells, 1))))

    @staticmethod
    def fits(n_persons: int, model: Model) -> bool:
        """Whether so many numbers may be kept."""
        return 0 < n_persons * model.n_free <= KEPT_NUMBERS and not uses_blocks(model)

    def missing_information(self, weights: Float[Tensor, " persons"] | None) -> Float[Tensor, "n_free n_free"]:
        """The part of :func:`missing_information` that these coefficients are."""
        assert self.tables is not None
        n_free, device = self.tables.model.n_free, self.tables.target.device
        total = torch.zeros(n_free, n_free, dtype=torch.float64, device=device)
        for persons, columns in self.parts:
            coefficients = self.tables.to_multiply(columns)
            weighted = coefficients if weights is None else coefficients * weights[persons, None].to(coefficients.dtype)
            own = coefficients.new_zeros(total.shape)
            _add_products(own, weighted, coefficients)
            total += own
        return self.tables.matrix_by_free(_mirrored(total))


def missing_information(
    model: Model,
    cells: Cells,
    free: Float[Tensor, " n_free"],
    persons: Int[Tensor, " some"],
    mean: Float[Tensor, " persons"],
    sd: Float[Tensor, " persons"],
    weights: Float[Tensor, " persons"] | None,
    groups: Int[Tensor, " persons"],
    left_over: float = EXACT,
    degrees: tuple[int, int | None] = (1, None),
    n_parts: int = 1,
) -> list[Float[Tensor, "n_free n_free"]]:
    """Sum over persons of the posterior covariance of their complete-data scores, in some parts.

    Parameters
    ----------
    persons : Int[Tensor, " some"]
        Rows of ``cells`` to sum over.
    mean, sd : Float[Tensor, " persons"]
        Posterior moments of all persons, which place the nodes.
    weights : Float[Tensor, " persons"] or None
        Weight of each person in the sum.
    left_over : float
        Terms are added until the last one's share of every variance is smaller, or no more than rounding: variances
        that are next to nothing beside the largest would go on for ever.
    degrees : tuple
        Of the first term, and of the first that is left out. The term of degree 1 is nearly all there is where
        posteriors are narrow.
    n_parts : int
        Of the sum: each is that over every n-th person, who are spread over ability alike.
    """
    totals = [torch.zeros(model.n_free, model.n_free, dtype=torch.float64, device=free.device) for _ in range(n_parts)]
    tables: ScoreTables | None = None
    for block in score_blocks(model, cells, free, persons, mean, sd, groups):
        tables = block.tables
        own = [block.posterior.new_zeros(model.n_free, model.n_free) for _ in totals]
        weight = None if weights is None else weights[block.persons].to(block.posterior.dtype)[:, None]
        reached = block.posterior.new_zeros(model.n_free)
        lowest, end = degrees
        for columns in islice(block.coefficients(cells, lowest), end and end - lowest):
            may_stop()
            right = block.tables.to_multiply(columns)
            left = right if weight is None else right * weight
            for part, sums in enumerate(own):
                _add_products(sums, left[part::n_parts], right[part::n_parts])
            before, reached = reached, torch.stack([sums.diagonal() for sums in own]).sum(0)
            rounding = torch.finfo(reached.dtype).eps * reached.max()
            if bool((reached - before <= left_over * reached + rounding).all()):
                break
        for total, sums in zip(totals, own, strict=True):
            total += sums
    return totals if tables is None else [tables.matrix_by_free(_mirrored(total)) for total in totals]


def _add_products(total: Float[Tensor, "n n"], left: Float[Tensor, "block n"], right: Float[Tensor, "block n"]) -> None:
    """Add ``left' right``, which is symmetric, on and above the diagonal: little more than half of the work."""
    n = len(total)
    if n <= LEAST_HALVED:
        total.addmm_(left.T, right)
        return
    first, second = slice(n // 2), slice(n // 2, n)
    _add_products(total[first, first], left[:, first], right[:, first])
    _add_products(total[second, second], left[:, second], right[:, second])
    total[first, second].addmm_(left[:, first].T, right[:, second])


def _mirrored(total: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """With what is above the diagonal below it too."""
    return total.triu() + total.triu(1).T


def person_scores(
    model: Model,
    cells: Cells,
    free: Float[Tensor, " n_free"],
    persons: Int[Tensor, " some"],
    mean: Float[Tensor, " persons"],
    sd: Float[Tensor, " persons"],
    groups: Int[Tensor, " persons"],
) -> Iterator[tuple[Int[Tensor, " block"], Float[Tensor, "block n_free"]]]:
    """Gradient of each person's log marginal likelihood with respect to the free parameters, block by block."""
    for block in score_blocks(model, cells, free, persons, mean, sd, groups):
        yield block.persons, block.tables.by_free(next(block.coefficients(cells, 0)).double())


def mostly_missing(cells: Cells) -> bool:
    """Whether terms of single answers cost less than a table of persons and items."""
    return isinstance(cells.coded if isinstance(cells, MeasuredCells) else cells, SparseCells)


def missing_information_by_item(
    model: Model,
    cells: Cells,
    free: Float[Tensor, " n_free"],
    persons: Int[Tensor, " some"],
    mean: Float[Tensor, " persons"],
    sd: Float[Tensor, " persons"],
    weights: Float[Tensor, " persons"] | None,
    groups: Int[Tensor, " persons"],
    left_over: float = EXACT,
) -> list[Float[Tensor, "_members _slots _slots"]]:
    """As :func:`missing_information`, within each item and each population only, by part of the model.

    Correlations between items are left out, which is what makes it affordable.
    """
    totals = [
        torch.zeros(*part.index.shape, part.n_slots, dtype=torch.float64, device=free.device) for part in model.parts
    ]
    products = _products_by_answer if mostly_missing(cells) else _products_by_column
    for block in score_blocks(model, cells, free, persons, mean, sd, groups):
        weight = None if weights is None else weights[block.persons].to(block.posterior.dtype)
        reached = 0.0
        for parts in products(block, cells, weight):
            may_stop()
            for total, own in zip(totals, parts, strict=False):
                total += own
            added = torch.cat([own.diagonal(dim1=1, dim2=2).flatten() for own in parts])
            reached = reached + added
            if bool((added <= left_over * reached + torch.finfo(added.dtype).eps * reached.max()).all()):
                break
    return totals


def _products_by_column(
    block: ScoreBlock, cells: Cells, weight: Float[Tensor, " block"] | None
) -> Iterator[list[Float[Tensor, "_members _slots _slots"]]]:
    """Sums over persons of products of each item's coefficients, degree by degree."""
    for columns in block.coefficients(cells, 1):
        parts = [part.permute(2, 1, 0) for part in block.tables.by_part(columns)]
        yield [(part if weight is None else part * weight) @ part.mT for part in parts]


def _products_by_answer(
    block: ScoreBlock, cells: Cells, weight: Float[Tensor, " block"] | None
) -> Iterator[list[Float[Tensor, "_members _slots _slots"]]]:
    """As :func:`_products_by_column`, where most answers are missing."""
    for by_part in block.coefficients_by_answer(cells, 1):
        parts = []
        for scores, part in zip(by_part, block.tables.model.parts, strict=False):
            left = scores.values if weight is None else scores.values * weight[scores.person, None]
            own = scores.values.new_zeros(*part.index.shape, part.n_slots)
            parts.append(own.index_add_(0, scores.member, left[:, :, None] * scores.values[:, None, :]))
        yield parts
