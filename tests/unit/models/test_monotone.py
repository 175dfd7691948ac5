"""The monotone curve: its basis, its integral, and the models that it contains."""

import itertools

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from irtvi.models.items import ITEM_MODELS, Facts
from irtvi.models.items.monotone import LENGTH, N_SHAPES, SATURATION, SPACING, Monotone, risen, shapes

ABILITIES = torch.tensor([-30.0, -8.05, -3.0, -0.33, 0.0, 0.05, 1.7, 7.99, 30.0], dtype=torch.float64)


def example(n_categories, generator, spread):
    n_items = len(n_categories)
    most = int(n_categories.max())
    params = {
        "d": torch.linspace(-1.5, 1.5, n_items, dtype=torch.float64),
        "alpha": torch.linspace(-0.8, 0.8, n_items, dtype=torch.float64),
        "v": spread * torch.randn(n_items, N_SHAPES, generator=generator, dtype=torch.float64),
        "gap": torch.full((n_items, max(most - 2, 0)), 0.7, dtype=torch.float64),
    }
    return params, Facts(n_categories, torch.full((n_items,), -1))


@pytest.mark.parametrize(("counts", "nested"), [((2, 2, 2), "2pl"), ((3, 2, 5), "grm")])
def test_without_shape_it_is_the_logistic_model(generator, counts, nested):
    params, facts = example(torch.tensor(counts), generator, 0.0)
    plain = {"a": params["alpha"].exp()[:, None], "d": params["d"], "gap": params["gap"]}
    theta = ABILITIES[:, None, None]
    ours = Monotone().log_probs(theta, params, facts)
    theirs = ITEM_MODELS[nested]().log_probs(theta, plain, facts)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_integral_of_the_slope_to_the_last_digit(generator):
    """The slope is linear between nodes, so adaptive quadrature with breaks at nodes is exact."""
    params, _ = example(torch.tensor([2, 2]), generator, 1.0)
    nodes = SPACING * np.arange(-80, 81)
    slope = torch.exp(params["alpha"][:, None] + params["v"] @ shapes().T).numpy()
    got = risen(ABILITIES[:, None], params["alpha"], params["v"])
    for j in range(2):
        for i, theta in enumerate(ABILITIES.tolist()):
            inside = [t for t in nodes if min(0, theta) < t < max(0, theta)]
            edges = [0.0, *(inside if theta > 0 else inside[::-1]), theta]
            exact = sum(quad(np.interp, a, b, args=(nodes, slope[j]))[0] for a, b in itertools.pairwise(edges))
            assert float(got[i, j]) == pytest.approx(exact, rel=1e-9, abs=1e-9)


def test_curves_rise_and_turn_round_with_the_sign(generator):
    params, facts = example(torch.tensor([2, 2, 2]), generator, 1.0)
    theta = torch.linspace(-12, 12, 4_801, dtype=torch.float64)[:, None, None]
    up = Monotone().log_probs(theta, params, facts)[..., 1]
    assert (up.diff(dim=0) > 0).all()
    down = Monotone().log_probs(theta, params, facts._replace(sign=torch.tensor([-1, -1, -1])))[..., 1]
    assert (down.diff(dim=0) < 0).all()


def test_basis_draws_from_the_gaussian_process():
    """B B' reproduces the centred covariance near the centre, where ten functions are enough."""
    theta = SPACING * torch.arange(-80, 81, dtype=torch.float64)
    place = SATURATION * torch.tanh(theta / SATURATION)
    covariance = torch.exp(-0.5 * ((place[:, None] - place) / LENGTH).square())
    weight = torch.exp(-0.5 * (theta / 1.2).square())
    weight = weight / weight.sum()
    centre = torch.eye(161, dtype=torch.float64) - weight
    centred = centre @ covariance @ centre.T
    near = theta.abs() <= 2
    error = (shapes() @ shapes().T - centred)[near][:, near].abs().max()
    # What the functions left out could add: the sum of their eigenvalues is below .001.
    assert float(error) < 5e-3
    assert float((weight[:, None] * shapes()).sum(0).abs().max()) < 1e-9
