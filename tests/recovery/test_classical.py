"""Recovery of known items and abilities.

An estimate that is right misses the truth by its own standard error, so errors over standard errors are compared
with standard normal numbers. The root mean square of m of them, any two with correlation r, is 1 with standard error
sqrt(1/m + r^2) / sqrt(2). They are correlated because abilities are drawn: a sampled mean that is off by 1/sqrt(N)
shifts all difficulties, a sampled sd that is off by 1/sqrt(2 N) stretches them and all slopes. Four standard errors
are allowed, on both sides, and two per cent for the bias of a finite sample.
"""

import numpy as np
import pandas as pd
import pytest

import irtvi

ENGINES = ["quadrature", "amortized"]


def bank(n_items, seed):
    """Slopes lognormal(0, .3) and difficulties N(0, 1)."""
    rng = np.random.default_rng(seed)
    table = {"a": np.exp(0.3 * rng.standard_normal(n_items)), "b": rng.standard_normal(n_items)}
    return pd.DataFrame(table, index=[f"Q{j + 1}" for j in range(n_items)])


def standardised(result, truth, name):
    return ((result.items[name] - truth.items[name]) / result.items[f"{name}_sd"]).to_numpy(float)


def assert_recovered(result, truth):
    assert result.converged
    items, n_persons = result.items, result.n_persons
    common = {"a": items["a"] ** 2 / (2 * n_persons), "b": (1 + items["b"] ** 2 / 2) / n_persons}
    for name, variance in common.items():
        z = standardised(result, truth, name)
        correlation = (variance / items[f"{name}_sd"] ** 2).mean()
        allowed = 4 * np.sqrt((1 / len(z) + correlation**2) / 2) + 0.02
        assert np.sqrt((z**2).mean()) == pytest.approx(1.0, abs=allowed), name
    error = result.abilities["theta"] - truth.abilities["theta"]
    expected = np.sqrt((result.abilities["sd"] ** 2).mean())
    assert np.sqrt((error**2).mean()) == pytest.approx(expected, rel=4 / np.sqrt(2 * len(error)) + 0.02)


@pytest.mark.parametrize("engine", ENGINES)
def test_two_thousand_persons(engine):
    truth = irtvi.simulate("2pl", 2_000, items=bank(50, 1), seed=2)
    assert_recovered(irtvi.fit(truth.responses, model="2pl", priors=None, engine=engine), truth)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("missing", [0.0, 0.8])
def test_ten_thousand_persons(engine, missing):
    truth = irtvi.simulate("2pl", 10_000, items=bank(50, 3), missing=missing, seed=4)
    result = irtvi.fit(truth.responses, model="2pl", priors=None, engine=engine)
    assert_recovered(result, truth)
    bias = (result.items["a"] - truth.items["a"]).mean()
    # The mean of 50 errors, all of them driven by the sampled sd of ability (1/sqrt(2 N)) as well.
    allowed = 4 * np.sqrt((result.items["a_sd"] ** 2).mean() / 50 + truth.items["a"].mean() ** 2 / 20_000)
    assert abs(bias) < allowed


@pytest.mark.parametrize("engine", ENGINES)
def test_item_sd_shrinks_with_the_root_of_the_number_of_persons(engine):
    """Threefold from 500 to 4,500; information is a mean over persons, so to 4/sqrt(N) or so of the smaller."""
    items = bank(20, 6)
    few, many = (
        irtvi.fit(irtvi.simulate("2pl", n, items=items, seed=7).responses, model="2pl", priors=None, engine=engine)
        for n in (500, 4_500)
    )
    for name in ("a_sd", "b_sd"):
        assert (few.items[name] / many.items[name]).median() == pytest.approx(3.0, rel=0.12)


def test_the_seed_of_a_fit_does_not_matter():
    """Twenty seeds: the same sign and the same numbers."""
    truth = irtvi.simulate("2pl", 500, items=bank(8, 8), missing=0.2, seed=9)
    responses = irtvi.read(truth.responses)
    fits = [irtvi.fit(responses, model="2pl", engine="quadrature", seed=seed) for seed in range(20)]
    for other in fits[1:]:
        np.testing.assert_allclose(other.items["a"], fits[0].items["a"], rtol=0, atol=1e-4)
        np.testing.assert_allclose(other.items["b"], fits[0].items["b"], rtol=0, atol=1e-4)
        np.testing.assert_allclose(other.abilities["theta"], fits[0].abilities["theta"], rtol=0, atol=1e-4)


@pytest.mark.slow
def test_the_subsample_of_a_large_fit_does_not_matter():
    """Enough persons that the search starts on a random subsample, another one for each of twenty seeds."""
    truth = irtvi.simulate("2pl", 17_000, items=bank(8, 10), seed=11)
    responses = irtvi.read(truth.responses)
    fits = [irtvi.fit(responses, model="2pl", engine="quadrature", seed=seed) for seed in range(20)]
    for other in fits[1:]:
        np.testing.assert_allclose(other.items["a"], fits[0].items["a"], rtol=0, atol=1e-4)
        np.testing.assert_allclose(other.items["b"], fits[0].items["b"], rtol=0, atol=1e-4)
