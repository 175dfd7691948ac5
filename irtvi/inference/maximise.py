"""Maximisation of the marginal posterior over all free parameters jointly.

A quasi-Newton search. Its matrix is the complete-data information minus the missing information (Louis 1982)
of a sample of persons, refreshed while the search is far from the maximum and corrected by limited-memory
BFGS updates between passes; the gradient comes from a pass over persons. Plain Newton steps for each item on
the expected counts are the EM algorithm and need several times as many passes.
"""

from collections import deque
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.inference.item_posterior import Curvature
from irtvi.inference.observed_curvature import Missing
from irtvi.inference.problem import Evaluation, Problem
from irtvi.inference.trusted_curvature import LARGEST_STEP, no_longer, restrained_curvature, trusted_curvature
from irtvi.models.model import Model

MEMORY = 12
SHRINKS, LEAST_RATIO = 0.5, 0.1
"""Steps that become shorter by at least this factor are taken to go on like that, but not faster than the second."""
NEAR = 5.0
"""Steps that promise fewer nats are measured by standard errors that know of the missing information."""
FAR = 2.0
"""Steps of more than so many standard errors ask for a fresh curvature."""
PATIENCE, ENOUGH = 6, 0.01
"""Steps in a row that gain less than rounding takes, before more digits are asked for, and the length in standard
errors of steps that are followed no further where there are none."""
SLOW = 2
"""Steps in a row with a negligible gain that end a search for which gains count."""
SHORTENINGS, MOST_REJECTIONS, CAUTION = 4, 10, 5
"""Rejected steps before an EM step is tried, before the search gives up, and EM steps made after one."""


@runtime_checkable
class Watcher(Protocol):
    """Told after every pass; says whether the search should end there, and may raise KeyboardInterrupt."""

    def __call__(self, free: Tensor, evaluation: Evaluation, step_se: float, missing: Missing | None) -> bool: ...


@dataclass(frozen=True)
class Maximum:
    """Where a search ended.

    Attributes
    ----------
    free : Float[Tensor, " n_free"]
    evaluation : Evaluation
        At ``free``.
    last_step : Float[Tensor, " n_free"]
        From ``free``; to be taken on trust where the search converged, else 0.
    step_se : float
        Its largest component in standard errors; in smaller, complete-data ones while only these are known.
    converged : bool
    n_passes : int
    missing : Missing or None
        The missing information last used.
    """

    free: Float[Tensor, " n_free"]
    evaluation: Evaluation
    last_step: Float[Tensor, " n_free"]
    step_se: float
    converged: bool
    n_passes: int
    missing: Missing | None


class _History:
    """Limited-memory BFGS (Nocedal 1980) around a curvature."""

    def __init__(self) -> None:
        self.pairs: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=MEMORY)

    def add(self, step: Tensor, change: Tensor, curvature: Curvature) -> None:
        """``change`` is minus the change of the gradient along ``step``."""
        product = float(step @ change)
        if product > 1e-12 * float(change @ change):
            self.pairs.append((step, change, product))

    def solve(self, gradient: Tensor, curvature: Curvature) -> Tensor:
        q = gradient.clone()
        coefficients = []
        for step, change, product in reversed(self.pairs):
            coefficient = (step @ q) / product
            q -= coefficient * change
            coefficients.append(coefficient)
        r = curvature.solve(q)
        for (step, change, product), coefficient in zip(self.pairs, reversed(coefficients), strict=True):
            r += step * (coefficient - (change @ r) / product)
        return r


def maximise(
    problem: Problem,
    start: Float[Tensor, " n_free"],
    tolerance: float,
    max_passes: int,
    watch: Watcher,
    missing: Missing | None = None,
) -> Maximum:
    """Climb to the maximum of the marginal posterior.

    Parameters
    ----------
    problem : Problem
    start : Float[Tensor, " n_free"]
    tolerance : float
        Stop when the step after the next is expected to have no component longer than this many standard errors.
    max_passes : int
    watch : Watcher
    missing : Missing, optional
        Missing information to begin with (from a search on a sample, scaled up).

    Notes
    -----
    Where steps shrink fast, the last one is not followed by a pass: what would be left after it is known from the
    ratio of the last two. A step that lowers the objective is shortened; if that does not help, the next one is a
    step of the EM algorithm from the last good point, which cannot lower it unless it is too long. Where gains count,
    two steps in a row with a negligible one end the search as well, and so do short steps that gain less than rounding.
    """
    climb = _Climb(problem, start, problem.evaluate(start), missing)
    n_passes, in_vain, slow, reached = 1, 0, 0, -torch.inf
    previous = step_se = torch.inf
    while True:
        before, previous, step_se = previous, step_se, climb.plan()
        ends = watch(climb.free, climb.evaluation, step_se, climb.missing)
        settled = climb.informed and _left_over(step_se, previous, before) < tolerance
        settled |= climb.informed and not climb.far and climb.gain < problem.negligible(climb.best)
        little = abs(climb.best - reached) < problem.negligible(climb.best)
        slow = slow + 1 if little and climb.informed and not climb.cautious else 0
        if settled or slow == SLOW or ends or n_passes >= max_passes:
            break
        in_vain += 1
        if climb.best > reached + problem.noise(climb.best):
            reached, in_vain = climb.best, 0
        if in_vain >= PATIENCE:
            if problem.refine():
                climb.look_again()
                n_passes += 1
                continue
            if settled := climb.informed and step_se < ENOUGH:
                break
        tries = climb.advance(max_passes - n_passes)
        n_passes += abs(tries)
        if tries <= 0:
            break
    last_step = climb.step if settled else torch.zeros_like(climb.step)
    converged = settled or slow == SLOW
    return Maximum(climb.free, climb.evaluation, last_step, step_se, converged, n_passes, climb.missing)


def _left_over(step: float, previous: float, before: float) -> float:
    """What all steps after the next add up to if they shrink as the last three did; one short step says little."""
    if not 0 < previous < torch.inf:
        return step
    ratio = max(step / previous, previous / before, LEAST_RATIO)
    return step if ratio > SHRINKS else step * ratio / (1 - ratio)


class _Climb:
    """The last good point, the curvature there, and the next step."""

    def __init__(self, problem: Problem, free: Tensor, evaluation: Evaluation, missing: Missing | None) -> None:
        self.problem, self.free, self.evaluation, self.missing = problem, free, evaluation, missing
        self.best = evaluation.objective
        self.curvature: Curvature | None = None
        self.one_over_se: Tensor | None = None
        self.history = _History()
        self.step = torch.zeros_like(free)
        self.step_se = torch.inf
        self.far = True
        self.given = missing is not None
        self.cautious = 0

    @property
    def informed(self) -> bool:
        """Whether the curvature knows of the missing information, so that a short step means little is left."""
        return self.missing is not None or not len(self.free)

    @property
    def gain(self) -> float:
        """What the next step promises."""
        return 0.5 * float(self.step @ self.evaluation.gradient)

    def look_again(self) -> None:
        """Evaluate the same point anew."""
        self.evaluation = self.problem.evaluate(self.free)
        self.best = self.evaluation.objective

    def plan(self) -> float:
        """Decide the next step; its largest component in standard errors."""
        if not len(self.free):
            return 0.0
        model, evaluation = self.problem.model, self.evaluation
        if self.cautious or (self.curvature is None and not self.given):
            self.curvature = self._complete()
        elif self.curvature is None or self.far or self.step_se > FAR:
            if not self.given:
                self.missing = self.problem.missing_information(self.free, evaluation)
            self.given = False
            self.curvature, self.far = trusted_curvature(self.problem, self.free, evaluation, self.missing)
            self.one_over_se = None
            self.history = _History()
        self.step = self.history.solve(evaluation.gradient, self.curvature)
        if float(self.step.abs().max()) > LARGEST_STEP:
            self.history = _History()
            self.step = self.curvature.solve(evaluation.gradient)
            self.far = True
        scale = _complete_scale(model, evaluation)
        if self.informed and not self.cautious and self.gain < NEAR:
            if self.one_over_se is None:
                self.one_over_se = self.curvature.covariance_diagonal().clamp(min=1e-300).rsqrt()
            scale = torch.minimum(scale, self.one_over_se)
        self.step_se = float((self.step.abs() * scale).max())
        if self.cautious:
            self.cautious -= 1
            self.far = True
            return max(self.step_se, FAR)
        return self.step_se

    def _complete(self) -> Curvature:
        self.history = _History()
        curvature = restrained_curvature(self.problem.model, self.evaluation, None)
        assert curvature is not None
        return curvature

    def advance(self, most: int) -> int:
        """Take the step, shortened as far as needed; the number of passes, not positive if nothing helped."""
        step = no_longer(self.step)
        assert self.curvature is not None
        for tries in range(1, most + 1):
            candidate = self.free + step
            evaluation = self.problem.evaluate(candidate)
            if evaluation.objective >= self.best - self.problem.noise(self.best):
                self.history.add(step, self.evaluation.gradient - evaluation.gradient, self.curvature)
                self.free, self.evaluation = candidate, evaluation
                self.best = max(self.best, evaluation.objective)
                return tries
            if tries == MOST_REJECTIONS:
                return -tries
            if tries == SHORTENINGS:
                self.cautious = CAUTION
                self.curvature = self._complete()
                step = no_longer(self.curvature.solve(self.evaluation.gradient))
            else:
                step = 0.3 * step
        return -most


def _complete_scale(model: Model, evaluation: Evaluation) -> Float[Tensor, " n_free"]:
    """Square root of the complete-data information of each free parameter: one over its standard error."""
    total = evaluation.prior_curvature.clone()
    for part, block in zip(model.parts, evaluation.information, strict=True):
        total += part.collect(block.diagonal(dim1=1, dim2=2).contiguous(), model.n_free)
    return total.sqrt()
