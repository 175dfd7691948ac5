"""Product of experts: natural parameters of a Gaussian as sums of terms by item and answer.

Every (item, category) has one expert, a Gaussian factor that stands for its likelihood; one prior expert is
multiplied in exactly once, so whoever answered nothing gets the population back, whatever is missing. Experts
depend on the item's curve alone, are evaluated once per column of the table, and reach persons by one matrix
product. The form is that of Wu, Davis, Domingue, Piech & Goodman (2020, Variational item response theory),
whose published code gives each missing answer a prior expert of its own.
"""

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import softplus

from irtvi.inference.answers import AnswerBlock, Answers
from irtvi.inference.encoders.encoder import LearnedEncoder
from irtvi.inference.encoders.proposal import GaussianProposal
from irtvi.inference.table import coefficient_table
from irtvi.models.model import Model

REACH = 3.0
"""An item's curve is seen from this many population sds below the mean to as many above."""
N_SEEN = 13
BLOCK = 8192
LEAST_PRECISION = 1e-4


class _Sum(torch.autograd.Function):
    """A block's product with a table; its gradient is the block's transposed product."""

    @staticmethod
    def forward(ctx, table: Tensor, base: Tensor, block: AnswerBlock) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.block = block
        return block.forward(table, base)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        gradient = gradient.contiguous()
        return ctx.block.backward(gradient), gradient.sum(1), None


def sum_over_answers(
    columns: Float[Tensor, "terms columns"], answers: Answers, persons: Int[Tensor, " some"]
) -> Float[Tensor, "terms some"]:
    """Sum over each person's answers of terms given by (item, category) column; differentiable."""
    used, base = answers.table(columns)
    used = used.contiguous()
    parts = [_Sum.apply(used, base, answers.block(part)) for part in persons.split(BLOCK)]
    return torch.cat(parts, 1) if parts else columns.new_zeros(len(columns), 0)


class ItemView(nn.Module):
    """How an encoder sees items: log-probability curves at abilities across the population.

    Any item model looks the same from here, whatever its parameters are called.
    """

    points: Tensor
    projection: Tensor

    def __init__(self) -> None:
        super().__init__()
        points = torch.linspace(-REACH, REACH, N_SEEN, dtype=torch.float64)
        weight = torch.exp(-0.5 * points.square())
        # Weighted least squares on terms made orthogonal, hence by plain sums: the last bits of LAPACK's solution
        # differ from call to call, and with them everything that is trained from here.
        bowl = -0.5 * points.square()
        terms = torch.stack([points, bowl - (weight * bowl).sum() / weight.sum()])
        projection = weight * terms / (weight * terms.square()).sum(1, keepdim=True)
        points, projection = points.float(), projection.float()
        self.register_buffer("points", points)
        self.register_buffer("projection", projection)

    def curves(
        self, model: Model, free: Float[Tensor, " n_free"], centre: Tensor, scale: Tensor
    ) -> Float[Tensor, "columns seen"]:
        """Log-probabilities of every column at ``centre + scale * points``."""
        theta = (centre + scale * self.points).to(free.dtype)
        return coefficient_table(model, theta[:, None], free).T.to(self.points.dtype)

    def quadratics(
        self, curves: Float[Tensor, "columns seen"]
    ) -> tuple[Float[Tensor, " columns"], Float[Tensor, " columns"]]:
        """Slope and curvature (minus the second derivative) of the quadratic nearest to each curve."""
        fitted = curves @ self.projection.T
        return fitted[:, 0], fitted[:, 1]


class CurveNetwork(nn.Module):
    """Terms by column that turn round with the direction of ability.

    The network sees a curve and its mirror image; terms listed as odd take the difference of the two
    outputs, even ones the sum. So no direction of ability is preferred, whatever the weights are.
    """

    def __init__(self, n_odd: int, n_even: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.n_odd = n_odd
        self.hidden = seeded_linear(N_SEEN, width, generator)
        self.second = seeded_linear(width, width, generator)
        self.last = nn.Parameter(torch.zeros(n_odd + n_even, width))

    def forward(self, curves: Float[Tensor, "columns seen"]) -> Float[Tensor, "columns terms"]:
        straight, mirrored = self._outputs(curves), self._outputs(curves.flip(-1))
        n = self.n_odd
        return torch.cat([straight[:, :n] - mirrored[:, :n], straight[:, n:] + mirrored[:, n:]], 1)

    def _outputs(self, curves: Tensor) -> Tensor:
        hidden = torch.tanh(self.hidden(0.5 * curves.clamp(min=-20.0)))
        return torch.tanh(self.second(hidden)) @ self.last.T


def seeded_linear(n_in: int, n_out: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer drawn from the given source of randomness, not from the global one."""
    layer = nn.Linear(n_in, n_out, device="meta").to_empty(device="cpu")
    nn.init.xavier_uniform_(layer.weight, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


class ProductOfExperts(LearnedEncoder):
    """A Gaussian for each person from experts by item and answer.

    Before training each expert is the quadratic nearest to its log-probability curve across the population;
    the network learns corrections.

    Parameters
    ----------
    generator : torch.Generator
        For the initial weights.
    width : int
        Hidden units.
    """

    name: ClassVar[str] = "product_of_experts"

    def __init__(self, generator: torch.Generator, width: int = 32) -> None:
        super().__init__()
        self.width = width
        self.view = ItemView()
        self.network = CurveNetwork(1, 1, width, generator)

    def settings(self) -> dict[str, int]:
        return {"width": self.width}

    def experts(
        self, model: Model, free: Float[Tensor, " n_free"], centre: Tensor, scale: Tensor
    ) -> Float[Tensor, "2 columns"]:
        """Natural parameters (linear, precision) of every (item, category), for standardised ability."""
        curves = self.view.curves(model, free, centre, scale)
        slope, curvature = self.view.quadratics(curves)
        learned = self.network(curves)
        curvature = curvature.clamp(min=LEAST_PRECISION)
        # The inverse of softplus, so that a network of zeros leaves the precision as it is.
        before = curvature + torch.log(-torch.expm1(-curvature))
        return torch.stack([slope + learned[:, 0], softplus(before + learned[:, 1])])

    def encode(
        self,
        model: Model,
        free: Float[Tensor, " n_free"],
        answers: Answers,
        persons: Int[Tensor, " some"],
        groups: Int[Tensor, " some"],
    ) -> GaussianProposal:
        centre, scale = standard_scale(model, free)
        terms = sum_over_answers(self.experts(model, free, centre, scale), answers, persons)
        linear, precision = prior_expert(model, free, groups, centre, scale)
        proposal = GaussianProposal.of_natural(linear + terms[0], precision + terms[1])
        return GaussianProposal(centre + scale * proposal.mean, scale * proposal.sd)


def standard_scale(model: Model, free: Float[Tensor, " n_free"]) -> tuple[Tensor, Tensor]:
    """Mean and sd of ability over groups, from which items are looked at (float32)."""
    mean, sd = model.population.moments(model.population_params(free))
    return mean.mean().float(), sd.mean().float()


def prior_expert(
    model: Model, free: Float[Tensor, " n_free"], groups: Int[Tensor, " some"], centre: Tensor, scale: Tensor
) -> tuple[Float[Tensor, " some"], Float[Tensor, " some"]]:
    """Natural parameters of each person's population, for standardised ability."""
    mean, sd = model.population.moments(model.population_params(free))
    mean = (mean[:, 0].float() - centre) / scale
    precision = (sd[:, 0].float() / scale).pow(-2)
    return (mean * precision)[groups], precision[groups]
