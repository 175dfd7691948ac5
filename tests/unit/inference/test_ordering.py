"""Persons in order, as far as blocks of neighbours ask for it."""

import torch

from irtvi.inference.ordering import STEPS, order_of, order_within


def test_values_ascend_to_a_step_of_their_range(generator):
    values = torch.randn(50_000, generator=generator, dtype=torch.float64)
    ordered = values[order_of(values)]
    step = float(values.max() - values.min()) / STEPS
    assert float(ordered.diff().min()) > -step
    assert torch.equal(order_of(values).sort().values, torch.arange(50_000))


def test_equal_values_keep_their_order():
    values = torch.tensor([2.0, 1.0, 2.0, 1.0], dtype=torch.float64)
    assert order_of(values).tolist() == [1, 3, 0, 2]
    assert order_of(torch.full((3,), 7.0)).tolist() == [0, 1, 2]
    assert order_of(torch.empty(0)).tolist() == []


def test_keys_come_before_values():
    keys, values = torch.tensor([1, 0, 1, 0]), torch.tensor([3.0, 2.0, 1.0, 4.0])
    assert order_within(keys, values).tolist() == [1, 3, 2, 0]
