"""What every model of measured answers promises beside what all models do: a density, its moments, its draws."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch.func import jvp

from irtvi.inference.answers import answers_of
from irtvi.inference.table import coefficient_table
from irtvi.responses.cells import DenseCells
from irtvi.responses.measures import MEASURED, MeasuredCells, Measures

ABILITIES = torch.tensor([-1.5, 0.2, 2.0], dtype=torch.float64)
N_POINTS = 2001
PRECISE = {"phi": 20.0}
"""Factors on parameters, so that no density piles up at an end, where numbers have no room between them."""


@pytest.fixture
def smooth(measured):
    """Items whose densities vanish at both ends."""
    moved = measured.free.clone()
    for name, slots in measured.slots.columns().items():
        if name in PRECISE:
            moved[measured.slots.index[:, slots]] += math.log(PRECISE[name])
    return replace(measured, free=moved)


def answers_across(example):
    """Answers [points, abilities, items] over which densities are integrated, and weights of the rule.

    The trapezoid rule in x where y = centre + half sinh x, or y = sigmoid(sinh x): densities vanish at both ends
    faster than any power, so that the rule is exact to rounding (Trefethen and Weideman 2014).
    """
    x = torch.linspace(-6.0, 6.0, N_POINTS, dtype=torch.float64)[:, None, None]
    low, high = example.item_model.bounds
    at = ABILITIES[:, None, None], example.params, example.facts
    if np.isfinite(low):
        y = low + (high - low) * torch.sigmoid(x.sinh())
        slope = (high - low) * torch.sigmoid(x.sinh()) * torch.sigmoid(-x.sinh()) * x.cosh()
    else:
        unit = example.item_model.variance(*at).sqrt()
        y = example.item_model.mean(*at) + unit * x.sinh()
        slope = unit * x.cosh()
    shape = N_POINTS, len(ABILITIES), example.n_items
    inside = (y > low) & (y < high)
    weight = torch.where(inside, slope, 0.0).expand(shape) * float(x[1] - x[0])
    rounding = torch.finfo(y.dtype).eps
    return y.clamp(low + rounding, high - rounding).expand(shape), weight


def moment(example, function):
    """Expectation [abilities, items] of a function of the answers, by quadrature over the density."""
    y, weight = answers_across(example)
    coefficients = example.coefficients(ABILITIES)
    density = (example.item_model.statistics(y, example.facts) * coefficients).sum(-1).exp()
    values = function(y)
    return (values * (weight * density).view(*weight.shape, *(1,) * (values.ndim - 3))).sum(0)


def test_the_density_integrates_to_one(smooth):
    torch.testing.assert_close(
        moment(smooth, torch.ones_like), torch.ones(len(ABILITIES), smooth.n_items).double(), rtol=1e-9, atol=0
    )


def test_the_first_statistic_is_one(smooth):
    y, _ = answers_across(smooth)
    assert torch.equal(smooth.item_model.statistics(y, smooth.facts)[..., 0], torch.ones_like(y))


def test_expected_statistics_mean_and_variance_are_those_of_the_density(smooth):
    facts, at = smooth.facts, (ABILITIES[:, None, None], smooth.params, smooth.facts)
    expected = moment(smooth, lambda y: smooth.item_model.statistics(y, facts))
    torch.testing.assert_close(smooth.expectations(ABILITIES), expected, rtol=1e-8, atol=1e-10)
    mean = smooth.item_model.mean(*at)
    torch.testing.assert_close(mean, moment(smooth, lambda y: y), rtol=1e-8, atol=1e-10)
    variance = moment(smooth, lambda y: (y - mean).square())
    torch.testing.assert_close(smooth.item_model.variance(*at), variance, rtol=1e-8, atol=1e-10)


def test_information_is_the_mean_square_of_the_score(smooth):
    ones = torch.ones_like(ABILITIES)
    slopes = jvp(smooth.coefficients, (ABILITIES,), (ones,))[1]
    moved = jvp(smooth.expectations, (ABILITIES,), (ones,))[1]
    square = moment(
        smooth, lambda y: (smooth.item_model.statistics(y, smooth.facts) * slopes).sum(-1).square()
    )
    torch.testing.assert_close((slopes * moved).sum(-1), square, rtol=1e-8, atol=1e-10)


def test_draws_follow_the_density(smooth, generator):
    """Kolmogorov and Smirnov: with 15 comparisons, none is as unlikely as 1 in 10,000."""
    n_draws = 4_000
    theta = ABILITIES.repeat_interleave(n_draws)[:, None, None]
    drawn = smooth.item_model.draw(theta, smooth.params, smooth.facts, generator).view(3, n_draws, -1)
    y, weight = answers_across(smooth)
    statistics = smooth.item_model.statistics(y, smooth.facts)
    density = (statistics * smooth.coefficients(ABILITIES)).sum(-1).exp() * weight
    below = (density.cumsum(0) - density / 2).numpy()
    for k in range(len(ABILITIES)):
        for j in range(smooth.n_items):
            of_item = y[:, k, j].numpy(), below[:, k, j]
            chance = stats.kstest(drawn[k, :, j].numpy(), lambda v, f=of_item: np.interp(v, *f)).pvalue
            assert chance > 1e-4


def test_a_missing_cell_adds_exactly_nothing(measured, generator):
    """Persons with one answer each and one without, in matrix form and as lists."""
    model, n_items = measured.model(), measured.n_items
    theta = torch.zeros(n_items, 1, 1, dtype=torch.float64)
    values = measured.item_model.draw(theta, measured.params, measured.facts, generator).diagonal()
    each = torch.arange(n_items)
    codes = torch.full((n_items + 1, n_items), -1, dtype=torch.int8)
    codes[each, each] = MEASURED
    log_probs = coefficient_table(model, ABILITIES[:, None], measured.free)
    statistics = measured.item_model.statistics(values, measured.facts)
    expected = (measured.coefficients(ABILITIES) * statistics).sum(-1)
    for n_persons in (n_items + 1, 40):
        padded = torch.cat([codes, torch.full((n_persons - len(codes), n_items), -1, dtype=torch.int8)])
        cells = MeasuredCells(DenseCells(padded).compact(), Measures.of(each, each, values, n_persons, n_items))
        answers = answers_of(model, cells)
        used, base = answers.table(log_probs)
        sums = answers.block(torch.arange(n_persons)).forward(used, base)
        assert torch.equal(sums[:, n_items:], torch.zeros_like(sums[:, n_items:]))
        torch.testing.assert_close(sums[:, :n_items], expected, rtol=1e-13, atol=1e-13)
