"""The item formula by response equals the table, for dense and listed answers and a mix of models."""

import pandas as pd
import pytest
import torch

from irtvi.inference.pairs import joint_derivatives, log_joint, log_likelihood, suited
from irtvi.inference.table import coefficient_table
from irtvi.models.specification import Specification, build
from irtvi.responses.cells import DenseCells, SparseCells
from irtvi.responses.read import read


@pytest.fixture
def mixed(generator):
    """Forty people, two dichotomous and three ordered items, a third of the answers missing."""
    codes = torch.randint(0, 3, (40, 5), generator=generator).double()
    codes[:, :2] = codes[:, :2].clamp(max=1)
    codes[:, 2:][torch.rand(40, 3, generator=generator) < 0.3] = torch.nan
    ids = [f"i{j}" for j in range(5)]
    responses = read(pd.DataFrame(codes.numpy(), columns=ids))
    models = {item: "3pl" if j < 2 else "grm" for j, item in enumerate(ids)}
    model = build(Specification(models), responses).model
    free = model.start() + 0.1 * torch.randn(model.n_free, generator=generator, dtype=torch.float64)
    return model, free, responses.scored()


def by_table(model, free, cells, theta):
    """Every draw of every person as a node of a table."""
    table = coefficient_table(model, theta.reshape(-1, 1), free).view(*theta.shape, -1)
    persons, items, codes = cells.pairs()
    total = torch.zeros_like(theta)
    for person, item, code in zip(persons.tolist(), items.tolist(), codes.tolist(), strict=True):
        total[:, person] += table[:, person, model.columns.offset[item] + code]
    return total


def test_pairs_equal_the_table(mixed, generator):
    model, free, cells = mixed
    theta = torch.randn(3, 40, generator=generator, dtype=torch.float64)
    expected = by_table(model, free, cells, theta)
    for form in (cells.to_dense(), cells.to_sparse()):
        torch.testing.assert_close(log_likelihood(model, free, form, theta), expected)


def test_answers_are_listed_where_few_are_given(mixed):
    *_, cells = mixed
    assert isinstance(suited(cells.to_sparse().take_items(torch.arange(2))), DenseCells)
    holes = DenseCells(torch.where(torch.arange(5) < 3, cells.to_dense().codes, -1))
    assert isinstance(suited(holes), SparseCells)


def test_derivatives_are_those_of_differences(mixed):
    model, free, cells = mixed
    everyone, groups = torch.arange(40), torch.zeros(40, dtype=torch.long)
    theta, step = torch.linspace(-2, 2, 40, dtype=torch.float64), 1e-3
    low, here, high = log_joint(
        model, free, cells, everyone, groups, torch.stack([theta - step, theta, theta + step])
    )
    slope, curvature = joint_derivatives(model, free, cells, everyone, groups, theta)
    # Central differences with a step of .001: error of the order of step^2, and rounding over step^2.
    torch.testing.assert_close(slope, (high - low) / (2 * step), atol=1e-5, rtol=0)
    torch.testing.assert_close(curvature, (high - 2 * here + low) / step**2, atol=1e-5, rtol=0)
