"""Networks start as what they should shrink to, learn by ascent, and open their last layer."""

import numpy as np
import pandas as pd
import pytest
import torch

import irtvi
from irtvi.inference.networks import improved, with_weights
from irtvi.inference.table import Expectations, coefficient_table, expected_of
from irtvi.models.items.item_model import Facts
from irtvi.models.items.networks import N_DIRECTIONS, N_EMBEDDING, Link, Residual, prior_mean
from irtvi.models.specification import Specification, build

THETA = torch.linspace(-4, 4, 33, dtype=torch.float64)[:, None]


def parameters(family, n_items):
    params = {
        "a": torch.linspace(0.5, 1.5, n_items, dtype=torch.float64),
        "d": torch.linspace(-1, 1, n_items, dtype=torch.float64),
        "gap": torch.zeros(n_items, 0, dtype=torch.float64),
        "e": torch.ones(n_items, N_EMBEDDING, dtype=torch.float64),
        "w": torch.zeros(n_items, N_DIRECTIONS, dtype=torch.float64),
    }
    return params | {"a": params["a"][:, None]} if family is Link else params


@pytest.mark.parametrize(("family", "tolerance"), [(Link, 0.02), (Residual, 1e-12)])
def test_the_prior_mean_is_the_two_parameter_model(family, tolerance):
    params = parameters(family, 3)
    facts = Facts(torch.full((3,), 2), torch.full((3,), -1))
    log_probs = family(prior_mean(family)).log_probs(THETA[:, None], params, facts)
    logit = log_probs[..., 1] - log_probs[..., 0]
    straight = torch.linspace(0.5, 1.5, 3, dtype=torch.float64) * THETA + params["d"]
    # The link's output layer is a ridge regression on features that contain the identity.
    torch.testing.assert_close(logit, straight, atol=tolerance, rtol=0)


@pytest.mark.parametrize("name", ["link", "deep", "residual"])
def test_steps_on_the_table_climb(name):
    """Counts from a plateau curve: the complete-data log posterior rises, by much."""
    frame = pd.DataFrame(np.random.default_rng(0).integers(0, 2, (40, 4)), columns=list("abcd"))
    built = build(Specification(name), irtvi.read(frame.rename_axis("id").reset_index(), id="id")).model
    truth = 0.5 * torch.sigmoid(3 * (THETA + 1)) + 0.5 * torch.sigmoid(3 * (THETA - 1))
    mass = 400 * torch.exp(-0.5 * THETA.square())
    counts = torch.stack([mass * (1 - truth), mass * truth], -1).expand(-1, 4, -1).flatten(1)
    expectations = Expectations(THETA, counts, mass)

    def value(model, free):
        total = (counts * coefficient_table(model, THETA, free)).sum()
        return float(total + model.log_prior.value(free) + model.components[0].item_model.weights_log_prior())

    start = built.start()
    model, free = improved(built, start, expectations)
    again, better = improved(model, free, expectations)
    assert value(model, free) > value(built, start) + 50
    assert value(again, better) >= value(model, free)
    probs = expected_of(again.component_columns[0], coefficient_table(again, THETA, better)).exp()[..., 1]
    near = THETA[:, 0].abs() < 2
    # The slope of the plateau is flat at 0 and steep at -1 and 1; no 2PL comes closer than .07.
    assert float((probs - truth)[near].abs().max()) < 0.06


def test_weights_are_settings_that_rebuild_the_model():
    link = Link().with_weights(Link().weights + 0.01)
    again = Link(**link.settings())
    torch.testing.assert_close(again.weights, link.weights)
    torch.testing.assert_close(again.directions, link.directions)


def test_weights_go_to_the_networks_in_order():
    frame = pd.DataFrame(np.random.default_rng(0).integers(0, 2, (40, 4)), columns=list("abcd"))
    choice = {"a": "link", "b": "2pl", "c": "residual", "d": "link"}
    built = build(Specification(choice), irtvi.read(frame.rename_axis("id").reset_index(), id="id")).model
    networks = [c.item_model for c in built.components if isinstance(c.item_model, (Link, Residual))]
    moved = with_weights(built, [network.weights + k for k, network in enumerate(networks)])
    after = [c.item_model for c in moved.components if isinstance(c.item_model, (Link, Residual))]
    for k, (old, new) in enumerate(zip(networks, after, strict=True)):
        assert type(new) is type(old)
        torch.testing.assert_close(new.weights, old.weights + k)


def test_ability_rises_with_the_sum_score_and_the_fit_can_be_repeated():
    rng = np.random.default_rng(8)
    theta = rng.normal(size=500)
    right = rng.random((500, 8)) < 0.2 + 0.8 / (1 + np.exp(-1.5 * theta[:, None]))
    frame = pd.DataFrame(right.astype(int), columns=[f"item{j}" for j in range(8)])
    data = frame.rename_axis("id").reset_index()
    first = irtvi.fit(data, model="link", engine="quadrature")
    second = irtvi.fit(data, model="link", engine="quadrature")
    assert first.converged
    assert np.corrcoef(first.abilities.theta, right.sum(1))[0, 1] > 0.95
    pd.testing.assert_frame_equal(first.items, second.items)
