"""What labels mean: keys, reversing, orders, values in the user's units, and new people."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from irtvi import errors
from irtvi.responses import Coding, Responses, load_data, read

pytestmark = pytest.mark.filterwarnings("ignore::irtvi.errors.IrtviWarning")
NAN = math.nan


def codes(responses: Responses) -> list[list[int]]:
    return responses.scored().to_dense().codes.tolist()


def raw(responses: Responses) -> list[list[int]]:
    return responses.raw().to_dense().codes.tolist()


class TestItemCoding:
    def test_key_keeps_the_options_beside_the_scores(self):
        responses = read(pd.DataFrame({"Q1": list("CABC"), "Q2": [1, 0, 0, 1]}), key={"Q1": "C"})
        coding = responses.codings[0]
        assert (coding.categories, coding.scores, coding.values) == (("A", "B", "C"), (0, 0, 1), (0.0, 1.0))
        assert (coding.key, coding.n_scored) == ("C", 2)
        assert raw(responses) == [[2, 1], [0, 0], [1, 0], [2, 1]]
        assert codes(responses) == [[1, 1], [0, 0], [0, 0], [1, 1]]
        assert responses.n_categories("raw").tolist() == [3, 2]
        assert responses.n_categories("scored").tolist() == [2, 2]

    def test_wrong_with_a_key_stays_an_option_of_its_own(self):
        frame = pd.DataFrame({"Q1": [1, 8, 2, NAN], "Q2": [2, 2, 8, 1]})
        responses = read(frame, key={"Q1": 1, "Q2": 2}, wrong=8)
        assert responses.codings[0].categories == (1, 2, 8)
        assert codes(responses) == [[1, 1], [0, 1], [0, 0], [-1, 0]]
        assert "8 was scored as wrong (2 answers)." in responses.notes

    def test_wrong_without_a_key_is_the_lowest_category(self):
        frame = pd.DataFrame({"Q1": [1, 2, 3, 9], "Q2": [1, 2, 3, 9]})
        responses = read(frame, wrong=9, reverse=["Q2"])
        assert responses.codings[0].categories == (1, 2, 3)
        assert codes(responses) == [[0, 2], [1, 1], [2, 0], [0, 0]]

    def test_reversed_scale_in_the_users_units(self):
        responses = read(pd.DataFrame({"Q1": [1, 2, 5], "Q2": [1, 2, 5]}), reverse={"Q2": True})
        assert responses.codings[1].values == (1.0, 2.0, 3.0, 4.0, 5.0)
        assert responses.sum_score().tolist() == [1 + 5, 2 + 4, 5 + 1]
        assert responses.max_score().tolist() == [10.0, 10.0, 10.0]

    def test_uneven_scale_is_reflected(self):
        responses = read(pd.DataFrame({"Q1": [0, 0.5, 2], "Q2": [0, 1, 0]}), reverse=["Q1"])
        assert responses.codings[0].values == (0.0, 1.5, 2.0)
        assert responses.sum_score().tolist() == [2.0, 2.5, 0.0]

    def test_falling_declared_order_scores_like_reversing(self):
        frame = pd.DataFrame({"Q1": [1, 2, 3], "Q2": [1, 2, 3]})
        declared = read(frame, categories={"Q2": [3, 2, 1]})
        assert codes(declared) == codes(read(frame, reverse=["Q2"]))
        assert declared.codings[1].values == (1.0, 2.0, 3.0)

    def test_declared_and_observed_are_joined_and_gaps_filled(self):
        responses = read(pd.DataFrame({"Q1": [0, 3, 0], "Q2": [0, 1, 1]}), categories={"Q1": [0, 1]})
        assert responses.codings[0].categories == (0, 1, 2, 3)
        assert responses.codings[0].observed == (True, False, False, True)
        assert responses.codings[0].unobserved == (1, 2)

    @pytest.mark.parametrize(
        ("values", "others", "expected"),
        [
            ([1, 1, 1], [0, 1, 0], (0, 1)),
            ([NAN] * 3, [0, 1, 0], (0, 1)),
            ([3, 3, 3], [1, 5, 2], (1, 2, 3, 4, 5)),
            ([7, 7, 7], [1, 5, 2], (7,)),
            (["yes"] * 3, [1, 0, 1], ("no", "yes")),
            (["Correct"] * 3, [1, 0, 1], ("Wrong", "Correct")),
        ],
    )
    def test_constant_item_takes_the_scale_of_its_fellows(self, values, others, expected):
        responses = read(pd.DataFrame({"Q1": values, "Q2": others}))
        assert responses.codings[0].categories == expected

    def test_one_table_of_many_types(self):
        frame = pd.DataFrame({
            "bool": [True, False, None],
            "text": ["1", "0", ""],
            "float": [1.0, 0.0, NAN],
            "nullable": pd.array([1, 0, None], dtype="Int8"),
            "category": pd.Categorical(["1", "0", None]),
            "arrow": pd.array(["1", "0", "NA"], dtype="string[pyarrow]"),
            "object": [np.int64(1), "0.0", pd.NA],
        })  # fmt: skip
        responses = read(frame, id=False)
        assert codes(responses) == [[1] * 7, [0] * 7, [-1] * 7]
        assert {coding.categories for coding in responses.codings} == {(0, 1)}
        assert responses.item_ids.tolist() == frame.columns.tolist()

    def test_options_for_all_items_and_by_item(self):
        frame = pd.DataFrame({"Q1": [0, 1, -9], "Q2": [0, 1, 7]})
        assert codes(read(frame, missing=[-9, 7])) == [[0, 0], [1, 1], [-1, -1]]
        assert codes(read(frame, missing={"Q1": -9}, wrong={"Q2": 7})) == [[0, 0], [1, 1], [-1, 0]]
        assert codes(read(frame, missing=pd.Series({"Q1": -9, "Q2": 7}))) == [[0, 0], [1, 1], [-1, -1]]


class TestEncode:
    frame = pd.DataFrame({
        "id": ["a", "b", "c", "d"], "Q1": list("ABCA"), "Q2": [1, 2, 3, 9], "Q3": [0, 1, NAN, 1],
        "cov_age": [1, 2, 3, 4],
    })  # fmt: skip

    @pytest.fixture
    def responses(self) -> Responses:
        return read(self.frame, key={"Q1": "B"}, missing={"Q2": 9}, reverse=["Q2"])

    def test_the_same_table_gives_the_same_codes(self, responses):
        again = responses.encode(self.frame)
        assert raw(again) == raw(responses)
        assert again.digest() == responses.digest()
        assert again.covariates.equals(responses.covariates)

    def test_absent_items_and_other_orders(self, responses):
        new = responses.encode(pd.DataFrame({"Q3": ["1", "0"], "Q1": ["B", "A"], "cov_new": [1, 2]}))
        assert codes(new) == [[1, -1, 1], [0, -1, 0]]
        assert new.item_ids.equals(responses.item_ids)
        assert new.person_ids.tolist() == [0, 1]

    def test_one_person_as_a_dict(self, responses):
        assert codes(responses.encode({"id": "z", "Q2": 3})) == [[-1, 0, -1]]

    def test_long_form(self, responses):
        long = pd.DataFrame({"id": ["z", "z", "y"], "item": ["Q3", "Q1", "Q3"], "resp": ["1", "B", "0"]})
        new = responses.encode(long)
        assert codes(new) == [[1, -1, 1], [-1, -1, 0]]
        assert new.person_ids.tolist() == ["z", "y"]

    def test_a_table_without_anything_new_is_not_asked_for_two_items(self, responses):
        assert codes(responses.encode(pd.DataFrame({"Q3": [1]}))) == [[-1, -1, 1]]

    def test_responses_read_apart(self, responses):
        other = read(pd.DataFrame({"Q3": [1, 0], "Q1": ["B", "A"]}), key={"Q1": "B"})
        assert codes(responses.encode(other)) == [[1, -1, 1], [0, -1, 0]]
        assert responses.encode(responses) is responses

    def test_unknown_item(self, responses):
        with pytest.raises(errors.UnknownItemError, match="'Q9'"):
            responses.encode(self.frame.assign(Q9=1))
        with pytest.raises(errors.UnknownItemError, match="'Q9'"):
            responses.encode(pd.DataFrame({"id": [1, 1], "item": ["Q1", "Q9"], "resp": ["A", "B"]}))

    def test_unseen_category(self, responses):
        with pytest.raises(errors.UnseenCategoryError, match=r"'Q1' holds 'E'.*'A', 'B', 'C'.*row 2"):
            responses.encode(self.frame.assign(Q1=list("AEBB")))

    def test_declared_categories_are_no_surprise(self):
        responses = read(pd.DataFrame({"Q1": [0, 1, 1], "Q2": [0, 1, 0]}), categories={"Q1": [0, 1, 2]})
        assert codes(responses.encode(pd.DataFrame({"Q1": [2], "Q2": [0]}))) == [[2, 0]]
        with pytest.raises(errors.UnseenCategoryError, match="'Q2' holds 2"):
            responses.encode(pd.DataFrame({"Q1": [2], "Q2": [2]}))

    def test_chosen_items_leave_the_rest_alone(self):
        frame = pd.DataFrame({"Q1": [0, 1], "Q2": [0, 1], "age": [40, 50]})
        responses = read(frame, items=["Q2", "Q1"])
        assert codes(responses.encode(frame.assign(age=60))) == [[0, 0], [1, 1]]

    def test_known_ids_come_from_the_same_column(self):
        responses = read(pd.DataFrame({"pupil_name": ["x1", "x2"], "Q1": [0, 1], "Q2": [1, 0]}))
        assert responses.settings.id == "pupil_name"
        new = responses.encode(pd.DataFrame({"Q1": [1, 0], "Q2": [1, 0], "pupil_name": ["y1", "y2"]}))
        assert new.person_ids.tolist() == ["y1", "y2"]

    def test_waves_as_they_were_read(self):
        answers = {"Q1": [0, 1, 1, 0], "Q2": [0, 0, 1, 0]}
        frame = pd.DataFrame({"id": [1, 1, 2, 2], "wave": [1, 2, 1, 2], **answers})
        assert read(frame, wave="wave").encode(frame).person_ids.tolist() == ["1:1", "1:2", "2:1", "2:2"]
        with pytest.raises(errors.WavesError, match="wave="):
            read(frame.drop_duplicates("id")).encode(frame)

    def test_from_the_saved_state_alone(self, responses):
        state = json.loads(json.dumps(responses.coding.state()))
        coding = Coding.from_state(state)
        assert coding.state() == responses.coding.state()
        new = self.frame.assign(Q2=[9, 3, 2, 1])
        assert raw(coding.encode(new)) == raw(responses.encode(new))

    def test_state_keeps_whole_number_names(self):
        responses = read(pd.DataFrame({7: [0, 1, -9], 8: [1, 0, 1]}), missing={7: -9}, items=[8, 7])
        coding = Coding.from_state(json.loads(json.dumps(responses.coding.state())))
        assert raw(coding.encode(pd.DataFrame({7: [-9, 1], 8: [0, 1]}))) == [[0, -1], [1, 1]]


def test_bundled_data_are_the_published_patterns():
    lsat7 = load_data("lsat7")
    assert lsat7.columns.tolist() == ["id", *(f"Item.{j}" for j in range(1, 6))]
    patterns = lsat7.drop(columns="id").astype(str).agg("".join, axis=1).value_counts()
    assert len(lsat7) == 1000
    assert patterns[["00000", "00001", "11111"]].tolist() == [12, 19, 308]  # Bock and Lieberman (1970)
    assert len(load_data("lsat6")) == 1000
    with pytest.raises(errors.UnknownDatasetError, match="lsat6, lsat7"):
        load_data("lsat8")
