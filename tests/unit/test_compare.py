"""Several fits side by side."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

import irtvi
from irtvi.compare import compare
from irtvi.errors import DifferentDataError, SpecificationError

LSAT7 = irtvi.read(irtvi.load_data("lsat7"))


@pytest.fixture(scope="module")
def likelihood_fits():
    fits = {model: irtvi.fit(LSAT7, model, priors=None) for model in ("rasch", "1pl", "2pl", "3pl")}
    fits["two equal"] = irtvi.fit(LSAT7, "2pl", priors=None, equal={"a": [["Item.1", "Item.2"]]})
    return fits


@pytest.fixture(scope="module")
def train_and_test():
    return irtvi.holdout(LSAT7, share=0.2, seed=1)


@pytest.fixture(scope="module")
def half_fits(train_and_test):
    return {model: irtvi.fit(train_and_test[0], model) for model in ("1pl", "2pl")}


def test_criteria_are_those_of_the_results(likelihood_fits):
    table = compare(likelihood_fits)
    assert list(table.index) == list(likelihood_fits)
    for name, result in likelihood_fits.items():
        assert table.loc[name, ["aic", "bic", "sabic"]].tolist() == [result.aic, result.bic, result.sabic]
    assert not table["penalised"].any()


def test_likelihood_ratio_of_nested_models(likelihood_fits):
    table = compare({name: likelihood_fits[name] for name in ("1pl", "2pl")})
    row = table.loc["2pl"]
    expected = 2 * (likelihood_fits["2pl"].log_marginal - likelihood_fits["1pl"].log_marginal)
    assert (row["lr_against"], row["df"]) == ("1pl", 4)
    assert row["lr"] == pytest.approx(expected)
    assert row["p"] == pytest.approx(chi2.sf(expected, 4))
    assert table.loc["1pl", "lr_against"] == ""


def test_equal_parameters_are_nested_in_free_ones_and_not_the_other_way_round(likelihood_fits):
    table = compare({name: likelihood_fits[name] for name in ("two equal", "2pl")})
    assert table.loc["2pl", "lr_against"] == "two equal"
    assert table.loc["2pl", "df"] == 1
    assert table.loc["two equal", "lr_against"] == ""


@pytest.mark.parametrize(
    ("names", "row", "reason"),
    [
        (("2pl", "3pl"), "3pl", "boundary of the larger (c = 0)"),
        (("rasch", "1pl"), "1pl", "equal numbers of parameters"),
    ],
)
def test_no_p_where_chi_square_does_not_hold(likelihood_fits, names, row, reason):
    table = compare({name: likelihood_fits[name] for name in names})
    assert np.isnan(table.loc[row, "p"])
    assert reason in table.loc[row, "lr_note"]


def test_no_likelihood_ratio_with_priors(half_fits):
    row = compare(half_fits).loc["2pl"]
    assert np.isnan(row["lr"])
    assert np.isnan(row["p"])
    assert "priors took part" in row["lr_note"]
    assert row["penalised"]


def test_no_likelihood_ratio_with_survey_weights(likelihood_fits):
    fits = {name: replace(likelihood_fits[name], weighting="survey") for name in ("1pl", "2pl")}
    row = compare(fits).loc["2pl"]
    assert np.isnan(row["p"])
    assert np.isnan(row["aic"])
    assert "survey weights" in row["lr_note"]


def test_held_out_difference_is_paired_and_clustered_by_person(half_fits, train_and_test):
    test = train_and_test[1]
    table = compare(half_fits, test)
    first, second = (half_fits[name].predict(test) for name in ("1pl", "2pl"))
    difference = first.assign(d=first["log_prob"] - second["log_prob"]).groupby("id")["d"].sum()
    assert table["held_out"].tolist() == pytest.approx([first["log_prob"].sum(), second["log_prob"].sum()])
    best = table["held_out"].idxmax()
    worse = "1pl" if best == "2pl" else "2pl"
    assert table.loc[best, ["held_out_difference", "held_out_se", "verdict"]].tolist() == [0.0, 0.0, "best"]
    assert abs(table.loc[worse, "held_out_difference"]) == pytest.approx(abs(difference.sum()))
    assert table.loc[worse, "held_out_se"] == pytest.approx(np.sqrt(len(difference)) * difference.std())
    within = abs(difference.sum()) < 2 * table.loc[worse, "held_out_se"]
    assert table.loc[worse, "verdict"] == ("indistinguishable" if within else "worse")


def test_a_clearly_worse_model_is_called_worse():
    bank = irtvi.simulate("2pl", 1, 10).items.assign(a=np.repeat([0.3, 2.5], 5), b=np.tile(np.linspace(-1, 1, 5), 2))
    train, test = irtvi.holdout(irtvi.read(irtvi.simulate(n_persons=2000, items=bank, seed=2).responses), 0.2, seed=3)
    table = compare({model: irtvi.fit(train, model) for model in ("1pl", "2pl")}, test)
    assert table["verdict"].to_dict() == {"1pl": "worse", "2pl": "best"}


def test_criteria_of_flexible_models_are_left_out(train_and_test):
    table = compare({"monotone": irtvi.fit(train_and_test[0], "monotone")})
    assert table[["aic", "bic", "sabic"]].isna().all(axis=None)


def test_different_data_are_an_error(likelihood_fits, half_fits):
    with pytest.raises(DifferentDataError, match="different data"):
        compare({"all": likelihood_fits["2pl"], "part": half_fits["2pl"]})


def test_answers_that_took_part_are_not_held_out(likelihood_fits, train_and_test):
    with pytest.raises(DifferentDataError, match="took part"):
        compare({"2pl": likelihood_fits["2pl"]}, train_and_test[1])


def test_nothing_to_compare():
    with pytest.raises(SpecificationError, match="mapping"):
        compare({})
