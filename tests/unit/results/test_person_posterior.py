"""Posteriors of persons against dense float64 integrals."""

import numpy as np
import pytest
import torch

from irtvi.inference.table import coefficient_table
from irtvi.responses.cells import DenseCells
from irtvi.results.person_posterior import (
    expected_responses,
    plausible_values,
    plausible_values_over_items,
    posterior_blocks,
    predictive,
    probability_above,
)
from irtvi.results.scoring import eap

DENSE = torch.linspace(-9.0, 9.0, 20_001, dtype=torch.float64)
"""So fine that the trapezoid rule and sums of cells are exact to 1e-9."""


def dense_posterior(case, free=None, codes=None):
    """Weights of the nodes of DENSE, ``[persons, nodes]``, and log marginals."""
    free = case.free if free is None else free
    codes = case.codes if codes is None else codes
    table = coefficient_table(case.model, DENSE[:, None], free)
    log_joint = (-0.5 * DENSE.square() - 0.5 * np.log(2 * np.pi)).repeat(len(codes), 1)
    for j in range(codes.shape[1]):
        column = case.model.columns.offset[j] + codes[:, j].clamp(min=0).long()
        log_joint += torch.where(codes[:, j, None] >= 0, table[:, column].T, 0.0)
    log_marginal = torch.logsumexp(log_joint, 1) + float((DENSE[1] - DENSE[0]).log())
    return torch.softmax(log_joint, 1), log_marginal


def steep(simulated, seed):
    """Three items with slopes of 10 at random places."""
    case = simulated(8, 3, seed=seed)
    index = case.model.components[0].slots.index
    case.free[index[:, 0]] = 10.0
    case.free[index[:, 1]] = 10.0 * torch.as_tensor(np.random.default_rng(seed).standard_normal(3))
    case.codes = torch.cartesian_prod(*[torch.tensor([0, 1], dtype=torch.int8)] * 3)
    case.data = type(case.data)(DenseCells(case.codes), None, torch.zeros(8, dtype=torch.long))
    return case


def case_of(simulated, name):
    if name == "steep":
        return steep(simulated, 1)
    if name == "2pl":
        return simulated(30, 20, seed=4)
    return simulated(40, 10, missing=0.4, model="3pl", c=0.2, seed=6)


@pytest.mark.parametrize("name", ["2pl", "3pl with gaps", "steep"])
def test_moments_and_log_marginal(simulated, name):
    case = case_of(simulated, name)
    weights, log_marginal = dense_posterior(case)
    mean = weights @ DENSE
    sd = (weights @ DENSE.square() - mean.square()).sqrt()
    found = eap(case.model, case.free, case.data.cells, case.data.groups)
    # The promise is 1e-5 nats or 1e-6 of the value.
    torch.testing.assert_close(found.log_marginal, log_marginal, rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(found.mean, mean, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.sd, sd, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["2pl", "3pl with gaps", "steep"])
@pytest.mark.parametrize("cut", [-1.2345, 0.0, 0.7777])
def test_probability_above_a_cut_between_nodes(simulated, name, cut):
    case = case_of(simulated, name)
    weights, _ = dense_posterior(case)
    cumulative = weights.cumsum(1) - 0.5 * weights
    place = (cut - DENSE[0]) / (DENSE[1] - DENSE[0])
    k, share = int(place), float(place - int(place))
    below = (1 - share) * cumulative[:, k] + share * cumulative[:, k + 1]
    found = probability_above(case.model, case.free, case.data.cells, case.data.groups, cut)
    # Asked for: 1e-5. The docstring says 1e-7; the judge's linear interpolation is good to 1e-7.
    torch.testing.assert_close(found, 1 - below, rtol=0, atol=5e-7)


def test_probability_above_far_cuts(simulated):
    case = simulated(5, 6)
    args = case.model, case.free, case.data.cells, case.data.groups
    assert probability_above(*args, -30.0).min() > 1 - 1e-6
    assert probability_above(*args, 30.0).max() < 1e-6


@pytest.mark.parametrize("name", ["2pl", "3pl with gaps", "steep"])
def test_plausible_values_are_quantiles_of_the_posterior(simulated, name):
    case = case_of(simulated, name)
    weights, _ = dense_posterior(case)
    cumulative = weights.cumsum(1) - 0.5 * weights
    args = case.model, case.free, case.data.cells, case.data.groups
    draws = plausible_values(*args, 200, torch.Generator().manual_seed(5))
    uniform = torch.rand(draws.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    place = (draws - DENSE[0]) / (DENSE[1] - DENSE[0])
    low, share = place.long(), place - place.floor()
    reached = (1 - share) * cumulative.gather(1, low) + share * cumulative.gather(1, low + 1)
    # The six-point rule is good to 1e-5 at .4 posterior sds, the cubic between nodes to 1e-4.
    torch.testing.assert_close(reached, uniform, rtol=0, atol=2e-4)


def test_plausible_values_are_those_of_the_seed(simulated):
    case = simulated(30, 8)
    args = case.model, case.free, case.data.cells, case.data.groups
    first = plausible_values(*args, 3, torch.Generator().manual_seed(7))
    again = plausible_values(*args, 3, torch.Generator().manual_seed(7))
    other = plausible_values(*args, 3, torch.Generator().manual_seed(8))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_draws_of_items_widen_plausible_values(simulated, generator):
    case = simulated(20, 10, seed=3)
    args = case.data.cells, case.data.groups
    noise = torch.randn(100, case.model.n_free, generator=generator, dtype=torch.float64)
    wide = plausible_values_over_items(case.model, case.free + noise, *args, generator)
    held = plausible_values(case.model, case.free, *args, 100, generator)
    assert wide.shape == held.shape
    # A mean of 20 variances of 100 draws has a standard error of 3 %.
    assert (wide.var(1).mean() / held.var(1).mean()).item() > 1.15


def test_expected_responses(simulated):
    case = case_of(simulated, "3pl with gaps")
    weights, _ = dense_posterior(case)
    right = coefficient_table(case.model, DENSE[:, None], case.free).exp()[:, 1::2]
    values = torch.tensor([[1.0, 3.0]] * 10, dtype=torch.float64)
    found = expected_responses(case.model, case.free, case.data.cells, case.data.groups, values)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), 1.0 + 2.0 * (weights @ right), rtol=0, atol=1e-6)


@pytest.mark.parametrize("sparse", [False, True])
def test_prediction_is_a_ratio_of_marginal_likelihoods(simulated, sparse):
    """log p(y_ij | other answers) = log p(all) - log p(others), when one cell of each person is held out."""
    case = simulated(60, 9, missing=0.2, model="3pl", c=0.2, seed=11)
    rows = torch.nonzero((case.codes >= 0).sum(1) > 1)[:, 0]
    held_item = (case.codes >= 0).float().argmax(1)
    train, test = case.codes.clone(), torch.full_like(case.codes, -1)
    test[rows, held_item[rows]] = case.codes[rows, held_item[rows]]
    train[rows, held_item[rows]] = -1
    form = DenseCells.to_sparse if sparse else DenseCells.to_dense
    known, held = form(DenseCells(train)), form(DenseCells(test))
    found = predictive(case.model, case.free, known, case.data.groups, held)
    joint = eap(case.model, case.free, case.data.cells, case.data.groups).log_marginal
    others = eap(case.model, case.free, known, case.data.groups).log_marginal
    assert found.persons.tolist() == rows.tolist()
    assert found.items.tolist() == held_item[rows].tolist()
    torch.testing.assert_close(found.log_prob, (joint - others)[rows], rtol=0, atol=1e-6)
    torch.testing.assert_close(found.probabilities.sum(1), torch.ones(len(rows), dtype=torch.float64))


def test_blocks_cover_everybody_once_with_weights_that_sum_to_one(simulated):
    case = simulated(5000, 5)
    seen = torch.zeros(5000, dtype=torch.long)
    for block in posterior_blocks(case.model, case.free, case.data.cells, case.data.groups):
        seen[block.persons] += 1
        torch.testing.assert_close(
            block.weights.sum(1), torch.ones(len(block.persons), dtype=torch.float64), rtol=0, atol=1e-12
        )
    assert (seen == 1).all()


def test_somebody_without_answers_keeps_the_population(simulated):
    case = simulated(3, 6)
    cells = DenseCells(torch.full((3, 6), -1, dtype=torch.int8))
    found = eap(case.model, case.free, cells, case.data.groups)
    torch.testing.assert_close(found.mean, torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-9)
    torch.testing.assert_close(found.sd, torch.ones(3, dtype=torch.float64), rtol=0, atol=1e-6)
    torch.testing.assert_close(found.log_marginal, torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-8)
    above = probability_above(case.model, case.free, cells, case.data.groups, 1.0)
    torch.testing.assert_close(above, torch.full_like(above, 0.15865525393), rtol=0, atol=1e-7)
