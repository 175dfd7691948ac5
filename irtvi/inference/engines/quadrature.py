"""Exact marginal likelihood: one grid for everyone, as fine as the narrowest posterior asks."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from irtvi.errors import SpecificationError
from irtvi.inference.engines.engine import Data, Engine, Progress
from irtvi.inference.placing import GridPlacing
from irtvi.inference.posterior import Posterior
from irtvi.inference.search import search
from irtvi.models.model import Model


@dataclass(frozen=True)
class Quadrature(Engine):
    """Settings of the exact engine.

    Parameters
    ----------
    tolerance : float
        The search ends when another step would move no parameter by more than this many standard errors.
    max_passes : int
        Passes over all persons after which it gives up.
    sd_share, slope_share : float
        Largest spacing of nodes, as a share of the narrowest posterior sd and of one over the steepest slope.
    """

    tolerance: float = 2e-3
    max_passes: int = 200
    sd_share: float = 0.8
    slope_share: float = 1.0
    name: ClassVar[str] = "quadrature"

    def __post_init__(self) -> None:
        for setting in ("tolerance", "max_passes", "sd_share", "slope_share"):
            if not getattr(self, setting) > 0:
                raise SpecificationError(f"Quadrature({setting}=) must be positive, got {getattr(self, setting)}.")

    def fit(self, model: Model, data: Data, generator: torch.Generator, progress: Progress) -> Posterior:
        def placing(answers, persons):
            return GridPlacing(answers, persons, data.groups, self.sd_share, self.slope_share)

        return search(model, data, placing, self.tolerance, self.max_passes, generator, progress)
