"""Steps by the information: what may be missing at most, and how far a search gets."""

import pytest
import torch

import irtvi
from irtvi.inference.item_posterior import DiagonalCurvature
from irtvi.inference.observed_curvature import AtMost, curvature_of
from irtvi.inference.table import Expectations, gradient_and_information
from irtvi.inference.trusted_curvature import SHARES, promised
from irtvi.models.model import Model


@pytest.fixture
def fitted() -> tuple[Model, torch.Tensor, list[torch.Tensor], torch.Tensor]:
    """A model, a step's gradient, the information of its items, and priors' part in it."""
    answers = irtvi.simulate("2pl", 400, 5, seed=2).responses
    posterior = irtvi.fit(answers, model="2pl").posterior
    model = posterior.model
    theta = torch.linspace(-4, 4, 33, dtype=torch.float64)[:, None]
    counts = torch.full((33, len(model.columns.item)), 3.0, dtype=torch.float64)
    mass = torch.full((33, 1), 6.0, dtype=torch.float64)
    gradient, information = gradient_and_information(model, posterior.free, Expectations(theta, counts, mass))
    return model, gradient, information, torch.full_like(posterior.free, 0.3)


def whole(model, information, prior):
    """The complete-data information as a matrix."""
    curvature = curvature_of(model, information, prior, None)
    assert curvature is not None
    return torch.linalg.inv(curvature.covariance())


def test_only_directions_of_which_too_much_is_missing_are_changed(fitted, generator):
    model, gradient, information, prior = fitted
    complete = whole(model, information, prior)
    root = torch.linalg.cholesky(complete)
    turn = torch.linalg.qr(torch.randn(complete.shape, generator=generator, dtype=torch.float64))[0]
    shares = torch.linspace(0.1, 1.2, len(complete), dtype=torch.float64)
    axes = root @ turn
    missing = (axes * shares) @ axes.T
    assert curvature_of(model, information, prior, missing) is None
    at_most = AtMost(model, information, prior, missing)
    for share in SHARES:
        lessened = at_most.share(share)
        expected = (axes * shares.clamp(max=share)) @ axes.T
        torch.testing.assert_close(lessened, expected, rtol=1e-8, atol=1e-8)
        curvature = curvature_of(model, information, prior, lessened)
        assert curvature is not None
        longest = float(curvature.solve(gradient).abs().max())
        assert at_most.longest(share, gradient) == pytest.approx(longest, rel=1e-6)


def test_nothing_changes_where_enough_is_left(fitted):
    model, _, information, prior = fitted
    missing = 0.4 * whole(model, information, prior)
    torch.testing.assert_close(AtMost(model, information, prior, missing).share(0.5), missing)


def test_a_search_gets_to_what_float32_would_not_show():
    """The tolerance below asks for more than sums over 12,000 persons in float32 can tell."""
    responses = irtvi.read(irtvi.simulate("2pl", 12_000, 40, seed=5).responses)
    exact = irtvi.fit(responses, model="2pl", engine=irtvi.Quadrature(tolerance=1e-7))
    usual = irtvi.fit(responses, model="2pl", engine="quadrature")
    assert exact.converged
    assert usual.converged
    moved = ((usual.items["a"] - exact.items["a"]) / exact.items["a_sd"]).abs().max()
    # .002 standard errors is the tolerance of a step, and steps shrink by half at least.
    assert moved < 0.004


def test_a_search_ends_where_steps_gain_less_than_rounding():
    """It went to and fro there until its passes were over, and was said not to have converged."""
    responses = irtvi.simulate("2pl", 1000, 20, seed=2).responses
    exact = irtvi.fit(responses, model="3pl", engine=irtvi.Amortized(tolerance=1e-9))
    usual = irtvi.fit(responses, model="3pl")
    assert exact.converged
    # No step that could be told from rounding was left: 1e-10 of the objective and 1e-7.
    assert exact.log_marginal == pytest.approx(usual.log_marginal, abs=1e-3)
    moved = ((usual.items["a"] - exact.items["a"]) / exact.items["a_sd"]).abs().max()
    assert moved < 0.02


def precisions(*values):
    return DiagonalCurvature(1 / torch.tensor(values, dtype=torch.float64))


def test_a_shortened_step_promises_its_share_of_the_gain():
    gradient = torch.tensor([0.3, 2.0], dtype=torch.float64)
    # The step (3, 1) is cut to a third, of which 1/3 - 1/18 of g's = 2.9 comes.
    assert promised(precisions(0.1, 2.0), gradient) == pytest.approx((1 / 3 - 1 / 18) * 2.9)
    assert promised(precisions(0.5, 2.0), gradient) == pytest.approx(0.5 * (0.18 + 2.0))
