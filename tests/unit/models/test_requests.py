"""What users may ask of a model: mixes, automatic choice, equal and held parameters, empty categories."""

import numpy as np
import pandas as pd
import pytest
import torch

import irtvi
from irtvi.errors import EmptyCategoryError, SpecificationError
from irtvi.models.priors import LogNormal, Normal
from irtvi.models.specification import Specification, build

N_PERSONS = 400
LOADING = {"two": 1, "three": 2, "four": 3, "other": 3}
"""Items and their highest category."""


@pytest.fixture(scope="module")
def answers() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    ability = rng.normal(size=N_PERSONS)
    table = {
        item: np.clip(np.round((ability + rng.normal(size=N_PERSONS)) * 0.6 + top / 2), 0, top).astype(int)
        for item, top in LOADING.items()
    }
    return pd.DataFrame(table, index=pd.RangeIndex(N_PERSONS, name="id")).reset_index()


def built(data, **request):
    return build(Specification(**request), irtvi.read(data))


def names_of(found) -> list[str]:
    return [m.name for m in found.item_models]


def test_auto_chooses_by_the_number_of_categories_and_says_so(answers):
    found = built(answers)
    assert names_of(found) == ["2pl", "grm", "grm", "grm"]
    assert any("2PL for the 1 items" in note and "3 with more" in note for note in found.notes)


def test_auto_with_many_categories_everywhere(answers):
    found = built(answers.drop(columns="two"))
    assert set(names_of(found)) == {"grm"}
    assert any("every item has more than two categories" in note for note in found.notes)


def test_a_mix_by_item_counts_the_parameters_of_each(answers):
    models = {"two": "3pl", "three": "gpcm", "four": "nominal", "other": "sequential"}
    assert built(answers, model=models).n_parameters == 3 + 3 + 6 + 4


def test_scored_and_raw_items_stand_side_by_side():
    """An item with a key is read as options by one model and as right or wrong by another."""
    rng = np.random.default_rng(5)
    table = pd.DataFrame(rng.integers(1, 5, size=(200, 3)), columns=["x", "y", "z"])
    responses = irtvi.read(table, key={"x": 2, "y": 3, "z": 1})
    found = build(Specification({"x": "nested_logit", "y": "2pl", "z": "nominal"}), responses)
    assert found.model.n_categories.tolist() == [4, 2, 4]
    assert [int(c.facts.key[0]) for c in found.model.components] == [1, 2, 0]


def test_nested_logit_without_a_key_is_an_error(answers):
    with pytest.raises(SpecificationError, match=r"one right answer.*'two'"):
        built(answers, model="nested_logit")


def test_rating_scale_items_share_thresholds_with_those_of_as_many_categories(answers):
    found = built(answers.drop(columns="two"), model="rsm")
    (component,) = found.model.components
    thresholds = component.slots.index[:, 1:]
    assert found.n_parameters == 3 + 1 + 2 + 1  # locations, one threshold of three, two of four, the sd
    assert torch.equal(thresholds[1], thresholds[2])
    assert int(thresholds[0, 0]) not in thresholds[1].tolist()


class TestEqual:
    def test_one_slope_for_items_of_different_models(self, answers):
        free, equal = built(answers), built(answers, equal=("a",))
        assert free.n_parameters - equal.n_parameters == 3
        slopes = {int(c.slots.index[row, 0]) for c in equal.model.components for row in range(len(c.items))}
        assert len(slopes) == 1

    def test_groups_of_items(self, answers):
        found = built(answers, equal={"a": [["two", "three"], ["four", "other"]]})
        first, second = found.model.components
        assert int(first.slots.index[0, 0]) == int(second.slots.index[0, 0])
        assert int(second.slots.index[1, 0]) == int(second.slots.index[2, 0]) != int(first.slots.index[0, 0])

    def test_a_prior_of_an_equal_parameter_counts_once(self, answers):
        found = built(answers, equal=("a",))
        counted = torch.cat([group.index for group in found.model.log_prior.groups])
        assert len(counted) == len(counted.unique()) == found.n_parameters

    def test_steps_are_equal_one_by_one(self, answers):
        found = built(answers, model="gpcm", equal={"d": [["four", "other"]]})
        index = found.model.components[0].slots.index
        assert torch.equal(index[2, 1:], index[3, 1:])
        assert len(index[2, 1:].unique()) == 3

    @pytest.mark.parametrize(
        ("equal", "said"),
        [
            (("slope",), "names the parameter 'slope'"),
            ({"a": [["two", "nobody"]]}, "'nobody'"),
            ({"a": [["two", "three"], ["three", "four"]]}, "two groups"),
            ("a", "names of parameters"),
        ],
    )
    def test_what_makes_no_sense_is_named(self, answers, equal, said):
        with pytest.raises(SpecificationError, match=said):
            built(answers, equal=equal)

    def test_equal_and_held_contradict_each_other(self, answers):
        fixed = pd.DataFrame({"a": [1.0]}, index=["two"])
        with pytest.raises(SpecificationError, match=r"stands in equal= and in fixed="):
            built(answers, equal=("a",), fixed=fixed)

    def test_different_priors_cannot_be_equal(self, answers):
        priors = {("two", "a"): Normal(0.0, 0.1)}
        with pytest.raises(SpecificationError, match="another prior"):
            built(answers, equal=("a",), priors=priors)

    def test_equal_slopes_have_one_estimate_and_one_standard_error(self, answers):
        items = irtvi.fit(answers, equal=("a",)).items
        assert items["a"].nunique() == 1
        assert items["a_sd"].round(12).nunique() == 1


class TestFixed:
    @pytest.mark.parametrize("model", ["grm", "gpcm", "pcm", "rsm", "sequential", "nominal"])
    def test_a_wholly_held_bank_gives_the_same_likelihood(self, answers, model):
        request = {"priors": None, "population": "standard", "engine": "quadrature"}
        first = irtvi.fit(answers, model, **request)
        again = irtvi.fit(answers, model, fixed=first.items, **request)
        assert again.log_marginal == pytest.approx(first.log_marginal, abs=1e-6)
        readable = [c for c in first.items if c[0] in "abct" and c[1:].isdigit()]
        assert np.allclose(again.items[readable], first.items[readable], atol=1e-9, equal_nan=True)
        if model != "rsm":
            assert again.n_parameters == 0

    def test_difficulties_without_a_slope(self, answers):
        fixed = pd.DataFrame({"b1": [-1.0], "b2": [1.0]}, index=["three"])
        with pytest.raises(SpecificationError, match=r"'three'.*discrimination a is free"):
            built(answers, fixed=fixed)

    def test_a_part_of_the_steps(self, answers):
        fixed = pd.DataFrame({"a": [1.0], "b1": [-1.0], "b2": [np.nan], "b3": [2.0]}, index=["four"])
        with pytest.raises(SpecificationError, match=r"held together: b2"):
            built(answers, fixed=fixed)

    def test_graded_difficulties_out_of_order(self, answers):
        fixed = pd.DataFrame({"a": [1.0], "b1": [1.0], "b2": [-1.0]}, index=["three"])
        with pytest.raises(SpecificationError, match="must fall"):
            built(answers, fixed=fixed)

    def test_a_slope_alone(self, answers):
        fixed = pd.DataFrame({"a": [1.5]}, index=["three"])
        items = irtvi.fit(answers, fixed=fixed).items
        assert items.loc["three", "a"] == 1.5
        assert items.loc["three", "a_sd"] == 0.0
        assert items.loc["three", "b1_sd"] > 0


class TestEmptyCategories:
    @pytest.fixture
    def declared(self, answers):
        """Nobody chose 4 in "four"."""
        return irtvi.read(answers, categories={"four": [0, 1, 2, 3, 4]})

    @pytest.mark.parametrize("model", ["grm", "gpcm", "pcm", "sequential", "nominal"])
    def test_without_a_prior_they_are_an_error_that_names_item_and_category(self, declared, model):
        with pytest.raises(EmptyCategoryError, match=r"'four' \(4\)") as caught:
            irtvi.fit(declared, model, priors=None)
        assert caught.value.item == "four"

    @pytest.mark.parametrize("model", ["grm", "gpcm", "sequential", "nominal"])
    def test_with_priors_they_are_estimated(self, declared, model):
        result = irtvi.fit(declared, model)
        assert result.converged
        assert result.model.n_categories.tolist()[2] == 5
        assert np.isfinite(result.abilities["theta"]).all()

    def test_an_inner_gap_counts_as_declared(self, answers):
        gap = answers.assign(four=answers["four"].replace({1: 0}))
        with pytest.raises(EmptyCategoryError, match=r"'four' \(1\)"):
            irtvi.fit(gap, priors=None)

    def test_shared_thresholds_need_the_category_only_once(self, answers):
        responses = irtvi.read(answers[["id", "four", "other"]].assign(four=answers["four"].clip(upper=2)),
                               categories={"four": [0, 1, 2, 3]})  # fmt: skip
        result = irtvi.fit(responses, "rsm", priors=None)
        assert result.converged

    def test_held_categories_need_nobody(self, declared):
        fixed = pd.DataFrame({"a": [1.0], "b1": [-2.0], "b2": [-1.0], "b3": [1.0], "b4": [3.0]}, index=["four"])
        result = irtvi.fit(declared, "grm", priors=None, fixed=fixed)
        assert result.items.loc["four", "b4"] == pytest.approx(3.0)


def test_what_an_item_does_not_have_is_empty_in_the_table(answers):
    items = irtvi.fit(answers).items
    assert np.isnan(items.loc["three", ["b3", "b3_sd"]].to_numpy(float)).all()
    assert np.isnan(items.loc["two", "b1"])
    assert np.isnan(items.loc["four", "b"])
    assert np.isfinite(items.loc["four", ["b3", "b3_sd"]].to_numpy(float)).all()


def test_ability_keeps_its_direction_where_slopes_must_be_positive(answers):
    """Positive slopes below 1 have negative logarithms; that is no reason to turn ability round."""
    result = irtvi.fit(answers, "grm", priors={"a": LogNormal(-1.0, 0.3)})
    assert (result.items["a"] > 0).all()
    assert np.corrcoef(result.abilities["theta"], result.abilities["sum_score"])[0, 1] > 0.9


def test_reversed_items_have_negative_slopes_and_the_others_positive(answers):
    turned = answers.assign(four=3 - answers["four"])
    items = irtvi.fit(turned, "gpcm").items
    assert items.loc["four", "a"] < 0
    assert (items.drop("four")["a"] > 0).all()


def test_keyed_nominal_items_point_upward():
    """Whichever option is right, the able choose it, although slopes are kept against the first option."""
    rng = np.random.default_rng(8)
    ability = rng.normal(size=600)
    table, key = {}, {}
    for j in range(8):
        right = rng.random(600) < 1 / (1 + np.exp(-1.5 * ability))
        table[f"q{j}"] = np.where(right, 1, rng.integers(2, 5, 600))
        key[f"q{j}"] = 1
    result = irtvi.fit(irtvi.read(pd.DataFrame(table), key=key), "nominal")
    assert np.corrcoef(result.abilities["theta"], ability)[0, 1] > 0.7
    assert (result.items["a1"] > 0).all()
