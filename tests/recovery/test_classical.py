"""Recovery of known items and abilities, and whether 90 % intervals cover what they should.

An estimate that is right misses the truth by its own standard error, so errors over standard errors are compared
with what standard normal numbers do. With m numbers their root mean square is 1 with standard error
1/sqrt(2 m); four of these, and two per cent for the bias of a finite sample, are allowed, doubled where the
numbers hang together (a and d of an item).
"""

import numpy as np
import pandas as pd
import pytest

import irtvi

ENGINES = ["quadrature", "amortized"]
NINETY = 1.6448536


def bank(n_items, seed):
    """Slopes lognormal(0, .3) and difficulties N(0, 1)."""
    rng = np.random.default_rng(seed)
    table = {"a": np.exp(0.3 * rng.standard_normal(n_items)), "b": rng.standard_normal(n_items)}
    return pd.DataFrame(table, index=[f"Q{j + 1}" for j in range(n_items)])


def standardised(result, truth, name):
    return ((result.items[name] - truth.items[name]) / result.items[f"{name}_sd"]).to_numpy(float)


def assert_recovered(result, truth, names=("a", "b")):
    assert result.converged
    for name in names:
        z = standardised(result, truth, name)
        # Abilities N(0, 1) are drawn, so all items share the error of their mean and sd: hence the doubling.
        allowed = 2 * 4 / np.sqrt(2 * len(z)) + 0.02
        assert np.sqrt((z**2).mean()) < 1 + allowed
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


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_guessing_with_items_from_the_priors(engine):
    """Items drawn from the default priors, which the fit then uses: posterior intervals are calibrated."""
    truth = irtvi.simulate("3pl", 10_000, 50, seed=5)
    result = irtvi.fit(truth.responses, model="3pl", engine=engine)
    assert result.converged
    for name in ("a", "c"):
        inside = np.abs(standardised(result, truth, name)) < NINETY
        # 50 items: four standard errors of a share.
        assert inside.mean() > 0.9 - 4 * np.sqrt(0.9 * 0.1 / 50)
    error = result.abilities["theta"] - truth.abilities["theta"]
    expected = np.sqrt((result.abilities["sd"] ** 2).mean())
    assert np.sqrt((error**2).mean()) == pytest.approx(expected, rel=4 / np.sqrt(20_000) + 0.02)


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
