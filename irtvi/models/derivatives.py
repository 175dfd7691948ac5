"""Derivatives of functions of items' numbers in which no item depends on another's, once for all models."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import grad


def slopes(function: Callable[..., Tensor], at: Tensor, *read: Tensor, order: int = 1) -> list[Tensor]:
    """A function that is elementwise in ``at``, with its first derivatives.

    Parameters
    ----------
    function : callable
        Of ``at`` and ``read``. Every element that it returns depends on one element of ``at``.
    read : Tensor
        What else it reads; if any of these asks for a gradient, what is returned can be differentiated further.
    order : int
        Of the highest derivative.
    """
    goes_on = at.requires_grad or any(one.requires_grad for one in read)
    with torch.enable_grad():
        variable = at if at.requires_grad else at.detach().requires_grad_(True)
        found = [function(variable, *read)]
        for _ in range(order):
            backward, seed = _backward(found[-1], variable)
            found.append(_forward(backward, seed, create_graph=True))
    return found if goes_on else [one.detach() for one in found]


def slot_derivatives(function: Callable[[Tensor], Tensor], values: Float[Tensor, "members slots"]) -> list[Tensor]:
    """First derivatives of an elementwise function of its members with respect to each slot.

    Every output element depends on the slots of one member only, so one direction gives the derivative for all
    members at once.
    """
    with torch.enable_grad():
        variables = values.detach().requires_grad_(True)
        backward, seed = _backward(function(variables), variables)
        return [_forward(slot, seed, create_graph=False) for slot in backward.unbind(-1)]


def _backward(found: Tensor, variable: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient of the elements of ``found``, weighted by a seed in which it is linear, and that seed."""
    seed = torch.zeros_like(found, requires_grad=True)
    if not found.requires_grad:
        return torch.zeros_like(variable), seed
    (gradient,) = grad(found, variable, seed, create_graph=True, materialize_grads=True)
    return gradient, seed


def _forward(gradient: Tensor, seed: Tensor, create_graph: bool) -> Tensor:
    """Derivative of every element by its own variable: that of the summed gradient by the element's weight."""
    if not gradient.requires_grad:
        return torch.zeros_like(seed)
    (derivative,) = grad(gradient.sum(), seed, create_graph=create_graph, retain_graph=True, materialize_grads=True)
    return derivative


def value_and_jacobian(
    function: Callable[[Tensor], Sequence[Tensor]], values: Float[Tensor, "*copies slots"]
) -> tuple[Float[Tensor, "*copies statistics"], Float[Tensor, "*copies statistics slots"]]:
    """Statistics of slots, each copy by itself, and their first derivatives.

    Backward, once for each statistic: cheaper than :func:`slot_derivatives` where slots are many, or a formula long.
    """
    with torch.enable_grad():
        variables = values.detach().clone().requires_grad_(True)
        statistics = function(variables)
    first = [
        grad(one.sum(), variables, retain_graph=True, materialize_grads=True)[0]
        if one.requires_grad
        else torch.zeros_like(variables)
        for one in statistics
    ]
    return torch.stack([one.detach() for one in statistics], -1), torch.stack(first, -2)


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


def finite(x: Tensor) -> Tensor:
    """Zero where a category does not exist (its log-probability is -inf, its count 0); NaN is left to be seen."""
    return torch.where(torch.isinf(x), 0.0, x)
