"""Derivatives of functions of items' numbers in which no item depends on another's, once for all models."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import jvp, vmap

TOGETHER = 1_000_000
"""Numbers that a function returns, times directions of derivatives taken side by side."""


def slot_derivatives(
    function: Callable[..., Tensor], values: Float[Tensor, "members slots"], *still: Tensor
) -> list[Tensor]:
    """First derivatives of an elementwise function of its members with respect to each slot.

    Every output element depends on the slots of one member only, so one forward pass with a tangent of ones
    gives the derivative for all members at once.

    Parameters
    ----------
    function : callable
        Of ``still`` and the values.
    still : Tensor
        What stands still. A tangent of zeros says so, because torch takes a slow way where a tangent is missing.
    """
    zeros = tuple(torch.zeros_like(one) for one in still)

    def along(tangent: Tensor) -> Tensor:
        return jvp(function, (*still, values), (*zeros, tangent))[1]

    together = max(1, TOGETHER // max(function(*still, values).numel(), 1))
    return [d for part in _unit_tangents(values).split(together) for d in vmap(along)(part)]


def backward_derivatives(
    function: Callable[[Tensor], Tensor], values: Float[Tensor, "*copies slots"]
) -> list[Float[Tensor, "*copies statistics"]]:
    """First derivatives with respect to each slot of a function that maps slots to statistics, each copy by itself.

    Backward, once for each statistic: cheaper than :func:`slot_derivatives` where slots are many, or a formula long.
    """
    variables = values.detach().clone().requires_grad_(True)
    statistics = function(variables).unbind(-1)
    first = [torch.autograd.grad(one.sum(), variables, retain_graph=True)[0] for one in statistics]
    return list(torch.stack(first, -1).unbind(-2))


def second_derivatives_of_sum(
    function: Callable[[Tensor], Tensor], values: Float[Tensor, "members slots"]
) -> Float[Tensor, "members slots slots"]:
    """Second derivatives of the sum of what an elementwise function of its members returns, for each member.

    The gradient of the sum is differentiated once for every slot, again backward: its own graph serves all of them.
    """
    variables = values.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(function(variables).sum(), variables, create_graph=True)
    rows = [torch.autograd.grad(slot.sum(), variables, retain_graph=True)[0] for slot in gradient.unbind(1)]
    second = torch.stack(rows, 1)
    return 0.5 * (second + second.mT)


def _unit_tangents(values: Float[Tensor, "members slots"]) -> Float[Tensor, "slots members slots"]:
    unit = torch.eye(values.shape[-1], dtype=values.dtype, device=values.device)
    return unit[:, None, :].expand(-1, *values.shape)


def finite(x: Tensor) -> Tensor:
    """Zero where a category does not exist (its log-probability is -inf, its count 0); NaN is left to be seen."""
    return torch.where(torch.isinf(x), 0.0, x)
