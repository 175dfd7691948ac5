"""Curves and their bands against differences and a second formula for information."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit, logit
from scipy.stats import norm
from torch.func import jvp

import irtvi
from irtvi.errors import SpecificationError
from irtvi.results.curves import curves

THETA = np.array([-2.5, -0.3, 0.0, 1.7])
Z = norm.ppf(0.975)


@pytest.fixture(scope="module")
def fits():
    """A 3PL of LSAT7 and a generalized partial credit model of items with three and four categories."""
    rng = np.random.default_rng(2)
    ability = rng.standard_normal(500)[:, None]
    answers = pd.DataFrame(
        np.digitize(ability + rng.logistic(size=(500, 4)), [-1.0, 0.5]), columns=["q1", "q2", "q3", "q4"]
    )
    answers["q4"] = np.digitize(ability[:, 0] + rng.logistic(size=500), [-1.0, 0.0, 1.0]) + 1
    return {
        "3pl": irtvi.fit(irtvi.load_data("lsat7"), model="3pl"),
        "gpcm": irtvi.fit(answers, model="gpcm"),
    }


def table_of(result, what, items=None, theta=THETA, level=0.95, posterior=None):
    positions = list(range(len(result.coding.item_ids))) if items is None else items
    posterior = posterior or result.posterior
    return curves(posterior, result.coding, result.item_models, positions, theta, what, level)


def values_at(result, free, what):
    """The value column at other parameters."""
    from dataclasses import replace

    moved = replace(result.posterior, free=free)
    return table_of(result, what, posterior=moved)["value"].to_numpy()


def standard_errors(result, what, scale):
    """Delta method by central differences, the values first put on a scale."""
    free, step = result.posterior.free, 1e-5
    columns = []
    for k in range(len(free)):
        shift = torch.zeros_like(free)
        shift[k] = step
        up, down = (scale(values_at(result, free + sign * shift, what)) for sign in (1, -1))
        columns.append((up - down) / (2 * step))
    J = np.stack(columns, 1)
    covariance = result.posterior.curvature.covariance().numpy()
    return np.sqrt(((J @ covariance) * J).sum(1))


@pytest.mark.parametrize("name", ["3pl", "gpcm"])
def test_bands_of_probabilities_are_normal_on_the_logit(fits, name):
    result = fits[name]
    table = table_of(result, "probability")
    assert list(table.columns) == ["item", "category", "theta", "value", "lower", "upper"]
    se = standard_errors(result, "probability", logit)
    # Differences of second order at a step of 1e-5 are good to about 1e-6.
    np.testing.assert_allclose(table["lower"], expit(logit(table["value"]) - Z * se), rtol=1e-5)
    np.testing.assert_allclose(table["upper"], expit(logit(table["value"]) + Z * se), rtol=1e-5)
    sums = table.groupby(["item", "theta"])["value"].sum()
    np.testing.assert_allclose(sums, 1.0, atol=1e-12)


@pytest.mark.parametrize("name", ["3pl", "gpcm"])
@pytest.mark.parametrize("what", ["information", "test_information"])
def test_bands_of_information_are_normal_on_the_logarithm(fits, name, what):
    result = fits[name]
    table = table_of(result, what)
    se = standard_errors(result, what, np.log)
    np.testing.assert_allclose(table["lower"], table["value"] * np.exp(-Z * se), rtol=1e-5)
    np.testing.assert_allclose(table["upper"], table["value"] * np.exp(Z * se), rtol=1e-5)


def test_expected_answers_are_in_the_units_of_the_data(fits):
    result = fits["gpcm"]
    table = table_of(result, "expected")
    assert list(table.columns) == ["item", "theta", "value", "lower", "upper"]
    long = table_of(result, "probability")
    worth = long.assign(value=long["value"] * long["category"]).groupby(["item", "theta"])["value"].sum()
    found = table.set_index(["item", "theta"])["value"]
    np.testing.assert_allclose(found, worth.loc[found.index], rtol=1e-12)
    low = table["item"].map({"q1": 0, "q2": 0, "q3": 0, "q4": 1})
    high = table["item"].map({"q1": 2, "q2": 2, "q3": 2, "q4": 4})
    assert ((low < table["lower"]) & (table["lower"] < table["value"])).all()
    assert ((table["value"] < table["upper"]) & (table["upper"] < high)).all()
    scale = lambda v: logit((v - low) / (high - low))  # noqa: E731
    se = standard_errors(result, "expected", scale)
    np.testing.assert_allclose(table["lower"], low + (high - low) * expit(scale(table["value"]) - Z * se), rtol=1e-5)


@pytest.mark.parametrize("name", ["3pl", "gpcm"])
def test_information_is_minus_the_expected_second_derivative(fits, name):
    """The two forms of Fisher's information (Lehmann & Casella 1998, section 2.5)."""
    result = fits[name]
    found = table_of(result, "information")["value"].to_numpy().reshape(-1, len(THETA))
    (component,) = result.posterior.model.components
    values = component.slots.free_values(result.posterior.free)
    theta = torch.as_tensor(THETA)[:, None]
    ones = torch.ones_like(theta)

    def log_probs(t):
        return component.coefficients(t, values)

    second = jvp(lambda t: jvp(log_probs, (t,), (ones,))[1], (theta,), (ones,))[1]
    expected = -(log_probs(theta).exp() * torch.where(second.isfinite(), second, 0.0)).sum(-1)
    np.testing.assert_allclose(found, expected.numpy().T, rtol=1e-9)


def test_test_information_is_the_sum(fits):
    result = fits["3pl"]
    some = table_of(result, "information", items=[1, 3]).groupby("theta")["value"].sum()
    total = table_of(result, "test_information", items=[1, 3])
    assert list(total.columns) == ["theta", "value", "lower", "upper"]
    np.testing.assert_allclose(total["value"], some, rtol=1e-12)


def test_items_keep_the_order_asked_for(fits):
    result = fits["3pl"]
    ids = list(result.coding.item_ids)
    table = table_of(result, "expected", items=[3, 0])
    assert table["item"].tolist() == [ids[3]] * 4 + [ids[0]] * 4
    assert table["theta"].tolist() == [*THETA, *THETA]


def test_bands_stay_within_bounds_far_out(fits):
    table = table_of(fits["3pl"], "probability", theta=np.array([-40.0, 40.0]))
    assert table[["value", "lower", "upper"]].notna().all(axis=None)
    assert ((table["lower"] >= 0) & (table["upper"] <= 1)).all()
    assert ((table["lower"] <= table["value"]) & (table["value"] <= table["upper"])).all()


def test_a_wider_level_is_wider(fits):
    narrow, wide = (table_of(fits["3pl"], "expected", level=level) for level in (0.5, 0.99))
    assert (wide["lower"] < narrow["lower"]).all()
    assert (wide["upper"] > narrow["upper"]).all()


def test_an_item_that_cannot_be_estimated_is_nan():
    frame = irtvi.load_data("lsat7")
    frame[frame.columns[2]] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", irtvi.errors.IrtviWarning)
        result = irtvi.fit(frame, model="2pl", priors=None)
    constant = list(result.coding.item_ids).index(frame.columns[2])
    for what in ("probability", "expected", "information"):
        table = table_of(result, what)
        gone = table["item"] == frame.columns[2]
        assert table.loc[gone, ["value", "lower", "upper"]].isna().all(axis=None)
        assert table.loc[~gone, ["value", "lower", "upper"]].notna().all(axis=None)
    rest = [j for j in range(len(result.coding.item_ids)) if j != constant]
    every, without = table_of(result, "test_information"), table_of(result, "test_information", items=rest)
    pd.testing.assert_frame_equal(every, without)


def test_no_band_without_a_posterior_of_the_items(fits):
    from dataclasses import replace

    unsure = replace(fits["3pl"].posterior, curvature=None)
    for what in ("probability", "expected", "information", "test_information"):
        table = table_of(fits["3pl"], what, posterior=unsure)
        assert table["value"].notna().all()
        assert table[["lower", "upper"]].isna().all(axis=None)


def test_what_must_be_known_and_items_named(fits):
    with pytest.raises(SpecificationError, match="'probability', 'expected', 'sd', 'information'"):
        table_of(fits["3pl"], "icc")
    with pytest.raises(SpecificationError, match="names no item"):
        table_of(fits["3pl"], "expected", items=[])


@pytest.mark.parametrize("what", ["expected", "sd"])
def test_options_without_order_have_no_expected_answer(what):
    truth = irtvi.simulate("nominal", n_persons=200, n_items=4, n_categories=3, seed=1)
    result = irtvi.fit(truth.responses, model="nominal")
    with pytest.raises(SpecificationError, match="nominal model's categories have no order"):
        result.curves(what=what)
    with pytest.raises(SpecificationError, match="nominal model's categories have no order"):
        result.expected_responses()


def test_the_sd_of_an_answer_is_that_of_its_categories(fits):
    theta = np.linspace(-2, 2, 5)
    table = fits["gpcm"].curves(theta=theta, what="probability")
    items = list(fits["gpcm"].coding.item_ids)
    values = {item: coding.values for item, coding in zip(items, fits["gpcm"].coding.codings, strict=True)}
    for item, own in table.groupby("item"):
        p = own["value"].to_numpy().reshape(len(theta), -1)
        worth = np.array(values[item])
        expected = np.sqrt(p @ worth**2 - (p @ worth) ** 2)
        found = fits["gpcm"].curves(item, theta=theta, what="sd")
        np.testing.assert_allclose(found["value"], expected, rtol=1e-9)
        assert ((found["lower"] < found["value"]) & (found["value"] < found["upper"])).all()
