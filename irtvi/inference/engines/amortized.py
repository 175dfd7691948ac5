"""Amortized variational inference: the encoder places, the window integrates, halving certifies."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from irtvi.errors import SpecificationError
from irtvi.inference.encoders.parabola import Parabola
from irtvi.inference.engines.engine import Data, Engine, Progress
from irtvi.inference.posterior import Posterior
from irtvi.inference.search import search
from irtvi.inference.windows import WindowPlacing
from irtvi.models.model import Model


@dataclass(frozen=True)
class Amortized(Engine):
    """Settings of the amortized engine, the default.

    Parameters
    ----------
    tolerance : float
        The search ends when no parameter's next step is longer than this many standard errors.
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

    tolerance: float = 0.01
    max_passes: int = 200
    sd_share: float = 1.0
    slope_share: float = 1.0
    name: ClassVar[str] = "amortized"

    def __post_init__(self) -> None:
        for setting in ("tolerance", "max_passes", "sd_share", "slope_share"):
            if not getattr(self, setting) > 0:
                raise SpecificationError(f"Amortized({setting}=) must be positive, got {getattr(self, setting)}.")

    def fit(self, model: Model, data: Data, generator: torch.Generator, progress: Progress) -> Posterior:
        encoder = Parabola()

        def placing(answers, persons):
            return WindowPlacing(answers, persons, data.groups, encoder, self.sd_share, self.slope_share)

        return search(model, data, placing, self.tolerance, self.max_passes, generator, progress)
