"""What the items add to the sd of an ability, against differences of posterior means."""

import pandas as pd
import pytest
import torch

import irtvi
from irtvi.inference import item_uncertainty, louis
from irtvi.inference.engines.engine import Data
from irtvi.inference.item_posterior import BlockCurvature, FullCurvature
from irtvi.inference.item_uncertainty import sd_items
from irtvi.models.specification import Specification, build
from irtvi.results.scoring import eap

STEP = 1e-4


def jacobian(model, free, data):
    """Derivative of every EAP by every free parameter, by central differences."""
    columns = []
    for k in range(model.n_free):
        step = torch.zeros_like(free)
        step[k] = STEP
        up = eap(model, free + step, data.cells, data.groups).mean
        down = eap(model, free - step, data.cells, data.groups).mean
        columns.append((up - down) / (2 * STEP))
    return torch.stack(columns, 1)


def some_curvature(n_free, generator):
    root = torch.randn(n_free, n_free, generator=generator, dtype=torch.float64)
    precision = root @ root.T + n_free * torch.eye(n_free, dtype=torch.float64)
    return FullCurvature(torch.linalg.cholesky(precision)), torch.linalg.inv(precision)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(("model", "missing"), [("2pl", 0.0), ("3pl", 0.3)])
def test_delta_method(simulated, generator, model, missing, sparse):
    case = simulated(50, 7, missing=missing, model=model, c=0.2 if model == "3pl" else 0.0, seed=12)
    curvature, covariance = some_curvature(case.model.n_free, generator)
    cells = case.data.cells.to_sparse() if sparse else case.data.cells
    sums = eap(case.model, case.free, cells, case.data.groups)
    found = sd_items(case.model, case.free, curvature, cells, case.data.groups, sums)
    J = jacobian(case.model, case.free, case.data)
    # Both are good to about 1e-6: the tables are float32, the differences of second order.
    torch.testing.assert_close(found, ((J @ covariance) * J).sum(1).sqrt(), rtol=5e-6, atol=1e-7)


def test_a_free_population_takes_part(generator):
    responses = irtvi.read(irtvi.load_data("lsat7").iloc[::40])
    built = build(Specification("rasch", priors=None), responses)
    data = Data.of(responses, built.item_models, torch.device("cpu"))
    free = built.model.start() + 0.1
    assert built.model.n_free == 6
    curvature, covariance = some_curvature(6, generator)
    sums = eap(built.model, free, data.cells, data.groups)
    found = sd_items(built.model, free, curvature, data.cells, data.groups, sums)
    J = jacobian(built.model, free, data)
    torch.testing.assert_close(found, ((J @ covariance) * J).sum(1).sqrt(), rtol=5e-6, atol=1e-7)


@pytest.mark.parametrize("sparse", [False, True])
def test_blocks_equal_the_full_matrix_that_has_only_them(simulated, generator, sparse):
    case = simulated(40, 6, missing=0.2, seed=2)
    cells = case.data.cells.to_sparse() if sparse else case.data.cells
    index = [part.index for part in case.model.parts]
    inverses, precision = [], torch.zeros(case.model.n_free, case.model.n_free, dtype=torch.float64)
    for one in index:
        root = torch.randn(*one.shape, one.shape[1], generator=generator, dtype=torch.float64)
        blocks = root @ root.mT + 3 * torch.eye(one.shape[1], dtype=torch.float64)
        inverses.append(torch.linalg.inv(blocks))
        for own, block in zip(one, blocks, strict=True):
            if (own >= 0).all():
                precision[own[:, None], own] = block
    by_item = BlockCurvature(inverses, index, case.model.n_free)
    full = FullCurvature(torch.linalg.cholesky(precision))
    args = cells, case.data.groups, eap(case.model, case.free, cells, case.data.groups)
    torch.testing.assert_close(
        sd_items(case.model, case.free, by_item, *args),
        sd_items(case.model, case.free, full, *args),
        rtol=1e-5,
        atol=1e-8,
    )


def test_nothing_to_add_and_nothing_known(simulated):
    case = simulated(6, 4)
    sums = eap(case.model, case.free, case.data.cells, case.data.groups)
    assert sd_items(case.model, case.free, None, case.data.cells, case.data.groups, sums).isnan().all()
    responses = irtvi.read(pd.DataFrame({"x": [0, 1, 1], "y": [1, 0, 1]}))
    fixed = pd.DataFrame({"a": [1.0, 1.0], "b": [0.0, 0.5]}, index=["x", "y"])
    held = build(Specification("2pl", fixed=fixed), responses)
    data = Data.of(responses, held.item_models, torch.device("cpu"))
    assert held.model.n_free == 0
    sums = eap(held.model, held.model.start(), data.cells, data.groups)
    assert sd_items(held.model, held.model.start(), None, data.cells, data.groups, sums).tolist() == [0.0] * 3


@pytest.mark.filterwarnings("ignore::irtvi.errors.ConstantItemWarning")
@pytest.mark.parametrize(("model", "missing"), [("2pl", 0.0), ("2pl", 0.7), ("3pl", 0.0), ("3pl", 0.5)])
def test_a_few_directions_stand_for_most_of_what_lies_between_items(monkeypatch, model, missing):
    """What a hundred thousand persons are given, beside the whole."""
    answers = irtvi.simulate(model, 3_000, 80, missing=missing, seed=6).responses
    posterior = irtvi.fit(answers, model=model).posterior
    responses = irtvi.read(answers)
    cells = responses.scored()
    args = posterior.model, posterior.free, posterior.curvature, cells, torch.zeros(3_000, dtype=torch.long)
    whole = sd_items(*args, posterior.persons)
    monkeypatch.setattr(item_uncertainty, "EXACT_WORK", 0)
    nearly = sd_items(*args, posterior.persons)
    assert not torch.equal(nearly, whole)
    # About a percent is what the documentation says.
    error = (nearly / whole - 1).abs()
    assert float(error.quantile(0.9)) < 0.015
    assert float(error.max()) < 0.05


def test_kept_coefficients_say_what_fresh_ones_say(monkeypatch):
    """After a fit of many persons, whose nodes lie up to a posterior sd apart; the fresh ones are finer, in float64."""
    answers = irtvi.simulate("2pl", 12_000, 40, seed=4).responses
    result = irtvi.fit(answers, model="2pl")
    known = result.posterior.sd_items
    assert known is not None
    data = Data.of(result.responses, result.item_models, torch.device("cpu"))
    posterior = result.posterior
    args = data.cells, data.groups, posterior.persons
    monkeypatch.setattr(louis, "SMALL", known.numel() * posterior.model.n_free)
    fresh = sd_items(posterior.model, posterior.free, posterior.curvature, *args)
    # Nodes may be up to 1.1 sds apart, where the trapezoid rule leaves 2 exp(-2 pi^2 / h^2) (2 pi / h)^2 = 5e-6 of a
    # Gaussian's second moment; posteriors at the ends are skewed, and lose up to 2e-5 by either set of nodes.
    torch.testing.assert_close(known, fresh, rtol=3e-5, atol=0.0)
    someone_silent = pd.concat([answers, answers.iloc[:1] * float("nan")])
    with pytest.warns(irtvi.errors.EmptyPersonWarning):
        again = irtvi.fit(irtvi.read(someone_silent.reset_index(drop=True)), model="2pl")
    assert again.abilities["sd_items"].iloc[-1] == 0.0
