"""Scoring one person with a loaded result costs next to nothing beyond the person's answers."""

import sys
import time
from pathlib import Path
from types import FrameType

import numpy as np
import pandas as pd
import pytest

import irtvi

PACKAGE = str(Path(irtvi.__file__).parent)
MOST_SECONDS = 0.03
"""CPU time with type checks on and other work on the machine; some 3 ms in a service."""


def _loaded(n_items: int, folder: Path) -> tuple[irtvi.Result, list[pd.DataFrame]]:
    """A result from a file, and persons whom it has scored before."""
    bank = pd.DataFrame({"a": 1.0, "b": np.linspace(-2, 2, n_items)}, index=[f"Q{j}" for j in range(n_items)])
    drawn = irtvi.simulate("2pl", 300, items=bank, seed=1).responses
    result = irtvi.load(irtvi.fit(drawn, "2pl").save(folder / f"{n_items}.irtvi"))
    people = [drawn.iloc[[k]] for k in range(20)]
    for person in people:
        result.score(person)
    return result, people


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> tuple[irtvi.Result, list[pd.DataFrame]]:
    return _loaded(100, tmp_path_factory.mktemp("model"))


def test_the_table_is_that_of_everybody(loaded):
    result, people = loaded
    alone = pd.concat([result.score(person) for person in people])
    fitted = result.abilities.head(20)
    assert list(alone.columns) == list(fitted.columns)
    # Within the rule's rounding and the 1e-10 of the mass that windows leave out.
    pd.testing.assert_frame_equal(alone, fitted, rtol=1e-8, atol=1e-8, check_index_type=False)


def _calls(result: irtvi.Result, person: pd.DataFrame) -> int:
    """How many functions of the package run while a person is scored."""
    counted = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal counted
        counted += event == "call" and frame.f_code.co_filename.startswith(PACKAGE)

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        result.score(person)
    finally:
        sys.setprofile(before)
    return counted


def test_no_function_is_called_for_each_item(loaded, tmp_path):
    # Of 100 items, more than 2,000 calls were there because of what had been declared about each item.
    (many, people), (few, others) = loaded, _loaded(10, tmp_path)
    assert _calls(many, people[0]) < _calls(few, others[0]) + 90


def test_it_takes_little_time(loaded):
    result, people = loaded
    taken = []
    for person in people:
        start = time.process_time()
        result.score(person)
        taken.append(time.process_time() - start)
    assert sorted(taken)[len(taken) // 2] < MOST_SECONDS
