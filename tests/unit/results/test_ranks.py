"""Places against plausible values ranked draw by draw."""

import numpy as np
import pytest

import irtvi
from irtvi.errors import SpecificationError
from irtvi.results.ranks import rank_intervals

DRAWS = 4_000


@pytest.fixture(scope="module")
def fitted():
    return irtvi.fit(irtvi.load_data("lsat7"), model="2pl")


@pytest.fixture(scope="module", params=[8, 300])
def people(request):
    """Few and many, their patterns of answers mixed."""
    return irtvi.load_data("lsat7").sample(request.param, random_state=1)


@pytest.fixture(scope="module")
def drawn(fitted, people):
    """Place of every person (rows) in every draw of all abilities (columns)."""
    return fitted.plausible_values(DRAWS, seed=1, new=people).rank(ascending=False)


def test_expected_place_is_the_mean_of_places(fitted, people, drawn):
    table = rank_intervals(fitted, new=people)
    error = (table["rank"] - drawn.mean(axis=1)).abs()
    # 4.5 standard errors of a mean of the draws.
    assert (error < 4.5 * drawn.std(axis=1) / np.sqrt(DRAWS)).all()
    assert table["rank"].mean() == pytest.approx((len(table) + 1) / 2, abs=1e-6)


@pytest.mark.parametrize("level", [0.95, 0.5])
def test_intervals_hold_the_share_of_places_that_they_say(fitted, people, drawn, level):
    """No end could move inwards by a place and still leave its tail out, beyond Monte Carlo error."""
    table = rank_intervals(fitted, level, people)
    tail = (1 - level) / 2
    noise = 4.5 * np.sqrt(tail * (1 - tail) / DRAWS)
    # The normal law of a sum of seven yes-or-no variables is off by about .02 in the middle.
    noise += 0.02 if len(table) < 100 else 0.002
    below = drawn.lt(table["rank_lower"], axis=0).mean(axis=1)
    up_to = drawn.le(table["rank_lower"], axis=0).mean(axis=1)
    assert (below <= tail + noise).all()
    assert (up_to >= tail - noise).all()
    below = drawn.lt(table["rank_upper"], axis=0).mean(axis=1)
    up_to = drawn.le(table["rank_upper"], axis=0).mean(axis=1)
    assert (below <= 1 - tail + noise).all()
    assert (up_to >= 1 - tail - noise).all()


def test_who_answered_nothing_has_no_place(fitted):
    people = irtvi.load_data("lsat7").tail(40).astype(float)
    people.loc[people.index[3], [f"Item.{k}" for k in range(1, 6)]] = np.nan
    table = rank_intervals(fitted, new=people)
    assert table.iloc[3].isna().all()
    assert table["rank"].count() == 39
    assert table["rank_upper"].max() <= 39


def test_level_between_0_and_1(fitted):
    with pytest.raises(SpecificationError, match="between 0 and 1"):
        rank_intervals(fitted, 1.0)
