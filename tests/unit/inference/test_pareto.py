"""Pareto k against known tails."""

import pytest
import torch

from irtvi.inference.pareto import effective_draws, pareto_k

N_DRAWS, N_SETS = 4000, 300


@pytest.mark.parametrize("k", [0.2, 0.5, 0.9])
def test_tail_of_pareto_weights(k, generator):
    """Weights with P(w > t) = t^(-1/k): the estimate is k, pulled a little towards the prior's .5."""
    uniform = torch.rand(N_DRAWS, N_SETS, generator=generator, dtype=torch.float64)
    estimate = pareto_k(-k * uniform.log())
    n_tail = 190
    expected = (n_tail * k + 10 * 0.5) / (n_tail + 10)
    error = float(estimate.std()) / N_SETS**0.5
    # Zhang & Stephens (2009) find a bias below .02 at this size.
    assert abs(float(estimate.mean()) - expected) < 0.02 + 3 * error


def test_narrow_proposal_has_a_heavier_tail_than_a_wide_one(generator):
    """For a Gaussian target of sd 1 and a proposal of sd s < 1, k is 1 - s^2."""
    noise = torch.randn(N_DRAWS, N_SETS, generator=generator, dtype=torch.float64)

    def k_of(s):
        theta = s * noise
        return float(pareto_k(-0.5 * theta.square() + 0.5 * noise.square()).mean())

    assert k_of(1.5) < 0.1 < k_of(0.9) < 0.5 < k_of(0.4)
    assert k_of(0.4) > 0.7


def test_equal_weights_have_no_tail_and_lose_no_draws():
    equal = torch.zeros(100, 2)
    assert torch.equal(pareto_k(equal), torch.zeros(2).double())
    assert torch.allclose(effective_draws(equal), torch.full((2,), 100.0).double())


def test_one_heavy_weight_leaves_one_draw():
    log_weights = torch.zeros(100, 1)
    log_weights[3] = 50.0
    assert float(effective_draws(log_weights)[0]) == pytest.approx(1.0)


def test_too_few_draws():
    with pytest.raises(ValueError, match="at least 25 draws, got 10"):
        pareto_k(torch.zeros(10, 1))


def test_persons_do_not_depend_on_each_other(generator):
    log_weights = torch.randn(100, 7, generator=generator)
    alone = torch.cat([pareto_k(log_weights[:, j : j + 1]) for j in range(7)])
    torch.testing.assert_close(pareto_k(log_weights), alone)
