"""The missing information and the persons' scores against sums over a dense grid."""

import pytest
import torch

import irtvi
from irtvi.inference.engines.engine import Data
from irtvi.inference.louis import (
    EXACT,
    missing_information,
    missing_information_by_item,
    person_scores,
    polynomials,
)
from irtvi.inference.nodes import Grid
from irtvi.inference.table import coefficient_table
from irtvi.models.specification import Specification, build
from irtvi.results.scoring import eap


def by_brute_force(model, free, data):
    """Complete-data scores by reverse differentiation at dense nodes: mean and covariance for each person."""
    theta = Grid.covering(-9.0, 9.0, 0.05).theta(free.device)
    codes = data.cells.to_dense().codes.long()

    def log_joint(x):
        table = coefficient_table(model, theta, x)
        columns = model.columns.offset + codes.clamp(min=0)
        answers = torch.where(codes >= 0, table[:, columns], 0.0).sum(-1)
        density = model.population_log_prob(theta, model.population_slots.free_values(x))
        return answers + density[:, data.groups]

    scores = torch.func.jacfwd(log_joint)(free)
    posterior = torch.softmax(log_joint(free), 0)[..., None]
    mean = (posterior * scores).sum(0)
    centred = (scores - mean) * posterior.sqrt()
    return mean, torch.einsum("kpf,kpg->pfg", centred, centred)


@pytest.mark.parametrize(
    ("model", "n_items", "missing"), [("2pl", 4, 0.0), ("3pl", 12, 0.3), ("2pl", 30, 0.0), ("1pl", 6, 0.2)]
)
def test_covariance_and_mean_of_scores(simulated, model, n_items, missing):
    case = simulated(40, n_items, missing=missing, model=model, c=0.2 if model == "3pl" else 0.0, seed=4)
    data = case.data
    sums = eap(case.model, case.free, data.cells, data.groups)
    everyone = torch.arange(40)
    weights = torch.linspace(0.5, 2.0, 40, dtype=torch.float64)
    mean, covariance = by_brute_force(case.model, case.free, data)
    (found,) = missing_information(
        case.model, data.cells, case.free, everyone, sums.mean, sums.sd, weights, data.groups, EXACT
    )
    expected = (weights[:, None, None] * covariance).sum(0)
    # Products are float32, and terms stop at a share of 1e-6.
    scale = expected.diagonal().sqrt()
    unit = torch.outer(scale, scale)
    torch.testing.assert_close(found / unit, expected / unit, rtol=0, atol=1e-5)
    for persons, scores in person_scores(case.model, data.cells, case.free, everyone, sums.mean, sums.sd, data.groups):
        torch.testing.assert_close(scores, mean[persons], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("answer_by_answer", [False, True])
def test_within_items_it_is_the_same(simulated, monkeypatch, answer_by_answer):
    monkeypatch.setattr("irtvi.inference.louis.mostly_missing", lambda cells: answer_by_answer)
    case = simulated(300, 12, missing=0.4, model="3pl", c=0.2, seed=6)
    sums = eap(case.model, case.free, case.data.cells, case.data.groups)
    weights = torch.linspace(0.5, 2.0, 300, dtype=torch.float64)
    everyone = torch.arange(300)
    args = case.model, case.data.cells, case.free, everyone, sums.mean, sums.sd, weights, case.data.groups
    whole = missing_information(*args, EXACT)[0]
    for part, found in zip(case.model.parts, missing_information_by_item(*args, EXACT), strict=True):
        index = part.index
        expected = whole[index[:, :, None], index[:, None, :]]
        free = (index >= 0)[:, :, None] & (index >= 0)[:, None, :]
        torch.testing.assert_close(found[free], expected[free], rtol=1e-4, atol=1e-5)


def test_a_free_population_and_tied_slopes():
    responses = irtvi.read(irtvi.load_data("lsat7").iloc[::40])
    built = build(Specification("rasch", priors=None), responses)
    data = Data.of(responses, built.item_models, torch.device("cpu"))
    free = built.model.start() + 0.1
    sums = eap(built.model, free, data.cells, data.groups)
    everyone = torch.arange(responses.n_persons)
    (found,) = missing_information(built.model, data.cells, free, everyone, sums.mean, sums.sd, None, data.groups)
    expected = by_brute_force(built.model, free, data)[1].sum(0)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_first_term_and_the_finer_ones(simulated):
    case = simulated(6000, 20, seed=8)
    data = case.data
    sums = eap(case.model, case.free, data.cells, data.groups)
    args = case.model, data.cells, case.free, torch.arange(6000), sums.mean, sums.sd, None, data.groups
    terms = (1, None), (1, 2), (2, None)
    whole, first, finer = (missing_information(*args, EXACT, degrees)[0] for degrees in terms)
    torch.testing.assert_close(first + finer, whole, rtol=1e-4, atol=1e-4)
    assert bool((first.diagonal() > finer.diagonal()).all())
    assert bool((finer.diagonal() > 0).all())


def test_polynomials_are_orthonormal():
    theta = torch.linspace(-3, 3, 13, dtype=torch.float64)
    posterior = torch.softmax(torch.stack([-0.5 * theta**2, -((theta - 1) ** 2), 0.3 * theta], 1), 0)
    basis = torch.stack(list(polynomials(theta, posterior)))
    assert len(basis) == 13
    products = torch.einsum("qkp,kp,rkp->pqr", basis[:8], posterior, basis[:8])
    torch.testing.assert_close(products, torch.eye(8, dtype=torch.float64).expand(3, 8, 8), rtol=0, atol=1e-8)


def test_single_precision_where_nodes_reach_far_beyond_narrow_posteriors(simulated, monkeypatch):
    """A hundred persons and hundreds of steep items, among them some about which nearly nothing is missing."""
    case = simulated(100, 400, seed=5)
    data, free = case.data, case.free.clone()
    slopes = case.model.components[0].slots.index[:, 0]
    free[slopes] = torch.linspace(0.0, 6.0, 400, dtype=torch.float64)
    sums = eap(case.model, free, data.cells, data.groups)
    args = case.model, data.cells, free, torch.arange(100), sums.mean, sums.sd, None, data.groups
    found = {}
    for persons_times_parameters in (0, 10**9):
        monkeypatch.setattr("irtvi.inference.louis.SMALL", persons_times_parameters)
        found[persons_times_parameters] = missing_information(*args, EXACT)[0]
    single, double = found.values()
    # What rounds to nothing beside the largest variance may do so: float32 has seven digits.
    torch.testing.assert_close(single, double, rtol=1e-3, atol=1e-5 * float(double.diagonal().max()))
