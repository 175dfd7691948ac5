"""The Rasch scale with its origin at the mean difficulty of the items instead of the mean ability of the people."""

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.item_posterior import Curvature, DiagonalCurvature, FullCurvature
from irtvi.inference.posterior import Posterior
from irtvi.models.parameters import LogPrior

LEAST = 1e-10
"""Share of the variances that is added, so that the covariance of difficulties that sum to 0 has an inverse."""


def centred_on_items(posterior: Posterior) -> Posterior:
    """The same posterior on a scale on which the estimated difficulties of a Rasch model have mean 0.

    Nothing is searched anew: a shift of the scale changes no probability. The mean of ability becomes a parameter,
    the last one, and the covariance of all follows by the linear map.

    Parameters
    ----------
    posterior : Posterior
        Of a model with one family of items, slopes 1 and the mean of ability held at 0.
    """
    model, curvature = posterior.model, posterior.curvature
    (component,) = model.components
    slots, population = component.slots, model.population_slots
    own = slots.index[slots.index >= 0]
    free = _with_mean(posterior.free, own)
    held = torch.where(slots.index >= 0, slots.held, slots.held - free[-1])
    index = population.index.clone()
    index[:, population.names().index("mean")] = model.n_free
    moved = replace(
        model,
        components=(replace(component, slots=replace(slots, held=held)),),
        population_slots=replace(population, index=index),
        log_prior=LogPrior((), len(free)),
        n_free=len(free),
    )
    return replace(
        posterior,
        model=moved,
        free=free,
        curvature=None if curvature is None else _moved(curvature, own),
        persons=replace(posterior.persons, mean=posterior.persons.mean + free[-1]),
        sd_items=None,
    )


def _with_mean(x: Float[Tensor, "n_free *columns"], own: Int[Tensor, " items"]) -> Float[Tensor, "n_more *columns"]:
    """What belongs to items less its mean, and the mean in a last row."""
    mean = x[own].mean(0, keepdim=True)
    out = torch.cat([x, mean])
    out[own] -= mean
    return out


def _moved(curvature: Curvature, own: Int[Tensor, " items"]) -> Curvature:
    if isinstance(curvature, FullCurvature):
        covariance = _with_mean(_with_mean(curvature.covariance(), own).T, own)
        covariance = covariance + LEAST * torch.diag(covariance.diagonal())
        return FullCurvature(torch.linalg.cholesky(torch.linalg.inv(covariance)))
    variance = curvature.covariance_diagonal()
    of_mean = variance[own].sum() / len(own) ** 2
    moved = torch.cat([variance, of_mean[None]])
    moved[own] = variance[own] * (1 - 2 / len(own)) + of_mean
    return DiagonalCurvature(moved)
