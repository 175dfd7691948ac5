"""The coarse parabola: a Gaussian for each person from a few abilities that all share.

One matrix product gives every person's log joint on a coarse set of abilities; the parabola through its three
highest values gives a mode and a curvature. It needs no training, works for any item model and any subset of
items, and knows a new item by its parameters alone.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.answers import Answers
from irtvi.inference.encoders.encoder import Encoder
from irtvi.inference.encoders.proposal import GaussianProposal
from irtvi.inference.table import coefficient_table
from irtvi.models.model import Model


@dataclass(frozen=True)
class Parabola(Encoder):
    """Settings of the encoder, in population standard deviations.

    Parameters
    ----------
    spacing : float
        Between the coarse abilities.
    reach : float
        How far they go to either side.
    block_size : int
        Persons at a time.
    """

    spacing: float = 0.3
    reach: float = 4.5
    block_size: int = 4096
    name: ClassVar[str] = "parabola"

    def encode(
        self,
        model: Model,
        free: Float[Tensor, " n_free"],
        answers: Answers,
        persons: Int[Tensor, " some"],
        groups: Int[Tensor, " some"],
    ) -> GaussianProposal:
        mean = torch.empty(len(persons), dtype=torch.float64, device=free.device)
        sd = torch.empty_like(mean)
        for group in groups.unique().tolist():
            of_group = torch.nonzero(groups == group)[:, 0]
            mean[of_group], sd[of_group] = CoarseTable.of(model, free, self, group).encode(
                answers, persons[of_group], self.block_size
            )
        return GaussianProposal(mean, sd)


@dataclass(frozen=True)
class CoarseTable:
    """What the encoder needs of the items and of a population.

    Attributes
    ----------
    theta : Float[Tensor, " nodes"]
        The coarse abilities.
    coefficients : Float[Tensor, "nodes columns"]
        Log-probabilities there.
    log_density : Float[Tensor, " nodes"]
        Of the population.
    width : float
        Sd of the population, and the widest that a Gaussian gets.
    """

    theta: Float[Tensor, " nodes"]
    coefficients: Float[Tensor, "nodes columns"]
    log_density: Float[Tensor, " nodes"]
    width: float

    @staticmethod
    def of(model: Model, free: Float[Tensor, " n_free"], encoder: Parabola, group: int) -> "CoarseTable":
        """The table of one group's population."""
        centres, widths = model.population.moments(model.population_params(free))
        centre, width = float(centres[group, 0]), float(widths[group, 0])
        steps = round(encoder.reach / encoder.spacing)
        order = torch.arange(-steps, steps + 1, dtype=torch.float64, device=free.device)
        theta = centre + width * encoder.spacing * order
        density = model.population_log_prob(theta[:, None], model.population_slots.free_values(free))
        return CoarseTable(theta, coefficient_table(model, theta[:, None], free), density[:, group], width)

    def encode(
        self, answers: Answers, persons: Int[Tensor, " some"], block_size: int
    ) -> tuple[Float[Tensor, " some"], Float[Tensor, " some"]]:
        """Mean and sd of the Gaussians of persons of that group."""
        used, base = answers.table(self.coefficients)
        base = base + self.log_density
        used, start = used.float().contiguous(), (base - base.max()).float()
        parts = [
            _through_top(answers.block(part).forward(used, start), self.theta, self.width)
            for part in persons.split(block_size)
        ]
        mean, sd = zip(*parts, strict=True)
        return torch.cat(mean), torch.cat(sd)


def _through_top(
    log_joint: Float[Tensor, "nodes persons"], theta: Float[Tensor, " nodes"], widest: float
) -> tuple[Float[Tensor, " persons"], Float[Tensor, " persons"]]:
    """Vertex of the parabola through the three highest neighbours, and the sd of its Gaussian."""
    spacing = float(theta[1] - theta[0])
    top = log_joint.max(0).indices.clamp(1, len(theta) - 2)
    around = torch.stack([log_joint.gather(0, (top + k)[None])[0] for k in (-1, 0, 1)]).double()
    bend = (around[0] - 2 * around[1] + around[2]).clamp(max=-((spacing / widest) ** 2) * 0.5)
    shift = -0.5 * (around[2] - around[0]) / bend
    sd = spacing * (-bend).rsqrt()
    return theta[top] + spacing * shift.clamp(-1.5, 1.5), sd.clamp(max=widest)
