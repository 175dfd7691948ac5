"""How abilities given a sum score move with the items, against differences."""

import pytest
import torch

import irtvi
from irtvi.inference.engines.engine import Data
from irtvi.inference.item_posterior import FullCurvature
from irtvi.models.specification import Specification, build
from irtvi.results import sum_score_uncertainty
from irtvi.results.sum_score_uncertainty import sd_items_of_sums, sum_derivatives
from irtvi.results.sum_scores import eap_sum

STEP = 1e-3


def assert_as_differences_say(model, free, data, values):
    """Along two directions in the space of free parameters, by central differences of fourth order."""
    directions = torch.randn(2, model.n_free, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = by_recursion(model, free, data, values) @ directions.T
    for direction, of_direction in zip(directions, found.T, strict=True):
        up, down, far_up, far_down = (
            eap_sum(model, free + m * STEP * direction, data.cells, data.groups, values).theta for m in (1, -1, 2, -2)
        )
        moved = (8 * (up - down) - (far_up - far_down)) / (12 * STEP)
        # Nodes lie .7 posterior sds apart, which leaves 1e-7; differences of fourth order leave 1e-9.
        torch.testing.assert_close(of_direction, moved, rtol=1e-5, atol=1e-6)


def by_recursion(model, free, data, values):
    out = torch.full((data.cells.n_persons, model.n_free), torch.nan, dtype=torch.float64)
    for persons, tables, columns in sum_derivatives(model, free, data.cells, data.groups, values):
        out[persons] = tables.by_free(columns)
    return out


@pytest.mark.parametrize("numbers", [20_000_000, 1])
def test_sets_of_answered_items(simulated, monkeypatch, numbers):
    # With room for one number every pair of set and sum goes alone.
    monkeypatch.setattr(sum_score_uncertainty, "NUMBERS", numbers)
    case = simulated(15, 9, missing=0.3, model="3pl", c=0.2, seed=9)
    values = torch.tensor([[0.0, 1.0], [1.0, 2.0], [0.0, 2.0], *[[0.0, 1.0]] * 5, [1.0, 0.0]], dtype=torch.float64)
    assert_as_differences_say(case.model, case.free, case.data, values)


def test_several_categories():
    result = irtvi.fit(irtvi.simulate("gpcm", 60, 5, n_categories=4, missing=0.1, seed=4).responses, "gpcm")
    data = Data.of(result.responses_of(None), result.item_models, torch.device("cpu"))
    values = torch.arange(4.0, dtype=torch.float64).repeat(5, 1)
    assert_as_differences_say(result.model, result.posterior.free, data, values)


def test_a_free_population_takes_part(generator):
    responses = irtvi.read(irtvi.load_data("lsat7").iloc[::40])
    built = build(Specification("rasch", priors=None), responses)
    data = Data.of(responses, built.item_models, torch.device("cpu"))
    free, values = built.model.start() + 0.1, torch.tensor([[0.0, 1.0]] * 5, dtype=torch.float64)
    assert_as_differences_say(built.model, free, data, values)
    J = by_recursion(built.model, free, data, values)
    root = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    precision = root @ root.T + torch.eye(6, dtype=torch.float64)
    curvature = FullCurvature(torch.linalg.cholesky(precision))
    sds = sd_items_of_sums(built.model, free, data.cells, data.groups, values, curvature)
    torch.testing.assert_close(sds, ((J @ torch.linalg.inv(precision)) * J).sum(1).sqrt(), rtol=1e-9, atol=1e-12)
