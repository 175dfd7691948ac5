"""Networks start as what they should shrink to, learn by ascent, and open their last layer."""

import numpy as np
import pandas as pd
import pytest
import torch

import irtvi
from irtvi.inference import networks
from irtvi.inference.networks import LEAST_SHARE, improved, opened, with_weights
from irtvi.inference.table import Expectations, coefficient_table, expected_of, gradient_and_information
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


def of_plateaus(name):
    """A model of four items, the plateau curve of all of them, and the counts that 4,000 persons would leave."""
    frame = pd.DataFrame(np.random.default_rng(0).integers(0, 2, (40, 4)), columns=list("abcd"))
    built = build(Specification(name), irtvi.read(frame.rename_axis("id").reset_index(), id="id")).model
    truth = 0.5 * torch.sigmoid(3 * (THETA + 1)) + 0.5 * torch.sigmoid(3 * (THETA - 1))
    mass = 400 * torch.exp(-0.5 * THETA.square())
    counts = torch.stack([mass * (1 - truth), mass * truth], -1).expand(-1, 4, -1).flatten(1)
    return built, truth, Expectations(THETA, counts, mass)


@pytest.mark.parametrize("name", ["link", "deep"])
def test_weights_are_measured_in_standard_errors(name, monkeypatch):
    """Random signs against the gradient of each output; a mean of squares is known to the root of 2 over their number.

    The weights of a layer share the signs, so that they hardly average; four such standard errors are allowed.
    """
    n_probes = 800
    monkeypatch.setattr(networks, "N_PROBES", n_probes)
    built, _, expectations = of_plateaus(name)
    component, free, theta = built.components[0], built.start(), THETA[::4]
    counts = expected_of(built.component_columns[0], expectations.counts)[::4]
    network, values = component.item_model, component.slots.free_values(free)
    p = component.coefficients(theta, values).exp()[..., 1]
    information = counts.sum(-1) * p * (1 - p)
    weights = network.weights.clone().requires_grad_(True)
    output = network.with_weights(weights).output(theta[:, None, 0], component.slots.unpack(values))
    exact = torch.zeros_like(weights)
    for one, known in zip(output.flatten(), information.flatten(), strict=True):
        exact += known * torch.autograd.grad(one, weights, retain_graph=True)[0].square()
    sizes = [inputs * outputs + outputs for inputs, outputs in network.shape]
    unit = networks._weight_unit(component, network, free, theta.float(), counts)
    for own, layer in zip(unit.split(sizes), exact.split(sizes), strict=True):
        found = own[0] ** -2 - network.decay_sd**-2
        assert (own == own[0]).all()
        assert float(found) == pytest.approx(float(layer.mean()), rel=4 * (2 / n_probes) ** 0.5)


@pytest.mark.parametrize("name", ["link", "deep", "residual"])
def test_steps_on_the_table_climb(name):
    """Counts from a plateau curve: the complete-data log posterior rises, by much."""
    built, truth, expectations = of_plateaus(name)
    counts = expectations.counts

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


@pytest.mark.parametrize("name", ["link", "deep", "residual"])
def test_items_cannot_follow_the_directions_of_the_output_layer(name):
    """What the answers say about each direction is not what they say about the items' own parameters.

    Principal axes of the features instead leave a share of .002 of the first one: stretching all curves.
    """
    built, _, expectations = of_plateaus(name)
    model, free = improved(built, built.start(), expectations)
    model = opened(model, free, expectations)
    w = model.components[0].slots.columns()["w"]
    block = gradient_and_information(model, free, expectations)[1][0]
    own = block[:, : w.start, : w.start] + 1e-9 * torch.eye(w.start, dtype=block.dtype)
    cross = block[:, : w.start, w]
    whole = block[:, w, w].sum(0)
    left = whole - (cross.mT @ torch.linalg.solve(own, cross)).sum(0)
    present = whole.diagonal() > 1e-6
    assert present[0]
    assert (left.diagonal() >= 0.99 * LEAST_SHARE * whole.diagonal())[present].all()
    assert float(left[0, 0]) >= float(left.diagonal().max())


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


@pytest.fixture(scope="module")
def guessed():
    """Answers of 500 persons to 8 items, a fifth of them lucky guesses."""
    rng = np.random.default_rng(8)
    theta = rng.normal(size=500)
    right = rng.random((500, 8)) < 0.2 + 0.8 / (1 + np.exp(-1.5 * theta[:, None]))
    return pd.DataFrame(right.astype(int), columns=[f"item{j}" for j in range(8)])


@pytest.mark.parametrize("name", ["link", "deep", "residual", "monotone"])
def test_ability_rises_and_seeds_agree(name, guessed):
    """Ability goes with the sum score, and each seed's curves lie within the other's bands."""
    data = guessed.rename_axis("id").reset_index()
    first, second = (irtvi.fit(data, model=name, seed=seed) for seed in (0, 1))
    assert first.converged
    assert second.converged
    assert np.corrcoef(first.abilities.theta, guessed.sum(axis=1))[0, 1] > 0.95
    theta = np.linspace(-2, 2, 9)
    one, other = (fit.curves(theta=theta, what="probability", level=0.9) for fit in (first, second))
    assert one.value.between(other.lower, other.upper).all()
    assert other.value.between(one.lower, one.upper).all()


def test_a_fit_can_be_repeated(guessed):
    data = guessed.rename_axis("id").reset_index()
    first, second = (irtvi.fit(data, model="link", engine="quadrature") for _ in range(2))
    pd.testing.assert_frame_equal(first.items, second.items)
