"""Amortized variational inference: the encoder places, the window integrates, halving certifies."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from irtvi.errors import SpecificationError
from irtvi.inference.encoders.parabola import Parabola
from irtvi.inference.engines.engine import Data, Engine, Progress
from irtvi.inference.posterior import Posterior
from irtvi.inference.search import search
from irtvi.inference.stochastic import StochasticSettings, fit_stochastic
from irtvi.inference.windows import WindowPlacing
from irtvi.models.model import Model


@dataclass(frozen=True)
class Amortized(Engine):
    """Settings of the amortized engine, the default.

    Parameters
    ----------
    encoder : str
        "parabola"; with a named objective a learned encoder, "product_of_experts" or "flow".
    objective : str or None
        None is the tight deterministic approximation. A name of ``OBJECTIVES`` trains a learned encoder and
        the items by stochastic gradients of that bound, unrepaired: the published form of the method.
    gradient : str
        How gradients of a named objective are estimated, a name of ``GRADIENTS``.
    bound : StochasticSettings or None
        Finer settings of a named objective; its names give way to those above.
    tolerance : float
        The search ends when another step would move no parameter by more than this many standard errors.
    max_passes : int
        Passes over all persons after which it gives up.
    sd_share, slope_share : float
        Largest spacing of a person's nodes, as a share of the own posterior sd and of one over the steepest
        slope.

    Notes
    -----
    An encoder gives each person a Gaussian. Persons in order of its mean are integrated block by block over
    nodes that lie where it puts them, and the items learn from the expected counts there. The rule on every
    other node certifies the integral of each person.
    """

    encoder: str = "parabola"
    objective: str | None = None
    gradient: str = "standard"
    bound: StochasticSettings | None = None
    tolerance: float = 0.02
    max_passes: int = 200
    sd_share: float = 1.0
    slope_share: float = 1.0
    name: ClassVar[str] = "amortized"

    def __post_init__(self) -> None:
        for setting in ("tolerance", "max_passes", "sd_share", "slope_share"):
            if not getattr(self, setting) > 0:
                raise SpecificationError(f"Amortized({setting}=) must be positive, got {getattr(self, setting)}.")

        if self.objective is None and self.encoder != Parabola.name:
            raise SpecificationError(
                f"encoder={self.encoder!r} is learned by climbing a bound; name one with objective=, or use 'parabola'."
            )
        if self.objective is not None:
            self.stochastic()

    def stochastic(self) -> StochasticSettings:
        """Settings of the named objective."""
        encoder = "product_of_experts" if self.encoder == Parabola.name else self.encoder
        settings = self.bound or StochasticSettings()
        return replace(settings, objective=self.objective or "elbo", gradient=self.gradient, encoder=encoder)

    def fit(self, model: Model, data: Data, generator: torch.Generator, progress: Progress) -> Posterior:
        if self.objective is not None:
            return fit_stochastic(model, data, self.stochastic(), generator, progress)
        encoder = Parabola()

        def placing(answers, persons):
            return WindowPlacing(answers, persons, data.groups, encoder, self.sd_share, self.slope_share)

        return search(model, data, placing, self.tolerance, self.max_passes, generator, progress)
