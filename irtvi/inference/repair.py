"""Newton repair: a few steps on the log joint bring a rough Gaussian to the mode and its curvature.

One or two steps remove most of an encoder's error (semi-amortized inference: Kim, Wiseman, Miller, Sontag &
Rush 2018). Any item model, because derivatives are taken by forward mode.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.encoders.proposal import GaussianProposal
from irtvi.inference.pairs import joint_derivatives
from irtvi.models.model import Model
from irtvi.responses.cells import Cells

LONGEST_STEP = 2.0
"""In population sds."""
LEAST_PRECISION = 0.2
"""Share of the population's precision below which a posterior's curvature is not believed."""


def repair(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    persons: Int[Tensor, " some"],
    groups: Int[Tensor, " some"],
    proposal: GaussianProposal,
    n_steps: int = 2,
) -> GaussianProposal:
    """Gaussians at the modes of the log joint, as far as ``n_steps`` Newton steps lead.

    Parameters
    ----------
    persons : Int[Tensor, " some"]
        Rows of ``cells``.
    groups : Int[Tensor, " some"]
        Groups of these persons.
    proposal : GaussianProposal
        Where to start.

    Notes
    -----
    Where the log joint is not concave, which guessing allows, the step goes uphill with the curvature of a
    wide Gaussian, and steps are bounded.
    """
    _, population_sd = model.population.moments(model.population_params(free))
    widest = population_sd[groups, 0].to(proposal.mean.dtype)
    least = LEAST_PRECISION / widest.square()
    mean = proposal.mean
    for _ in range(n_steps):
        first, second = joint_derivatives(model, free, cells, persons, groups, mean)
        step = first / torch.maximum(-second, least)
        mean = mean + torch.clamp(step, -LONGEST_STEP * widest, LONGEST_STEP * widest)
    _, second = joint_derivatives(model, free, cells, persons, groups, mean)
    return GaussianProposal(mean, torch.maximum(-second, least).rsqrt())
