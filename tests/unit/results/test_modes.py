"""Modes of ability against maxima that are found without derivatives, on probabilities alone."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import minimize_scalar

from irtvi.inference.engines.engine import Data
from irtvi.inference.table import coefficient_table
from irtvi.models.specification import Specification, build
from irtvi.responses.cells import DenseCells
from irtvi.responses.read import read
from irtvi.results.estimates import jeffreys, map_, ml, wle
from irtvi.results.scoring import NO_ANSWER, NO_MAXIMUM

METHODS = {"map": map_, "ml": ml, "wle": wle, "jeffreys": jeffreys}
STEP = 1e-3
"""Of the judge's differences: of sixth order, so that truncation and rounding stay below 1e-9."""
DENSE = torch.arange(-60.0, 60.0, 0.01, dtype=torch.float64)


class Judge:
    """One person's criteria from probabilities and their numerical derivatives."""

    def __init__(self, model, free, codes):
        self.model, self.free = model, free
        layout = model.columns
        answered = torch.nonzero((codes >= 0) & ~model.excluded)[:, 0]
        self.chosen = layout.offset[answered] + codes[answered].long()
        self.columns = torch.nonzero(torch.isin(layout.item, answered))[:, 0]

    def probabilities(self, theta):
        return coefficient_table(self.model, theta[:, None], self.free).exp()

    def log_likelihood(self, theta):
        return coefficient_table(self.model, theta[:, None], self.free)[:, self.chosen].sum(1)

    def derivatives(self, theta):
        p = {k: self.probabilities(theta + k * STEP)[:, self.columns] for k in range(-3, 4)}
        first = (p[3] - p[-3]) / 60 - 3 * (p[2] - p[-2]) / 20 + 3 * (p[1] - p[-1]) / 4
        second = (p[3] + p[-3]) / 90 - 3 * (p[2] + p[-2]) / 20 + 3 * (p[1] + p[-1]) / 2 - 49 * p[0] / 18
        return p[0], first / STEP, second / STEP**2

    def information(self, theta):
        p, first, _ = self.derivatives(theta)
        return (first**2 / p).sum(1)

    def bias_term(self, theta):
        p, first, second = self.derivatives(theta)
        return (first * second / p).sum(1) / (2 * (first**2 / p).sum(1))

    def value(self, method, theta):
        if method == "map":
            return self.log_likelihood(theta) - theta**2 / 2
        if method == "jeffreys":
            return self.log_likelihood(theta) + 0.5 * self.information(theta).log()
        return self.log_likelihood(theta)

    def maximum(self, method):
        """Highest maximum, found on a dense grid and polished by golden sections."""
        best = DENSE[self.value(method, DENSE).argmax()].item()
        found = minimize_scalar(
            lambda t: -self.value(method, torch.tensor([t], dtype=torch.float64)).item(),
            bracket=(best - 0.02, best, best + 0.02),
            options={"xtol": 1e-10},
        )
        return found.x

    def slope(self, method, theta):
        """Derivative of the criterion by differences of sixth order."""
        at = torch.tensor([theta + k * STEP for k in (-3, -2, -1, 1, 2, 3)], dtype=torch.float64)
        weights = torch.tensor([-1, 9, -45, 45, -9, 1], dtype=torch.float64) / (60 * STEP)
        base = (weights * self.value("ml" if method == "wle" else method, at)).sum().item()
        extra = self.bias_term(torch.tensor([theta], dtype=torch.float64)).item() if method == "wle" else 0.0
        return base + extra

    def sd(self, method, theta, step=1e-3):
        curvature = (self.slope(method, theta - step) - self.slope(method, theta + step)) / (2 * step)
        return curvature**-0.5


def three_pl(simulated):
    return simulated(60, 14, missing=0.3, model="3pl", c=0.2, seed=5)


@pytest.mark.parametrize("method", ["map", "jeffreys"])
def test_highest_maximum(simulated, method):
    case = three_pl(simulated)
    found = METHODS[method](case.model, case.free, case.data.cells, case.data.groups)
    for i in range(10):
        judge = Judge(case.model, case.free, case.codes[i])
        best = judge.maximum(method)
        # Golden sections find a maximum to the root of the rounding error of its height.
        assert found.theta[i].item() == pytest.approx(best, abs=2e-6)
        assert found.sd[i].item() == pytest.approx(judge.sd(method, best), rel=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_the_criterion_is_level_at_the_estimate(simulated, method):
    case = three_pl(simulated)
    found = METHODS[method](case.model, case.free, case.data.cells, case.data.groups)
    finite = torch.isfinite(found.sd)
    assert int(finite.sum()) > 40
    for i in torch.nonzero(finite)[:, 0].tolist():
        judge = Judge(case.model, case.free, case.codes[i])
        theta = found.theta[i].item()
        slope, sd = judge.slope(method, theta), found.sd[i].item()
        # One Newton step from here moves the estimate by less than the judge's own rounding.
        assert abs(slope * sd**2) < 1e-7
        assert sd == pytest.approx(judge.sd(method, theta), rel=1e-4)


def test_maximum_likelihood_is_finite_where_it_should_be(simulated):
    case = three_pl(simulated)
    found = ml(case.model, case.free, case.data.cells, case.data.groups)
    for i in range(60):
        judge = Judge(case.model, case.free, case.codes[i])
        ends = judge.log_likelihood(torch.tensor([-250.0, 250.0], dtype=torch.float64))
        heights = judge.log_likelihood(DENSE)
        inside = heights.max() > ends.max() + 1e-6
        assert bool(inside) == bool(torch.isfinite(found.sd[i]))
        if inside:
            assert found.theta[i].item() == pytest.approx(DENSE[heights.argmax()].item(), abs=0.01)
        else:
            assert found.status[i] == NO_MAXIMUM
            assert found.theta[i].item() == (6.0 if ends[1] > ends[0] else -6.0)


def test_all_right_and_all_wrong(simulated):
    case = simulated(3, 8)
    cells = DenseCells(torch.tensor([[1] * 8, [0] * 8, [-1] * 8], dtype=torch.int8))
    groups = torch.zeros(3, dtype=torch.long)
    found = ml(case.model, case.free, cells, groups, limit=4.0)
    assert found.theta[:2].tolist() == [4.0, -4.0]
    assert found.theta[2].isnan()
    assert found.sd.isnan().all()
    assert found.status.tolist() == [NO_MAXIMUM, NO_MAXIMUM, NO_ANSWER]
    for method in (wle, jeffreys):
        found = method(case.model, case.free, cells, groups)
        assert torch.isfinite(found.theta[:2]).all()
        assert found.theta[0] > 0 > found.theta[1]
    mode = map_(case.model, case.free, cells, groups)
    assert mode.theta[2].item() == pytest.approx(0.0, abs=1e-9)
    assert mode.sd[2].item() == pytest.approx(1.0, abs=1e-9)


def test_warm_equals_jeffreys_without_asymptotes(simulated):
    case = simulated(200, 10, missing=0.2, seed=3)
    first = wle(case.model, case.free, case.data.cells, case.data.groups)
    second = jeffreys(case.model, case.free, case.data.cells, case.data.groups)
    torch.testing.assert_close(first.theta, second.theta, rtol=0, atol=1e-9)
    torch.testing.assert_close(first.sd, second.sd, rtol=1e-7, atol=0)


@pytest.mark.parametrize("method", METHODS)
def test_lists_of_answers_score_as_a_matrix(simulated, method):
    case = simulated(150, 12, missing=0.5, model="3pl", c=0.15, seed=8)
    dense = METHODS[method](case.model, case.free, case.data.cells.to_dense(), case.data.groups)
    sparse = METHODS[method](case.model, case.free, case.data.cells.to_sparse(), case.data.groups)
    torch.testing.assert_close(dense.theta, sparse.theta, rtol=0, atol=1e-9, equal_nan=True)
    assert dense.status.tolist() == sparse.status.tolist()


@pytest.mark.parametrize("method", ["map", "ml", "wle"])
def test_steep_items(simulated, method):
    case = simulated(8, 3, seed=2)
    slots = case.model.components[0].slots.index
    free = case.free.clone()
    free[slots[:, 0]] = 10.0
    free[slots[:, 1]] = torch.tensor([9.0, -1.0, -12.0], dtype=torch.float64)
    codes = torch.cartesian_prod(*[torch.tensor([0, 1], dtype=torch.int8)] * 3)
    found = METHODS[method](case.model, free, DenseCells(codes), torch.zeros(8, dtype=torch.long))
    for i in range(8):
        if torch.isfinite(found.sd[i]):
            judge = Judge(case.model, free, codes[i])
            # Steep curves cost the judge's differences three digits.
            assert abs(judge.slope(method, found.theta[i].item()) * found.sd[i].item() ** 2) < 1e-5
            if method == "map":
                assert found.theta[i].item() == pytest.approx(judge.maximum(method), abs=2e-6)


def test_without_answers_the_mode_is_that_of_the_population():
    answers = pd.DataFrame({"x": [1, 0, 1, 0], "y": [1, 1, 0, 0]})
    built = build(Specification("2pl", population={"mean": 2.0, "sd": 3.0}), read(answers))
    free = built.model.start()
    empty = DenseCells(torch.full((1, 2), -1, dtype=torch.int8))
    found = map_(built.model, free, empty, torch.zeros(1, dtype=torch.long))
    assert found.theta.item() == pytest.approx(2.0, abs=1e-8)
    assert found.sd.item() == pytest.approx(3.0, abs=1e-8)


@pytest.mark.parametrize("model", ["grm", "gpcm", "sequential", "nominal"])
def test_several_categories(model):
    rng = np.random.default_rng(4)
    ability = rng.standard_normal(400)
    cut = np.array([-1.0, 0.2, 1.1])
    noisy = ability[:, None] + 0.8 * rng.standard_normal((400, 6)) + np.linspace(-0.5, 0.5, 6)
    answers = (noisy[..., None] > cut).sum(-1)
    responses = read(pd.DataFrame(answers, columns=list("abcdef")).where(rng.random((400, 6)) > 0.1))
    built = build(Specification(model), responses)
    data = Data.of(responses, built.item_models, torch.device("cpu"))
    generator = torch.Generator().manual_seed(1)
    free = built.model.start() + 0.3 * torch.randn(built.model.n_free, generator=generator, dtype=torch.float64)
    some = torch.arange(25)
    cells, groups = data.cells.take(some).to_dense(), data.groups[some]
    for method, function in METHODS.items():
        found = function(built.model, free, cells, groups)
        for i in torch.nonzero(torch.isfinite(found.sd))[:, 0].tolist():
            judge = Judge(built.model, free, cells.codes[i])
            assert abs(judge.slope(method, found.theta[i].item()) * found.sd[i].item() ** 2) < 1e-7


def test_nobody(simulated):
    case = simulated(5, 4)
    none = DenseCells(torch.zeros(0, 4, dtype=torch.int8))
    found = ml(case.model, case.free, none, torch.zeros(0, dtype=torch.long))
    assert len(found.theta) == len(found.sd) == len(found.status) == 0
