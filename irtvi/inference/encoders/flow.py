"""A conditional normalizing flow on top of the product of experts, for skewed posteriors.

The Gaussian of the product of experts is bent by a monotone rational-quadratic spline (Durkan, Bekasov,
Murray & Papamakarios 2019, Neural spline flows) whose knots depend on sums over answers, as the natural
parameters do. The network from sums to knots maps zero to the identity, so an empty row still gives the
population.
"""

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from irtvi.errors import MissingExtraError
from irtvi.inference.answers import Answers
from irtvi.inference.encoders.encoder import LearnedEncoder
from irtvi.inference.encoders.product_of_experts import (
    CurveNetwork,
    ProductOfExperts,
    seeded_linear,
    standard_scale,
    sum_over_answers,
)
from irtvi.inference.encoders.proposal import GaussianProposal, Proposal
from irtvi.models.model import Model

BINS = 8
BOUND = 5.0
"""Outside of this many sds the flow leaves the Gaussian as it is."""
N_MOMENTS = 81


def spline_class() -> Callable[..., Any]:
    """The spline of zuko.

    Raises
    ------
    MissingExtraError
        zuko is not installed.
    """
    try:
        return importlib.import_module("zuko.transforms").MonotonicRQSTransform
    except ImportError as error:
        raise MissingExtraError("encoder='flow'", "zuko", "flow") from error


@dataclass(frozen=True)
class FlowProposal(Proposal):
    """Standard normal noise, bent by a spline, then scaled and shifted.

    Attributes
    ----------
    gaussian : GaussianProposal
    knots : Float[Tensor, "persons numbers"]
        Unconstrained widths, heights and derivatives of each person's spline; zeros give the identity.
    """

    gaussian: GaussianProposal
    knots: Float[Tensor, "persons numbers"]

    def _spline(self) -> Any:
        widths, heights, derivatives = self.knots.split([BINS, BINS, BINS - 1], -1)
        return spline_class()(widths, heights, derivatives, bound=BOUND)

    def transport(self, noise: Float[Tensor, "draws persons"]) -> Float[Tensor, "draws persons"]:
        return self.gaussian.transport(self._spline()(noise.to(self.knots.dtype)))

    def log_prob(self, theta: Float[Tensor, "draws persons"]) -> Float[Tensor, "draws persons"]:
        bent = (theta - self.gaussian.mean) / self.gaussian.sd
        spline = self._spline()
        noise = spline.inv(bent)
        stretch = spline.log_abs_det_jacobian(noise, bent)
        normal = -0.5 * noise.square() - 0.5 * math.log(2 * math.pi)
        return normal - stretch - torch.log(self.gaussian.sd)

    def moments(self) -> tuple[Float[Tensor, " persons"], Float[Tensor, " persons"]]:
        # Equally spaced: a spline has kinks, for which Gauss-Hermite nodes are no better and less even.
        noise = torch.linspace(-6.0, 6.0, N_MOMENTS, dtype=self.knots.dtype, device=self.knots.device)[:, None]
        weight = torch.softmax(-0.5 * noise.square(), 0)
        theta = self.transport(noise.expand(-1, len(self.knots)))
        mean = (weight * theta).sum(0)
        return mean, (weight * (theta - mean).square()).sum(0).sqrt()

    def detach(self) -> "FlowProposal":
        return FlowProposal(self.gaussian.detach(), self.knots.detach())

    def take(self, persons: Tensor) -> "FlowProposal":
        return FlowProposal(self.gaussian.take(persons), self.knots[persons])


class FlowEncoder(LearnedEncoder):
    """A spline flow for each person, conditional on sums over the person's answers.

    Parameters
    ----------
    generator : torch.Generator
        For the initial weights.
    width : int
        Hidden units.
    n_odd, n_even : int
        Sums that change sign with the direction of ability, and that do not.

    Notes
    -----
    Only encoding needs zuko, so that a result can be read where it is not installed.
    """

    name: ClassVar[str] = "flow"

    def __init__(self, generator: torch.Generator, width: int = 32, n_odd: int = 4, n_even: int = 4) -> None:
        super().__init__()
        self.n_odd, self.n_even = n_odd, n_even
        self.gaussian = ProductOfExperts(generator, width)
        self.context = CurveNetwork(n_odd, n_even, width, generator)
        nn.init.xavier_uniform_(self.context.last, generator=generator)
        self.bend = seeded_linear(n_odd + n_even, width, generator).weight
        self.knots = nn.Parameter(torch.zeros(3 * BINS - 1, width))

    def settings(self) -> dict[str, int]:
        return {"width": self.gaussian.width, "n_odd": self.n_odd, "n_even": self.n_even}

    def encode(
        self,
        model: Model,
        free: Float[Tensor, " n_free"],
        answers: Answers,
        persons: Int[Tensor, " some"],
        groups: Int[Tensor, " some"],
    ) -> FlowProposal:
        spline_class()
        centre, scale = standard_scale(model, free)
        curves = self.gaussian.view.curves(model, free, centre, scale)
        sums = sum_over_answers(self.context(curves).T, answers, persons).T
        # No bias, so that sums of zero leave the Gaussian unbent.
        hidden = torch.tanh(sums / math.sqrt(model.n_items) @ self.bend.T)
        gaussian = self.gaussian.encode(model, free, answers, persons, groups)
        return FlowProposal(gaussian, hidden @ self.knots.T)
