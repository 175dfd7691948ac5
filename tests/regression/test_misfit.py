"""A search that went to and fro.

Where items fit badly, the expected complete-data information of a 3PL is smaller near the maximum than what is missing.
A share of the missing information was then left out at every pass, steps overshot, and the search did not converge in
200 passes: not on two traits, not on benchmarks of language models.
"""

import numpy as np
import pandas as pd
import pytest

import irtvi


def two_traits(rng, n, n_items):
    """Half of the items are helped by a second trait, half suffer from it."""
    return rng.standard_normal((n, 1)) + 0.7 * rng.standard_normal((n, 1)) * rng.choice([-1, 1], n_items)


def unlike_noise(rng, n, n_items):
    """What disturbs answers grows with the distance from the average."""
    theta = rng.standard_normal((n, 1))
    return theta + 0.5 * rng.standard_normal((n, 1)) * np.abs(theta) * rng.choice([-1, 1], n_items)


@pytest.mark.parametrize("abilities", [two_traits, unlike_noise])
def test_a_3pl_converges_where_items_fit_badly(abilities):
    rng = np.random.default_rng(0)
    n, n_items = 2000, 60
    slope, difficulty = rng.lognormal(0.8, 0.4, n_items), rng.normal(-1, 1, n_items)
    share = 1 / (1 + np.exp(-slope * (abilities(rng, n, n_items) - difficulty)))
    result = irtvi.fit(pd.DataFrame((rng.random(share.shape) < share).astype(int)), "3pl")
    assert result.converged
    assert (result.items.filter(regex="_sd$") > 0).all(axis=None)


def test_monotone_curves_converge_where_people_fall_into_two_groups():
    """Ability is N(0, 1), so curves share a steep rise between the groups, along which a search has far to go.

    Each step was cut short item by item; 200 passes and 89 s were not enough.
    """
    rng = np.random.default_rng(2)
    n, n_items = 2000, 40
    slope, difficulty = rng.lognormal(0.8, 0.4, n_items), rng.normal(-0.5, 1, n_items)
    group = rng.random((n, 1)) < 0.4
    theta = np.where(group, -1.5, 1.0) + 0.3 * rng.standard_normal((n, 1))
    share = 1 / (1 + np.exp(-slope * (theta - difficulty)))
    answers = pd.DataFrame((rng.random(share.shape) < share).astype(int))
    result = irtvi.fit(answers, "monotone")
    assert result.converged
    assert result.log_marginal > irtvi.fit(answers, "2pl").log_marginal + 100
    scores = result.abilities["theta"]
    assert scores[group[:, 0]].max() < scores[~group[:, 0]].min() + 0.5
