"""LSAT7, 2PL by maximum likelihood: abilities that R mirt's own tests publish."""

import numpy as np
import pytest
import torch

import irtvi
from irtvi.inference.engines.engine import Data
from irtvi.inference.item_uncertainty import sd_items
from irtvi.results.estimates import jeffreys, wle
from irtvi.results.scoring import eap
from irtvi.results.sum_scores import eap_sum, sum_score_table

VALUES = torch.tensor([[0.0, 1.0]] * 5, dtype=torch.float64)


@pytest.fixture(scope="module")
def fitted():
    result = irtvi.fit(irtvi.load_data("lsat7"), model="2pl", priors=None)
    data = Data.of(result.responses, result.item_models, torch.device("cpu"))
    return result.posterior, data


def test_expected_a_posteriori_by_sum_score(fitted):
    """mirt, tests/testthat/test-01-mirtOne.R: theta, its standard error and expected counts."""
    posterior, _ = fitted
    table = sum_score_table(posterior.model, posterior.free, VALUES)
    assert table.score.tolist() == [0, 1, 2, 3, 4, 5]
    # Printed with three decimals, at estimates that agree within .002.
    np.testing.assert_allclose(table.theta, [-1.870, -1.432, -0.949, -0.413, 0.152, 0.727], atol=1e-3)
    np.testing.assert_allclose(table.sd, [0.693, 0.684, 0.694, 0.721, 0.759, 0.801], atol=1e-3)
    counts = 1000 * table.probability
    np.testing.assert_allclose(counts, [10.09, 44.66, 109.77, 207.74, 319.19, 308.55], atol=0.02)
    assert counts.sum().item() == pytest.approx(1000, abs=1e-6)


def test_everybody_has_the_score_of_the_table(fitted):
    posterior, data = fitted
    table = sum_score_table(posterior.model, posterior.free, VALUES)
    found = eap_sum(posterior.model, posterior.free, data.cells, data.groups, VALUES)
    score = data.cells.to_dense().codes.long().sum(1)
    torch.testing.assert_close(found.theta, table.theta[score], rtol=0, atol=1e-12)
    torch.testing.assert_close(found.sd, table.sd[score], rtol=0, atol=1e-12)


def test_first_six_patterns(fitted):
    posterior, data = fitted
    found = eap(posterior.model, posterior.free, data.cells, data.groups)
    codes = data.cells.to_dense().codes.long()
    pattern = (codes * torch.tensor([16, 8, 4, 2, 1])).sum(1)
    means = [found.mean[pattern == k][0].item() for k in range(6)]
    np.testing.assert_allclose(means, [-1.867, -1.527, -1.513, -1.185, -1.095, -0.767], atol=3e-3)
    empirical = found.mean.var() / (found.mean.var() + found.sd.square().mean())
    # mirt/LSAT7/fit.csv
    assert empirical.item() == pytest.approx(0.4523, abs=5e-4)


def test_warm_and_jeffreys_agree_without_guessing(fitted):
    posterior, data = fitted
    first = wle(posterior.model, posterior.free, data.cells, data.groups)
    second = jeffreys(posterior.model, posterior.free, data.cells, data.groups)
    torch.testing.assert_close(first.theta, second.theta, rtol=0, atol=1e-9)


def test_the_items_add_little_and_more_at_the_ends(fitted):
    posterior, data = fitted
    model, free = posterior.model, posterior.free
    extra = sd_items(model, free, posterior.curvature, data.cells, data.groups, posterior.persons)
    assert 0.0 < extra.min().item() < extra.max().item() < 0.3
