"""Keeps nodes adequate while parameters move: the grid for everyone, as fine as the posteriors ask."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.answers import Answers
from irtvi.inference.expectation import EDGE, PersonSums, PlacedAnswers, integrate
from irtvi.inference.nodes import TAIL, Grid, everyone
from irtvi.models.model import Model

FIRST_SPACING, FIRST_TAIL = 0.3, 6.0
"""Of the grid for everyone, in population sds, before posteriors ask for more."""
MOST_REPLACEMENTS = 12
LOOKED_AT, SEVERAL = 300, 4
"""Persons who tell how fine the nodes should be, and how many times as many there must be for that to pay."""
SLACK, TOLERANCE = 1.1, 1.25
"""How much wider than asked a spacing may be before the nodes are placed anew, and before a pass of a search, in which
some 1e-5 of an integral do not matter, is made again."""


class Placing(ABC):
    """Chooses nodes for a set of persons and checks after each pass whether they were good enough."""

    near: ClassVar[bool]
    """Whether a block has few nodes, near the abilities of its persons."""

    @abstractmethod
    def place(self, model: Model, free: Float[Tensor, " n_free"]) -> PlacedAnswers:
        """Nodes and blocks for a pass at these parameters."""

    @abstractmethod
    def adequate(self, sums: PersonSums, on_the_way: bool = False) -> bool:
        """Whether the last pass can be trusted; if it hardly can, the next :meth:`place` will be finer or wider.

        Parameters
        ----------
        on_the_way : bool
            Whether what it says is only for the next step of a search.
        """

    @abstractmethod
    def over(self, persons: Int[Tensor, " others"]) -> "Placing":
        """Nodes for other persons of the same data, as fine and wide as these had to become."""

    @abstractmethod
    def remaining(self, sums: PersonSums) -> "Placing | None":
        """Finer or wider nodes for those persons whose last integrals cannot be trusted; None without any."""


PlacingFactory = Callable[[Answers, Int[Tensor, " persons"]], Placing]
"""Makes the :class:`Placing` for some persons; this is where engines differ."""


def population_range(model: Model, free: Float[Tensor, " n_free"], tail: float = TAIL) -> tuple[float, float]:
    """Abilities between which the populations lie."""
    mean, sd = model.population.moments(model.population_params(free))
    return float((mean - tail * sd).min()), float((mean + tail * sd).max())


@dataclass
class GridPlacing(Placing):
    """One grid over the whole population for all persons.

    Attributes
    ----------
    answers : Answers
    persons : Int[Tensor, " some"]
    groups : Int[Tensor, " persons"]
    sd_share, slope_share : float
        The spacing is at most ``sd_share`` of the narrowest posterior sd and ``slope_share`` over the steepest
        slope of any item's log-odds.
    block_size : int
    """

    answers: Answers
    persons: Int[Tensor, " some"]
    groups: Int[Tensor, " persons"]
    sd_share: float = 0.8
    slope_share: float = 1.0
    block_size: int = 2048
    near: ClassVar[bool] = False
    _spacing: float = FIRST_SPACING
    _tail: float = FIRST_TAIL
    _placed: PlacedAnswers | None = field(default=None, repr=False)
    _looked: bool = False

    def place(self, model: Model, free: Float[Tensor, " n_free"]) -> PlacedAnswers:
        if not self._looked and len(self.persons) > SEVERAL * LOOKED_AT:
            self._look(model, free)
        low, high = population_range(model, free, self._tail)
        if self._placed is not None:
            grid = self._placed.placement.grid
            inner_low, inner_high = population_range(model, free, self._tail - 0.5)
            if grid.low <= inner_low and grid.high >= inner_high and grid.spacing <= SLACK * self._spacing:
                return self._placed
        grid = Grid.covering(low, high, self._spacing)
        self._placed = PlacedAnswers(self.answers, everyone(grid, self.persons, self.groups, self.block_size))
        return self._placed

    def _look(self, model: Model, free: Float[Tensor, " n_free"]) -> None:
        """Let some of the persons tell how fine the nodes should be."""
        self._looked = True
        some = replace(self, persons=self.persons[:: len(self.persons) // LOOKED_AT])
        some.adequate(integrate(model, some.place(model, free), free, torch.float32))
        self._spacing, self._tail = some._spacing, some._tail

    def adequate(self, sums: PersonSums, on_the_way: bool = False) -> bool:
        assert self._placed is not None
        grid = self._placed.placement.grid
        narrowest = float(sums.sd[self.persons].min())
        spacing = grid.spacing
        asked = min(self.sd_share * narrowest, self.slope_share / max(self._placed.steepest, 1e-6))
        good = True
        if spacing > SLACK * asked:
            self._spacing = max(asked, 0.25 * spacing)
            good = on_the_way and spacing <= TOLERANCE * asked
        if float(sums.edge[self.persons].max()) > EDGE and self._tail < 40:
            self._tail *= 1.5
            self._placed = None
            good = False
        return good

    def over(self, persons: Int[Tensor, " others"]) -> "GridPlacing":
        return replace(self, persons=persons, _placed=None)

    def remaining(self, sums: PersonSums) -> "GridPlacing | None":
        return None if self.adequate(sums) else self


def integrate_people(
    model: Model, free: Float[Tensor, " n_free"], placing: Placing, dtype: torch.dtype = torch.float64
) -> PersonSums:
    """Integrate over nodes that were good enough, for some persons replaced as often as needed."""
    sums = integrate(model, placing.place(model, free), free, dtype)
    found, following = sums, placing.remaining(sums)
    for _ in range(MOST_REPLACEMENTS - 1):
        if following is None:
            break
        found = integrate(model, following.place(model, free), free, dtype)
        sums = found.filled(sums)
        following = following.remaining(found)
    return sums
