"""Normally distributed ability in one dimension."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.models.items.item_model import Parameters, ParameterSpec
from irtvi.models.populations.population import Population
from irtvi.models.transforms import POSITIVE

MEAN = ParameterSpec("mean", "mean of ability")
SD = ParameterSpec("sd", "standard deviation of ability", start=1.0, transform=POSITIVE)


class NormalPopulation(Population):
    """``theta ~ N(mean, sd^2)``; held at N(0, 1) unless freed."""

    name = "normal"
    parameters = (MEAN, SD)

    def log_prob(self, theta: Float[Tensor, "*batch dims"], params: Parameters) -> Float[Tensor, "*batch"]:
        mean, sd = params["mean"], params["sd"]
        z = (theta[..., 0] - mean) / sd
        return -0.5 * z.square() - torch.log(sd) - 0.5 * math.log(2 * math.pi)

    def moments(self, params: Parameters) -> tuple[Tensor, Tensor]:
        return params["mean"][..., None], params["sd"][..., None]

    def draw(self, n_persons: int, params: Parameters, generator: torch.Generator) -> Float[Tensor, "persons dims"]:
        z = torch.randn(n_persons, 1, generator=generator, dtype=torch.float64)
        return params["mean"].reshape(-1)[0] + params["sd"].reshape(-1)[0] * z
