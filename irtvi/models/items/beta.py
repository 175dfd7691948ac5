"""The beta model: a share between 0 and 1, such as a partial score or a confidence."""

import math

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.nn.functional import logsigmoid

from irtvi.models.items.continuous import ContinuousModel
from irtvi.models.items.dichotomous import INTERCEPT, SLOPE, intercept_from_difficulty, slope_and_difficulty
from irtvi.models.items.item_model import Facts, Parameters, ParameterSpec, inner_product
from irtvi.models.priors import Normal
from irtvi.models.transforms import POSITIVE

PRECISION = ParameterSpec(
    "phi", "precision: the larger, the closer answers lie to their mean", start=5.0, prior=Normal(2.0, 1.5),
    transform=POSITIVE, limits=(-math.inf, math.log(1e4)),
)  # fmt: skip
LEAST_LOG_SHAPE = -300.0
"""Below, the digamma function of a shape would leave the range of float64."""


class Beta(ContinuousModel):
    """``y ~ Beta(mu phi, (1 - mu) phi)`` with the mean ``mu = sigmoid(a'theta + d)``.

    The variance is ``mu (1 - mu) / (1 + phi)``.
    """

    name = "beta"
    label = "beta"
    reference = (
        "Noel, Y. & Dauvier, B. (2007). A beta item response model for continuous bounded responses. Applied "
        "Psychological Measurement, 31, 47-73; by mean and precision: Ferrari, S. & Cribari-Neto, F. (2004). Beta "
        "regression for modelling rates and proportions. Journal of Applied Statistics, 31, 799-815."
    )
    parameters = (SLOPE, INTERCEPT, PRECISION)
    n_statistics = 3
    bounds = (0.0, 1.0)

    def statistics(
        self, y: Float64[Tensor, "*#batch"], facts: Facts
    ) -> Float64[Tensor, "*#batch statistics"]:
        return torch.stack([torch.ones_like(y), torch.logit(y), torch.log1p(-y)], -1)

    def coefficients(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch statistics"]:
        up, down, phi = _log_shapes(theta, params)
        # log Gamma(x) as log Gamma(1 + x) - log x, which stays finite where a shape vanishes.
        constant = torch.lgamma(phi) - torch.lgamma(1 + up.exp()) + up - torch.lgamma(1 + down.exp()) + down
        return torch.stack([constant, up.exp() - 1, phi - 2], -1)

    def expectations(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch statistics"]:
        up, down, phi = _log_shapes(theta, params)
        up, down = (torch.digamma(shape.clamp(min=LEAST_LOG_SHAPE).exp()) for shape in (up, down))
        return torch.stack([torch.ones_like(up), up - down, down - torch.digamma(phi)], -1)

    def mean(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch"]:
        return torch.sigmoid(inner_product(params["a"], theta) + params["d"])

    def variance(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch"]:
        logit = inner_product(params["a"], theta) + params["d"]
        return torch.sigmoid(logit) * torch.sigmoid(-logit) / (1 + params["phi"])

    def draw(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts, generator: torch.Generator
    ) -> Float[Tensor, "*#batch"]:
        """By two gamma variates; one so close to an end that it rounds to it is moved by the rounding."""
        up, down, _ = _log_shapes(theta, params)
        x, rest = (
            torch._standard_gamma(shape.exp(), generator=generator)  # pyright: ignore[reportPrivateImportUsage]
            for shape in (up, down)
        )
        share = x / (x + rest).clamp(min=torch.finfo(x.dtype).tiny)
        rounding = torch.finfo(x.dtype).eps
        return share.clamp(rounding, 1 - rounding)

    def steepness(self, params: Parameters) -> Float[Tensor, "*items"]:
        return params["a"].abs().sum(-1)

    def report(self, params: Parameters, facts: Facts) -> dict[str, Tensor]:
        """``a``, ``b`` (where the mean is one half) and ``phi`` in one dimension, ``a1 .. aD, d, phi`` in several."""
        return slope_and_difficulty(params) | {"phi": params["phi"]}

    def unreport(self, columns: dict[str, float], facts: Facts) -> dict[str, float]:
        return intercept_from_difficulty(columns, has_slope=True)


def _log_shapes(theta: Tensor, params: Parameters) -> tuple[Tensor, Tensor, Tensor]:
    """Logarithms of both shapes, and the precision, of the same form."""
    logit = inner_product(params["a"], theta) + params["d"]
    phi = params["phi"].expand_as(logit)
    return logsigmoid(logit) + phi.log(), logsigmoid(-logit) + phi.log(), phi
