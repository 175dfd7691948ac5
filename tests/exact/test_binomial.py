"""Counts of successes against the single tries that they sum up."""

import math

import numpy as np
import pandas as pd
import pytest

import irtvi
from irtvi.errors import SpecificationError
from irtvi.inference import table

TRIES = {"q1": 1, "q2": 3, "q3": 4, "q4": 2}


@pytest.fixture(scope="module")
def tries() -> dict[str, np.ndarray]:
    """Right and wrong of 300 persons, [persons, tries] by item, one answer in ten missing as a whole item."""
    rng = np.random.default_rng(11)
    ability = rng.normal(size=(300, 1))
    slopes = dict(zip(TRIES, (0.8, 1.2, 1.6, 1.0), strict=True))
    made = {}
    for item, n in TRIES.items():
        p = 1 / (1 + np.exp(-(slopes[item] * ability + rng.normal())))
        made[item] = (rng.random((300, n)) < p).astype(float)
        made[item][rng.random(300) < 0.1] = np.nan
    return made


@pytest.fixture(scope="module")
def counts(tries) -> pd.DataFrame:
    return pd.DataFrame({item: right.sum(1) for item, right in tries.items()})


@pytest.mark.filterwarnings("ignore::irtvi.errors.EmptyPersonWarning")
def test_counts_are_2pl_items_with_equal_parameters(tries, counts):
    """The likelihood of a count is that of its tries times the number of orders they may have come in."""
    single = {f"{item}.{t}": right[:, t] for item, right in tries.items() for t in range(right.shape[1])}
    groups = [[name for name in single if name.startswith(item)] for item in TRIES]
    as_tries = irtvi.fit(
        pd.DataFrame(single), "2pl", priors=None, equal={"a": groups, "d": groups}, engine="quadrature"
    )
    as_counts = irtvi.fit(counts, "binomial", priors=None, engine="quadrature")
    orders = sum(math.log(math.comb(TRIES[item], int(count))) for item in TRIES for count in counts[item].dropna())
    assert as_counts.n_parameters == as_tries.n_parameters == 8
    assert as_counts.log_marginal == pytest.approx(as_tries.log_marginal + orders, abs=1e-5)
    first = [group[0] for group in groups]
    # Both searches end within 5e-4 standard errors of the maximum; the largest standard error is below 1.
    assert np.allclose(as_counts.items[["a", "b"]], as_tries.items.loc[first, ["a", "b"]], atol=2e-3)
    assert np.allclose(as_counts.abilities["theta"], as_tries.abilities["theta"], atol=1e-3)
    assert np.allclose(as_counts.abilities["sd"], as_tries.abilities["sd"], atol=1e-3)


def test_expected_score_is_the_number_of_tries_times_the_probability(counts):
    result = irtvi.fit(counts, "binomial")
    a, b = result.items.loc["q3", ["a", "b"]].astype(float)
    curve = result.curves("q3", theta=[-1.0, 0.0, 2.0], what="expected")
    expected = 4 / (1 + np.exp(-a * (np.array([-1.0, 0.0, 2.0]) - b)))
    assert np.allclose(curve["value"], expected, atol=1e-6)


def test_numbers_of_tries_are_said(counts):
    assert any("1 to 4" in note for note in irtvi.fit(counts, "binomial").notes)


def test_declared_tries_that_nobody_reached(counts):
    responses = irtvi.read(counts, categories={"q3": [0, 1, 2, 3, 4, 5, 6]})
    result = irtvi.fit(responses, "binomial", priors=None)
    assert result.model.n_categories.tolist() == [2, 4, 7, 3]
    assert result.converged


def test_counts_that_do_not_start_at_zero_are_an_error(counts):
    with pytest.raises(SpecificationError, match=r"'q2' run from 1 to 4"):
        irtvi.fit(counts.assign(q2=counts["q2"] + 1), "binomial")


def test_items_with_few_and_with_many_tries_go_through_tables_in_parts(monkeypatch):
    """A part whose items have few tries is as wide as the whole."""
    rng = np.random.default_rng(4)
    p = 1 / (1 + np.exp(-rng.normal(size=(200, 1))))
    many = pd.DataFrame(rng.binomial([1] * 20 + [6] * 20, p), columns=[f"q{j:02d}" for j in range(40)])
    whole = irtvi.fit(many, "binomial", engine="quadrature")
    monkeypatch.setattr(table, "PART_NUMBERS", 1)
    in_parts = irtvi.fit(many, "binomial", engine="quadrature")
    assert in_parts.log_marginal == pytest.approx(whole.log_marginal, abs=1e-6)
