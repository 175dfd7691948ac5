"""Parameters at the end of their range are named in the item table, and the others keep their errors."""

import numpy as np
import pandas as pd
import pytest

import irtvi

ABILITY = np.random.default_rng(3).standard_normal(400)


def measures(rng):
    """Four measures with noise, and two that are ability itself, so that the likelihood rises for ever."""
    noisy = {f"y{j}": (j + 1) * 0.5 * ABILITY + 0.5 * rng.standard_normal(400) for j in range(4)}
    return pd.DataFrame(noisy | {"exact": 2 * ABILITY + 1, "exact too": 3 - ABILITY})


def shares(rng):
    mean = {f"y{j}": 1 / (1 + np.exp(-(1 + 0.2 * j) * ABILITY)) for j in range(4)}
    noisy = {name: rng.beta(8 * m, 8 * (1 - m)).clip(1e-6, 1 - 1e-6) for name, m in mean.items()}
    exact = {"exact": 1 / (1 + np.exp(-1.5 * ABILITY)), "exact too": 1 / (1 + np.exp(ABILITY - 0.5))}
    return pd.DataFrame(noisy | exact)


@pytest.mark.parametrize("engine", ["amortized", "quadrature"])
@pytest.mark.parametrize(("model", "spread", "limit"), [("normal", "sigma", 0.01), ("beta", "phi", 1e4)])
def test_measures_that_are_ability_itself(model, spread, limit, engine):
    frame = {"normal": measures, "beta": shares}[model](np.random.default_rng(4))
    result = irtvi.fit(frame, model, priors=None, engine=engine)
    assert result.converged
    exact, noisy = result.items.iloc[4:], result.items.iloc[:4]
    unit = frame.iloc[:, 4:].std(ddof=0).to_numpy() if model == "normal" else 1.0
    np.testing.assert_allclose(exact[spread], limit * unit, rtol=1e-6)
    assert (exact["status"] == f"{spread} at its boundary").all()
    assert exact[f"{spread}_sd"].isna().all()
    assert (noisy["status"] == "").all()
    assert (noisy.filter(regex="_sd$") > 0).all(axis=None)
    assert (exact["a_sd"] > 0).all()
    assert result.abilities["theta"].corr(frame["exact"], method="spearman") > 0.999
    assert result.curves(["exact"], what="expected").notna().all(axis=None)


def test_no_prior_outweighs_a_measure_that_is_there_twice():
    items = irtvi.fit(measures(np.random.default_rng(4)), "normal").items
    assert items["status"].tolist() == 4 * [""] + 2 * ["sigma at its boundary"]


def test_a_prior_keeps_a_single_measure_from_the_limit():
    items = irtvi.fit(measures(np.random.default_rng(4)).iloc[:, :5], "normal").items
    assert (items["status"] == "").all()
    assert (items.filter(regex="_sd$") > 0).all(axis=None)
