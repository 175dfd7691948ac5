"""What a search that was stopped leaves behind: its best point, at the cost of next to nothing."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.answers import Answers
from irtvi.inference.engines.engine import Data
from irtvi.inference.expectation import PersonSums, integrate
from irtvi.inference.item_posterior import CoupledCurvature, Curvature
from irtvi.inference.observed_curvature import Missing, curvature_of
from irtvi.inference.placing import PlacingFactory
from irtvi.inference.posterior import Posterior, Step
from irtvi.inference.problem import Evaluation
from irtvi.models.model import Model


@dataclass(frozen=True)
class Reached:
    """The best point of a search, and what is known there.

    Attributes
    ----------
    model : Model
    free : Float[Tensor, " n_free"]
    persons : PersonSums or None
        Of those whom the search has visited; NaN for the others.
    evaluation : Evaluation or None
        At ``free``.
    missing : Missing or None
        The missing information that the search goes by.
    boundary : tuple of (part, member, slot)
        Slots held at a boundary, or run away.
    """

    model: Model
    free: Float[Tensor, " n_free"]
    persons: PersonSums | None = None
    evaluation: Evaluation | None = None
    missing: Missing | None = None
    boundary: tuple[tuple[int, int, int], ...] = ()

    def posterior(
        self, data: Data, answers: Answers, placing: PlacingFactory, persons: Int[Tensor, " some"],
        trace: tuple[Step, ...],
    ) -> Posterior:  # fmt: skip
        """The point as the end of a fit: whoever stops it does not wait for an exact pass and standard errors.

        Parameters
        ----------
        persons : Int[Tensor, " some"]
            Those who count in the likelihood.
        trace : tuple of Step
        """
        sums, curvature = self._everyone(answers, placing), self._curvature()
        log_marginal = sums.log_marginal[persons]
        reason = "Stopped before convergence; this is the best state so far."
        if self.model.n_free:
            reason += " There are no standard errors yet." if curvature is None else " Its standard errors are rough."
        return Posterior(
            model=self.model,
            free=self.free,
            curvature=curvature,
            log_likelihood=float(log_marginal.sum() if data.weights is None else log_marginal @ data.weights[persons]),
            log_prior=float(self.model.log_prior.value(self.free)),
            persons=sums,
            converged=False,
            stopped=True,
            reason=reason,
            trace=trace,
            boundary=self.boundary,
            seconds=trace[-1].seconds if trace else 0.0,
        )

    def _curvature(self) -> Curvature | None:
        """The search's own, a rough one; None where it had none yet, or at a point too far from the maximum."""
        if self.evaluation is None or self.missing is None:
            return None
        found = curvature_of(self.model, self.evaluation.information, self.evaluation.prior_curvature, self.missing)
        return found.within_items() if isinstance(found, CoupledCurvature) else found

    def _everyone(self, answers: Answers, placing: PlacingFactory) -> PersonSums:
        """Posteriors of all persons: those of the search's last pass, and one pass in float32 for the others.

        Their nodes are not placed anew where they should be finer; the edge share and the halving error tell.
        """
        known = self.persons or PersonSums.empty(answers.n_persons, self.free.device)
        others = torch.nonzero(known.log_marginal.isnan())[:, 0]
        if not len(others):
            return known
        placed = placing(answers, others).place(self.model, self.free)
        return known.filled(integrate(self.model, placed, self.free, torch.float32))
