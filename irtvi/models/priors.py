"""Prior densities for item parameters; each is a density on the scale that it declares."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from irtvi.errors import SpecificationError
from irtvi.models.transforms import IDENTITY, POSITIVE, UNIT, Transform


class Prior(ABC):
    """A density that enters the fit as ``log_prob`` of one parameter, without a Jacobian.

    ``scale`` says where the density stands: on the ``"free"`` scale of the parameter (slopes and
    intercepts as they are, asymptotes on the logit) or on its ``"natural"`` scale.
    """

    scale: ClassVar[Literal["free", "natural"]]

    @abstractmethod
    def log_prob(self, x: Tensor) -> Tensor:
        """Log density at ``x`` (on the prior's scale), elementwise, normalised."""

    @abstractmethod
    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Random draws (float64) on the prior's scale."""

    def transform(self, declared: Transform) -> Transform:
        """Transform of a parameter with this prior; a prior may narrow the parameter's range."""
        return declared


@dataclass(frozen=True)
class Normal(Prior):
    """Normal density on the free scale (for ``c`` and ``u`` that is the logit).

    Parameters
    ----------
    mean, sd : float
        Location and standard deviation.
    """

    mean: float = 0.0
    sd: float = 1.0
    scale: ClassVar[Literal["free", "natural"]] = "free"

    def __post_init__(self) -> None:
        if not self.sd > 0:
            raise SpecificationError(f"Normal prior: sd must be positive, got {self.sd}.")

    def log_prob(self, x: Tensor) -> Tensor:
        return torch.distributions.Normal(self.mean, self.sd, validate_args=False).log_prob(x)

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return self.mean + self.sd * torch.randn(shape, generator=generator, dtype=torch.float64)


@dataclass(frozen=True)
class LogNormal(Prior):
    """Log-normal density on the natural scale; it makes the parameter positive.

    Parameters
    ----------
    mean, sd : float
        Mean and standard deviation of the logarithm.
    """

    mean: float = 0.0
    sd: float = 0.5
    scale: ClassVar[Literal["free", "natural"]] = "natural"

    def __post_init__(self) -> None:
        if not self.sd > 0:
            raise SpecificationError(f"LogNormal prior: sd must be positive, got {self.sd}.")

    def log_prob(self, x: Tensor) -> Tensor:
        return torch.distributions.LogNormal(self.mean, self.sd, validate_args=False).log_prob(x)

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return torch.exp(self.mean + self.sd * torch.randn(shape, generator=generator, dtype=torch.float64))

    def transform(self, declared: Transform) -> Transform:
        return POSITIVE if declared is IDENTITY else declared


@dataclass(frozen=True)
class Beta(Prior):
    """Beta density on the natural scale, for asymptotes.

    Parameters
    ----------
    alpha, beta : float
        Shape parameters; the mean is ``alpha / (alpha + beta)``.
    """

    alpha: float = 5.0
    beta: float = 17.0
    scale: ClassVar[Literal["free", "natural"]] = "natural"

    def __post_init__(self) -> None:
        if not (self.alpha > 0 and self.beta > 0):
            raise SpecificationError(f"Beta prior: both shapes must be positive, got {self.alpha}, {self.beta}.")

    def log_prob(self, x: Tensor) -> Tensor:
        return torch.distributions.Beta(
            torch.as_tensor(self.alpha, dtype=x.dtype), torch.as_tensor(self.beta, dtype=x.dtype)
        ).log_prob(x)

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        def gamma(shape_parameter: float) -> Tensor:
            rates = torch.full(shape, shape_parameter, dtype=torch.float64)
            return torch._standard_gamma(rates, generator=generator)  # pyright: ignore[reportPrivateImportUsage]

        x = gamma(self.alpha)
        return x / (x + gamma(self.beta))

    def transform(self, declared: Transform) -> Transform:
        if declared is not UNIT:
            raise SpecificationError("A Beta prior is for parameters between 0 and 1 (c and u).")
        return declared
