"""Derivatives of elementwise functions against forward mode and formulas known by heart."""

import torch
from torch.func import jvp

from irtvi.models.derivatives import second_derivatives_of_sum, slopes, slot_derivatives, value_and_jacobian

AT = torch.linspace(-2, 2, 9, dtype=torch.float64)
VALUES = torch.tensor([[0.5, 1.5], [-1.0, 0.3], [2.0, -0.7]], dtype=torch.float64)


def curves(values):
    """Two statistics a member at every node; the second is -inf for the last member."""
    logit = values[:, 0] * AT[:, None] + values[:, 1]
    absent = torch.tensor([0.0, 0.0, -torch.inf], dtype=torch.float64)
    return torch.stack([torch.nn.functional.logsigmoid(logit), logit.square() + absent], -1)


def test_slopes_are_those_of_the_formula():
    value, first, second, third = slopes(torch.sin, AT, order=3)
    torch.testing.assert_close(value, AT.sin())
    torch.testing.assert_close(first, AT.cos())
    torch.testing.assert_close(second, -AT.sin())
    torch.testing.assert_close(third, -AT.cos())
    assert not any(one.requires_grad for one in (value, first, second, third))


def test_the_slope_of_what_stands_still_is_zero():
    _, first, second = slopes(lambda t: torch.ones_like(t), AT, order=2)
    assert not first.any()
    assert not second.any()


def test_slopes_can_be_differentiated_by_what_they_read():
    scale = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    _, first = slopes(lambda t, s: torch.exp(s * t), AT, scale)
    (by_scale,) = torch.autograd.grad(first.sum(), scale)
    torch.testing.assert_close(by_scale, ((1 + 0.7 * AT) * torch.exp(0.7 * AT)).sum())


def test_every_way_agrees_with_forward_mode():
    by_slot = slot_derivatives(curves, VALUES)
    for slot, found in enumerate(by_slot):
        tangent = torch.zeros_like(VALUES)
        tangent[:, slot] = 1.0
        torch.testing.assert_close(found, jvp(curves, (VALUES,), (tangent,))[1], rtol=1e-14, atol=1e-14)

    def at_copies(values):
        logit = values[..., 0] * AT[:, None] + values[..., 1]
        return [torch.nn.functional.logsigmoid(logit), logit.square()]

    value, jacobian = value_and_jacobian(at_copies, VALUES.expand(len(AT), *VALUES.shape))
    torch.testing.assert_close(value, torch.stack(at_copies(VALUES.expand(len(AT), *VALUES.shape)), -1))
    for one, other in zip(jacobian.unbind(-1), by_slot, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-14, atol=1e-14)


def test_second_derivatives_of_a_sum():
    found = second_derivatives_of_sum(lambda v: torch.exp(v[:, 0] * AT[:, None] + 2 * v[:, 1]), VALUES)
    value = torch.exp(VALUES[:, 0] * AT[:, None] + 2 * VALUES[:, 1])
    powers = ((2, 0), (1, 1)), ((1, 1), (0, 2))
    by_hand = [[(value * AT[:, None] ** i).sum(0) * 2**j for i, j in row] for row in powers]
    torch.testing.assert_close(found, torch.stack([torch.stack(row, -1) for row in by_hand], -2))
