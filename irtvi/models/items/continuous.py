"""What models of measured answers have in common: densities that are exponentials of a few statistics."""

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from irtvi.models.items.item_model import Facts, ItemModel, Parameters


class ContinuousModel(ItemModel):
    """Numbers on a continuous scale, with ``log p(y | theta) = statistics(y) . coefficients(theta)`` a log density.

    The first statistic is 1: its coefficient carries the normalising constant. A factor ``h(y)`` that does not
    depend on ability or parameters would be one more statistic, with the coefficient 1.

    Attributes
    ----------
    n_statistics : int
    bounds : tuple of float
        Answers lie between them, not on them.
    standardised : bool
        Whether the formula is about ``(y - facts.centre) / facts.scale``, so that start values and priors suit any
        unit; densities are those of y all the same.
    """

    uses = "measured"
    n_statistics: ClassVar[int]
    bounds: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    standardised: ClassVar[bool] = False

    @abstractmethod
    def statistics(
        self, y: Float64[Tensor, "*#batch"], facts: Facts
    ) -> Float64[Tensor, "*#batch statistics"]:
        """Statistics of answers in the user's units."""

    @abstractmethod
    def mean(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch"]:
        """Expected answer, in the user's units."""

    @abstractmethod
    def variance(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch"]:
        """Variance of an answer at an ability, in the user's units squared."""

    @abstractmethod
    def draw(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts, generator: torch.Generator
    ) -> Float[Tensor, "*#batch"]:
        """One random answer for each ability and item, in the user's units."""

    @abstractmethod
    def steepness(self, params: Parameters) -> Float[Tensor, "*items"]:
        """The density of an answer, seen as a function of complex ability, is regular within ``pi / steepness``."""
