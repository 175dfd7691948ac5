"""Curves of items over ability as tables, with pointwise bands from the items' posterior (delta method)."""

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from scipy.special import ndtri
from torch import Tensor
from torch.func import jvp

from irtvi.errors import SpecificationError
from irtvi.inference.posterior import Posterior
from irtvi.inference.table import finite, slot_derivatives
from irtvi.models.items.continuous import ContinuousModel
from irtvi.models.items.item_model import Facts, ItemModel
from irtvi.models.model import Component
from irtvi.responses.coding import Coding
from irtvi.responses.item_coding import ItemCoding
from irtvi.results.tables import covariance_matrix, member_covariance

OfSlots = Callable[[Tensor], Tensor]


def curves(
    posterior: Posterior,
    coding: Coding,
    item_models: Sequence[ItemModel],
    items: Sequence[int],
    theta: np.ndarray,
    what: str,
    level: float,
) -> pd.DataFrame:
    """Curves of some items in long form.

    Parameters
    ----------
    posterior : Posterior
    coding : Coding
        Labels and values of the categories.
    item_models : sequence of ItemModel
        One for each item of the model.
    items : sequence of int
        Positions of the items wanted; the table keeps their order.
    theta : np.ndarray
        Abilities, 1-D.
    what : {"probability", "expected", "sd", "information", "test_information"}
        Probability of every category; expected answer in the user's units; standard deviation of an answer at an
        ability; Fisher information of an item; its sum over the items wanted.
    level : float
        Of the bands.

    Returns
    -------
    DataFrame
        Columns ``item`` (not for ``"test_information"``), ``category`` (for ``"probability"``, as in
        the data), ``theta``, ``value``, ``lower``, ``upper``. NaN for items that could not be estimated;
        bands are NaN where there is no posterior of the items.

    Notes
    -----
    Standard errors are computed for the logit of a probability (or of the expected answer's place between the
    lowest and the highest, where there are such) and for the log of an information or a standard deviation, so that
    bands stay where values can be. They hold abilities fixed: they say how sure one can be of the curve.
    """
    if what not in _TABLES:
        raise SpecificationError(f"curves(what=) is one of {', '.join(map(repr, _TABLES))}, got {what!r}.")
    if not items:
        raise SpecificationError("curves(items=) names no item.")
    if not 0.0 < level < 1.0:
        raise SpecificationError(f"level must lie between 0 and 1, got {level}.")
    points = torch.as_tensor(np.asarray(theta, dtype=float), device=posterior.device)[:, None]
    families = list(_families(posterior, items))
    return _TABLES[what](families, points, float(ndtri(0.5 + level / 2)), coding, item_models, items)


def positions(item_ids: pd.Index, items: Hashable | Sequence[Hashable] | None) -> list[int]:
    """Where the named items stand; all items for None.

    Raises
    ------
    SpecificationError
        There is no such item.
    """
    if items is None:
        return list(range(len(item_ids)))
    wanted = list(items) if isinstance(items, (list, tuple, pd.Index, np.ndarray)) else [items]
    unknown = [item for item in wanted if item not in item_ids]
    if unknown:
        raise SpecificationError(f"There is no item {unknown[0]!r}; the items are {list(item_ids[:5])} and so on.")
    return item_ids.get_indexer(pd.Index(wanted)).tolist()


@dataclass(frozen=True)
class _Family:
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
        item_model, params = self.component.item_model, self.component.slots.unpack(values)
        ones = torch.ones_like(theta)
        score, moved = (
            jvp(lambda t, f=function: f(t[:, None, :], params, self.facts), (theta,), (ones,))[1]
            for function in (item_model.coefficients, item_model.expectations)
        )
        return (finite(score) * moved).sum(-1)

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


def _families(posterior: Posterior, items: Sequence[int]) -> Iterator[_Family]:
    wanted = torch.zeros(posterior.model.n_items, dtype=torch.bool, device=posterior.device)
    wanted[list(items)] = True
    full = covariance_matrix(posterior.curvature)
    for part, component in enumerate(posterior.model.components):
        members = torch.nonzero(wanted[component.items])[:, 0]
        if len(members):
            covariance = member_covariance(component.slots, part, posterior.curvature, full)
            covariance[_separated(posterior, part)] = torch.nan
            usable = ~posterior.model.excluded[component.items[members]]
            yield _Family(posterior, component, members, covariance[members], usable)


def _separated(posterior: Posterior, part: int) -> list[int]:
    """Members with a parameter that ran away and was held where it was: their curve has no band."""
    values = posterior.model.parts[part].free_values(posterior.free)
    return [m for p, m, slot in posterior.boundary if p == part and torch.isfinite(values[m, slot])]


def _logit_band(logit: Tensor, se: Tensor, z: float) -> tuple[Tensor, Tensor]:
    return torch.sigmoid(logit - z * se), torch.sigmoid(logit + z * se)


def _others(
    log_probs: Float[Tensor, "nodes members categories"],
) -> Float[Tensor, "nodes members categories"]:
    """Log-probability of all other categories, without cancellation."""
    n = log_probs.shape[-1]
    own = torch.eye(n, dtype=torch.bool, device=log_probs.device)
    return torch.logsumexp(torch.where(own, -torch.inf, log_probs[..., None, :]), -1)


def _probability(
    families: list[_Family],
    theta: Tensor,
    z: float,
    coding: Coding,
    item_models: Sequence[ItemModel],
    items: Sequence[int],
) -> pd.DataFrame:
    if measured := [item_models[j].name for j in items if item_models[j].uses == "measured"]:
        raise SpecificationError(
            f"Answers of the {measured[0]} model are measured and have no categories, so there is no curve of their "
            "probabilities; use what='expected' and what='sd', or name other items=."
        )
    blocks = {}
    for family in families:

        def logit(v: Tensor, family: _Family = family) -> Tensor:
            log_probs = family.log_probs(theta, v)
            return log_probs - _others(log_probs)

        lower, upper = _logit_band(logit(family.values), family.standard_error(logit), z)
        value = family.log_probs(theta, family.values).exp()
        columns = _without_unusable(family, value, lower, upper)
        for k, j in enumerate(family.positions):
            labels = _labels(coding.codings[j], item_models[j])
            rows = columns[:, k, : len(labels)].flatten(0, 1)
            blocks[j] = _frame(coding, j, theta, rows, labels)
    return pd.concat([blocks[j] for j in items], ignore_index=True)


def _expected(
    families: list[_Family],
    theta: Tensor,
    z: float,
    coding: Coding,
    item_models: Sequence[ItemModel],
    items: Sequence[int],
) -> pd.DataFrame:
    _check_order(item_models, items)
    blocks = {}
    for family in families:
        item_model = family.component.item_model
        columns = (_expected_measured if isinstance(item_model, ContinuousModel) else _expected_score)(
            family, theta, z, _worth(family, coding, item_models)
        )
        for k, j in enumerate(family.positions):
            blocks[j] = _frame(coding, j, theta, columns[:, k])
    return pd.concat([blocks[j] for j in items], ignore_index=True)


def _expected_score(
    family: _Family, theta: Tensor, z: float, worth: Float[Tensor, "members codes"]
) -> Float[Tensor, "nodes members 3"]:
    low, high = worth.amin(1), worth.amax(1)
    place = (worth - low[:, None]) / (high - low).clamp(min=1e-300)[:, None]

    def logit(v: Tensor) -> Tensor:
        log_probs = family.log_probs(theta, v)
        up, down = place[:, : log_probs.shape[-1]].log(), torch.log1p(-place[:, : log_probs.shape[-1]])
        return torch.logsumexp(log_probs + up, -1) - torch.logsumexp(log_probs + down, -1)

    centre = logit(family.values)
    lower, upper = _logit_band(centre, family.standard_error(logit), z)
    return _without_unusable(family, *(low + (high - low) * x for x in (torch.sigmoid(centre), lower, upper)))


def _expected_measured(
    family: _Family, theta: Tensor, z: float, worth: Float[Tensor, "members codes"]
) -> Float[Tensor, "nodes members 3"]:
    item_model = family.component.item_model
    assert isinstance(item_model, ContinuousModel)
    low, high = item_model.bounds
    bounded = math.isfinite(low) and math.isfinite(high)

    def unbounded(v: Tensor) -> Tensor:
        mean = family.moments(theta, v, worth)[0]
        return torch.logit((mean - low) / (high - low)) if bounded else mean

    centre, se = unbounded(family.values), family.standard_error(unbounded)
    columns = centre, centre - z * se, centre + z * se
    if bounded:
        columns = tuple(low + (high - low) * torch.sigmoid(x) for x in columns)
    return _without_unusable(family, *columns)


def _sd(
    families: list[_Family],
    theta: Tensor,
    z: float,
    coding: Coding,
    item_models: Sequence[ItemModel],
    items: Sequence[int],
) -> pd.DataFrame:
    _check_order(item_models, items)
    blocks = {}
    for family in families:
        worth = _worth(family, coding, item_models)
        value = family.moments(theta, family.values, worth)[1].sqrt()
        se = family.standard_error(lambda v, f=family, w=worth: f.moments(theta, v, w)[1].sqrt())
        columns = _without_unusable(family, value, *_log_band(value, se, z))
        for k, j in enumerate(family.positions):
            blocks[j] = _frame(coding, j, theta, columns[:, k])
    return pd.concat([blocks[j] for j in items], ignore_index=True)


def _check_order(item_models: Sequence[ItemModel], items: Sequence[int]) -> None:
    """There is an expected answer only where a higher one stands for more."""
    if unordered := [item_models[j].name for j in items if not item_models[j].ordered]:
        raise SpecificationError(
            f"The {unordered[0]} model's categories have no order, so there is no expected answer; use "
            "what='probability'."
        )


def _worth(family: _Family, coding: Coding, item_models: Sequence[ItemModel]) -> Float[Tensor, "members codes"]:
    return code_values(coding, item_models)[family.positions].to(family.posterior.device)


def _information(
    families: list[_Family],
    theta: Tensor,
    z: float,
    coding: Coding,
    item_models: Sequence[ItemModel],
    items: Sequence[int],
) -> pd.DataFrame:
    blocks = {}
    for family in families:
        value = family.information(theta, family.values)
        se = family.standard_error(lambda v, f=family: f.information(theta, v))
        columns = _without_unusable(family, value, *_log_band(value, se, z))
        for k, j in enumerate(family.positions):
            blocks[j] = _frame(coding, j, theta, columns[:, k])
    return pd.concat([blocks[j] for j in items], ignore_index=True)


def _test_information(
    families: list[_Family],
    theta: Tensor,
    z: float,
    coding: Coding,
    item_models: Sequence[ItemModel],
    items: Sequence[int],
) -> pd.DataFrame:
    posterior = families[0].posterior
    value = theta.new_zeros(len(theta))
    gradient = theta.new_zeros(len(theta), posterior.model.n_free)
    variance = theta.new_zeros(len(theta))
    full = covariance_matrix(posterior.curvature)
    for family in families:
        value = value + family.information(theta, family.values)[:, family.usable].sum(1)
        first = slot_derivatives(lambda v, f=family: f.information(theta, v), family.values)
        jacobian = torch.stack([finite(f) for f in first], -1)[:, family.usable]
        if full is None:
            own = family.covariance[family.usable]
            variance = variance + torch.einsum("kms,mst,kmt->k", jacobian, own, jacobian)
        else:
            index = family.component.slots.index[family.members][family.usable].flatten()
            gradient.index_add_(1, index[index >= 0], jacobian.flatten(1)[:, index >= 0])
    if full is not None:
        variance = ((gradient @ full) * gradient).sum(1)
    columns = torch.stack([value, *_log_band(value, variance.clamp(min=0.0).sqrt(), z)], -1)
    return _rows(theta, columns)


_TABLES = {
    "probability": _probability,
    "expected": _expected,
    "sd": _sd,
    "information": _information,
    "test_information": _test_information,
}


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


def _labels(coding: ItemCoding, item_model: ItemModel) -> list[Any]:
    """Categories as the data have them; after a key or reversing, the values of the scores."""
    if item_model.uses == "raw" or coding.scores == tuple(range(len(coding.categories))):
        return list(coding.categories)
    return list(coding.values)


def _log_band(value: Tensor, se: Tensor, z: float) -> tuple[Tensor, Tensor]:
    share = torch.where(value > 0, z * se / value.clamp(min=1e-300), 0.0)
    share = torch.where(se.isnan(), torch.nan, share)
    return value * torch.exp(-share), value * torch.exp(share)


def _without_unusable(family: _Family, *columns: Tensor) -> Float[Tensor, "nodes members *rest"]:
    """Value and bounds on a new last axis, NaN for items that could not be estimated."""
    stacked = torch.stack(columns, -1)
    stacked[:, ~family.usable] = torch.nan
    return stacked


def _frame(
    coding: Coding,
    item: int,
    theta: Tensor,
    columns: Float[Tensor, "rows 3"],
    labels: list[Any] | None = None,
) -> pd.DataFrame:
    if labels is None:
        frame = _rows(theta, columns)
    else:
        frame = _rows(theta.repeat_interleave(len(labels), 0), columns)
        frame.insert(0, "category", pd.Series(labels * len(theta), dtype=object).infer_objects())
    frame.insert(0, "item", coding.item_ids[item])
    return frame


def _rows(theta: Tensor, columns: Float[Tensor, "rows 3"]) -> pd.DataFrame:
    table = torch.cat([theta, columns], 1).cpu().numpy()
    return pd.DataFrame(table, columns=["theta", "value", "lower", "upper"])
