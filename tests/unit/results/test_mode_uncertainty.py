"""How modes of ability move with the items, against differences of modes."""

import numpy as np
import pytest
import torch

import irtvi
from irtvi.inference.engines.engine import Data
from irtvi.inference.item_posterior import FullCurvature
from irtvi.models.specification import Specification, build
from irtvi.results.criteria import Criterion, Likelihood, LogPosterior, Warm, WithJeffreys
from irtvi.results.estimates import jeffreys, map_, ml, wle
from irtvi.results.mode_uncertainty import mode_derivatives, sd_items_of_modes

METHODS = {
    "map": (LogPosterior, map_),
    "ml": (Likelihood, ml),
    "wle": (Warm, wle),
    "jeffreys": (WithJeffreys, jeffreys),
}
STEP = 1e-3


def by_differences(method, model, free, data):
    """Two directions in the space of free parameters, and how the modes move along them (differences of order four)."""
    directions = torch.randn(2, model.n_free, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    moved = []
    for direction in directions:
        up, down, far_up, far_down = (
            METHODS[method][1](model, free + m * STEP * direction, data.cells, data.groups).theta
            for m in (1, -1, 2, -2)
        )
        moved.append((8 * (up - down) - (far_up - far_down)) / (12 * STEP))
    return directions, torch.stack(moved, 1)


def by_theorem(method, model, free, data):
    criterion: Criterion = METHODS[method][0]()
    scores = METHODS[method][1](model, free, data.cells, data.groups)
    found = torch.nonzero(torch.isfinite(scores.sd))[:, 0]
    out = torch.full((data.cells.n_persons, model.n_free), torch.nan, dtype=torch.float64)
    for persons, tables, columns in mode_derivatives(criterion, model, free, data.cells, data.groups, scores, found):
        out[persons] = tables.by_free(columns)
    return out


def assert_as_differences_say(method, model, free, data):
    directions, expected = by_differences(method, model, free, data)
    found = by_theorem(method, model, free, data) @ directions.T
    known = torch.isfinite(found[:, 0])
    assert int(known.sum()) > len(known) // 2
    # Differences of fourth order leave some 1e-8; where a maximum is flat the next derivatives are large.
    torch.testing.assert_close(found[known], expected[known], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("model", "missing"), [("2pl", 0.0), ("3pl", 0.3)])
def test_two_categories(simulated, method, model, missing):
    case = simulated(40, 9, missing=missing, model=model, c=0.2 if model == "3pl" else 0.0, seed=12)
    assert_as_differences_say(method, case.model, case.free, case.data)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("model", ["grm", "gpcm"])
def test_several_categories(method, model):
    drawn = irtvi.simulate(model, 30, 5, n_categories=3, seed=4)
    result = irtvi.fit(drawn.responses, model)
    data = Data.of(result.responses_of(None), result.item_models, torch.device("cpu"))
    assert_as_differences_say(method, result.model, result.posterior.free, data)


@pytest.mark.parametrize("method", METHODS)
def test_measured_answers_and_lists(method):
    result = irtvi.fit(irtvi.simulate("normal", 40, 6, missing=0.2, seed=4).responses, "normal")
    data = Data.of(result.responses_of(None), result.item_models, torch.device("cpu"))
    assert_as_differences_say(method, result.model, result.posterior.free, data)


def test_a_free_population_moves_the_posterior_mode_alone():
    responses = irtvi.read(irtvi.load_data("lsat7").iloc[::40])
    built = build(Specification("rasch", priors=None), responses)
    data = Data.of(responses, built.item_models, torch.device("cpu"))
    free = built.model.start() + 0.1
    assert_as_differences_say("map", built.model, free, data)
    assert_as_differences_say("ml", built.model, free, data)
    sd = built.model.free_names(list(range(5))).index(("population", "sd"))
    assert by_theorem("ml", built.model, free, data)[:, sd].nan_to_num().abs().max() == 0.0
    assert by_theorem("map", built.model, free, data)[:, sd].abs().max() > 0.01


@pytest.mark.parametrize("method", METHODS)
def test_the_sd_is_the_delta_method(simulated, generator, method):
    case = simulated(30, 7, missing=0.2, seed=3)
    root = torch.randn(case.model.n_free, case.model.n_free, generator=generator, dtype=torch.float64)
    precision = root @ root.T + 5 * torch.eye(case.model.n_free, dtype=torch.float64)
    scores = METHODS[method][1](case.model, case.free, case.data.cells, case.data.groups)
    found = sd_items_of_modes(
        METHODS[method][0](),
        case.model,
        case.free,
        case.data.cells,
        case.data.groups,
        FullCurvature(torch.linalg.cholesky(precision)),
        scores,
    )
    J = by_theorem(method, case.model, case.free, case.data)
    torch.testing.assert_close(found, ((J @ torch.linalg.inv(precision)) * J).sum(1).sqrt(), equal_nan=True)
    assert (found.isnan() == scores.sd.isnan()).all()


def test_scores_of_each_method_have_their_own():
    result = irtvi.fit(irtvi.load_data("lsat7"), "2pl")
    methods = ("eap", "map", "ml", "wle", "jeffreys", "eap_sum")
    lsat7 = irtvi.load_data("lsat7").head(40)
    found = {method: result.score(lsat7, method)["sd_items"].to_numpy() for method in methods}
    finite = np.isfinite(found["ml"])
    assert 0 < finite.sum() < len(finite)
    for method in methods[1:]:
        assert not np.allclose(found[method][finite], found["eap"][finite], rtol=1e-3)
    # Shrinkage towards the population also shrinks what the items' uncertainty does.
    assert (found["ml"] > found["map"])[finite].all()
