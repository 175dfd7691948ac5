"""The marginal posterior of the items as something to maximise, over some of the persons."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.engines.engine import Data
from irtvi.inference.expectation import Pass, Visitor, run_pass
from irtvi.inference.item_posterior import uses_blocks
from irtvi.inference.louis import (
    ROUGH,
    FirstOrder,
    missing_information,
    missing_information_by_item,
    person_scores,
)
from irtvi.inference.networks import has_networks
from irtvi.inference.observed_curvature import Missing
from irtvi.inference.ordering import order_of
from irtvi.inference.placing import MOST_REPLACEMENTS, Placing
from irtvi.inference.problem import Evaluation
from irtvi.inference.table import gradient_and_information, observed_information
from irtvi.models.model import Model

FEWER = 500
"""Persons who are enough for the first curvature, at a start that is some way off, unless parameters are many."""
MOST_PERSONS = 8000
"""From whom the missing information of a search comes at most."""
NETWORK_GAIN, NETWORK_SHARE = 0.05, 1e-6
"""Nats that a round must gain for networks to be learned further, at least, and as a share of all."""
NETWORK_SE = 0.1
"""Their items are then searched on while a step gains what such a move of every free parameter is worth."""
ROUGH_END = 3
"""Degree of the first term that a search leaves out where persons are many: the rest changes no step by much."""


@dataclass
class MarginalPosterior:
    """Log marginal likelihood of some persons plus the log prior, with derivatives.

    Attributes
    ----------
    model : Model
    data : Data
    persons : Int[Tensor, " some"]
    placing : Placing
    generator : torch.Generator
    dtype : torch.dtype
        Of the passes of the search, and of expected counts, as long as that is enough.
    sample_size : int
        Persons from whom the missing information is estimated during the search.
    latest : Pass or None
        The last one.
    begun : bool
        Whether missing information has been found, so that the next is of a point nearer to the maximum.
    visitor : Visitor or None
        Who saw the last pass.
    refined : bool
        Whether passes run in float64 whatever ``dtype`` says.
    """

    model: Model
    data: Data
    persons: Int[Tensor, " some"]
    placing: Placing
    generator: torch.Generator
    dtype: torch.dtype = torch.float32
    sample_size: int = 2000
    latest: Pass | None = None
    begun: bool = False
    visitor: Visitor | None = None
    refined: bool = False

    def run(
        self, free: Float[Tensor, " n_free"], dtype: torch.dtype, visitor: Callable[[], Visitor] | None = None
    ) -> Pass:
        """A pass whose nodes were good enough.

        Parameters
        ----------
        visitor : callable, optional
            Makes a visitor for the pass, anew where nodes have to be placed anew.
        """
        for _ in range(MOST_REPLACEMENTS):
            placed = self.placing.place(self.model, free)
            self.visitor = visitor and visitor()
            passed = run_pass(self.model, placed, free, self.data.weights, dtype, self.precision, self.visitor)
            if self.placing.adequate(passed.persons, on_the_way=dtype is torch.float32):
                break
        self.latest = passed  # pyright: ignore[reportPossiblyUnbound]
        return self.latest

    def evaluate(self, free: Float[Tensor, " n_free"]) -> Evaluation:
        """Objective and derivatives at a point."""
        passed = self.run(free, self.precision)
        gradient, information = gradient_and_information(self.model, free, passed.expectations)
        log_prior, prior_gradient, prior_second = self.model.log_prior.derivatives(free)
        return Evaluation(
            objective=passed.log_likelihood + float(log_prior),
            log_prior=float(log_prior),
            gradient=gradient + prior_gradient,
            information=information,
            prior_curvature=(-prior_second).clamp(min=0.0),
            passed=passed,
        )

    def observed_information(self, free: Float[Tensor, " n_free"], evaluation: Evaluation) -> list[Tensor]:
        """Observed complete-data information of every part of the model; the expected one, far cheaper, of networks."""
        if has_networks(self.model):
            return evaluation.information
        return observed_information(self.model, free, evaluation.passed.expectations)

    def noise(self, objective: float) -> float:
        """Rounding error of the objective; a search that asks for less rejects good steps."""
        if self.precision is torch.float64:
            return 1e-10 * abs(objective) + 1e-7
        return 3e-7 * abs(objective) + 0.02

    def negligible(self, objective: float) -> float:
        """A gain for which no further step is taken: where networks are learned, nothing else says when to end."""
        if not has_networks(self.model):
            return 0.0
        return max(0.5 * self.model.n_free * NETWORK_SE**2, self.noise(objective))

    def network_gain(self, objective: float) -> float:
        """A gain for which networks' weights are not learned any further."""
        return max(NETWORK_GAIN, NETWORK_SHARE * abs(objective))

    @property
    def precision(self) -> torch.dtype:
        """Of the passes of the search."""
        return torch.float64 if self.refined else self.dtype

    def refine(self) -> bool:
        """Let passes run in float64; False if they do."""
        before, self.refined = self.precision, True
        return before is not torch.float64

    def ask_more_persons(self) -> None:
        """Let the next missing information come from twice as many, within limits."""
        self.sample_size = min(2 * self.sample_size, MOST_PERSONS)

    def missing_information(self, free: Float[Tensor, " n_free"], evaluation: Evaluation) -> Missing:
        """Missing information from a sample of persons spread evenly over ability, scaled to all."""
        if self.dtype is torch.float64 or uses_blocks(self.model):
            return self.missing(free, evaluation.passed, self.sample_size, ROUGH)
        size = self.sample_size if self.begun else min(self.sample_size, max(FEWER, 5 * self.model.n_free))
        self.begun = True
        return self._missing(free, evaluation.passed, size, ROUGH, (1, ROUGH_END))

    def missing(
        self, free: Float[Tensor, " n_free"], passed: Pass, n_sample: int, left_over: float, n_finer: int | None = None
    ) -> Missing:
        """As :meth:`missing_information`, from so many persons; the finer terms from fewer if ``n_finer`` is given."""
        if uses_blocks(self.model):
            moments = passed.persons.mean, passed.persons.sd
            args = self.model, self.data.cells, free, self.persons, *moments, self.data.weights, self.data.groups
            return missing_information_by_item(*args, left_over)
        if n_finer is None or n_finer >= min(n_sample, len(self.persons)):
            return self._missing(free, passed, n_sample, left_over, (1, None))
        return self.missing_and_noise(free, passed, n_sample, left_over, n_finer)[0]

    def missing_and_noise(
        self, free: Float[Tensor, " n_free"], passed: Pass, n_sample: int, left_over: float, n_finer: int
    ) -> tuple[Float[Tensor, "n_free n_free"], Float[Tensor, "n_free n_free"]]:
        """As :meth:`missing`, and by how much samples of persons for the finer terms would differ, one sd or so."""
        coarse = self._coarse(free, passed, n_sample, left_over)
        first, second = self._missing_in_parts(free, passed, n_finer, left_over, (2, None), n_parts=2)
        return coarse + first + second, first - second

    def score_products(
        self, free: Float[Tensor, " n_free"], passed: Pass, n_sample: int
    ) -> Float[Tensor, "n_free n_free"]:
        """Information by the products of persons' scores (Berndt, Hall, Hall & Hausman 1974), never negative."""
        moments = passed.persons.mean, passed.persons.sd
        chosen, scale = spread_sample(self.persons, moments[0], self.data.weights, n_sample, self.generator)
        total = torch.zeros(len(free), len(free), dtype=torch.float64, device=free.device)
        for part, scores in person_scores(self.model, self.data.cells, free, chosen, *moments, self.data.groups):
            weighted = scores if self.data.weights is None else scores * self.data.weights[part, None]
            total += weighted.T @ scores
        return total * scale

    def _coarse(
        self, free: Float[Tensor, " n_free"], passed: Pass, n_sample: int, left_over: float
    ) -> Float[Tensor, "n_free n_free"]:
        if n_sample < len(self.persons) or not isinstance(self.visitor, FirstOrder):
            return self._missing(free, passed, n_sample, left_over, (1, 2))
        return self.visitor.missing_information(self.data.weights)

    def _missing(
        self, free: Float[Tensor, " n_free"], passed: Pass, n_sample: int, left_over: float,
        degrees: tuple[int, int | None],
    ) -> Float[Tensor, "n_free n_free"]:  # fmt: skip
        return self._missing_in_parts(free, passed, n_sample, left_over, degrees, n_parts=1)[0]

    def _missing_in_parts(
        self, free: Float[Tensor, " n_free"], passed: Pass, n_sample: int, left_over: float,
        degrees: tuple[int, int | None], n_parts: int,
    ) -> list[Float[Tensor, "n_free n_free"]]:  # fmt: skip
        moments = passed.persons.mean, passed.persons.sd
        weights, groups = self.data.weights, self.data.groups
        chosen, scale = spread_sample(self.persons, moments[0], weights, n_sample, self.generator)
        args = self.model, self.data.cells, free, chosen, *moments, weights, groups, left_over, degrees
        return [part * scale for part in missing_information(*args, n_parts)]


def spread_sample(
    persons: Int[Tensor, " some"],
    mean: Float[Tensor, " persons"],
    weights: Float[Tensor, " persons"] | None,
    size: int,
    generator: torch.Generator,
) -> tuple[Int[Tensor, " chosen"], float]:
    """A systematic sample of persons over ability, ascending, and the factor from its weight to that of all."""
    if len(persons) <= size:
        return persons, 1.0
    order = persons[order_of(mean[persons])]
    step = len(order) / size
    offset = float(torch.rand(1, generator=generator)) * step
    rows = (offset + step * torch.arange(size, device=persons.device)).long().clamp(max=len(order) - 1)
    chosen = order[rows].sort().values
    if weights is None:
        return chosen, len(persons) / size
    return chosen, float(weights[persons].sum() / weights[chosen].sum().clamp(min=1e-12))
