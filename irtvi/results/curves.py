"""Curves of items over ability as tables, with pointwise bands from the items' posterior (delta method)."""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.errors import SpecificationError
from irtvi.inference.posterior import Posterior
from irtvi.models.derivatives import finite, slot_derivatives
from irtvi.models.items.continuous import ContinuousModel
from irtvi.models.items.item_model import ItemModel
from irtvi.responses.coding import Coding
from irtvi.responses.item_coding import ItemCoding
from irtvi.results.curve_families import Family, OfSlots, code_values, families_of
from irtvi.results.tables import covariance_matrix


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
    families = tuple(families_of(posterior, items))
    return _TABLES[what](_Wanted(families, points, NormalDist().inv_cdf(0.5 + level / 2), coding, item_models, items))


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
class _Wanted:
    """Curves that were asked for.

    Attributes
    ----------
    families : tuple of Family
    theta : Float[Tensor, "nodes 1"]
    z : float
        Half width of the bands, in standard errors.
    coding : Coding
    item_models : sequence of ItemModel
        Of all items.
    items : sequence of int
    """

    families: tuple[Family, ...]
    theta: Float[Tensor, "nodes 1"]
    z: float
    coding: Coding
    item_models: Sequence[ItemModel]
    items: Sequence[int]

    @property
    def models(self) -> list[ItemModel]:
        """Of the wanted items."""
        return [self.item_models[j] for j in self.items]

    def in_order(self, blocks: dict[int, pd.DataFrame]) -> pd.DataFrame:
        """Tables by item, one below the other."""
        return pd.concat([blocks[j] for j in self.items], ignore_index=True)

    def worth(self, family: Family) -> Float[Tensor, "members codes"]:
        """What each code is worth, for the items of a family."""
        return code_values(self.coding, self.item_models)[family.positions].to(family.posterior.device)


def _probability(wanted: _Wanted) -> pd.DataFrame:
    if measured := [m.name for m in wanted.models if m.uses == "measured"]:
        raise SpecificationError(
            f"Answers of the {measured[0]} model are measured and have no categories, so there is no curve of their "
            "probabilities; use what='expected' and what='sd', or name other items=."
        )
    blocks = {}
    theta, coding = wanted.theta, wanted.coding
    for family in wanted.families:

        def logit(v: Tensor, family: Family = family) -> Tensor:
            log_probs = family.log_probs(theta, v)
            return log_probs - _others(log_probs)

        lower, upper = _logit_band(logit(family.values), family.standard_error(logit), wanted.z)
        value = family.log_probs(theta, family.values).exp()
        columns = _without_unusable(family, value, lower, upper)
        for k, j in enumerate(family.positions):
            labels = _labels(coding.codings[j], wanted.item_models[j])
            rows = columns[:, k, : len(labels)].flatten(0, 1)
            blocks[j] = _frame(coding, j, theta, rows, labels)
    return wanted.in_order(blocks)


def _expected(wanted: _Wanted) -> pd.DataFrame:
    _check_order(wanted.models)
    return _one_curve_each(wanted, _expected_of)


def _sd(wanted: _Wanted) -> pd.DataFrame:
    _check_order(wanted.models)
    return _one_curve_each(wanted, _sd_of)


def _information(wanted: _Wanted) -> pd.DataFrame:
    return _one_curve_each(wanted, _information_of)


def _one_curve_each(
    wanted: _Wanted, columns_of: Callable[[Family, _Wanted], Float[Tensor, "nodes members 3"]]
) -> pd.DataFrame:
    blocks = {}
    for family in wanted.families:
        columns = columns_of(family, wanted)
        for k, j in enumerate(family.positions):
            blocks[j] = _frame(wanted.coding, j, wanted.theta, columns[:, k])
    return wanted.in_order(blocks)


def _expected_of(family: Family, wanted: _Wanted) -> Float[Tensor, "nodes members 3"]:
    measured = isinstance(family.component.item_model, ContinuousModel)
    return (_expected_measured if measured else _expected_score)(family, wanted.theta, wanted.z, wanted.worth(family))


def _sd_of(family: Family, wanted: _Wanted) -> Float[Tensor, "nodes members 3"]:
    worth = wanted.worth(family)
    return _logarithmic(family, wanted, lambda v: family.moments(wanted.theta, v, worth)[1].sqrt())


def _information_of(family: Family, wanted: _Wanted) -> Float[Tensor, "nodes members 3"]:
    return _logarithmic(family, wanted, lambda v: family.information(wanted.theta, v))


def _logarithmic(family: Family, wanted: _Wanted, curve: OfSlots) -> Float[Tensor, "nodes members 3"]:
    """A positive curve, its band even on the log scale."""
    value = curve(family.values)
    return _without_unusable(family, value, *_log_band(value, family.standard_error(curve), wanted.z))


def _expected_score(
    family: Family, theta: Tensor, z: float, worth: Float[Tensor, "members codes"]
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
    family: Family, theta: Tensor, z: float, worth: Float[Tensor, "members codes"]
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


def _check_order(item_models: Sequence[ItemModel]) -> None:
    """There is an expected answer only where a higher one stands for more."""
    if unordered := [m.name for m in item_models if not m.ordered]:
        raise SpecificationError(
            f"The {unordered[0]} model's categories have no order, so there is no expected answer; use "
            "what='probability'."
        )


def _test_information(wanted: _Wanted) -> pd.DataFrame:
    families, theta = wanted.families, wanted.theta
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
    columns = torch.stack([value, *_log_band(value, variance.clamp(min=0.0).sqrt(), wanted.z)], -1)
    return _rows(theta, columns)


_TABLES = {
    "probability": _probability,
    "expected": _expected,
    "sd": _sd,
    "information": _information,
    "test_information": _test_information,
}


def _labels(coding: ItemCoding, item_model: ItemModel) -> list[Any]:
    """Categories as the data have them; after a key or reversing, the values of the scores."""
    if item_model.uses == "raw" or coding.scores == tuple(range(len(coding.categories))):
        return list(coding.categories)
    return list(coding.values)


def _logit_band(logit: Tensor, se: Tensor, z: float) -> tuple[Tensor, Tensor]:
    return torch.sigmoid(logit - z * se), torch.sigmoid(logit + z * se)


def _others(
    log_probs: Float[Tensor, "nodes members categories"],
) -> Float[Tensor, "nodes members categories"]:
    """Log-probability of all other categories, without cancellation."""
    n = log_probs.shape[-1]
    own = torch.eye(n, dtype=torch.bool, device=log_probs.device)
    return torch.logsumexp(torch.where(own, -torch.inf, log_probs[..., None, :]), -1)


def _log_band(value: Tensor, se: Tensor, z: float) -> tuple[Tensor, Tensor]:
    share = torch.where(value > 0, z * se / value.clamp(min=1e-300), 0.0)
    share = torch.where(se.isnan(), torch.nan, share)
    return value * torch.exp(-share), value * torch.exp(share)


def _without_unusable(family: Family, *columns: Tensor) -> Float[Tensor, "nodes members *rest"]:
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
