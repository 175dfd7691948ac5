"""A prepared model scores as integration from scratch does, and evaluates no formula for it."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

import irtvi
from irtvi.inference.answers import answers_of
from irtvi.inference.engines.engine import Data
from irtvi.inference.expectation import PersonSums
from irtvi.inference.item_posterior import BlockCurvature, DiagonalCurvature
from irtvi.inference.item_uncertainty import sd_items
from irtvi.inference.placing import GridPlacing, integrate_people
from irtvi.inference.prepared import PersonScores, PreparedModel
from irtvi.models.model import Component, Model

MODELS = ["rasch", "1pl", "2pl", "3pl", "grm", "gpcm", "nominal", "monotone"]


@pytest.fixture(scope="module")
def fitted() -> dict[str, irtvi.Result]:
    """One result by model, from 120 persons with a tenth of the answers missing."""
    results = {}
    for name in [*MODELS, "normal"]:
        drawn = irtvi.simulate(name, 120, 8, missing=0.1, seed=3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results[name] = irtvi.fit(drawn.responses, name)
    return results


def _both(result: irtvi.Result, data: Data) -> tuple[PersonSums, torch.Tensor, PersonSums, torch.Tensor]:
    model, free, curvature = result.model, result.posterior.free, result.posterior.curvature
    prepared = _score(PreparedModel(model, free, curvature), data)
    sums = _dense(model, free, data)
    afresh = sd_items(model, free, curvature, data.cells, data.groups, sums)
    return prepared.sums, prepared.sd_items, sums, afresh


def _score(prepared: PreparedModel, data: Data) -> PersonScores:
    found = prepared.score(data.cells, data.groups)
    assert found is not None
    return found


def _dense(model: Model, free: torch.Tensor, data: Data) -> PersonSums:
    """Integrals over a grid that is much finer and wider than it need be."""
    everyone = torch.arange(data.cells.n_persons)
    grid = GridPlacing(answers_of(model, data.cells), everyone, data.groups, sd_share=0.2, slope_share=0.2, _tail=12.0)
    return integrate_people(model, free, grid)


def _data(result: irtvi.Result) -> Data:
    return Data.of(result.responses_of(None), result.item_models, torch.device("cpu"))


@pytest.mark.parametrize("model", [*MODELS, "normal"])
def test_moments_equal_dense_integrals(fitted, model):
    data = _data(fitted[model])
    sums, of_items, expected, expected_of_items = _both(fitted[model], data)
    # The rule's own error at nodes .7 sd apart, exp(-2 pi^2 / .49), is below rounding; the curves of the monotone
    # model have poles that are nearer.
    for name in ("log_marginal", "mean", "sd"):
        torch.testing.assert_close(getattr(sums, name), getattr(expected, name), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(of_items, expected_of_items, rtol=1e-7, atol=1e-6 if model == "monotone" else 1e-9)


@pytest.mark.parametrize("model", ["2pl", "grm", "normal"])
def test_one_person_at_a_time_gives_the_numbers_of_all_together(fitted, model):
    result, data = fitted[model], _data(fitted[model])
    prepared = PreparedModel(result.model, result.posterior.free, result.posterior.curvature)
    together = _score(prepared, data)
    for k in range(0, 120, 17):
        alone = _score(prepared, Data(data.cells.take(torch.tensor([k])), None, data.groups[[k]]))
        torch.testing.assert_close(alone.sums.mean, together.sums.mean[[k]], rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(alone.sd_items, together.sd_items[[k]], rtol=1e-8, atol=1e-9)


def test_somebody_without_an_answer_has_the_population(fitted):
    result = fitted["rasch"]
    table = result.score(pd.DataFrame(np.nan, index=[0], columns=result.coding.item_ids))
    assert table.theta[0] == pytest.approx(0.0, abs=1e-9)
    assert table.sd[0] == pytest.approx(result.population["sd"].iloc[0], rel=1e-9)


def test_nothing_is_evaluated_for_the_second_person(fitted, monkeypatch):
    # What keeps one person at a few milliseconds: tables of the items are there already.
    result = fitted["2pl"]
    people = [result.responses_of(None).subset(persons=np.array([k])) for k in (3, 4, 5)]
    prepared = PreparedModel(result.model, result.posterior.free, result.posterior.curvature)
    data = [Data.of(person, result.item_models, torch.device("cpu")) for person in people]
    sds = [float(_score(prepared, one).sums.sd) for one in data]
    assert max(sds) < 2 * min(sds)

    def refuse(*_: object) -> None:
        raise AssertionError("a formula was evaluated for a person")

    for name in ("coefficients", "expectations"):
        monkeypatch.setattr(Component, name, refuse)
    assert [float(_score(prepared, one).sums.sd) for one in data] == sds


def test_a_steep_item_asks_for_a_finer_grid(simulated):
    # Slopes of 10: nodes a posterior sd apart would be off in the second digit.
    case = simulated(8, 3, seed=1)
    index = case.model.components[0].slots.index
    case.free[index[:, 0]] = 10.0
    found = _score(PreparedModel(case.model, case.free, None), case.data)
    expected = _dense(case.model, case.free, case.data)
    # The rule's own error at .7 over the slope, exp(-2 pi^2 / .7), is 1e-12.
    torch.testing.assert_close(found.sums.log_marginal, expected.log_marginal, rtol=0, atol=1e-9)
    torch.testing.assert_close(found.sums.mean, expected.mean, rtol=0, atol=1e-9)
    assert found.sd_items.isnan().all()


@pytest.mark.parametrize("kind", ["blocks", "variances"])
def test_other_forms_of_the_items_posterior(simulated, generator, kind):
    case = simulated(30, 6, missing=0.2, seed=2)
    if kind == "variances":
        curvature = DiagonalCurvature(torch.rand(case.model.n_free, generator=generator, dtype=torch.float64) + 0.1)
    else:
        index = [part.index for part in case.model.parts]
        roots = [torch.randn(*i.shape, i.shape[1], generator=generator, dtype=torch.float64) for i in index]
        curvature = BlockCurvature([root @ root.mT for root in roots], index, case.model.n_free)
    found = _score(PreparedModel(case.model, case.free, curvature), case.data)
    expected = sd_items(case.model, case.free, curvature, case.data.cells, case.data.groups, found.sums)
    torch.testing.assert_close(found.sd_items, expected, rtol=1e-8, atol=1e-9)


def test_many_persons_are_left_to_a_pass(simulated):
    case = simulated(20, 10)
    prepared = PreparedModel(case.model, case.free, None)
    assert prepared.suits(1)
    assert not prepared.suits(0)
    assert not prepared.suits(100_000)
