"""The normal model: a measured answer is a straight line in ability plus noise."""

import math
from dataclasses import replace

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from irtvi.models.items.continuous import ContinuousModel
from irtvi.models.items.dichotomous import INTERCEPT, SLOPE
from irtvi.models.items.item_model import Facts, Parameters, ParameterSpec, inner_product
from irtvi.models.priors import Normal as NormalPrior
from irtvi.models.transforms import POSITIVE

LOADING = replace(SLOPE, label="slope, answer per unit of ability", start=0.5, prior=NormalPrior(0.0, 1.0))
LEVEL = replace(INTERCEPT, label="expected answer at ability 0", prior=NormalPrior(0.0, 1.0))
NOISE = ParameterSpec(
    "sigma", "standard deviation around the line", start=0.8, prior=NormalPrior(-0.5, 1.0), transform=POSITIVE,
    limits=(math.log(0.01), math.inf),
)  # fmt: skip


class Normal(ContinuousModel):
    """``y ~ N(a'theta + d, sigma^2)``: the linear factor model of congeneric measures.

    Inside, ``y``, ``a``, ``d`` and ``sigma`` stand in units of the item's observed standard deviation around its mean;
    the default priors are about these. Tables have the user's units.
    """

    name = "normal"
    label = "normal (linear factor)"
    reference = (
        "Joreskog, K. G. (1971). Statistical analysis of sets of congeneric tests. Psychometrika, 36, 109-133; "
        "Mellenbergh, G. J. (1994). A unidimensional latent trait model for continuous item responses. "
        "Multivariate Behavioral Research, 29, 223-236."
    )
    parameters = (LOADING, LEVEL, NOISE)
    n_statistics = 3
    standardised = True

    def statistics(self, y: Float64[Tensor, "*#batch"], facts: Facts) -> Float64[Tensor, "*#batch statistics"]:
        z = (y - facts.centre) / facts.scale
        return torch.stack([torch.ones_like(z), z, z.square()], -1)

    def coefficients(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch statistics"]:
        line = inner_product(params["a"], theta) + params["d"]
        sigma = params["sigma"].expand_as(line)
        linear = line / sigma.square()
        unit = facts.scale.log().to(line.dtype)
        constant = -0.5 * line * linear - sigma.log() - unit - 0.5 * math.log(2 * math.pi)
        return torch.stack([constant, linear, -0.5 / sigma.square()], -1)

    def expectations(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch statistics"]:
        line = inner_product(params["a"], theta) + params["d"]
        return torch.stack([torch.ones_like(line), line, line.square() + params["sigma"].square()], -1)

    def mean(self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts) -> Float[Tensor, "*#batch"]:
        return facts.centre + facts.scale * (inner_product(params["a"], theta) + params["d"])

    def variance(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch"]:
        sigma = facts.scale * params["sigma"]
        return sigma.square().expand_as(inner_product(params["a"], theta))

    def draw(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts, generator: torch.Generator
    ) -> Float[Tensor, "*#batch"]:
        mean = self.mean(theta, params, facts)
        noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
        return mean + self.variance(theta, params, facts).sqrt() * noise

    def steepness(self, params: Parameters) -> Float[Tensor, "*items"]:
        return torch.zeros_like(params["sigma"])

    def report(self, params: Parameters, facts: Facts) -> dict[str, Tensor]:
        """``a`` (``a1 .. aD``), ``d`` and ``sigma`` in the user's units."""
        slope = params["a"] * facts.scale[..., None]
        names = ["a"] if slope.shape[-1] == 1 else [f"a{k + 1}" for k in range(slope.shape[-1])]
        return {name: slope[..., k] for k, name in enumerate(names)} | {
            "d": facts.centre + facts.scale * params["d"],
            "sigma": facts.scale * params["sigma"],
        }

    def unreport(self, columns: dict[str, float], facts: Facts) -> dict[str, float]:
        centre, scale = float(facts.centre), float(facts.scale)
        return {name: (value - centre if name == "d" else value) / scale for name, value in columns.items()}
