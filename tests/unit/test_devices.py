"""The same code on another device: a fit there mixes nothing with the CPU, and its numbers are the same."""

import numpy as np
import pandas as pd
import pytest
import torch

import irtvi
from irtvi import diagnostics, plots
from irtvi.inference.stochastic import StochasticSettings
from tests import elsewhere

LAST_DIGITS = 1e-7
"""The same operations in the same order; float64 sums may be laid out differently in memory."""


def answers(model="2pl", n_persons=150, n_items=5, missing=0.0):
    frame = irtvi.simulate(model, n_persons, n_items, seed=1).responses
    gone = np.random.default_rng(1).random(frame.shape) < missing
    return frame.mask(gone)


def fitted_twice(responses, **how):
    here = irtvi.fit(responses, device="cpu", **how)
    with elsewhere.Device():
        there = irtvi.fit(responses, device=elsewhere.NAME, **how)
        assert isinstance(there.posterior.free, elsewhere.Elsewhere)
        return here, there


def difference(here, there):
    """What tells two tables apart, or nothing."""
    try:
        pd.testing.assert_frame_equal(here, there, rtol=LAST_DIGITS, atol=LAST_DIGITS)
    except AssertionError as error:
        return str(error)
    return ""


def difference_of_tables(here, there):
    with elsewhere.Device():
        return difference(here.items, there.items) + difference(here.abilities, there.abilities)


@pytest.mark.parametrize("model", ["2pl", "3pl", "grm", "rsm", "nominal", "normal"])
def test_every_kind_of_model_fits_there(model):
    assert not difference_of_tables(*fitted_twice(answers(model), model=model))


def test_the_exact_engine_fits_there():
    assert not difference_of_tables(*fitted_twice(answers("2pl"), engine="quadrature"))


@pytest.mark.slow
@pytest.mark.parametrize(("model", "engine"), [("monotone", "amortized"), ("residual", "quadrature")])
def test_neural_curves_fit_there(model, engine):
    assert not difference_of_tables(*fitted_twice(answers(), model=model, engine=engine))


@pytest.mark.parametrize(
    "how",
    [
        {"equal": ("a",), "priors": None},
        {"model": "3pl", "priors": None, "engine": irtvi.Amortized(max_passes=40)},
        {"model": "rasch", "centre": "items"},
        {"fixed": pd.DataFrame({"a": [1.0, 1.2, 0.8], "b": [0.0, -1.0, 1.0]}, index=["Q1", "Q2", "Q3"])},
    ],
    ids=lambda how: ", ".join(how),
)
def test_what_is_held_or_tied_there(how):
    assert not difference_of_tables(*fitted_twice(answers(), **how))


def test_sparse_answers_and_weights_there():
    frame = answers(n_persons=400, n_items=15, missing=0.7).dropna(how="all")
    assert not difference_of_tables(*fitted_twice(frame))
    frame["w"] = np.random.default_rng(2).integers(1, 4, len(frame))
    for kind in ("weights", "survey_weights"):
        assert not difference_of_tables(*fitted_twice(irtvi.read(frame, **{kind: "w"})))


@pytest.mark.parametrize("encoder", ["product_of_experts", "flow"])
def test_a_learned_encoder_there(encoder):
    few = StochasticSettings(batch_size=150, round_steps=4, max_rounds=2)
    engine = irtvi.Amortized(encoder=encoder, objective="miwae", gradient="dreg", bound=few)
    here, there = fitted_twice(answers(), engine=engine)
    assert not difference_of_tables(here, there)
    with elsewhere.Device():
        assert not difference(here.certificates, there.certificates)


def test_everything_that_a_result_says(tmp_path):
    frame = answers(missing=0.1)
    here, there = fitted_twice(frame)
    new = frame[:40]
    with elsewhere.Device():
        assert not difference(here.certificates, there.certificates)
        assert not difference(here.intervals(0.8), there.intervals(0.8))
        assert not difference(here.covariance, there.covariance)
        assert not difference(here.population, there.population)
        for method in ("eap", "map", "ml", "wle", "jeffreys", "eap_sum"):
            assert not difference(here.score(new, method), there.score(new, method))
        for what in ("probability", "expected", "sd", "information", "test_information"):
            assert not difference(*(r.curves(what=what, theta=[-1.0, 0.0, 2.0]) for r in (here, there)))
        for items in ("held", "draws"):
            assert not difference(here.plausible_values(2, items=items), there.plausible_values(2, items=items))
        pd.testing.assert_series_equal(here.probability_above(0.5), there.probability_above(0.5))
        pd.testing.assert_series_equal(here.reliability, there.reliability)
        assert not difference(here.expected_responses(new), there.expected_responses(new))
        train, test = irtvi.holdout(irtvi.read(frame), share=0.2, seed=1)
        assert not difference(*(r.predict(test) for r in fitted_twice(train)))
        assert str(there.summary()).replace(elsewhere.NAME, "cpu") == str(here.summary())
        assert str(diagnostics.convergence(there, new)) == str(diagnostics.convergence(here, new))
        for figure in (plots.abilities, plots.icc, plots.person_item_map, plots.test_information, plots.convergence):
            assert figure(there).to_json() == figure(here).to_json()
        path = there.save(tmp_path / "there.irtvi")
    loaded = irtvi.load(path)
    assert loaded.posterior.free.device.type == "cpu"
    assert not difference(loaded.score(new), here.score(new))


def test_small_data_stay_on_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert irtvi.fit(answers()).settings["device"] == "cpu"


def test_a_tensor_left_behind_is_noticed():
    with elsewhere.Device():
        there = torch.zeros(3, device=elsewhere.NAME)
        with pytest.raises(RuntimeError, match="on one device"):
            there.add(torch.ones(3))
        with pytest.raises(RuntimeError, match="on one device"):
            torch.zeros(3)[there > 0] = 1.0
        with pytest.raises(TypeError, match="cannot be an array"):
            np.asarray(there)
