"""Log marginal, EAP and sd of each person against dense quadrature in float64.

The integrals are written down here once more, on 20,001 nodes where the engines use some tens. The quadrature
engine promises the log marginal to the larger of 1e-5 and 1e-6 of its absolute value and EAP and sd to 1e-5;
the amortized engine states its error person by person (``certificates.delta``, the relative difference of the
rules on every and on every other node; the trapezoid rule squares its error when its spacing is halved).
"""

import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

import irtvi
from irtvi.inference.answers import answers_of
from irtvi.inference.engines.engine import Data
from irtvi.inference.placing import GridPlacing, integrate_people

NODES = np.linspace(-12.0, 12.0, 20_001)
ENGINES = ["quadrature", "amortized"]


def dense(answers, items, mean=0.0, sd=1.0):
    """Log marginal, EAP and sd of answers (0, 1, NaN) for columns a, b and perhaps c of items."""
    a, b = items["a"].to_numpy(float), items["b"].to_numpy(float)
    c = items["c"].to_numpy(float) if "c" in items else np.zeros(len(a))
    x = a * (NODES[:, None] - b)
    with np.errstate(divide="ignore"):
        right = np.logaddexp(np.log(c), np.log1p(-c) - np.logaddexp(0.0, -x))
    wrong = np.log1p(-c) - np.logaddexp(0.0, x)
    spacing = NODES[1] - NODES[0]
    density = -0.5 * ((NODES - mean) / sd) ** 2 - np.log(sd * np.sqrt(2 * np.pi)) + np.log(spacing)
    found = []
    for part in np.array_split(answers, max(1, len(answers) // 100)):
        joint = np.nan_to_num(part) @ right.T + np.nan_to_num(1.0 - part) @ wrong.T + density
        top = joint.max(1, keepdims=True)
        weights = np.exp(joint - top)
        total = weights.sum(1)
        weights /= total[:, None]
        eap = weights @ NODES
        variance = (weights * (NODES - eap[:, None]) ** 2).sum(1)
        found.append(np.stack([np.log(total) + top[:, 0], eap, np.sqrt(variance)]))
    return SimpleNamespace(**dict(zip(("log_marginal", "eap", "sd"), np.hstack(found), strict=True)))


def held(responses, items, engine, **request):
    """A fit in which every parameter is held at `items`."""
    model = "3pl" if "c" in items else "2pl"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", irtvi.errors.IrtviWarning)
        result = irtvi.fit(responses, model=model, fixed=items, engine=engine, **request)
    assert result.n_parameters == 0
    return result


def assert_exact(result, answers, items, **population):
    expected = dense(np.asarray(answers, dtype=float), items, **population)
    persons = result.posterior.persons
    error = np.abs(persons.log_marginal.numpy() - expected.log_marginal)
    if result.engine == "quadrature":
        assert (error / np.maximum(1e-5, 1e-6 * np.abs(expected.log_marginal))).max() < 1.0
        np.testing.assert_allclose(persons.mean.numpy(), expected.eap, rtol=0, atol=1e-5)
        np.testing.assert_allclose(persons.sd.numpy(), expected.sd, rtol=0, atol=1e-5)
    else:
        stated = result.certificates["delta"].to_numpy() ** 2 + 1e-5
        assert (error <= stated).mean() >= 0.99
        # What the amortized engine promises for EAP and sd.
        np.testing.assert_allclose(persons.mean.numpy(), expected.eap, rtol=0, atol=2e-3)
        np.testing.assert_allclose(persons.sd.numpy(), expected.sd, rtol=0, atol=2e-3)


def drawn(items, n_persons, seed, missing=0.0):
    model = "3pl" if "c" in items else "2pl"
    return irtvi.simulate(model, n_persons, items=items, missing=missing, seed=seed).responses


def bank(a, seed, c=None):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"a": a, "b": rng.uniform(-1.5, 1.5, len(a))}, index=[f"Q{j + 1}" for j in range(len(a))])
    return table if c is None else table.assign(c=c)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["lsat6", "lsat7"])
@pytest.mark.parametrize("model", ["2pl", "3pl"])
def test_real_answers_at_the_fitted_items(name, model, engine):
    frame = irtvi.load_data(name)
    result = irtvi.fit(frame, model=model, engine=engine)
    assert_exact(result, frame.drop(columns="id"), result.items)
    assert result.log_marginal == pytest.approx(float(result.posterior.persons.log_marginal.sum()), abs=1e-8)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("missing", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("guessing", [None, 0.2], ids=["2pl", "3pl"])
def test_a_whole_bank_held(guessing, missing, engine):
    items = bank(np.exp(0.3 * np.random.default_rng(3).standard_normal(30)), seed=4, c=guessing)
    answers = drawn(items, 300, seed=5, missing=missing)
    assert_exact(held(answers, items, engine), answers, items)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(4))
def test_few_very_steep_items(seed, engine):
    """The difficulties, so the poles of the logistic beside the grid, are anywhere between two nodes."""
    items = bank(np.full(3, 10.0), seed)
    answers = drawn(items, 200, seed)
    assert_exact(held(answers, items, engine), answers, items)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(4))
def test_one_steep_item_among_many(seed, engine):
    items = bank(np.array([8.0] + [1.0] * 19), seed)
    answers = drawn(items, 200, seed)
    assert_exact(held(answers, items, engine), answers, items)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_long_test_of_steep_items(engine):
    """Log marginals of some hundred nats and posteriors a twentieth as wide as the population."""
    items = bank(np.random.default_rng(1).uniform(1.5, 4.0, 250), seed=2)
    answers = drawn(items, 200, seed=3)
    assert_exact(held(answers, items, engine), answers, items)


@pytest.mark.parametrize("engine", ENGINES)
def test_another_population(engine):
    items = bank(np.full(12, 1.3), seed=6)
    answers = drawn(items, 200, seed=7)
    result = held(answers, items, engine, population={"mean": 0.7, "sd": 1.4})
    assert_exact(result, answers, items, mean=0.7, sd=1.4)


@pytest.mark.parametrize("missing", [0.0, 0.8])
def test_the_size_of_blocks_does_not_matter(missing):
    items = bank(np.linspace(0.5, 3.0, 20), seed=8)
    answers = drawn(items, 150, seed=9, missing=missing)
    result = held(answers, items, "quadrature")
    data = Data.of(result.responses, result.item_models, torch.device("cpu"))
    encoded, everyone = answers_of(result.model, data.cells), torch.arange(150)
    for block_size in (1, 7, 64, 2048):
        placing = GridPlacing(encoded, everyone, data.groups, block_size=block_size)
        sums = integrate_people(result.model, result.posterior.free, placing)
        # The same sums in another order, in float64.
        for name in ("log_marginal", "mean", "sd"):
            expected = getattr(result.posterior.persons, name)
            torch.testing.assert_close(getattr(sums, name), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_person_alone_has_the_same_numbers(engine):
    """Scored alone, or among others with other widths of posterior: the same within what the engine promises."""
    items = bank(np.linspace(0.5, 3.0, 20), seed=8)
    answers = drawn(items, 60, seed=9, missing=0.5)
    result = held(answers, items, engine)
    tolerance = 2e-5 if engine == "quadrature" else 4e-3
    for person in answers.index[:5]:
        alone = result.score(answers.loc[[person]])
        for column in ("theta", "sd"):
            assert alone.loc[person, column] == pytest.approx(result.abilities.loc[person, column], abs=tolerance)
