"""Maximisation of the marginal posterior over all free parameters jointly.

A quasi-Newton search. Its matrix is the complete-data information minus the missing information (Louis 1982)
of a sample of persons, refreshed while the search is far from the maximum and corrected by limited-memory
BFGS updates between passes; the gradient comes from a pass over persons. Plain Newton steps for each item on
the expected counts are the EM algorithm and need several times as many passes.
"""

from collections import deque
from dataclasses import dataclass
from typing import Protocol, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.inference.expectation import Pass
from irtvi.inference.item_posterior import (
    BlockCurvature,
    Curvature,
    FullCurvature,
    full_matrix,
    member_blocks,
    uses_blocks,
)
from irtvi.models.model import Model

Missing = Tensor | Sequence[Tensor]
"""Missing information: a matrix over the free parameters, or one block for each item."""

LARGEST_STEP = 1.0
MEMORY = 12
FAR = 2.0
"""Steps of more than so many standard errors ask for a fresh curvature."""


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


class Problem(Protocol):
    """What is maximised."""

    model: Model

    def evaluate(self, free: Float[Tensor, " n_free"]) -> Evaluation:
        """Objective and derivatives."""
        ...

    def missing_information(self, free: Float[Tensor, " n_free"], evaluation: Evaluation) -> Missing:
        """Missing information from a sample of persons, scaled to all."""
        ...


class Watcher(Protocol):
    """Told after every pass; may raise KeyboardInterrupt to stop."""

    def __call__(self, free: Tensor, evaluation: Evaluation, step_se: float) -> None: ...


@dataclass(frozen=True)
class Maximum:
    """Where a search ended.

    Attributes
    ----------
    free : Float[Tensor, " n_free"]
    evaluation : Evaluation
        At ``free``.
    step_se : float
        The last proposed step, largest component in complete-data standard errors.
    converged : bool
    n_passes : int
    missing : Missing or None
        The missing information last used.
    """

    free: Float[Tensor, " n_free"]
    evaluation: Evaluation
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


def curvature_of(
    model: Model, information: Sequence[Tensor], prior_curvature: Tensor, missing: Missing | None, share: float = 1.0
) -> Curvature | None:
    """Information and prior, less a share of the missing information; None if that is not positive definite."""
    scale = 1e-9
    if uses_blocks(model):
        blocks = member_blocks(model, information, prior_curvature)
        if missing is not None:
            held = [p.index < 0 for p in model.parts]
            for block, lost, h in zip(blocks, missing, held, strict=True):
                block -= share * torch.where(h[:, :, None] | h[:, None, :], 0.0, lost)
        inverses = []
        for block in blocks:
            factor, info = torch.linalg.cholesky_ex(block)
            if bool((info > 0).any()):
                return None
            inverses.append(torch.cholesky_inverse(factor))
        return BlockCurvature(inverses, [p.index for p in model.parts], model.n_free)
    matrix = full_matrix(model, information, prior_curvature)
    diagonal = matrix.diagonal()
    diagonal += scale * (1.0 + diagonal)
    if missing is not None:
        assert isinstance(missing, Tensor)
        matrix = matrix - share * missing
    factor, info = torch.linalg.cholesky_ex(matrix)
    return None if int(info) > 0 else FullCurvature(factor)


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
        Stop when no component of the next step is longer than this many standard errors.
    max_passes : int
    watch : Watcher
    missing : Missing, optional
        Missing information to begin with (from a search on a sample, scaled up).
    """
    model = problem.model
    free = start
    previous: tuple[Tensor, Tensor] | None = None
    best = -torch.inf
    rejections = 0
    curvature: Curvature | None = None
    history = _History()
    fresh = missing is not None
    step_se = torch.inf
    far = True
    evaluation = None
    n_passes = 0
    for n_passes in range(1, max_passes + 1):
        evaluation = problem.evaluate(free)
        slack = 3e-7 * abs(best) + 0.02 if best > -torch.inf else 0.0
        if evaluation.objective < best - slack and previous is not None and rejections < 8:
            rejections += 1
            origin, step = previous
            step = 0.3 * step
            previous = (origin, step)
            free = origin + step
            continue
        if previous is not None and curvature is not None:
            history.add(previous[1], last_gradient - evaluation.gradient, curvature)  # noqa: F821
        best = max(best, evaluation.objective) if rejections == 0 else evaluation.objective
        rejections = 0
        gradient = evaluation.gradient
        if curvature is None or far or step_se > FAR:
            if n_passes == 1 and not fresh:
                curvature = curvature_of(model, evaluation.information, evaluation.prior_curvature, None)
                assert curvature is not None
            else:
                if not fresh:
                    missing = problem.missing_information(free, evaluation)
                curvature, far = _sane(model, evaluation, missing)
                fresh = False
            history = _History()
        step = history.solve(gradient, curvature)
        scale = _complete_scale(model, evaluation)
        step_se = float((step.abs() * scale).max()) if len(step) else 0.0
        watch(free, evaluation, step_se)
        if step_se < tolerance and missing is not None or not len(step):
            return Maximum(free, evaluation, step_se, True, n_passes, missing)
        if n_passes == max_passes:
            break
        step = step.clamp(-LARGEST_STEP, LARGEST_STEP)
        previous, last_gradient = (free, step), gradient
        free = free + step
    assert evaluation is not None
    return Maximum(free, evaluation, step_se, False, n_passes, missing)


def _sane(model: Model, evaluation: Evaluation, missing: Missing | None) -> tuple[Curvature, bool]:
    """The curvature with as much of the missing information as gives a step that can be trusted.

    Returns the curvature, and whether a part had to be left out (the search is still far from the maximum).
    """
    share = 1.0
    while share > 0.1:
        curvature = curvature_of(model, evaluation.information, evaluation.prior_curvature, missing, share)
        if curvature is not None:
            step = curvature.solve(evaluation.gradient)
            if float(step.abs().max()) <= LARGEST_STEP:
                if share == 1.0:
                    return curvature, False
                break
        share = share - 0.01 if share > 0.95 else share * 0.95
    share = min(share, 0.97) * 0.97
    curvature = curvature_of(model, evaluation.information, evaluation.prior_curvature, missing, share)
    if curvature is None:
        curvature = curvature_of(model, evaluation.information, evaluation.prior_curvature, None)
    assert curvature is not None
    return curvature, True


def _complete_scale(model: Model, evaluation: Evaluation) -> Float[Tensor, " n_free"]:
    """Square root of the complete-data information of each free parameter: one over its standard error."""
    total = evaluation.prior_curvature.clone()
    for part, block in zip(model.parts, evaluation.information, strict=True):
        total += part.collect(block.diagonal(dim1=1, dim2=2).contiguous(), model.n_free)
    return total.sqrt()
