"""Persons in order, as far as blocks of neighbours ask for it: ten times faster than sorting to the last digit."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

STEPS = 2**16 - 1
"""Into which the range of values is divided: what has sixteen bits is sorted by radix."""


def order_of(values: Float[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Positions of finite values in ascending order; those of one step of their range keep the order they have."""
    if not len(values):
        return torch.empty(0, dtype=torch.long, device=values.device)
    values = values.double()
    low, high = values.aminmax()
    steps = (values - low) * (STEPS / (high - low).clamp(min=1e-300))
    if values.device.type != "cpu":
        return torch.argsort(steps.int(), stable=True)
    return torch.from_numpy(np.argsort(steps.numpy().astype(np.uint16), kind="stable"))


def order_within(keys: Int[Tensor, " n"], values: Float[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Positions by key, and by value among those with the same key; keys are not negative."""
    order = order_of(values)
    if keys.device.type != "cpu":
        return order[torch.argsort(keys[order], stable=True)]
    short = keys[order].numpy().astype(np.min_scalar_type(int(keys.max())))
    return order[torch.from_numpy(np.argsort(short, kind="stable"))]
