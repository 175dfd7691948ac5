"""Scores as people report them."""

import numpy as np
import pandas as pd
import pytest

import irtvi
from irtvi.diagnostics.flags import item_flags, person_flags
from irtvi.diagnostics.person_answers import person_answers
from irtvi.errors import SpecificationError
from irtvi.results.formula import intercepts
from irtvi.results.score_report import around_cut, reference_population, score_changes, score_report


@pytest.fixture(scope="module")
def lsat7():
    return irtvi.fit(irtvi.load_data("lsat7"), model="2pl")


def test_scales_have_the_mean_and_sd_of_the_people_they_refer_to(lsat7):
    sample = score_report(lsat7, reference="sample")
    assert sample["t_score"].mean() == pytest.approx(50)
    assert sample["t_score"].std() == pytest.approx(10)
    named = score_report(lsat7, reference={"name": "norm sample", "mean": 0.5, "sd": 2.0})
    np.testing.assert_allclose(named["scale500"], 500 + 100 * (named["theta"] - 0.5) / 2.0)
    np.testing.assert_allclose(named["scale500_sd"], 50 * named["sd"])
    assert reference_population(lsat7, {"name": "norm sample", "mean": 0.5, "sd": 2.0}).name == "norm sample"


@pytest.mark.parametrize("reference", [{"mean": 0.0}, {"mean": 0.0, "sd": 1.0, "n": 3}, {"mean": 0, "sd": 0}])
def test_references_that_make_no_sense(lsat7, reference):
    with pytest.raises(SpecificationError):
        score_report(lsat7, reference=reference)


def test_around_the_cut(lsat7):
    report = score_report(lsat7, cut=0.3)
    found = around_cut(report)
    draws = lsat7.plausible_values(2_000, seed=3)
    above = (draws > 0.3).sum()
    # 4.5 standard errors of the mean over draws.
    assert found.expected_above == pytest.approx(above.mean(), abs=4.5 * above.std() / np.sqrt(2_000))
    chance = report["probability_above"]
    assert found.n_open == ((chance > 0.1) & (chance < 0.9)).sum()


def test_score_changes_are_on_one_scale():
    """The Rasch model estimates the population's sd, about 2 here; without that the change would be one of units."""
    bank = pd.DataFrame({"a": 2.0, "b": np.linspace(-1, 1, 8)}, index=[f"i{k}" for k in range(8)])
    answers = irtvi.simulate(n_persons=400, items=bank, seed=1).responses
    rasch, one = irtvi.fit(answers, model="rasch", priors=None), irtvi.fit(answers, model="1pl", priors=None)
    assert rasch.population["sd"].iloc[0] > 1.5
    table = score_changes(rasch, one)
    # The same model in two parametrizations at the same maximum; the searches end within .02 standard errors of it.
    assert table["difference"].abs().max() < 0.005


def test_answers_of_a_person_come_with_their_chance(lsat7):
    person = lsat7.abilities.index[500]
    table = person_answers(lsat7, person).set_index("item")
    assert table["chance"].is_monotonic_increasing
    theta, items = lsat7.abilities.loc[person, "theta"], lsat7.items
    right = 1 / (1 + np.exp(-items["a"] * (theta - items["b"])))
    given = irtvi.load_data("lsat7")
    given = given.set_index("id").loc[person] if "id" in given else given.loc[person]
    expected = right.where(given.reindex(items.index) == 1, 1 - right)
    np.testing.assert_allclose(table["chance"].reindex(items.index), expected, atol=1e-6)
    # Of two answers the likelier is certainly followed by one that is no likelier than itself.
    np.testing.assert_allclose(table["as_unlikely"], table["chance"].where(table["chance"] < 0.5, 1.0), atol=1e-12)
    with pytest.raises(SpecificationError, match="nobody"):
        person_answers(lsat7, "nobody")


def test_an_ordinary_answer_among_many_surprises_nobody():
    """Of eleven categories the most likely one has a chance of .2 or so; what is as unlikely tells, not the chance."""
    rng = np.random.default_rng(1)
    share = 1 / (1 + np.exp(-rng.normal(size=(300, 1))))
    counts = pd.DataFrame(rng.binomial(10, share, (300, 6)), columns=[f"Q{j}" for j in range(6)])
    result = irtvi.fit(counts, "binomial")
    tables = [person_answers(result, person) for person in result.abilities.index[:60]]
    answers = pd.concat(tables)
    assert (answers["chance"] < 0.2).mean() > 0.3
    assert 0.05 < (answers["as_unlikely"] < 0.2).mean() < 0.25
    assert all(table["as_unlikely"].is_monotonic_increasing for table in tables)


def test_intercept(lsat7):
    np.testing.assert_allclose(intercepts(lsat7.items), -lsat7.items["a"] * lsat7.items["b"])


def test_an_item_with_the_wrong_key_is_flagged():
    answers = irtvi.load_data("lsat7")
    answers["Item.3"] = 1 - answers["Item.3"]
    result = irtvi.fit(answers, model="2pl")
    assert list(item_flags(result).index) == ["Item.3"]
    assert "key" in item_flags(result).iloc[0]
    assert person_flags(result).empty
    assert isinstance(person_flags(result), pd.Series)


@pytest.mark.parametrize("engine", ["quadrature", "amortized"])
def test_the_same_answers_share_one_place(engine):
    """Under a Rasch model equal sum scores are ties, though integrals differ by roundings."""
    rasch = irtvi.fit(irtvi.load_data("lsat7"), model="rasch", engine=engine)
    report = score_report(rasch)
    assert (report.groupby("sum_score")["percentile_sample"].nunique() == 1).all()
    counts = report["sum_score"].value_counts().sort_index()
    expected = 100 * (counts.cumsum() - counts / 2) / counts.sum()
    np.testing.assert_allclose(report.groupby("sum_score")["percentile_sample"].first(), expected, rtol=1e-12)
    changes = score_changes(rasch, rasch)
    assert changes["rank_first"].nunique() == 6
    assert (changes["shift"] == 0).all()


def test_items_that_all_answered_alike_deserve_a_look():
    table = irtvi.load_data("lsat7").assign(easy=1)
    with pytest.warns(irtvi.errors.ConstantItemWarning):
        flags = item_flags(irtvi.fit(table, model="2pl"))
    assert flags.to_dict() == {"easy": "everybody gave the same answer"}
