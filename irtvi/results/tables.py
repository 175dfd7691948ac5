"""Item and population tables from a posterior, with standard deviations by the delta method."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.errors import IrtviError
from irtvi.inference.item_posterior import BlockCurvature, Curvature, DiagonalCurvature, FullCurvature
from irtvi.inference.posterior import Posterior
from irtvi.models.derivatives import slot_derivatives, value_and_jacobian
from irtvi.models.items.item_model import ItemModel
from irtvi.models.parameters import Slots
from irtvi.models.transforms import POSITIVE, UNIT

NO_CROSSING = "no difficulty: the curve passes half-way between its asymptotes not exactly once"
SEPARATED = "cannot be estimated without a prior: answers are perfectly separated"


def member_covariance(
    slots: Slots, part: int, curvature: Curvature | None, covariance: Tensor | None
) -> Float[Tensor, "members slots slots"]:
    """Covariance of each member's slots on the unconstrained scale; 0 for held slots."""
    index = slots.index
    free = (index[:, :, None] >= 0) & (index[:, None, :] >= 0)
    if covariance is not None:
        rows = index.clamp(min=0)
        block = covariance[rows[:, :, None], rows[:, None, :]]
    elif isinstance(curvature, DiagonalCurvature):
        block = torch.diag_embed(curvature.variance[index.clamp(min=0)])
    elif isinstance(curvature, BlockCurvature):
        block = curvature.inverses[part]
    else:
        block = torch.full((*index.shape, index.shape[1]), torch.nan, dtype=torch.float64, device=index.device)
    return torch.where(free, block, 0.0)


def covariance_matrix(curvature: Curvature | None) -> Float[Tensor, "n_free n_free"] | None:
    """The full covariance of the free parameters, where it is kept."""
    return curvature.covariance() if isinstance(curvature, FullCurvature) else None


def parameter_table(
    posterior: Posterior, item_models: Sequence[ItemModel], item_ids: pd.Index, item_status: Sequence[str]
) -> pd.DataFrame:
    """The readable parameters of all items, each followed by its sd.

    Items in the user's order; a column that an item's model does not have is NaN. Parameters that were held
    have sd 0, parameters at a boundary NaN.
    """
    covariance = covariance_matrix(posterior.curvature)
    n_items = len(item_ids)
    columns: dict[str, np.ndarray] = {}
    status = list(item_status)
    for part, component in enumerate(posterior.model.components):
        values = component.slots.free_values(posterior.free)

        names: list[str] = []

        def report(v: Tensor, component=component, names=names) -> list[Tensor]:
            reported = component.item_model.report(component.slots.unpack(v), component.facts)
            names[:] = reported
            return list(reported.values())

        table, jacobian = value_and_jacobian(report, values)
        jacobian = torch.nan_to_num(jacobian, nan=0.0, posinf=0.0, neginf=0.0)
        block = member_covariance(component.slots, part, posterior.curvature, covariance)
        variance = torch.einsum("ncs,nst,nct->nc", jacobian, block, jacobian)
        sd = torch.where(torch.isnan(table), torch.nan, variance.clamp(min=0.0).sqrt())
        for member, slot in _boundary(posterior, part):
            own = jacobian[member, :, slot] != 0
            if separated(component.slots, values, member, slot):
                table[member], sd[member] = torch.nan, torch.nan
                status[int(component.items[member])] = SEPARATED
            else:
                own |= _is_slot(component.slots, slot, names)
                sd[member, own] = torch.nan
                status[int(component.items[member])] = (
                    status[int(component.items[member])] or f"{component.slots.names()[slot]} at its boundary"
                )
        for member, slot in _beyond_limits(component.slots, values).tolist():
            position = int(component.items[member])
            status[position] = status[position] or f"{component.slots.names()[slot]} at its boundary"
        if "difficulty" in names:
            for member in torch.nonzero(torch.isnan(table[:, names.index("difficulty")]))[:, 0].tolist():
                position = int(component.items[member])
                status[position] = status[position] or NO_CROSSING
        gone = posterior.model.excluded[component.items]
        table[gone], sd[gone] = torch.nan, torch.nan
        rows = component.items.cpu().numpy()
        for k, name in enumerate(names):
            for column, source in ((name, table), (f"{name}_sd", sd)):
                columns.setdefault(column, np.full(n_items, np.nan))[rows] = source[:, k].cpu().numpy()
    frame = pd.DataFrame(columns, index=item_ids)
    frame.insert(0, "model", [m.name for m in item_models])
    frame["status"] = status
    return frame


def _boundary(posterior: Posterior, part: int) -> list[tuple[int, int]]:
    return [(member, slot) for p, member, slot in posterior.boundary if p == part]


def separated(slots: Slots, values: Float[Tensor, "members slots"], member: int, slot: int) -> bool:
    """Whether what the search held had run away, and is neither at infinity nor at a limit of its own."""
    return bool(torch.isfinite(values[member, slot]) & torch.isinf(slots.slot_limits()[:, slot]).all())


def _beyond_limits(slots: Slots, values: Float[Tensor, "members slots"]) -> Int[Tensor, "some 2"]:
    """(member, slot) of free parameters beyond their limits."""
    low, high = slots.slot_limits()
    return torch.nonzero(slots.exists & (slots.index >= 0) & ((values < low) | (values > high)))


def _is_slot(slots: Slots, slot: int, names: list[str]) -> Tensor:
    return torch.tensor([name == slots.names()[slot] for name in names], device=slots.index.device)


def population_table(posterior: Posterior) -> pd.DataFrame:
    """Mean and sd of ability with their standard deviations, by group and dimension."""
    slots = posterior.model.population_slots
    part = len(posterior.model.components)
    block = member_covariance(slots, part, posterior.curvature, covariance_matrix(posterior.curvature))
    values = slots.free_values(posterior.free)

    def moments(v: Tensor) -> Tensor:
        mean, sd = posterior.model.population.moments(slots.unpack(v))
        return torch.stack([mean, sd], -1)

    table = moments(values)
    jacobian = torch.stack(slot_derivatives(moments, values), -1)
    variance = torch.einsum("gdms,gst,gdmt->gdm", jacobian, block, jacobian)
    sd = variance.clamp(min=0.0).sqrt()
    rows: list[dict[str, Any]] = []
    for g in range(table.shape[0]):
        for k in range(table.shape[1]):
            rows.append(
                {
                    "group": "all", "dimension": "theta",
                    "mean": float(table[g, k, 0]), "mean_sd": float(sd[g, k, 0]),
                    "sd": float(table[g, k, 1]), "sd_sd": float(sd[g, k, 1]),
                }
            )  # fmt: skip
    return pd.DataFrame(rows).set_index(["group", "dimension"])


def free_parameter_names(posterior: Posterior, item_ids: pd.Index) -> pd.MultiIndex:
    """(item, parameter) for every free parameter, the parameter named on the scale of the search."""
    transform_of = {}
    for part in posterior.model.parts:
        transform_of |= dict(zip(part.names(), part.slot_transforms(), strict=True))
    wrap = {UNIT: "logit({})", POSITIVE: "log({})"}
    names = [
        (item, wrap.get(transform_of[name], "{}").format(name))
        for item, name in posterior.model.free_names(list(item_ids))
    ]
    return pd.MultiIndex.from_tuples(names, names=["item", "parameter"])


def covariance_table(posterior: Posterior, item_ids: pd.Index) -> pd.DataFrame:
    """Covariance of the free parameters, named; NaN where there is none.

    Raises
    ------
    IrtviError
        Only a block for each item is kept.
    """
    names = free_parameter_names(posterior, item_ids)
    if posterior.curvature is None:
        return pd.DataFrame(np.nan, index=names, columns=names)
    covariance = covariance_matrix(posterior.curvature)
    if covariance is None:
        raise IrtviError(
            f"{len(names)} free parameters: only the covariance within each item is kept; "
            "the sds stand in result.items."
        )
    return pd.DataFrame(covariance.cpu().numpy(), index=names, columns=names)
