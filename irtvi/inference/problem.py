"""What a search maximises, and what it is told at a point."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from irtvi.inference.expectation import Pass
from irtvi.inference.observed_curvature import Missing
from irtvi.models.model import Model


@dataclass(frozen=True)
class Evaluation:
    """The objective at one point.

    Attributes
    ----------
    objective : float
        Log marginal likelihood plus log prior.
    gradient : Float[Tensor, " n_free"]
    information : list of Tensor
        Complete-data Fisher information of every part of the model.
    prior_curvature : Float[Tensor, " n_free"]
        Minus the second derivative of the log prior, at least 0.
    passed : Pass
    """

    objective: float
    log_prior: float
    gradient: Float[Tensor, " n_free"]
    information: list[Tensor]
    prior_curvature: Float[Tensor, " n_free"]
    passed: Pass


@runtime_checkable
class Problem(Protocol):
    """What is maximised."""

    model: Model

    def evaluate(self, free: Float[Tensor, " n_free"]) -> Evaluation:
        """Objective and derivatives."""
        ...

    def missing_information(self, free: Float[Tensor, " n_free"], evaluation: Evaluation) -> Missing:
        """Missing information from a sample of persons, scaled to all."""
        ...

    def ask_more_persons(self) -> None:
        """Let the next missing information come from a larger sample: this one's was too noisy to subtract."""
        ...

    def observed_information(self, free: Float[Tensor, " n_free"], evaluation: Evaluation) -> list[Tensor]:
        """Observed complete-data information of every part of the model."""
        ...

    def noise(self, objective: float) -> float:
        """How far two evaluations of the same point may differ by rounding."""
        ...

    def negligible(self, objective: float) -> float:
        """A gain for which no further step is taken, whatever it would move."""
        ...

    def refine(self) -> bool:
        """Evaluate with more digits from now on; False where there are no more."""
        ...
