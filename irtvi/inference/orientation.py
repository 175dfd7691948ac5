"""Which way round ability is: the mean slope over items is positive."""

import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.models.model import Component, Model
from irtvi.models.transforms import IDENTITY


def reflected(model: Model, free: Float[Tensor, " n_free"]) -> Float[Tensor, " n_free"] | None:
    """Parameters with ability turned round, or None where it stands right or items anchor it.

    The mean over items of :meth:`ItemModel.orientation` is positive; near-ties go by the largest.
    """
    if any(component.item_model.directed for component in model.components):
        return None
    slopes, places = [], []
    for component in model.components:
        counted = ~model.excluded[component.items]
        params = component.slots.natural(free)
        orientation = component.item_model.orientation(params, component.facts)
        turning = turning_slots(component) & counted[:, None]
        if orientation is None or not turning.any():
            continue
        if bool((turning & (component.slots.index < 0)).any()) or _one_sided(component):
            return None
        slopes.append(orientation.expand(len(counted), -1)[counted, 0])
        places.append(component.slots.index[turning])
    if not slopes:
        return None
    slope = torch.cat(slopes)
    mean, largest = float(slope.mean()), float(slope[slope.abs().argmax()])
    if (largest if abs(mean) < 1e-6 * abs(largest) else mean) >= 0:
        return None
    place = torch.cat(places).unique()
    turned = free.clone()
    turned[place] *= -1
    return turned


def turning_slots(component: Component) -> Tensor:
    """Slots whose sign changes when ability is turned round, bool [members, slots]."""
    slots = component.slots
    turns = [spec.turns for spec, size in zip(slots.specs, slots.sizes, strict=True) for _ in range(size)]
    return slots.exists & torch.tensor(turns, dtype=torch.bool, device=slots.exists.device)


def _one_sided(component: Component) -> bool:
    """Whether priors allow slopes of one sign only."""
    specs = zip(component.slots.specs, component.slots.transforms, strict=True)
    return any(spec.turns and transform is not IDENTITY for spec, transform in specs)
