"""Items and abilities of measured answers are found again, and standard errors are as wide as they should be.

The limits are four standard errors of the statistic, if estimates are normal around the truth with the reported
standard errors and independent of each other. The abilities of each sample have exactly the mean and the spread of the
population, because otherwise all items would be off together; that takes chance away which standard errors include, so
that the errors of slopes and difficulties spread a little less than these say.
"""

import numpy as np
import pandas as pd
import pytest

import irtvi

pytestmark = pytest.mark.slow

N_PERSONS, N_ITEMS = 2_000, 30
PARAMETERS = {"normal": ("a", "d", "sigma"), "beta": ("a", "b", "phi")}


def true_items(name, rng):
    ids = [f"i{j}" for j in range(N_ITEMS)]
    if name == "normal":
        unit = 10.0 ** rng.integers(-2, 4, N_ITEMS)
        a, d, sigma = rng.uniform(0.4, 1.2, N_ITEMS), rng.normal(0, 2, N_ITEMS), rng.uniform(0.5, 1.5, N_ITEMS)
        return pd.DataFrame({"a": a * unit, "d": d * unit, "sigma": sigma * unit}, index=ids)
    a, b, phi = rng.lognormal(0, 0.3, N_ITEMS), rng.normal(0, 0.8, N_ITEMS), rng.uniform(4, 20, N_ITEMS)
    return pd.DataFrame({"a": a, "b": b, "phi": phi}, index=ids)


@pytest.mark.parametrize("engine", ["amortized", "quadrature"])
@pytest.mark.parametrize("missing", [0.0, 0.6])
@pytest.mark.parametrize("name", PARAMETERS)
def test_recovery(name, missing, engine):
    rng = np.random.default_rng(11)
    theta = rng.standard_normal(N_PERSONS)
    theta = (theta - theta.mean()) / theta.std()
    truth = irtvi.simulate(name, items=true_items(name, rng), abilities=theta, missing=missing, seed=12)
    result = irtvi.fit(truth.responses, model=name, priors=None, engine=engine)
    assert result.converged
    z = np.concatenate(
        [(result.items[p] - truth.items[p]) / result.items[f"{p}_sd"] for p in PARAMETERS[name]]
    )
    n = len(z)
    assert abs(z.mean()) < 4 / np.sqrt(n)
    assert abs(z.std() - 1) < 4 / np.sqrt(2 * n)
    people = (result.abilities["theta"].to_numpy() - theta) / result.abilities["sd"].to_numpy()
    covered = (np.abs(people) < 1.644854).mean()
    assert abs(covered - 0.9) < 4 * np.sqrt(0.09 / N_PERSONS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_coverage_over_sets(name):
    """Items and abilities anew in each of 20 sets, so that errors that items of a set share are told too."""
    shares = []
    for seed in range(20):
        truth = irtvi.simulate(name, 1_000, items=true_items(name, np.random.default_rng(seed)), seed=seed)
        items = irtvi.fit(truth.responses, model=name, priors=None).items
        z = [(items[p] - truth.items[p]) / items[f"{p}_sd"] for p in PARAMETERS[name]]
        shares.append([(np.abs(one) < 1.644854).mean() for one in z])
    covered, error = np.mean(shares, 0), np.std(shares, 0, ddof=1) / np.sqrt(len(shares))
    assert (error < 0.03).all()
    assert (np.abs(covered - 0.9) < 4 * error).all()
