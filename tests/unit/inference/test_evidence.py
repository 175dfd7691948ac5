"""Hyperparameters from Laplace evidence, where the evidence is known in closed form."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

import irtvi
from irtvi.inference.evidence import LOOSER, Quadratic, _highest, looser
from irtvi.inference.item_posterior import FullCurvature
from irtvi.models.items.monotone import N_SHAPES
from irtvi.models.model import tie
from irtvi.models.specification import Specification, build


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 2, (50, 12)), columns=[f"item{j}" for j in range(12)])
    return build(Specification("monotone"), irtvi.read(frame.rename_axis("id").reset_index(), id="id")).model


def gaussian(model, spread, noise, generator):
    """Shapes with a known spread, seen with Gaussian noise of a known sd: the evidence is exact."""
    component = model.components[0]
    shapes = component.slots.index[:, component.slots.columns()["v"]].flatten()
    seen = torch.zeros(model.n_free, dtype=torch.float64)
    seen[shapes] = math.hypot(spread, noise) * torch.randn(len(shapes), generator=generator, dtype=torch.float64)
    information = torch.eye(model.n_free, dtype=torch.float64) / noise**2
    return Quadratic(component, torch.zeros_like(seen), information, information @ seen), seen[shapes]


def test_evidence_is_the_density_of_what_was_seen(model, generator):
    quadratic, seen = gaussian(model, 0.5, 0.2, generator)

    def evidence(tau):
        found = quadratic.factored({"s": 0.3, "tau": tau, "g": 0.0})
        assert found is not None
        return found[0] + 0.5 * (tau / 0.5) ** 2  # less the prior of tau

    def density(tau):
        scale = torch.tensor(math.hypot(tau, 0.2), dtype=torch.float64)
        return torch.distributions.Normal(torch.zeros_like(scale), scale).log_prob(seen).sum()

    for tau in (0.1, 0.9):
        assert evidence(tau) - evidence(0.5) == pytest.approx(float(density(tau) - density(0.5)), abs=1e-8)


@pytest.mark.parametrize("spread", [0.05, 0.3, 1.0])
def test_the_spread_is_found(model, generator, spread):
    noise = 0.1 * spread
    quadratic, seen = gaussian(model, spread, noise, generator)
    found = _highest(quadratic, {"s": 0.3, "tau": 0.3, "g": 0.0})
    n = len(seen)
    # The half-normal prior of scale .5 pulls the mode by at most spread^2 / (2 n .25), here under 2 %.
    assert found["tau"] == pytest.approx(float(seen.square().mean().sqrt()), rel=0.05)
    assert n == 12 * N_SHAPES
    assert found["g"] == 0.0


def test_a_shape_that_all_items_share_is_found(model, generator):
    quadratic, _ = gaussian(model, 0.05, 0.05, generator)
    shapes = quadratic.component.slots.index[:, quadratic.component.slots.columns()["v"]]
    shared = 0.6 * torch.randn(shapes.shape[1], generator=generator, dtype=torch.float64)
    linear = quadratic.linear.clone()
    linear[shapes] += shared / 0.05**2
    found = _highest(
        Quadratic(quadratic.component, quadratic.free, quadratic.information, linear),
        {"s": 0.3, "tau": 0.3, "g": 0.0},
    )
    assert found["g"] > 0.2
    assert found["tau"] < 0.15


def test_the_covariance_mixes_over_the_spread():
    """The reported covariance is at least that of the estimated spread, and it can be solved with."""
    rng = np.random.default_rng(2)
    theta = rng.normal(size=600)
    right = rng.random((600, 10)) < 1 / (1 + np.exp(-theta[:, None]))
    frame = pd.DataFrame(right.astype(int), columns=[f"item{j}" for j in range(10)])
    result = irtvi.fit(frame.rename_axis("id").reset_index(), model="monotone", engine="quadrature")
    curvature = result.posterior.curvature
    assert isinstance(curvature, FullCurvature)
    component = result.model.components[0]
    shapes = component.slots.index[:, component.slots.columns()["v"]].flatten()
    sds = curvature.covariance_diagonal()[shapes].sqrt()
    assert bool((sds > result.model.hyper[0]["tau"]).all())


@pytest.mark.parametrize(("tau", "looser_tau"), [(0.01, None), (0.3, 0.3 * LOOSER), (0.9, 1.0), (1.0, None)])
def test_a_search_that_settled_is_asked_again_from_more_freedom(model, tau, looser_tau):
    free = model.start()
    settled = tie(model, [{"s": 0.3, "tau": tau, "g": 0.0}], free)
    found = looser(settled, free)
    assert (found is None) == (looser_tau is None)
    if found is not None:
        assert found.hyper[0] == {"s": 0.3, "tau": pytest.approx(looser_tau), "g": 0.0}
