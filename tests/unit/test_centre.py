"""The Rasch scale with its origin at the items."""

import numpy as np
import pandas as pd
import pytest

import irtvi
from irtvi.errors import SpecificationError


@pytest.fixture(scope="module")
def answers():
    rng = np.random.default_rng(5)
    theta, b = rng.normal(0.6, 1.3, 800), np.linspace(-1.5, 2.5, 9)
    right = rng.random((800, 9)) < 1 / (1 + np.exp(b - theta[:, None]))
    return pd.DataFrame(right.astype(int), columns=[f"Q{j}" for j in range(9)])


@pytest.fixture(scope="module", params=["amortized", "quadrature"])
def both(request, answers):
    return [irtvi.fit(answers, "rasch", priors=None, centre=c, engine=request.param) for c in ("persons", "items")]


def test_it_is_a_shift_of_the_scale(both):
    persons, items = both
    shift = -persons.items["b"].mean()
    assert abs(items.items["b"].mean()) < 1e-12
    np.testing.assert_allclose(items.items["b"], persons.items["b"] + shift, atol=1e-12)
    assert items.population.iloc[0]["mean"] == pytest.approx(shift, abs=1e-12)
    assert items.log_marginal == persons.log_marginal
    assert items.n_parameters == persons.n_parameters == 10
    np.testing.assert_allclose(items.abilities["theta"], persons.abilities["theta"] + shift, atol=1e-9)
    np.testing.assert_allclose(items.abilities["sd"], persons.abilities["sd"], atol=1e-9)


def test_standard_errors_are_those_of_the_same_scale_by_another_way(answers, both):
    """Conditional maximum likelihood does not suppose normal abilities: its errors are a percent larger at the ends."""
    found = both[1].items
    b, covariance = _conditional(answers.to_numpy())
    np.testing.assert_allclose(found["b"], b, atol=0.03)
    np.testing.assert_allclose(found["b_sd"], np.sqrt(np.diag(covariance)), rtol=0.02)


def test_the_mean_of_ability_has_the_error_of_a_mean(both):
    """Of people whose spread and answers are sampled: sqrt((sd^2 + mean error variance of a person) / persons)."""
    result = both[1]
    ml = result.score(result.responses, method="wle")
    expected = np.sqrt((result.population.iloc[0]["sd"] ** 2 + (ml["sd"] ** 2).mean()) / len(ml))
    assert result.population.iloc[0]["mean_sd"] == pytest.approx(expected, rel=0.1)


def test_what_follows_is_on_the_same_scale(answers, both, tmp_path):
    result = both[1]
    result.save(tmp_path / "rasch.irtvi")
    again = irtvi.load(tmp_path / "rasch.irtvi").score(answers)
    columns = ["theta", "sd", "sd_items"]
    np.testing.assert_allclose(again[columns], result.abilities[columns], atol=1e-5)
    assert (result.abilities["sd_items"] > 0).all()
    curve = result.curves(["Q0"], theta=[float(result.items.loc["Q0", "b"])], what="probability")
    assert curve.loc[curve["category"] == 1, "value"].item() == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"model": "2pl"}, "goes with model='rasch' for all items, but there is 2pl"),
        ({"model": "rasch", "equal": ("d",)}, "centre='items' and equal= both say where the scale begins"),
        ({"model": "rasch", "population": "standard"}, "and population= both say"),
        ({"model": "rasch", "objective": "elbo"}, "does not go with objective="),
    ],
)
def test_what_does_not_go_with_it(answers, asked, message):
    with pytest.raises(SpecificationError, match=message):
        irtvi.fit(answers, centre="items", **asked)


def test_neither_one_nor_the_other(answers):
    with pytest.raises(SpecificationError, match="centre= is 'persons' or 'items', got 'Items'"):
        irtvi.fit(answers, "rasch", centre="Items")


def _conditional(right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Conditional maximum likelihood (Andersen 1970) by Newton steps: difficulties with mean 0, and covariance."""
    n_items = right.shape[1]
    scores, totals = right.sum(0), np.bincount(right.sum(1), minlength=n_items + 1)
    b = np.zeros(n_items)
    for _ in range(30):
        easy = np.exp(-b)
        whole = _symmetric(easy)
        share = np.empty((n_items, n_items + 1))
        pairs = np.zeros((n_items, n_items))
        for i in range(n_items):
            share[i] = easy[i] * np.r_[0.0, _symmetric(np.delete(easy, i))] / whole
        for i in range(n_items):
            for j in range(n_items):
                if i == j:
                    pairs[i, j] = totals @ share[i]
                else:
                    both = easy[i] * easy[j] * np.r_[0.0, 0.0, _symmetric(np.delete(easy, [i, j]))] / whole
                    pairs[i, j] = totals @ both
        information = pairs - (share * totals) @ share.T
        covariance = np.linalg.pinv(information)
        b = b - covariance @ (scores - share @ totals)
        b -= b.mean()
    return b, covariance


def _symmetric(easy: np.ndarray) -> np.ndarray:
    """Elementary symmetric functions."""
    out = np.zeros(len(easy) + 1)
    out[0] = 1.0
    for value in easy:
        out[1:] += value * out[:-1].copy()
    return out
