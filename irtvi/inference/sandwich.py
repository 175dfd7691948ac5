"""Standard errors where weights are no frequencies: the sandwich covariance (White 1982)."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.inference.engines.engine import Data
from irtvi.inference.item_posterior import BlockCurvature, FullCurvature
from irtvi.inference.louis import person_scores
from irtvi.inference.posterior import Posterior

LEAST = 1e-8
"""Share of the covariance under the model that is added, so that fewer persons than parameters leave no null space."""
OF_THE_MODEL = " Standard errors suppose that the model holds: a bound has no sandwich form for survey weights."


def with_sandwich(posterior: Posterior, data: Data) -> Posterior:
    """The posterior with inverse information times the weighted squares of persons' scores times it again.

    Parameters
    ----------
    posterior : Posterior
        Where information is kept by item, so is the sandwich; a posterior of independent parameters keeps its
        variances and says so.
    data : Data
        With weights.
    """
    curvature = posterior.curvature
    if curvature is None or not posterior.model.n_free:
        return posterior
    if isinstance(curvature, FullCurvature):
        return replace(posterior, curvature=_full(curvature, posterior, data))
    if isinstance(curvature, BlockCurvature):
        return replace(posterior, curvature=_by_item(curvature, posterior, data))
    return replace(posterior, reason=posterior.reason + OF_THE_MODEL)


def _weighted_scores(posterior: Posterior, data: Data) -> Iterator[Float[Tensor, "block n_free"]]:
    """Gradient of each person's log marginal likelihood, times the person's weight, block by block."""
    assert data.weights is not None
    persons = torch.nonzero(data.cells.n_answered().to(posterior.device) > 0)[:, 0]
    moments = posterior.persons.mean, posterior.persons.sd
    for part, scores in person_scores(posterior.model, data.cells, posterior.free, persons, *moments, data.groups):
        yield scores * data.weights[part, None]


def _full(curvature: FullCurvature, posterior: Posterior, data: Data) -> FullCurvature | None:
    bread = curvature.covariance()
    meat = torch.zeros_like(bread)
    for scores in _weighted_scores(posterior, data):
        meat += scores.T @ scores
    precision = torch.linalg.inv(bread @ meat @ bread + LEAST * bread)
    factor, failed = torch.linalg.cholesky_ex((precision + precision.T) / 2)
    return None if int(failed) else FullCurvature(factor)


def _by_item(curvature: BlockCurvature, posterior: Posterior, data: Data) -> BlockCurvature:
    meats = [torch.zeros_like(inverse) for inverse in curvature.inverses]
    for scores in _weighted_scores(posterior, data):
        for meat, index in zip(meats, curvature.indices, strict=True):
            own = torch.where(index >= 0, scores[:, index.clamp(min=0)], 0.0)
            meat += torch.einsum("pms,pmt->mst", own, own)
    pairs = zip(curvature.inverses, meats, curvature.indices, strict=True)
    return replace(curvature, inverses=[_sandwiched(bread, meat, index) for bread, meat, index in pairs])


def _sandwiched(
    bread: Float[Tensor, "members slots slots"], meat: Float[Tensor, "members slots slots"], index: Tensor
) -> Float[Tensor, "members slots slots"]:
    """Held slots keep the identity that stands for them."""
    free = (index >= 0)[:, :, None] & (index >= 0)[:, None, :]
    inner = torch.where(free, bread, 0.0)
    return torch.where(free, inner @ meat @ inner + LEAST * inner, bread)
