"""A curvature whose step can be trusted: with as much of the missing information as a sample of persons tells."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.inference.interruption import may_stop
from irtvi.inference.item_posterior import Curvature
from irtvi.inference.observed_curvature import AtMost, Missing, curvature_of
from irtvi.inference.problem import Evaluation, Problem
from irtvi.models.model import Model

LARGEST_STEP = 1.0
MOST_STIFFENINGS = 8
SHARES = (0.99, 0.97, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""Of the complete-data information, that may at most be missing in any direction, tried one after the other where the
whole of the missing information gives no step that can be trusted."""


def trusted_curvature(
    problem: Problem, free: Float[Tensor, " n_free"], evaluation: Evaluation, missing: Missing | None
) -> tuple[Curvature, bool]:
    """The curvature with as much of the missing information as gives a step that can be trusted.

    The expected complete-data information is never negative and serves far off, but near a maximum it may be less
    than what is missing, where items fit badly; the observed one is then taken.

    Returns the curvature, and whether a part had to be left out (the search is still far from the maximum).
    """
    model = problem.model

    def trusted(lost: Missing | None, at: Evaluation = evaluation) -> Curvature | None:
        may_stop()
        curvature = curvature_of(model, at.information, at.prior_curvature, lost)
        if curvature is None or float(curvature.solve(at.gradient).abs().max()) > LARGEST_STEP:
            return None
        return curvature

    whole = trusted(missing)
    if whole is not None:
        return whole, False
    observed = replace(evaluation, information=problem.observed_information(free, evaluation))
    whole = curvature_of(model, observed.information, observed.prior_curvature, missing)
    if whole is not None:
        if float(whole.solve(evaluation.gradient).abs().max()) <= LARGEST_STEP:
            return whole, False
        restrained = restrained_curvature(model, observed, missing)
        assert restrained is not None
        return max(whole, restrained, key=lambda curvature: promised(curvature, evaluation.gradient)), True
    problem.ask_more_persons()
    at_most = AtMost(model, evaluation.information, evaluation.prior_curvature, missing)
    for share in SHARES:
        if at_most.longest(share, evaluation.gradient) > LARGEST_STEP:
            continue
        curvature = trusted(at_most.share(share))
        if curvature is not None:
            return curvature, share < SHARES[0]
    curvature = restrained_curvature(model, evaluation, None)
    assert curvature is not None
    return curvature, True


def promised(curvature: Curvature, gradient: Float[Tensor, " n_free"]) -> float:
    """Gain of a step, shortened as a whole as far as needed."""
    step = curvature.solve(gradient)
    share = min(1.0, LARGEST_STEP / float(step.abs().max()))
    return (share - 0.5 * share**2) * float(step @ gradient)


def restrained_curvature(model: Model, evaluation: Evaluation, missing: Missing | None) -> Curvature | None:
    """A curvature stiffened along parameters whose step would be too long (Levenberg's damping, one by one).

    Cutting single components of a step off instead could turn it downhill.
    """
    gradient = evaluation.gradient
    stiffness = evaluation.prior_curvature.clone()
    curvature = None
    for _ in range(MOST_STIFFENINGS):
        may_stop()
        curvature = curvature_of(model, evaluation.information, stiffness, missing)
        if curvature is None:
            return None
        long = curvature.solve(gradient).abs() > LARGEST_STEP
        if not long.any():
            break
        stiffness = torch.where(long, 2.0 * stiffness + gradient.abs() / LARGEST_STEP, stiffness)
    return curvature


def no_longer(step: Tensor) -> Tensor:
    """The step, shortened as a whole where a component is too long."""
    longest = float(step.abs().max())
    return step if longest <= LARGEST_STEP else step * (LARGEST_STEP / longest)
