"""What an engine returns: parameters with their uncertainty, every person's posterior, how it went."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.errors import IrtviError
from irtvi.inference.certificate import Certificates
from irtvi.inference.encoders.encoder import LearnedEncoder
from irtvi.inference.expectation import PersonSums
from irtvi.inference.item_posterior import Curvature
from irtvi.models.model import Model


@dataclass(frozen=True)
class Snapshot:
    """Where a search stood.

    Attributes
    ----------
    model : Model
        Held parameters and networks may change in the course of a search.
    free : Float[Tensor, " n_free"]
    sd_items : Float[Tensor, " persons"] or None
        What the items' uncertainty adds to each person's sd, where the search knows it already.
    encoder : LearnedEncoder or None
        What was trained so far.
    """

    model: Model
    free: Float[Tensor, " n_free"]
    encoder: LearnedEncoder | None = None


@dataclass(frozen=True)
class Step:
    """One pass of a search.

    Attributes
    ----------
    phase : str
        On which persons ("sample", "everyone").
    objective : float
        Log marginal likelihood plus log prior, or the bound that was climbed.
    step_se : float
        Largest component of the next step in standard errors.
    seconds : float
        Since the fit began.
    snapshot : Snapshot or None
        Kept in memory only.
    """

    phase: str
    objective: float
    step_se: float
    seconds: float
    snapshot: Snapshot | None = field(default=None, repr=False, compare=False)


STEP = ["phase", "objective", "step_se", "seconds"]
"""Of a step, what tables and files have."""


@dataclass(frozen=True)
class Posterior:
    """A fitted model.

    Attributes
    ----------
    model : Model
        The model as it was last searched: parameters at a boundary are held.
    free : Float[Tensor, " n_free"]
        Point estimate.
    curvature : Curvature or None
        Observed marginal information plus prior; None if it is not positive definite.
    log_likelihood, log_prior : float
        At the point estimate, abilities integrated out.
    persons : PersonSums
    converged : bool
    stopped : bool
        Stopped by the user before convergence.
    reason : str
        Why the search ended.
    trace : tuple of Step
    item_status : dict
        What to say of an item, by position.
    boundary : tuple of (part, member, slot)
        Slots that ended at a boundary or ran away.
    seconds : float
    information_persons : int
        How many persons' missing information went into the curvature.
    certificates : Certificates or None
        How good each person's approximation is, where the engine approximates.
    sd_items : Float[Tensor, " persons"] or None
        What the items' uncertainty adds to each person's sd, where the search knows it already.
    encoder : LearnedEncoder or None
        What was trained with the items; scores of new people come from it.
    """

    model: Model
    free: Float[Tensor, " n_free"]
    curvature: Curvature | None
    log_likelihood: float
    log_prior: float
    persons: PersonSums
    converged: bool
    stopped: bool
    reason: str
    trace: tuple[Step, ...]
    item_status: dict[int, str] = field(default_factory=dict)
    boundary: tuple[tuple[int, int, int], ...] = ()
    seconds: float = 0.0
    information_persons: int = 0
    certificates: Certificates | None = None
    sd_items: Float[Tensor, " persons"] | None = None
    encoder: LearnedEncoder | None = None

    @property
    def device(self) -> torch.device:
        return self.free.device


def parameter_draws(posterior: Posterior, n: int, generator: torch.Generator) -> Float[Tensor, "n n_free"]:
    """Draws of the free parameters from their Gaussian posterior.

    Raises
    ------
    IrtviError
        There is no covariance.
    """
    if posterior.curvature is None:
        raise IrtviError("There is no covariance of the item parameters to draw from: " + posterior.reason)
    noise = torch.randn(n, len(posterior.free), generator=generator, dtype=torch.float64).to(posterior.device)
    return posterior.free + posterior.curvature.coloured(noise)
