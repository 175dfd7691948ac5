"""Joint priors that tie items together, against dense normal densities."""

import math

import pytest
import torch

from irtvi.models.hierarchy import JointNormal
from irtvi.models.items.monotone import MEAN_SHAPE_REACH, MonotoneHierarchy
from irtvi.models.parameters import LogPrior

N_ITEMS, N_SHAPES = 6, 3
HYPER = {"s": 0.4, "tau": 0.3, "g": 0.2}


@pytest.fixture
def tied(generator):
    n = N_ITEMS * (2 + N_SHAPES)
    free = torch.randn(n, generator=generator, dtype=torch.float64)
    index = torch.arange(n).reshape(N_ITEMS, 2 + N_SHAPES)
    places = {"d": index[:, :1], "alpha": index[:, 1:2], "v": index[:, 2:]}
    values = {name: free[place] for name, place in places.items()}
    return free, places, values, MonotoneHierarchy().prior(HYPER, values, places)


def dense_log_prob(free, places, values):
    """Shapes from their covariance; log slopes as deviations from their mean, whose prior is flat."""
    location = values["d"][:, 0] * torch.exp(-values["alpha"][:, 0])
    x = torch.stack([torch.ones(N_ITEMS), MEAN_SHAPE_REACH * torch.tanh(0.5 * location)], -1)
    covariance = HYPER["tau"] ** 2 * torch.eye(N_ITEMS) + HYPER["g"] ** 2 * x @ x.T
    shapes = torch.distributions.MultivariateNormal(torch.zeros(N_ITEMS, dtype=torch.float64), covariance)
    deviation = free[places["alpha"][:, 0]] - free[places["alpha"][:, 0]].mean()
    slopes = -0.5 * deviation.square().sum() / HYPER["s"] ** 2
    return slopes + sum(shapes.log_prob(free[column]) for column in places["v"].T)


def test_density_differs_from_the_dense_one_by_a_constant(tied):
    free, places, values, prior = tied
    other = free + 0.3 * torch.sin(torch.arange(len(free), dtype=torch.float64))
    expected = dense_log_prob(other, places, values) - dense_log_prob(free, places, values)
    torch.testing.assert_close(prior.log_prob(other) - prior.log_prob(free), expected)


@pytest.mark.parametrize("name", ["tau", "g"])
def test_normaliser_follows_the_hyperparameters(tied, name):
    free, places, values, prior = tied
    changed = MonotoneHierarchy().prior({**HYPER, name: 0.7}, values, places)
    before = dense_log_prob(free, places, values)
    old = HYPER[name]
    HYPER[name] = 0.7
    after = dense_log_prob(free, places, values)
    HYPER[name] = old
    torch.testing.assert_close(changed.log_prob(free) - prior.log_prob(free), after - before)


def test_normaliser_of_log_slopes_has_one_degree_of_freedom_less(tied):
    free, places, values, prior = tied
    changed = MonotoneHierarchy().prior({**HYPER, "s": 0.8}, values, places)
    alpha = free[places["alpha"][:, 0]]
    square = (alpha - alpha.mean()).square().sum()
    expected = -(N_ITEMS - 1) * math.log(2.0) - 0.5 * square * (0.8**-2 - HYPER["s"] ** -2)
    torch.testing.assert_close(changed.log_prob(free) - prior.log_prob(free), expected)


def test_derivatives_are_those_of_the_value(tied):
    free, _, _, prior = tied
    log_prior = LogPrior((), len(free), (prior,))
    x = free.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(log_prior.value(x), x)
    hessian = torch.autograd.functional.hessian(log_prior.value, free)
    value, given, diagonal = log_prior.derivatives(free)
    common = log_prior.common()
    torch.testing.assert_close(value, log_prior.value(free))
    torch.testing.assert_close(given, gradient)
    torch.testing.assert_close(torch.diag(diagonal) + common @ common.T, hessian)


def test_holding_some_conditions_on_them():
    generator = torch.Generator().manual_seed(3)
    common = 0.5 * torch.randn(5, 1, generator=generator, dtype=torch.float64)
    precision = torch.full((5,), 3.0, dtype=torch.float64)
    joint = JointNormal(torch.arange(5), precision, common, torch.zeros(5, dtype=torch.float64), 0.0)
    values = torch.tensor([0.0, 0.4, 0.0, -1.0, 0.0], dtype=torch.float64)
    new_index = torch.tensor([0, -1, 1, -1, 2])
    narrowed = joint.narrowed(new_index, values)
    whole = torch.distributions.MultivariateNormal(
        torch.zeros(5, dtype=torch.float64), precision_matrix=torch.diag(precision) - common @ common.T
    )
    held = torch.distributions.MultivariateNormal(
        torch.zeros(2, dtype=torch.float64), whole.covariance_matrix[[1, 3]][:, [1, 3]]
    )
    kept = torch.tensor([0.3, -0.2, 0.9], dtype=torch.float64)
    full = values.clone()
    full[[0, 2, 4]] = kept
    torch.testing.assert_close(narrowed.log_prob(kept), whole.log_prob(full) - held.log_prob(values[[1, 3]]))
