"""The five bounds by identity and by enumeration, and their gradients by differentiation."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from irtvi.inference.objectives import GRADIENTS, OBJECTIVES, ciwae, elbo, iwae, miwae, piwae

# Sums and exponentials of at most 20 float64 numbers of size up to 50.
ROUNDING = 20 * 50 * torch.finfo(torch.float64).eps

log_weights = st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 3)).flatmap(
    lambda shape: arrays("float64", shape, elements=st.floats(-50, 50))
)
shares = st.floats(0, 1)


@given(log_weights)
def test_bounds_are_ordered_for_any_weights(values):
    w = torch.from_numpy(values)
    assert (elbo(w).value <= miwae(w).value + ROUNDING).all()
    assert (miwae(w).value <= iwae(w).value + ROUNDING).all()


@given(log_weights, shares)
def test_special_cases(values, share):
    w = torch.from_numpy(values)
    flat = w.reshape(-1, w.shape[-1])
    same = {
        "one outer draw makes miwae iwae": (miwae(flat[None]), iwae(w)),
        "one inner draw makes miwae elbo": (miwae(flat[:, None]), elbo(w)),
        "ciwae at 1 is elbo": (ciwae(w, share=1.0), elbo(w)),
        "ciwae at 0 is iwae": (ciwae(w, share=0.0), iwae(w)),
    }
    for what, (one, other) in same.items():
        torch.testing.assert_close(one.value, other.value, atol=ROUNDING, rtol=0, msg=what)
        torch.testing.assert_close(
            one.items.reshape(-1), other.items.reshape(-1), atol=ROUNDING, rtol=0, msg=what
        )
    assert torch.equal(piwae(w).value, iwae(w).value)
    assert torch.equal(piwae(w).items, iwae(w).items)
    assert torch.equal(piwae(w).encoder, miwae(w).encoder)
    mixed = share * elbo(w).value + (1 - share) * iwae(w).value
    torch.testing.assert_close(ciwae(w, share=share).value, mixed, atol=ROUNDING, rtol=0)


@pytest.mark.parametrize("name", OBJECTIVES)
@given(log_weights)
def test_weights_are_the_derivative_of_the_value(name, values):
    w = torch.from_numpy(values).requires_grad_(True)
    bound = OBJECTIVES[name](w)
    (derivative,) = torch.autograd.grad(bound.value.sum(), w)
    torch.testing.assert_close(bound.items.detach(), derivative, atol=ROUNDING, rtol=0)
    torch.testing.assert_close(bound.encoder.sum((0, 1)).detach(), torch.ones(w.shape[-1]).double())


@pytest.mark.parametrize("n_outer", [1, 2, 3])
def test_expectations_lie_below_log_p_and_rise_with_draws(n_outer):
    """A proposal over three abilities: the expectation over all draws is a finite sum."""
    q = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    w = torch.tensor([0.3, -4.0, 2.0], dtype=torch.float64)
    log_p = torch.logsumexp(q.log() + w, 0)
    previous = -math.inf
    for n_inner in (1, 2, 3):
        draws = torch.tensor(list(itertools.product(range(3), repeat=n_outer * n_inner)))
        chance = q[draws].prod(1)
        at = w[draws].T.reshape(n_outer, n_inner, -1)
        expected = {name: float((chance * f(at).value).sum()) for name, f in OBJECTIVES.items()}
        assert expected["elbo"] <= expected["miwae"] + ROUNDING
        assert expected["miwae"] <= expected["iwae"] + ROUNDING
        assert expected["iwae"] < float(log_p)
        assert expected["elbo"] == pytest.approx(float((q * w).sum()), abs=ROUNDING)
        assert expected["miwae"] > previous
        previous = expected["miwae"]


def encoder_gradients(objective, estimator, mean, outer, inner, n, generator):
    """n independent gradients by the mean of a Gaussian of sd .8, for a standard normal target."""
    m = torch.full((n,), mean, dtype=torch.float64, requires_grad=True)
    noise = torch.randn(outer * inner, n, generator=generator, dtype=torch.float64)
    theta = m + 0.8 * noise
    centre = m.detach() if estimator.detaches_proposal else m
    log_w = -0.5 * theta.square() + 0.5 * ((theta - centre) / 0.8).square()
    weights = estimator.encoder_weights(objective(log_w.detach().view(outer, inner, n)))
    (gradient,) = torch.autograd.grad((weights.view_as(log_w) * log_w).sum(), m)
    return gradient


@pytest.mark.parametrize(
    ("name", "gradient"),
    [("elbo", "stl"), ("elbo", "dreg"), ("iwae", "dreg"), ("miwae", "dreg"), ("ciwae", "dreg")],
)
def test_estimators_agree_with_the_standard_one_in_expectation(name, gradient, generator):
    n = 200_000
    one = encoder_gradients(OBJECTIVES[name], GRADIENTS["standard"], 0.4, 2, 3, n, generator)
    other = encoder_gradients(OBJECTIVES[name], GRADIENTS[gradient], 0.4, 2, 3, n, generator)
    error = math.sqrt(float(one.var() + other.var()) / n)
    assert abs(float(one.mean() - other.mean())) < 4 * error
    assert abs(float(one.mean())) > 20 * error


def test_sticking_the_landing_has_no_noise_at_the_posterior(generator):
    """Where the proposal is the posterior, the path gradient vanishes draw by draw (Roeder 2017)."""
    m = torch.zeros(100, dtype=torch.float64, requires_grad=True)
    theta = m + torch.randn(4, 100, generator=generator, dtype=torch.float64)
    log_w = -0.5 * theta.square() + 0.5 * (theta - m.detach()).square()
    weights = GRADIENTS["stl"].encoder_weights(elbo(log_w.detach()[None]))
    (gradient,) = torch.autograd.grad((weights[0] * log_w).sum(), m)
    assert float(gradient.abs().max()) < ROUNDING
