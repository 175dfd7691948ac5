"""Windows: persons in order of where the encoder puts them, each block over its own slice of a shared table.

The nodes of a block cover its persons' means by some standard deviations, with a stride that suits their widths,
so that a long test costs no more nodes a person than a short one.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from irtvi.inference.answers import Answers
from irtvi.inference.encoders.encoder import Encoder
from irtvi.inference.expectation import EDGE, PersonSums, PlacedAnswers
from irtvi.inference.nodes import Block, Grid, Placement
from irtvi.inference.ordering import order_within
from irtvi.inference.placing import SLACK, TOLERANCE, Placing, population_range
from irtvi.inference.table import steepest_slope
from irtvi.models.model import Model

HALF_WIDTH = 5.0
"""Of a window, in standard deviations of a person's proposal."""
FIRST_MARGIN = 1.0
MARGIN = 0.4
"""What is added to the half width for errors of the encoder, and for those of moments from a pass."""
STRIDES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
MANY = 100
"""With so many persons for each node of a grid, one twice as fine costs less than it saves: strides fit better."""
BLOCKS, SMALLEST_BLOCK, LARGEST_BLOCK = 6, 384, 2048
CHUNK = 2**17
"""Consecutive persons who are sorted together: their answers stand close to each other, in memory and on disk."""
ROUGH_GRID = 33
FEW, CLOSER = 300_000, 0.7
"""Persons x columns up to which nodes cost nothing, and by how much closer they lie there: a spacing of one sd leaves
some 5e-6 nats on a short test."""
BEYOND = 7.5
"""Half width of a grid in population sds: nodes that no window reaches cost nothing."""
WIDER, WIDEST_TAIL = 1.5, 40.0
"""Factor by which a grid grows beyond the population where mass lies at its edge, and where that ends."""


@dataclass
class WindowPlacing(Placing):
    """Windows placed by an encoder, later by the moments that a pass found.

    Attributes
    ----------
    answers : Answers
    persons : Int[Tensor, " some"]
    groups : Int[Tensor, " persons"]
    encoder : Encoder
    sd_share, slope_share : float
        A person's spacing is at most ``sd_share`` of the own sd and ``slope_share`` over the steepest slope.
    """

    answers: Answers
    persons: Int[Tensor, " some"]
    groups: Int[Tensor, " persons"]
    encoder: Encoder
    sd_share: float = 1.0
    slope_share: float = 1.0
    near: ClassVar[bool] = True
    _tail: float = BEYOND
    _placed: PlacedAnswers | None = field(default=None, repr=False)
    _mean: Tensor | None = field(default=None, repr=False)
    _sd: Tensor | None = field(default=None, repr=False)
    _margin: float = FIRST_MARGIN

    @property
    def _closer(self) -> float:
        return CLOSER if len(self.persons) * len(self.answers.columns) <= FEW else 1.0

    def place(self, model: Model, free: Float[Tensor, " n_free"]) -> PlacedAnswers:
        if self._placed is None:
            mean, sd = self.moments(model, free)
            low, high = population_range(model, free, self._tail)
            rough = torch.linspace(low, high, ROUGH_GRID, dtype=torch.float64, device=free.device)[:, None]
            steepest = self._closer * self.slope_share / max(steepest_slope(model, rough, free), 1e-6)
            placement = windows(
                mean, sd, self.persons, self.groups[self.persons], (low, high),
                self._closer * self.sd_share, steepest, HALF_WIDTH + self._margin,
            )  # fmt: skip
            self._placed = PlacedAnswers(self.answers, placement)
        return self._placed

    def moments(
        self, model: Model, free: Float[Tensor, " n_free"]
    ) -> tuple[Float[Tensor, " some"], Float[Tensor, " some"]]:
        """Where each person's posterior is taken to lie: first by the encoder, later by the last pass."""
        if self._mean is None or self._sd is None:
            proposal = self.encoder.encode(model, free, self.answers, self.persons, self.groups[self.persons])
            self._mean, self._sd = (moment.double() for moment in proposal.moments())
        return self._mean, self._sd

    def adequate(self, sums: PersonSums, on_the_way: bool = False) -> bool:
        beyond, inside, spacing = self._judged(sums)
        widest, everywhere = float(beyond.max()), bool(inside.all())
        good = widest <= SLACK and everywhere
        if not good:
            self._mean, self._sd = sums.mean[self.persons], torch.maximum(sums.sd[self.persons], 0.25 * spacing)
            self._margin, self._placed = MARGIN, None
            self._tail *= 1.0 if everywhere else WIDER
        return good or (on_the_way and widest <= TOLERANCE and everywhere)

    def over(self, persons: Int[Tensor, " others"]) -> "WindowPlacing":
        return replace(self, persons=persons, _placed=None, _mean=None, _sd=None, _margin=FIRST_MARGIN)

    def remaining(self, sums: PersonSums) -> "WindowPlacing | None":
        beyond, inside, spacing = self._judged(sums)
        bad = (beyond > SLACK) | ~inside
        if not bool(bad.any()):
            return None
        persons = self.persons[bad]
        return WindowPlacing(
            self.answers, persons, self.groups, self.encoder, self.sd_share, self.slope_share,
            _tail=self._tail * (1.0 if bool(inside.all()) else WIDER), _mean=sums.mean[persons],
            _sd=torch.maximum(sums.sd[persons], 0.25 * spacing[bad]), _margin=MARGIN,
        )  # fmt: skip

    def _judged(self, sums: PersonSums) -> tuple[Float[Tensor, " some"], Bool[Tensor, " some"], Float[Tensor, " some"]]:
        """By what factor nodes are too far apart, who was reached, and how far apart nodes are."""
        assert self._placed is not None
        placement = self._placed.placement
        spacing = torch.full_like(sums.sd, torch.nan)
        for block in placement.blocks:
            spacing[block.persons] = placement.grid.spacing * block.stride
        spacing = spacing[self.persons]
        finest = self._closer * self.slope_share / max(self._placed.steepest, 1e-6)
        beyond = spacing / (self._closer * self.sd_share * sums.sd[self.persons]).clamp(max=finest)
        inside = (sums.edge[self.persons] <= EDGE) | (self._tail >= WIDEST_TAIL)
        return beyond, inside, spacing


def windows(
    mean: Float[Tensor, " some"],
    sd: Float[Tensor, " some"],
    persons: Int[Tensor, " some"],
    groups: Int[Tensor, " some"],
    bounds: tuple[float, float],
    sd_share: float,
    largest_spacing: float,
    half_width: float,
) -> Placement:
    """Cut persons into blocks of like width and place, and give each block its slice of one grid.

    Persons are sorted within chunks of consecutive ones, so that answers on disk are read from front to back.

    Parameters
    ----------
    mean, sd : Float[Tensor, " some"]
        Where each person's ability probably lies.
    persons, groups : Int[Tensor, " some"]
        Persons ascend.
    bounds : tuple of float
        Of the grid.
    sd_share : float
        Largest spacing as a share of a person's sd.
    largest_spacing : float
        Whatever the sd.
    half_width : float
        Of a window, in sds.
    """
    narrowest = float(sd.min())
    finest = min(sd_share * narrowest, largest_spacing)
    grid = Grid.covering(*bounds, finest)
    if len(persons) > MANY * grid.n_nodes:
        grid = Grid.covering(*bounds, finest / 2)
    strides = torch.tensor([k for k in STRIDES if k == 1 or k * grid.spacing <= largest_spacing * (1 + 1e-9)])
    strides = strides.to(sd.device)
    blocks = []
    for rows in torch.arange(len(persons), device=persons.device).split(CHUNK):
        fitting = torch.searchsorted(strides, sd_share * (1 + 1e-9) * sd[rows] / grid.spacing, right=True) - 1
        for members, stride in _alike(mean[rows], strides[fitting.clamp(min=0)], groups[rows]):
            part = rows[members]
            reach = half_width * float(sd[part].max())
            first = math.floor((float(mean[part].min()) - reach - grid.low) / grid.spacing)
            last = math.ceil((float(mean[part].max()) + reach - grid.low) / grid.spacing)
            first, last = max(first, 0), min(max(last, 2 * stride), grid.n_nodes - 1)
            first = min(first, max(last - 2 * stride, 0))
            blocks.append(Block(persons[part], int(groups[part[0]]), first, last, stride))
    return Placement(grid, tuple(blocks))


def _alike(
    mean: Float[Tensor, " some"], stride: Int[Tensor, " some"], groups: Int[Tensor, " some"]
) -> Iterator[tuple[Int[Tensor, " block"], int]]:
    """Persons of one group and stride in order of their means, block by block, and their stride."""
    key = groups * (STRIDES[-1] + 1) + stride
    order = order_within(key, mean)
    size = min(max(len(mean) // BLOCKS, SMALLEST_BLOCK), LARGEST_BLOCK)
    _, counts = torch.unique_consecutive(key[order], return_counts=True)
    for members in order.split(counts.tolist()):
        for part in torch.tensor_split(members, max(1, round(len(members) / size))):
            yield part, int(stride[part[0]])
