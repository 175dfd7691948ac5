"""Tables, weights, checks and held-out answers."""

import math
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from irtvi import errors
from irtvi.responses import Responses, check, holdout, load_data, read
from irtvi.responses.cells import SparseCells

NAN = math.nan
pytestmark = pytest.mark.filterwarnings("ignore::irtvi.errors.IrtviWarning")


def codes(responses: Responses) -> np.ndarray:
    return responses.raw().to_dense().codes.numpy()


def random_answers(n_persons: int, n_items: int, density: float, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    answers = rng.integers(0, 3, (n_persons, n_items)).astype(float)
    answers[rng.random(answers.shape) > density] = NAN
    answers[0], answers[:, 0] = 0, 2
    return pd.DataFrame(answers, columns=[f"Q{j}" for j in range(n_items)]).rename_axis("pupil")


def as_long(wide: pd.DataFrame) -> pd.DataFrame:
    long = wide.stack().rename("resp").rename_axis(["id", "item"]).reset_index()
    return long.sample(frac=1, random_state=1).reset_index(drop=True)


@pytest.mark.parametrize("density", [0.02, 0.2, 1.0])
def test_long_and_wide_are_the_same(density):
    wide = random_answers(300, 60, density)
    long = read(as_long(wide))
    assert isinstance(long.cells, SparseCells) == (density < 0.1)
    again = long.subset(persons=long.person_ids.get_indexer(wide.index), items=wide.columns.tolist())
    assert (codes(again) == codes(read(wide))).all()
    np.testing.assert_array_equal(again.sum_score(), wide.sum(axis=1))
    np.testing.assert_array_equal(again.answered(), wide.notna().sum(axis=1))


@given(
    st.lists(st.lists(st.sampled_from([0, 1, 2, 5, None]), min_size=3, max_size=3), min_size=2, max_size=8)
)
def test_every_type_of_column_is_read_alike(rows):
    """One table in several types: the same codes, and nobody and nothing lost."""
    frame = pd.DataFrame(rows, columns=["Q1", "Q2", "Q3"])
    tables = [
        frame.astype(float),
        frame.astype("Int16"),
        frame.astype(object),
        frame.astype("Int16").astype("string"),
        frame.astype(float).astype("category"),
    ]
    read_all = [read(table, id=False) for table in tables]
    assert len({responses.digest() for responses in read_all}) == 1
    labels = read_all[0].codings
    for (person, item), value in np.ndenumerate(frame.astype(float).to_numpy()):
        code = codes(read_all[0])[person, item]
        assert (code < 0) == math.isnan(value)
        assert code < 0 or labels[item].categories[code] == value


def test_memory_grows_with_answers_not_with_the_table():
    """A table of 100,000 persons and 1,000 items would take 800 MB; its 500,000 rows hold 12 MB."""
    rng = np.random.default_rng(0)
    cells = pd.unique(pd.Series(rng.integers(0, 100_000 * 1_000, 500_000)))
    answers = rng.integers(0, 2, len(cells))
    frame = pd.DataFrame({"id": cells // 1_000, "item": cells % 1_000, "resp": answers})
    tracemalloc.start()
    responses = read(frame)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert responses.n_responses == len(cells)
    # 41 bytes a row were measured at 10 million rows; the rest is ids, codings and their look-up table
    assert peak < 80 * len(cells), peak / len(cells)


class TestPersons:
    def test_long_tables_keep_the_order_of_appearance(self):
        frame = pd.DataFrame(
            {"id": ["z", "a", "z", "a"], "item": ["q9", "q9", "q1", "q1"], "resp": [1, 0, 0, 1]}
        )
        responses = read(frame)
        assert responses.person_ids.tolist() == ["z", "a"]
        assert responses.item_ids.tolist() == ["q9", "q1"]
        assert responses.layout == "long"

    def test_people_without_an_answer_stay(self):
        frame = pd.DataFrame({"id": [1, 2, 2], "item": ["q1", "q1", "q2"], "resp": [NAN, 0, 1]})
        responses = read(frame)
        assert responses.person_ids.tolist() == [1, 2]
        assert responses.answered().tolist() == [0, 2]
        assert np.isnan(responses.sum_score()[0])
        assert np.isnan(responses.max_score()[0])

    def test_people_outside_the_chosen_items_stay(self):
        frame = pd.DataFrame({"id": [1, 2, 2], "item": ["q3", "q1", "q2"], "resp": [1, 0, 1]})
        responses = read(frame, items=["q1", "q2"])
        assert responses.person_ids.tolist() == [1, 2]
        assert responses.answered().tolist() == [0, 2]

    def test_covariates_are_set_aside(self):
        wide = pd.DataFrame({"id": [5, 6], "cov_sex": ["f", "m"], "Q1": [0, 1], "Q2": [1, 0]})
        assert read(wide).covariates.to_dict("index") == {5: {"cov_sex": "f"}, 6: {"cov_sex": "m"}}
        long = wide.melt(["id", "cov_sex"], ["Q1", "Q2"], "item", "resp")
        assert read(long).covariates.to_dict("index") == {5: {"cov_sex": "f"}, 6: {"cov_sex": "m"}}

    def test_covariates_that_vary_are_said(self):
        long = pd.DataFrame({"id": [1, 1], "item": ["a", "b"], "resp": [0, 1], "cov_t": [3, 4]})
        responses = read(long)
        assert responses.covariates["cov_t"].tolist() == [3]
        assert any("cov_t" in note and "first value" in note for note in responses.notes)

    @pytest.mark.parametrize(
        ("frame", "ids"),
        [
            (pd.DataFrame({"Student": [7, 8], "Q1": [0, 1], "Q2": [1, 0]}), [7, 8]),
            (pd.DataFrame({"name": ["Ann", "Bo"], "Q1": [0, 1], "Q2": [1, 0]}), ["Ann", "Bo"]),
            (pd.DataFrame({"Q1": [0, 1], "Q2": [1, 0], "id": ["u", "v"]}), ["u", "v"]),
            (pd.DataFrame({"Q1": ["A", "B"], "Q2": [1, 0]}), [0, 1]),
            (pd.DataFrame({"Q1": [0, 1], "Q2": [1, 0]}, index=[12, 15]), [12, 15]),
        ],
    )
    def test_ids_are_found(self, frame, ids):
        assert read(frame).person_ids.tolist() == ids


class TestWeights:
    def test_frequencies_by_column_array_and_series(self):
        frame = pd.DataFrame({"id": ["x", "y", "z"], "Q1": [0, 1, 1], "Q2": [0, 1, 0], "n": [3, 2, 0]})
        by_person = pd.Series({"z": 0, "x": 3, "y": 2})
        items = frame.drop(columns="n")
        for responses in (
            read(frame, weights="n"),
            read(items, weights=[3, 2, 0]),
            read(items, weights=frame["n"]),
            read(items, weights=by_person),
        ):
            assert responses.person_weights().tolist() == [3, 2, 0]
            assert responses.item_ids.tolist() == ["Q1", "Q2"]

    def test_survey_weights_have_mean_one(self):
        responses = read(pd.DataFrame({"Q1": [0, 1], "Q2": [1, 0]}), survey_weights=[10, 30])
        assert responses.person_weights().tolist() == [0.5, 1.5]
        assert responses.survey_weights is not None
        assert responses.survey_weights.tolist() == [10, 30]

    def test_long_tables_have_weights_by_person(self):
        frame = pd.DataFrame({"id": [1, 2, 1], "item": ["a", "a", "b"], "resp": [0, 1, 1], "w": [4, 5, 4]})
        assert read(frame, weights="w").person_weights().tolist() == [4, 5]
        assert read(frame.drop(columns="w"), weights=pd.Series({2: 5, 1: 4})).person_weights().tolist() == [
            4,
            5,
        ]

    def test_without_weights_everybody_counts_one(self):
        assert read(pd.DataFrame({"Q1": [0, 1], "Q2": [1, 0]})).person_weights().tolist() == [1, 1]


class TestChecks:
    def test_sound_data_are_silent(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert check(read(load_data("lsat7"))) == []

    def test_findings_name_items_and_persons(self):
        frame = random_answers(40, 5, 1.0)
        frame["Q1"], frame.loc[3:, "Q2"], frame.loc[7] = 1.0, NAN, NAN
        found = {finding.kind: finding for finding in check(read(frame))}
        assert found["constant item"].items.tolist() == ["Q0", "Q1"]
        assert found["few answers"].items.tolist() == ["Q2"]
        assert found["empty person"].persons.tolist() == [7]

    def test_every_warning_of_read_is_a_finding(self):
        frame = random_answers(40, 5, 1.0)
        frame.loc[7] = NAN
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            responses = read(frame)
        findings = [finding for finding in check(responses) if finding.warning]
        assert [(w.category, str(w.message)) for w in caught] == [(f.warning, f.text) for f in findings]

    @pytest.mark.parametrize("sparse", [False, True])
    def test_booklets_are_linked_through_chains(self, sparse):
        """A chain of 30 booklets of two items hangs together; without one of them it falls apart."""
        n_items = 31
        chain = np.full((30 * 20, n_items), NAN)
        for booklet in range(30):
            chain[booklet * 20 : booklet * 20 + 20, [booklet, booklet + 1]] = [[0, 1], [1, 0]] * 10
        frame = pd.DataFrame(chain).add_prefix("Q")
        if not sparse:
            frame = frame[[f"Q{j}" for j in range(13)]].iloc[: 12 * 20]
        whole, cut = read(frame), read(frame.drop(index=range(100, 120)))
        assert isinstance(whole.cells, SparseCells) == sparse
        assert "disconnected booklets" not in {finding.kind for finding in check(whole)}
        (finding,) = [finding for finding in check(cut) if finding.kind == "disconnected booklets"]
        assert finding.items.tolist() == [f"Q{j}" for j in range(6)]

    def test_unobserved_categories_are_reported(self):
        responses = read(pd.DataFrame({"Q1": [0, 3, 1], "Q2": [1, 0, 1]}))
        (finding,) = [finding for finding in check(responses) if finding.kind == "unobserved category"]
        assert "'Q1': 2" in finding.text

    def test_summary_says_what_was_read(self):
        frame = pd.DataFrame({"id": [1, 2, 3], "cov_x": [1, 2, 3], "Q1": [0, 1, 9], "Q2": [1, 2, NAN]})
        summary = read(frame, missing=9).summary()["value"]
        assert summary["persons"] == 3
        assert summary["items"] == 2
        assert summary["responses"] == 4
        assert summary["missing"] == "2 (33.3%)"
        assert summary["categories"] == "2"
        assert summary["covariates"] == "cov_x"
        assert "9 was read as missing (1 answer)." in summary["note"].tolist()
        assert "Person ids are in column 'id'." in summary["note"].tolist()


class TestHoldout:
    @pytest.mark.parametrize("density", [0.03, 1.0])
    def test_each_answer_is_in_one_part(self, density):
        responses = read(random_answers(200, 40, density))
        train, test = holdout(responses, share=0.2, seed=3)
        a, b, whole = codes(train), codes(test), codes(responses)
        assert not ((a >= 0) & (b >= 0)).any()
        assert (np.maximum(a, b) == whole).all()
        assert (train.answered() >= np.minimum(1, responses.answered())).all()
        for part in (train, test):
            assert part.coding is responses.coding
            assert part.person_ids.equals(responses.person_ids)

    def test_share_and_seed(self):
        responses = read(random_answers(200, 40, 1.0))
        _, test = holdout(responses, share=0.1, seed=1)
        assert test.n_responses == 800
        assert holdout(responses, share=0.1, seed=1)[1].digest() == test.digest()
        assert holdout(responses, share=0.1, seed=2)[1].digest() != test.digest()

    def test_single_answers_are_never_taken(self):
        responses = read(pd.DataFrame({"Q1": [0, 1, NAN], "Q2": [NAN, NAN, 1], "Q3": [NAN] * 3}))
        train, test = holdout(responses, share=0.9)
        assert test.n_responses == 0
        assert train.digest() == responses.digest()

    def test_share_is_a_share(self):
        with pytest.raises(errors.ConflictingOptionsError, match=r"1\.5"):
            holdout(read(load_data("lsat7")), share=1.5)


def test_subset_by_mask_and_name():
    frame = random_answers(20, 4, 0.8)
    responses = read(frame.assign(cov_x=range(20)), weights=np.arange(20))
    part = responses.subset(persons=np.arange(20) % 5 == 0, items=["Q3", "Q1"])
    assert part.person_ids.tolist() == [0, 5, 10, 15]
    assert part.item_ids.tolist() == ["Q3", "Q1"]
    assert part.covariates["cov_x"].tolist() == [0, 5, 10, 15]
    assert part.person_weights().tolist() == [0, 5, 10, 15]
    assert (codes(part) == codes(responses)[::5][:, [3, 1]]).all()
    with pytest.raises(errors.UnknownItemError, match="'Q9'"):
        responses.subset(items=["Q9"])


def test_digest_tells_data_apart():
    frame = load_data("lsat7")
    changed = frame.copy()
    changed.loc[500, "Item.3"] = 1 - changed.loc[500, "Item.3"]
    digests = {read(frame).digest(), read(frame.astype(str)).digest(), read(changed).digest(),
               read(frame, weights=np.ones(1000)).digest(), read(frame,
        reverse=["Item.1"]).digest()}  # fmt: skip
    assert len(digests) == 4
