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
        centres, widths = model.population.moments(model.population_params(free))
        for group in groups.unique().tolist():
            of_group = torch.nonzero(groups == group)[:, 0]
            centre, width = float(centres[group, 0]), float(widths[group, 0])
            steps = round(self.reach / self.spacing)
            theta = centre + width * self.spacing * torch.arange(
                -steps, steps + 1, dtype=torch.float64, device=free.device
            )
            used, base = answers.table(coefficient_table(model, theta[:, None], free))
            values = model.population_slots.free_values(free)
            base = base + model.population_log_prob(theta[:, None], values)[:, group]
            used, start = used.float().contiguous(), (base - base.max()).float()
            for part in of_group.split(self.block_size):
                log_joint = answers.block(persons[part]).forward(used, start)
                mean[part], sd[part] = _through_top(log_joint, theta, width)
        return GaussianProposal(mean, sd)


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
