"""What the summary says of declarations, on real data, and what to do about several raters."""

import numpy as np
import pandas as pd
import pytest

import irtvi
from irtvi.errors import DuplicateResponsesError

KEY = [1, 4, 5, 2, 3, 1, 2, 1, 3, 1, 2, 4, 2, 1, 5, 3, 4, 4, 1, 4, 3, 3, 4, 1, 3, 5, 1, 3, 1, 5, 4, 5]


def test_scoring_by_a_key_is_said(reference):
    key = {f"Item.{j + 1}": right for j, right in enumerate(KEY)}
    read = irtvi.read(reference / "data" / "sat12_raw.csv", key=key, wrong=8)
    scored = pd.read_csv(reference / "data" / "sat12.csv")[list(read.item_ids)].to_numpy()
    np.testing.assert_array_equal(read.scored().to_dense().codes.numpy(), scored)
    notes = read.summary()["value"].loc["note"].tolist()
    assert "8 was scored as wrong (69 answers)." in notes
    assert any(note.startswith("Scored by a key: 32 items ('Item.1', ") for note in notes)


def test_reversing_is_said(reference):
    read = irtvi.read(reference / "data" / "bfi25.csv", reverse=["A1", "C4"])
    assert "Reversed: 2 items ('A1', 'C4')." in read.notes
    raw, scored = read.raw().to_dense().codes[:, 0], read.scored().to_dense().codes[:, 0]
    assert (raw + scored)[raw >= 0].unique().tolist() == [5]


def test_two_raters_of_an_answer():
    one = pd.DataFrame({"id": np.repeat(range(20), 3), "item": list("abc") * 20, "resp": [0, 1, 1, 1, 0, 0] * 10})
    both = pd.concat([one.assign(rater="X"), one.assign(rater="Y")])
    with pytest.raises(DuplicateResponsesError, match=r"60 rows repeat .* column 'rater' tells them apart"):
        irtvi.read(both)
    assert irtvi.read(both.assign(item=both["item"] + ":" + both["rater"])).n_items == 6
