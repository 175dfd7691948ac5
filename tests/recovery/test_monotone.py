"""Monotone curves recover what made the data: shapes, bands, direction, and the 2PL where it is true."""

import numpy as np
import pandas as pd
import pytest

import irtvi

N_ITEMS = 30
THETA = np.linspace(-1.96, 1.96, 41)
WEIGHT = np.exp(-0.5 * THETA**2) / np.exp(-0.5 * THETA**2).sum()


def logistic(x):
    return 1 / (1 + np.exp(-x))


def two_parameters(rng):
    a, b = rng.lognormal(0.0, 0.3, N_ITEMS), rng.normal(size=N_ITEMS)
    return lambda theta: logistic(a * (theta[:, None] - b))


def plateau(rng):
    """Two steep logistic curves, added up."""
    low, gap, share = rng.normal(-1.0, 0.5, N_ITEMS), rng.uniform(1.4, 2.6, N_ITEMS), rng.uniform(0.3, 0.7, N_ITEMS)
    return lambda theta: (
        share * logistic(2.5 * (theta[:, None] - low)) + (1 - share) * logistic(2.5 * (theta[:, None] - low - gap))
    )


def simulated(make_curve, n_persons, seed):
    rng = np.random.default_rng(seed)
    curve = make_curve(rng)
    truth = curve(rng.normal(size=n_persons))
    frame = pd.DataFrame((rng.random(truth.shape) < truth).astype(int), columns=[f"item{j}" for j in range(N_ITEMS)])
    return irtvi.read(frame.rename_axis("id").reset_index(), id="id"), curve(THETA).T


def bands(result, level=0.9):
    table = result.curves(theta=THETA, what="probability", level=level)
    table = table[table.category == 1]
    return (table[name].to_numpy().reshape(N_ITEMS, -1) for name in ("value", "lower", "upper"))


def rmse(value, truth):
    return float(np.sqrt(((value - truth) ** 2 * WEIGHT).sum(1).mean()))


@pytest.fixture(scope="module")
def plateaus():
    responses, truth = simulated(plateau, 2_000, 1)
    return responses, truth, irtvi.fit(responses, model="monotone", engine="quadrature")


def test_plateaus_are_seen(plateaus):
    responses, truth, result = plateaus
    assert result.converged
    value, lower, upper = bands(result)
    straight, _, _ = bands(irtvi.fit(responses, model="2pl", engine="quadrature"))
    # Over 20 sets of this size the ratio of RMSE was .54 on average.
    assert rmse(value, truth) < 0.75 * rmse(straight, truth)
    cover = (((truth >= lower) & (truth <= upper)) * WEIGHT).sum(1).mean()
    # 30 dependent curves: one set's coverage varies by about .03 around .89.
    assert 0.80 < cover < 0.97
    assert result.model.hyper[0]["tau"] > 0.1


def test_readable_columns_stand_beside_their_sds(plateaus):
    items = plateaus[2].items
    for column in ("difficulty", "slope", "lower_asymptote", "upper_asymptote", "asymmetry"):
        assert np.isfinite(items[column]).all()
        assert (items[f"{column}_sd"] > 0).all()


def test_two_parameter_data_shrink_to_the_two_parameter_model():
    responses, truth = simulated(two_parameters, 2_000, 2)
    flexible = irtvi.fit(responses, model="monotone", engine="quadrature")
    value, _, _ = bands(flexible)
    straight, _, _ = bands(irtvi.fit(responses, model="2pl", engine="quadrature"))
    assert flexible.model.hyper[0]["tau"] < 0.1
    assert np.abs(value - straight).max() < 0.03
    assert rmse(value, truth) < 1.05 * rmse(straight, truth)


def test_an_item_keyed_wrongly_falls_and_is_named():
    responses, _ = simulated(two_parameters, 1_000, 3)
    frame = pd.DataFrame(responses.raw().codes.numpy(), columns=responses.item_ids).iloc[:, :12]
    plain = irtvi.fit(frame.rename_axis("id").reset_index(), model="monotone", engine="quadrature")
    frame["item4"] = 1 - frame["item4"]
    turned = irtvi.fit(frame.rename_axis("id").reset_index(), model="monotone", engine="quadrature")
    assert "falls" in turned.items.loc["item4", "status"]
    assert (turned.items.drop("item4")["status"] == "").all()
    assert turned.items.loc["item4", "slope"] == pytest.approx(-plain.items.loc["item4", "slope"], abs=0.02)
    np.testing.assert_allclose(turned.abilities.theta, plain.abilities.theta, atol=0.01)


def test_ordered_categories_without_shape_are_graded():
    rng = np.random.default_rng(5)
    theta = rng.normal(size=1_000)
    cuts = np.sort(rng.normal(size=(8, 3)), axis=1)
    latent = 1.2 * theta[:, None] + rng.logistic(size=(1_000, 8))
    frame = pd.DataFrame((latent[:, :, None] > cuts).sum(2), columns=[f"item{j}" for j in range(8)])
    data = frame.rename_axis("id").reset_index()
    flexible = irtvi.fit(data, model="monotone", engine="quadrature")
    graded = irtvi.fit(data, model="grm", engine="quadrature")
    assert flexible.converged
    # The priors of the two differ a little; the data are the same and the graded model is true.
    assert abs(flexible.log_marginal - graded.log_marginal) < 6.0
    np.testing.assert_allclose(flexible.abilities.theta, graded.abilities.theta, atol=0.1)


def test_a_saved_result_draws_the_same_curves(plateaus, tmp_path):
    result = plateaus[2]
    result.save(tmp_path / "curves.irtvi")
    again = irtvi.load(tmp_path / "curves.irtvi")
    for ours, theirs in zip(bands(result), bands(again), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert again.model.hyper == result.model.hyper


def test_criteria_that_count_parameters_are_not_given(plateaus):
    result = plateaus[2]
    assert np.isnan([result.aic, result.bic, result.sabic]).all()


@pytest.mark.slow
@pytest.mark.parametrize(("make_curve", "low"), [(two_parameters, 0.85), (plateau, 0.83)])
def test_bands_cover(make_curve, low):
    """20 sets: 90 % bands cover between .83 (plateaus) or .85 and .95 of the curves on average."""
    covers = []
    for seed in range(20):
        responses, truth = simulated(make_curve, 500, 100 + seed)
        _, lower, upper = bands(irtvi.fit(responses, model="monotone", engine="quadrature"))
        covers.append((((truth >= lower) & (truth <= upper)) * WEIGHT).sum(1).mean())
    assert low < np.mean(covers) < 0.95
