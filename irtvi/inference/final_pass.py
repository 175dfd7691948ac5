"""How a fit ends: one exact pass over all persons, and how sure it leaves the items and the abilities."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.evidence import mixed_curvature
from irtvi.inference.expectation import Pass
from irtvi.inference.item_posterior import CoupledCurvature, Curvature, FullCurvature, uses_blocks
from irtvi.inference.item_uncertainty import SdItems, sd_items_of_kept
from irtvi.inference.louis import EXACT, NEGLIGIBLE, FirstOrder
from irtvi.inference.marginal import MarginalPosterior
from irtvi.inference.networks import has_networks
from irtvi.inference.observed_curvature import AtMost, curvature_of
from irtvi.inference.posterior import Posterior, Step
from irtvi.inference.table import gradient_and_information, observed_information
from irtvi.inference.trusted_curvature import SHARES

INFORMATION_WORK = 4e8
"""Persons times squared parameters that go into the standard errors, at most; but 2,500 persons at least."""
FINER_PERSONS, FINER_WORK = 500, 9e6
"""From how many of them the finer terms come, at least, and for how much work."""
MORE_PERSONS = 1, 8, 2**62
"""Factors by which more persons speak while the information of those who did is not positive definite, or too noisy."""
LARGEST_NOISE, NOTED = 0.03, 32
"""Of standard errors, by the sampling of persons for the finer terms; looked for in so many of them."""


def final_posterior(
    final: MarginalPosterior,
    free: Float[Tensor, " n_free"],
    persons: Int[Tensor, " some"],
    latest: Pass | None,
    converged: bool,
    reason: str,
    boundary: tuple[tuple[int, int, int], ...],
    trace: tuple[Step, ...],
) -> Posterior:
    """The end of a search that was not stopped.

    Parameters
    ----------
    final : MarginalPosterior
        Over all persons of the data, with weight 0 for those who do not count.
    persons : Int[Tensor, " some"]
        Those who count in the likelihood.
    latest : Pass or None
        The last one of the search over these persons, at most a step away.
    converged, reason, boundary, trace
        As :class:`Posterior` has them.

    Notes
    -----
    Where persons are few, the final pass itself tells what standard errors and ``sd_items`` need. Where they are many
    the standard errors come from a sample of them anyway: the last pass of the search is near enough to say what it
    needs, and ``sd_items`` follows on the way through the final pass, if that is one over few nodes.
    """
    model, everyone = final.model, final.persons
    log_prior, _, second = model.log_prior.derivatives(free)
    n_speaking = min(len(persons), max(2_500, int(INFORMATION_WORK / max(model.n_free, 1) ** 2)))
    if uses_blocks(model):
        n_speaking = len(persons)

    def curvature_after(passed: Pass) -> tuple[Curvature | None, int]:
        if not model.n_free:
            return None, 0
        final.persons = persons
        found = _curvature(final, free, passed, -second, n_speaking)
        final.persons = everyone
        return found

    cells, sd_items = final.data.cells, None
    if latest is not None and n_speaking < len(persons) and final.placing.near:
        curvature, n_information = curvature_after(latest)
        along = curvature if isinstance(curvature, FullCurvature) else None
        visitor = along and (lambda: SdItems(model, cells, free, along))
        passed = final.run(free, torch.float64, visitor)
        if isinstance(final.visitor, SdItems):
            sd_items = final.visitor.of(passed.persons)
    else:
        keeps = final.dtype is torch.float32 and FirstOrder.fits(len(everyone), model) and n_speaking == len(persons)
        passed = final.run(free, torch.float64, (lambda: FirstOrder(model, cells, free)) if keeps else None)
        curvature, n_information = curvature_after(passed)
        if isinstance(final.visitor, FirstOrder) and isinstance(curvature, FullCurvature):
            sd_items = sd_items_of_kept(curvature, final.visitor, passed.persons)
    if curvature is None and model.n_free:
        reason += " The information is not positive definite, so there are no standard errors."
    return Posterior(
        model=model,
        free=free,
        curvature=curvature,
        log_likelihood=passed.log_likelihood,
        log_prior=float(log_prior),
        persons=passed.persons,
        converged=converged,
        stopped=False,
        reason=reason,
        trace=trace,
        boundary=boundary,
        seconds=trace[-1].seconds if trace else 0.0,
        information_persons=n_information,
        sd_items=sd_items,
    )


def _curvature(
    final: MarginalPosterior, free: Tensor, passed: Pass, prior_curvature: Tensor, n_speaking: int
) -> tuple[Curvature | None, int]:
    """Precision of the items, and from how many persons the missing information in it comes."""
    model, n_persons = final.model, len(final.persons)
    finer = min(n_speaking, max(FINER_PERSONS, int(FINER_WORK / model.n_free**2)))
    information = observed_information(model, free, passed.expectations)
    missing, n_information = None, 0
    for factor in MORE_PERSONS:
        n_information, n_finer = (min(n_persons, factor * n) for n in (n_speaking, finer))
        noise = None
        if uses_blocks(model) or n_finer == n_information:
            left_over = EXACT if n_finer == n_persons else NEGLIGIBLE
            missing = final.missing(free, passed, n_information, left_over)
        else:
            missing, noise = final.missing_and_noise(free, passed, n_information, NEGLIGIBLE, n_finer)
        if any(model.hyper) and isinstance(missing, Tensor):
            curvature = mixed_curvature(model, free, information, missing)
        else:
            curvature = curvature_of(model, information, prior_curvature, missing)
        if curvature is not None and (noise is None or _relative_noise(curvature, noise) < LARGEST_NOISE):
            return _by_item(curvature), n_information
        if n_finer == n_persons or has_networks(model):
            break
    if curvature is not None or not has_networks(model):
        return curvature and _by_item(curvature), n_information
    # Their search ends near a maximum, where the expected information serves, less as much as may be missing at most.
    _, information = gradient_and_information(model, free, passed.expectations)
    missing = AtMost(model, information, prior_curvature, missing).share(SHARES[0])
    curvature = curvature_of(model, information, prior_curvature, missing)
    return curvature and _by_item(curvature), n_information


def _relative_noise(curvature: Curvature, noise: Float[Tensor, "n_free n_free"]) -> float:
    """By how much standard errors would differ for another sample of persons: root mean square over some parameters."""
    assert isinstance(curvature, FullCurvature)
    some = torch.arange(0, len(noise), max(1, len(noise) // NOTED), device=noise.device)
    chosen = torch.zeros(len(noise), len(some), dtype=noise.dtype, device=noise.device)
    chosen[some, torch.arange(len(some), device=noise.device)] = 1.0
    columns = torch.cholesky_solve(chosen, curvature.factor)
    variances = (columns * chosen).sum(0)
    return float((0.5 * ((noise @ columns) * columns).sum(0) / variances).square().mean().sqrt())


def _by_item(curvature: Curvature) -> Curvature:
    return curvature.within_items() if isinstance(curvature, CoupledCurvature) else curvature
