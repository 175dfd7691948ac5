"""Where integrals over ability are evaluated: shared grids, and each block's part of one.

The trapezoid rule converges geometrically on a posterior density (Trefethen & Weideman 2014). Its error is
governed by the posterior's width and by the poles of the logistic curve at a distance pi / slope from the
real line, so the spacing must stay below a share of the narrowest posterior sd and below one over the
steepest slope of any item's log-odds.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

TAIL = 6.5
"""Half width of a grid, in population standard deviations."""
MAX_NODES = 40_000


@dataclass(frozen=True)
class Grid:
    """Equally spaced abilities.

    Attributes
    ----------
    low : float
        First node.
    spacing : float
    n_nodes : int
    """

    low: float
    spacing: float
    n_nodes: int

    @staticmethod
    def covering(low: float, high: float, spacing: float) -> "Grid":
        """The grid from ``low`` to at least ``high``; never more than ``MAX_NODES`` nodes."""
        spacing = max(spacing, (high - low) / MAX_NODES)
        return Grid(low, spacing, math.ceil((high - low) / spacing) + 1)

    @property
    def high(self) -> float:
        return self.low + self.spacing * (self.n_nodes - 1)

    def theta(self, device: torch.device) -> Float[Tensor, "nodes 1"]:
        steps = torch.arange(self.n_nodes, dtype=torch.float64, device=device)
        return (self.low + self.spacing * steps)[:, None]


@dataclass
class Block:
    """Persons integrated over the same slice of a grid; a pass widens the slice where mass lies at its edge.

    Attributes
    ----------
    persons : Int[Tensor, " block"]
    group : int
    first, last : int
        First and last node, both included.
    stride : int
        Every how many nodes are used.
    """

    persons: Int[Tensor, " block"]
    group: int
    first: int
    last: int
    stride: int = 1

    @property
    def rows(self) -> slice:
        return slice(self.first, self.last + 1, self.stride)

    def widen(self, n_nodes: int, steps: int = 4) -> bool:
        """Extend the slice at both ends; False where the grid has no more nodes."""
        before = (self.first, self.last)
        self.first = max(self.first - steps * self.stride, self.first % self.stride)
        self.last = min(self.last + steps * self.stride, n_nodes - 1)
        return before != (self.first, self.last)


@dataclass(frozen=True)
class Placement:
    """A grid and the blocks of persons that use it."""

    grid: Grid
    blocks: tuple[Block, ...]


def everyone(grid: Grid, persons: Int[Tensor, " persons"], groups: Int[Tensor, " all"], block_size: int) -> Placement:
    """All persons over the whole grid, in blocks."""
    blocks = []
    for group in groups[persons].unique().tolist():
        members = persons[groups[persons] == group]
        blocks += [Block(part, group, 0, grid.n_nodes - 1) for part in members.split(block_size)]
    return Placement(grid, tuple(blocks))
