"""Simulated answers follow the model that was asked for."""

import numpy as np
import pandas as pd
import pytest

import irtvi
from irtvi.errors import SpecificationError
from irtvi.models.items import ITEM_MODELS
from irtvi.simulate import simulate

BANK = pd.DataFrame({"a": [0.5, 1.0, 2.0], "b": [-1.0, 0.0, 1.5]}, index=["x", "y", "z"])


def test_shares_are_those_of_the_formula():
    truth = simulate(n_persons=20_000, items=BANK, abilities=np.full(20_000, 0.7), seed=3)
    expected = 1 / (1 + np.exp(-BANK["a"] * (0.7 - BANK["b"])))
    # Four standard errors of a share.
    tolerance = 4 * np.sqrt(expected * (1 - expected) / 20_000)
    assert ((truth.responses.mean() - expected).abs() < tolerance).all()


def test_given_items_come_back_as_the_truth():
    truth = simulate(n_persons=5, items=BANK)
    pd.testing.assert_frame_equal(truth.items[["a", "b"]], BANK)
    assert list(truth.items["model"]) == ["2pl"] * 3
    assert list(truth.responses.columns) == ["x", "y", "z"]


def test_same_seed_same_answers():
    first, again, other = (simulate("3pl", 50, 6, missing=0.2, seed=seed) for seed in (4, 4, 5))
    pd.testing.assert_frame_equal(first.responses, again.responses)
    assert not first.responses.equals(other.responses)


@pytest.mark.parametrize("name", ITEM_MODELS)
def test_every_registered_model_can_be_drawn_from(name):
    truth = simulate(name, 40, 5, seed=2)
    assert truth.responses.shape == (40, 5)
    if ITEM_MODELS[name].uses != "measured":
        assert truth.responses.to_numpy().min() >= 0
    assert list(truth.items.index) == list(truth.responses.columns)


def test_parameters_are_drawn_from_the_default_priors():
    items = simulate("3pl", 1, 4000, seed=8).items
    # N(1, 1) for a; N(log .25, .5) for the logit of c. Four standard errors of 4,000 draws.
    assert items["a"].mean() == pytest.approx(1.0, abs=4 / np.sqrt(4000))
    assert items["a"].std() == pytest.approx(1.0, abs=4 / np.sqrt(8000))
    logit = np.log(items["c"] / (1 - items["c"]))
    assert logit.mean() == pytest.approx(np.log(0.25), abs=4 * 0.5 / np.sqrt(4000))


def test_an_item_table_of_graded_items_says_how_many_categories_there_are():
    bank = pd.DataFrame({"a": [1.0, 1.5], "b1": [-1.0, -0.5], "b2": [0.0, 0.5], "b3": [1.0, np.nan]}, index=["p", "q"])
    truth = simulate("grm", 400, items=bank, seed=1)
    assert truth.responses.max().tolist() == [3, 2]
    pd.testing.assert_frame_equal(truth.items[["a", "b1", "b2", "b3"]], bank)


def test_missing_and_population():
    truth = simulate(n_persons=4000, n_items=10, population={"mean": 1.0, "sd": 0.5}, missing=0.3, seed=6)
    n_cells = truth.responses.size
    assert truth.responses.isna().to_numpy().mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / n_cells))
    assert truth.abilities["theta"].mean() == pytest.approx(1.0, abs=4 * 0.5 / np.sqrt(4000))


def test_a_fit_finds_the_items_again():
    truth = irtvi.simulate(n_persons=4000, items=BANK, seed=11)
    found = irtvi.fit(truth.responses, model="2pl").items
    for name in ("a", "b"):
        z = (found[name] - truth.items[name]) / found[f"{name}_sd"]
        assert z.abs().max() < 4  # standard errors


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"missing": 1.0}, "share"),
        ({"n_items": 0}, "at least 1"),
        ({"n_persons": 0}, "at least 1"),
        ({"model": "9pl"}, "9pl"),
        ({"population": {"sd": -1.0}}, "positive sd"),
        ({"n_categories": 3}, "2 to 2"),
        ({"abilities": np.array([0.0, np.nan])}, "finite"),
        ({"items": pd.concat([BANK, BANK])}, "more than once"),
    ],
)
def test_requests_that_make_no_sense(options, said):
    with pytest.raises(SpecificationError, match=said):
        simulate(**options)
