"""Items of one formula, as curves need them: functions of ability and of the slots, with delta-method errors."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.posterior import Posterior
from irtvi.models.derivatives import finite, slopes, slot_derivatives
from irtvi.models.items.continuous import ContinuousModel
from irtvi.models.items.item_model import Facts, ItemModel
from irtvi.models.model import Component
from irtvi.responses.coding import Coding
from irtvi.results.tables import covariance_matrix, member_covariance, separated

OfSlots = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Family:
    """The wanted items of one component.

    Attributes
    ----------
    posterior : Posterior
    component : Component
    members : Int[Tensor, " members"]
        Positions in the component.
    covariance : Float[Tensor, "members slots slots"]
    usable : Tensor
        False for items that could not be estimated.
    """

    posterior: Posterior
    component: Component
    members: Int[Tensor, " members"]
    covariance: Float[Tensor, "members slots slots"]
    usable: Tensor

    @property
    def values(self) -> Float[Tensor, "members slots"]:
        return self.component.slots.free_values(self.posterior.free)[self.members]

    @property
    def positions(self) -> list[int]:
        return self.component.items[self.members].tolist()

    @property
    def facts(self) -> Facts:
        return self.component.facts.take(self.members)

    def log_probs(self, theta: Float[Tensor, "nodes 1"], values: Tensor) -> Float[Tensor, "nodes members categories"]:
        params = self.component.slots.unpack(values)
        log_probs = self.component.item_model.coefficients(theta[:, None, :], params, self.facts)
        return torch.where(torch.isfinite(log_probs), log_probs, -torch.inf)

    def information(self, theta: Float[Tensor, "nodes 1"], values: Tensor) -> Float[Tensor, "nodes members"]:
        """Fisher information: the sum over statistics of the slopes of coefficient and expectation.

        In categories that is the sum of ``P (d log P / d theta)^2``.
        """
        slots, item_model = self.component.slots, self.component.item_model

        def slope(function: Callable[..., Tensor]) -> Tensor:
            return slopes(lambda t, v: function(t[:, None, :], slots.unpack(v), self.facts), theta, values)[1]

        return (finite(slope(item_model.coefficients)) * slope(item_model.expectations)).sum(-1)

    def moments(
        self, theta: Float[Tensor, "nodes 1"], values: Tensor, worth: Float[Tensor, "members codes"]
    ) -> tuple[Float[Tensor, "nodes members"], Float[Tensor, "nodes members"]]:
        """Mean and variance of an answer in the user's units; ``worth`` is that of each category."""
        item_model, params = self.component.item_model, self.component.slots.unpack(values)
        if isinstance(item_model, ContinuousModel):
            at = theta[:, None, :], params, self.facts
            return item_model.mean(*at), item_model.variance(*at)
        p = self.log_probs(theta, values).exp()
        worth = worth[:, : p.shape[-1]]
        mean = (p * worth).sum(-1)
        return mean, (p * (worth - mean[..., None]).square()).sum(-1)

    def standard_error(self, function: OfSlots) -> Tensor:
        """Delta-method standard error of ``function(values)``, shape ``[nodes, members, ...]``."""
        first = [finite(f) for f in slot_derivatives(function, self.values)]
        jacobian = torch.stack(first, -1)
        shape = (1, len(self.members)) + (1,) * (jacobian.ndim - 3) + self.covariance.shape[1:]
        spread = (jacobian.unsqueeze(-2) @ self.covariance.view(shape)).squeeze(-2)
        return (spread * jacobian).sum(-1).clamp(min=0.0).sqrt()


def families_of(posterior: Posterior, items: Sequence[int]) -> Iterator[Family]:
    """The wanted items, component by component."""
    wanted = torch.zeros(posterior.model.n_items, dtype=torch.bool, device=posterior.device)
    wanted[list(items)] = True
    full = covariance_matrix(posterior.curvature)
    for part, component in enumerate(posterior.model.components):
        members = torch.nonzero(wanted[component.items])[:, 0]
        if len(members):
            covariance = member_covariance(component.slots, part, posterior.curvature, full)
            covariance[_separated(posterior, part)] = torch.nan
            usable = ~posterior.model.excluded[component.items[members]]
            yield Family(posterior, component, members, covariance[members], usable)


def _separated(posterior: Posterior, part: int) -> list[int]:
    """Members with a parameter that ran away and was held where it was: their curve has no band."""
    slots = posterior.model.parts[part]
    values = slots.free_values(posterior.free)
    return [m for p, m, slot in posterior.boundary if p == part and separated(slots, values, m, slot)]


def code_values(coding: Coding, item_models: Sequence[ItemModel]) -> Float[Tensor, "items codes"]:
    """What each code is worth in the user's units, each item in the coding that its model uses.

    Codes that an item does not have repeat its last value, so that they change neither minimum nor maximum; items
    whose answers are measured have NaN.
    """
    rows = []
    for one, item_model in zip(coding.codings, item_models, strict=True):
        if item_model.uses == "measured":
            rows.append([math.nan])
            continue
        raw = item_model.uses == "raw"
        rows.append([one.values[score] for score in one.scores] if raw else list(one.values))
    longest = max(len(row) for row in rows)
    return torch.tensor([row + row[-1:] * (longest - len(row)) for row in rows], dtype=torch.float64)
