"""Items that run against the others are found, whatever is missing."""

import numpy as np
import pytest
import torch

from irtvi.models.direction import item_directions
from irtvi.responses.cells import DenseCells


def answers(turned, missing, seed=4, n_persons=800, n_items=12):
    rng = np.random.default_rng(seed)
    slopes = np.ones(n_items)
    slopes[list(turned)] = -1.0
    theta = rng.normal(size=n_persons)
    right = rng.random((n_persons, n_items)) < 1 / (1 + np.exp(-slopes * theta[:, None]))
    codes = right.astype(np.int8)
    codes[rng.random(codes.shape) < missing] = -1
    return DenseCells(torch.as_tensor(codes))


@pytest.mark.parametrize("missing", [0.0, 0.6])
@pytest.mark.parametrize("turned", [(), (3,), (0, 5, 7, 11)])
def test_items_that_run_against_the_others(turned, missing):
    expected = torch.ones(12, dtype=torch.long)
    expected[list(turned)] = -1
    assert item_directions(answers(turned, missing)).tolist() == expected.tolist()


def test_an_item_without_relation_is_left_as_it_is():
    cells = answers((), 0.0)
    codes = cells.codes.clone()
    codes[:, 2] = torch.as_tensor(np.random.default_rng(1).integers(0, 2, len(codes)), dtype=torch.int8)
    assert item_directions(DenseCells(codes)).tolist() == [1] * 12
