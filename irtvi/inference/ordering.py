"""Persons in order: on the CPU by NumPy, whose sorting is five times faster than torch's."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def order_of(values: Float[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Positions of the values in ascending order."""
    if values.device.type != "cpu":
        return torch.argsort(values)
    return torch.from_numpy(np.argsort(values.numpy()))


def order_within(keys: Int[Tensor, " n"], values: Float[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Positions by key, and by value among those with the same key; keys are not negative."""
    order = order_of(values)
    if keys.device.type != "cpu":
        return order[torch.argsort(keys[order], stable=True)]
    # Sixteen bits are sorted by radix.
    short = keys[order].numpy().astype(np.min_scalar_type(int(keys.max())))
    return order[torch.from_numpy(np.argsort(short, kind="stable"))]
