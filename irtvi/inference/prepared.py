"""A model whose parameters stand still, ready for new people: what is not about a person is evaluated once.

Scoring somebody takes tables of log-probabilities and of their derivatives at nodes that suit the person. Where nodes
come from grids whose spacings are powers of two, few grids serve everybody, and each is kept with its tables.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.answers import Answers, answers_of
from irtvi.inference.encoders.parabola import CoarseTable, Parabola
from irtvi.inference.expectation import BlockPosterior, PersonSums, SharedTables, SumsOfBlocks
from irtvi.inference.item_posterior import Curvature
from irtvi.inference.item_uncertainty import variance_of_combination
from irtvi.inference.louis import SMALL, ScoreBlock
from irtvi.inference.nodes import Block, Grid
from irtvi.inference.placing import SLACK, population_range
from irtvi.inference.score_tables import ScoreTables
from irtvi.inference.table import coefficient_table, steepest_slope
from irtvi.inference.windows import CLOSER
from irtvi.models.model import Model
from irtvi.responses.cells import Cells

REACH = 10.0
"""Half width of the grids, in population standard deviations."""
HALF_WIDTH, WIDER = 8.5, 2.0
"""Of the nodes that are used, in a person's posterior standard deviations, and its growth for heavy tails."""
EDGE = 1e-14
"""Largest share of a posterior that may lie on an outermost node."""
ROUGH_SPACING = 0.25
MOST_NUMBERS = 4_000_000
"""Of the tables of a grid; beyond, nothing is kept."""
ATTEMPTS = 4


@dataclass(frozen=True)
class PersonScores:
    """What a score says about each person.

    Attributes
    ----------
    sums : PersonSums
    sd_items : Float[Tensor, " persons"]
        What the items' uncertainty adds to the sd.
    """

    sums: PersonSums
    sd_items: Float[Tensor, " persons"]


class GridTables:
    """All tables at the nodes of one grid.

    Parameters
    ----------
    model : Model
    free : Float[Tensor, " n_free"]
    grid : Grid
    """

    def __init__(self, model: Model, free: Float[Tensor, " n_free"], grid: Grid) -> None:
        self.grid, self.theta = grid, grid.theta(free.device)
        self._coefficients = coefficient_table(model, self.theta, free)
        density = model.population_log_prob(self.theta, model.population_slots.free_values(free))
        self._base = density + math.log(grid.spacing)
        self.scores = ScoreTables(model, self.theta, free, torch.float64)

    def shared(self, rows: slice, answers: Answers) -> SharedTables:
        """Some of the nodes, as a pass over these answers takes them."""
        used, base = answers.table(self._coefficients[rows])
        return SharedTables(self.theta[rows], used, base[:, None] + self._base[rows])


class PreparedModel:
    """Scores few people at once, at the price of their answers alone.

    Parameters
    ----------
    model : Model
    free : Float[Tensor, " n_free"]
        Parameters, which stand still.
    curvature : Curvature or None
        Their precision.

    Notes
    -----
    The trapezoid rule converges so fast that any nodes which are fine and wide enough give the same numbers to
    rounding; those here are at least as close as the windows of a fit on a small sample.
    """

    def __init__(self, model: Model, free: Float[Tensor, " n_free"], curvature: Curvature | None) -> None:
        self.model, self.free, self.curvature = model, free, curvature
        self._encoder = Parabola()
        self._coarse: dict[int, CoarseTable] = {}
        self._grids: dict[int, GridTables] = {}

    @cached_property
    def _range(self) -> tuple[float, float]:
        return population_range(self.model, self.free, REACH)

    @cached_property
    def _largest_spacing(self) -> float:
        rough = Grid.covering(*self._range, ROUGH_SPACING).theta(self.free.device)
        return CLOSER / max(steepest_slope(self.model, rough, self.free), 1e-6)

    @cached_property
    def _numbers_per_node(self) -> int:
        return sum(
            (1 + c.slots.n_slots) * len(c.items) * int(c.facts.n_categories.max()) for c in self.model.components
        )

    def suits(self, n_persons: int) -> bool:
        """Whether so many persons are few enough for float64 throughout and one window for all."""
        return n_persons > 0 and n_persons * max(self.model.n_free, len(self.model.columns.item)) <= SMALL

    def score(self, cells: Cells, groups: Int[Tensor, " persons"]) -> PersonScores | None:
        """Posterior moments and log marginals of persons, and what the items' uncertainty adds.

        None where a posterior is too narrow, or lies too far out, for grids that can be kept.
        """
        answers = answers_of(self.model, cells)
        sums = PersonSums.empty(cells.n_persons, self.free.device)
        of_items = torch.full_like(sums.mean, torch.nan)
        for group in groups.unique().tolist():
            persons = torch.nonzero(groups == group)[:, 0]
            block = self._integrated(answers, persons, group, sums)
            if block is None:
                return None
            of_items[persons] = self._sd_items(block, cells, sums)
        return PersonScores(sums, of_items)

    def _integrated(
        self, answers: Answers, persons: Int[Tensor, " some"], group: int, sums: PersonSums
    ) -> ScoreBlock | None:
        """Integrate where the encoder puts these persons, then where their moments do, until the nodes were good."""
        if group not in self._coarse:
            self._coarse[group] = CoarseTable.of(self.model, self.free, self._encoder, group)
        mean, sd = self._coarse[group].encode(answers, persons, self._encoder.block_size)
        half_width = HALF_WIDTH
        for _ in range(ATTEMPTS):
            tables = self._grid(float(sd.min()))
            if tables is None:
                return None
            rows = _rows(tables.grid, mean, half_width * sd)
            shared = tables.shared(rows, answers)
            block = Block(persons, group, 0, len(shared.theta) - 1)
            found = BlockPosterior.of(block, answers.block(persons), shared)
            of_block = SumsOfBlocks(sums)
            of_block.add(found.summary(shared.theta))
            of_block.written()
            mean, sd = sums.mean[persons], sums.sd[persons]
            narrowest = float(sd.min())
            fine = tables.grid.spacing <= SLACK * min(CLOSER * narrowest, self._largest_spacing)
            wide = float(sums.edge[persons].max()) < EDGE
            if fine and wide:
                return ScoreBlock(persons, group, shared.theta[:, 0], found.weights, rows, tables.scores)
            sd, half_width = sd.clamp(min=0.25 * tables.grid.spacing), half_width * (1.0 if wide else WIDER)
        return None

    def _grid(self, narrowest: float) -> GridTables | None:
        """The coarsest grid that is fine enough; None if it would be too large to be kept."""
        level = math.floor(math.log2(min(CLOSER * narrowest, self._largest_spacing)))
        if level not in self._grids:
            grid = Grid.covering(*self._range, 2.0**level)
            if grid.n_nodes * self._numbers_per_node > MOST_NUMBERS:
                return None
            self._grids[level] = GridTables(self.model, self.free, grid)
        return self._grids[level]

    def _sd_items(self, block: ScoreBlock, cells: Cells, sums: PersonSums) -> Float[Tensor, " block"]:
        sd = sums.sd[block.persons]
        if self.model.n_free == 0:
            return torch.zeros_like(sd)
        if self.curvature is None:
            return torch.full_like(sd, torch.nan)
        columns = next(block.coefficients(cells, 1))
        return variance_of_combination(self.curvature, block.tables, columns).clamp(min=0.0).sqrt() * sd


def _rows(grid: Grid, mean: Float[Tensor, " some"], reach: Float[Tensor, " some"]) -> slice:
    """The nodes around these persons."""
    first = math.floor((float((mean - reach).min()) - grid.low) / grid.spacing)
    last = math.ceil((float((mean + reach).max()) - grid.low) / grid.spacing)
    return slice(min(max(first, 0), grid.n_nodes - 3), min(max(last, 2), grid.n_nodes - 1) + 1)
