"""What an encoder gives each person: a distribution of ability to draw from and to evaluate."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor


class Proposal(ABC):
    """A distribution of ability in one dimension for each of some persons."""

    @abstractmethod
    def transport(self, noise: Float[Tensor, "draws persons"]) -> Float[Tensor, "draws persons"]:
        """Abilities from standard normal noise; increasing in it and differentiable."""

    @abstractmethod
    def log_prob(self, theta: Float[Tensor, "draws persons"]) -> Float[Tensor, "draws persons"]:
        """Log density at abilities."""

    @abstractmethod
    def moments(self) -> tuple[Float[Tensor, " persons"], Float[Tensor, " persons"]]:
        """Mean and standard deviation."""

    @abstractmethod
    def detach(self) -> Self:
        """The same distribution, of which no gradient is taken."""

    @abstractmethod
    def take(self, persons: Tensor) -> Self:
        """The proposals of some of the persons."""


@dataclass(frozen=True)
class GaussianProposal(Proposal):
    """A Gaussian for each person.

    Attributes
    ----------
    mean, sd : Float[Tensor, " persons"]
    """

    mean: Float[Tensor, " persons"]
    sd: Float[Tensor, " persons"]

    @staticmethod
    def of_natural(linear: Float[Tensor, " persons"], precision: Float[Tensor, " persons"]) -> "GaussianProposal":
        """From natural parameters: log q is ``linear * theta - precision * theta^2 / 2`` and a constant."""
        return GaussianProposal(linear / precision, precision.rsqrt())

    def transport(self, noise: Float[Tensor, "draws persons"]) -> Float[Tensor, "draws persons"]:
        return self.mean + self.sd * noise

    def log_prob(self, theta: Float[Tensor, "draws persons"]) -> Float[Tensor, "draws persons"]:
        z = (theta - self.mean) / self.sd
        return -0.5 * z.square() - torch.log(self.sd) - 0.5 * math.log(2 * math.pi)

    def moments(self) -> tuple[Float[Tensor, " persons"], Float[Tensor, " persons"]]:
        return self.mean, self.sd

    def detach(self) -> "GaussianProposal":
        return GaussianProposal(self.mean.detach(), self.sd.detach())

    def take(self, persons: Tensor) -> "GaussianProposal":
        return GaussianProposal(self.mean[persons], self.sd[persons])
