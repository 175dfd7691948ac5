"""The seam for populations: how abilities are distributed among people."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.models.items.item_model import Parameters, ParameterSpec


class Population(ABC):
    """A density of ability with named parameters, read through the same map as those of the items."""

    name: ClassVar[str]
    parameters: ClassVar[tuple[ParameterSpec, ...]]

    @abstractmethod
    def log_prob(self, theta: Float[Tensor, "*batch dims"], params: Parameters) -> Float[Tensor, "*batch"]:
        """Log density of ability; ``params`` broadcast against the batch axes of ``theta``."""

    @abstractmethod
    def moments(self, params: Parameters) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of ability, shapes ``[*batch, dims]``."""

    @abstractmethod
    def draw(self, n_persons: int, params: Parameters, generator: torch.Generator) -> Float[Tensor, "persons dims"]:
        """Random abilities."""
