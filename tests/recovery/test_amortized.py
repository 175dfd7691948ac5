"""The amortized engine recovers what the exact one recovers, and does not depend on its seed.

Promises of the package: root mean square errors of slopes, difficulties and abilities within 1 % of the exact
engine's on the same data, 90 % intervals that cover in the same range (.87 to .93), and fits with twenty seeds
that agree in sign and in slopes to .03 standard errors.
"""

import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import irtvi

CASES = {
    "complete": {"model": "2pl", "n_persons": 3_000, "n_items": 40, "missing": 0.0, "priors": None},
    "80 % missing": {"model": "2pl", "n_persons": 5_000, "n_items": 60, "missing": 0.8, "priors": None},
    "95 % missing": {"model": "2pl", "n_persons": 10_000, "n_items": 100, "missing": 0.95, "priors": None},
    "3PL": {"model": "3pl", "n_persons": 4_000, "n_items": 40, "missing": 0.0, "priors": "default"},
}


def bank(n_items, seed, model):
    """Slopes lognormal(0, .3), difficulties N(0, 1), guessing .2."""
    rng = np.random.default_rng(seed)
    table = {"a": np.exp(0.3 * rng.standard_normal(n_items)), "b": rng.standard_normal(n_items)}
    if model == "3pl":
        table["c"] = np.full(n_items, 0.2)
    return pd.DataFrame(table, index=[f"Q{j + 1}" for j in range(n_items)])


def quietly_read(answers):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of people who answered nothing
        return irtvi.read(answers)


@pytest.fixture(scope="module", params=CASES)
def fits(request):
    case = CASES[request.param]
    model = case["model"]
    truth = irtvi.simulate(
        model, case["n_persons"], items=bank(case["n_items"], 21, model), missing=case["missing"], seed=22
    )
    responses = quietly_read(truth.responses)
    exact, amortized = (
        irtvi.fit(responses, model=model, priors=case["priors"], engine=engine)
        for engine in ("quadrature", "amortized")
    )
    return SimpleNamespace(truth=truth, exact=exact, amortized=amortized)


def root_mean_square(values):
    return float(np.sqrt(np.mean(np.square(values))))


def coverage(result, truth):
    interval, theta = result.intervals(0.9), truth.abilities["theta"]
    return float(((interval["lower"] < theta) & (theta < interval["upper"])).mean())


def test_errors_are_those_of_the_exact_engine(fits):
    assert fits.amortized.converged
    for name in ("a", "b"):
        ours, theirs = (
            root_mean_square(fit.items[name] - fits.truth.items[name]) for fit in (fits.amortized, fits.exact)
        )
        assert ours == pytest.approx(theirs, rel=0.01), name
    ours, theirs = (
        root_mean_square(fit.abilities["theta"] - fits.truth.abilities["theta"]) for fit in (fits.amortized, fits.exact)
    )
    assert ours == pytest.approx(theirs, rel=0.01)


def test_intervals_cover_as_those_of_the_exact_engine(fits):
    ours, theirs = coverage(fits.amortized, fits.truth), coverage(fits.exact, fits.truth)
    assert 0.87 < ours < 0.93
    assert ours == pytest.approx(theirs, abs=0.005)
    for name in ("a", "b"):
        inside = [
            (np.abs(fit.items[name] - fits.truth.items[name]) < 1.645 * fit.items[f"{name}_sd"]).mean()
            for fit in (fits.amortized, fits.exact)
        ]
        # One item of a hundred may fall on the other side of its bound.
        assert inside[0] == pytest.approx(inside[1], abs=0.03)


def test_everybody_is_certified(fits):
    shares = irtvi.diagnostics.convergence(fits.amortized).shares["share"]
    assert shares["reliable"] > 0.999


def assert_seeds_agree(responses, n_seeds=20):
    fits = [irtvi.fit(responses, model="2pl", seed=seed) for seed in range(n_seeds)]
    slopes = np.array([fit.items["a"] for fit in fits])
    apart = (slopes.max(0) - slopes.min(0)) / fits[0].items["a_sd"].to_numpy()
    assert (np.sign(slopes) == np.sign(slopes[0])).all()
    assert (slopes.mean(1) > 0).all()
    assert apart.max() < 0.03
    return slopes


@pytest.mark.parametrize("missing", [0.0, 0.7])
def test_twenty_seeds(missing):
    """More persons than the thousand from whom the curvature comes, which the seed draws."""
    truth = irtvi.simulate("2pl", 2_500, items=bank(15, 23, "2pl"), missing=missing, seed=24)
    assert_seeds_agree(quietly_read(truth.responses))


@pytest.mark.slow
def test_twenty_seeds_of_a_fit_that_starts_on_a_sample():
    truth = irtvi.simulate("2pl", 20_000, items=bank(12, 25, "2pl"), seed=26)
    slopes = assert_seeds_agree(irtvi.read(truth.responses))
    assert np.ptp(slopes, axis=0).max() > 0  # the seeds did draw different samples
