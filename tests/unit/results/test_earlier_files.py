"""Result files that were written before answers could be measured."""

import pandas as pd
import pytest

import irtvi
from irtvi.results.storage import read_state, write_state


@pytest.mark.parametrize("include_responses", [False, True])
def test_a_file_from_before_measured_answers_loads(tmp_path, include_responses):
    lsat7 = irtvi.load_data("lsat7").head(200)
    result = irtvi.fit(lsat7, "2pl")
    path = result.save(tmp_path / "new.irtvi", include_responses)
    state = read_state(path)
    del state["coding"]["settings"]["continuous"]
    for coding in state["coding"]["codings"]:
        del coding["measured"]
    for component in state["posterior"]["components"]:
        del component["facts"]["centre"], component["facts"]["scale"]
    if include_responses:
        del state["responses"]["measures"]
    earlier = irtvi.load(write_state(tmp_path / "old.irtvi", state))
    pd.testing.assert_frame_equal(earlier.score(lsat7.head(9)), irtvi.load(path).score(lsat7.head(9)))
    pd.testing.assert_frame_equal(earlier.curves("Item.1"), result.curves("Item.1"))
    assert not earlier.coding.measured.any()
