"""A fit to a named bound scores through the encoder that it trained, also from a file."""

import numpy as np
import pandas as pd
import pytest
import torch

import irtvi
from irtvi.inference.encoders import LEARNED_ENCODERS, flow
from irtvi.inference.stochastic import StochasticSettings

BRIEF = StochasticSettings(round_steps=30, max_rounds=3)


@pytest.fixture(scope="module")
def answers():
    return irtvi.simulate("2pl", 250, 10, missing=0.2, seed=7).responses


@pytest.fixture(scope="module", params=list(LEARNED_ENCODERS))
def result(request, answers):
    if request.param == "flow":
        pytest.importorskip("zuko")
    return irtvi.fit(answers, engine=irtvi.Amortized(request.param, "iwae", "dreg", BRIEF))


def test_the_same_people_get_the_same_scores(result, answers):
    table = result.score(answers)
    pd.testing.assert_frame_equal(table, result.abilities, rtol=0, atol=1e-6)
    exact = irtvi.fit(answers, fixed=result.items, model="2pl", engine="quadrature").abilities
    # Unrepaired: not those of an integral.
    assert (table["theta"] - exact["theta"]).abs().max() > 1e-3


def test_somebody_alone_scores_as_in_company(result, answers):
    """An item that nobody answered looks different to the model, not to the encoder."""
    alone = pd.concat([result.score(answers.iloc[[k]]) for k in range(5)])
    pd.testing.assert_frame_equal(alone, result.abilities.head(5), rtol=0, atol=1e-5)


def test_a_file_keeps_the_encoder(result, answers, tmp_path):
    again = irtvi.load(result.save(tmp_path / "fit.irtvi"))
    encoder, kept = result.posterior.encoder, again.posterior.encoder
    assert type(kept) is type(encoder)
    assert kept.settings() == encoder.settings()
    weights = kept.state_dict()
    assert weights.keys() == encoder.state_dict().keys()
    assert all(torch.equal(weights[name], value) for name, value in encoder.state_dict().items())
    pd.testing.assert_frame_equal(again.score(answers), result.score(answers), rtol=0, atol=0)


def test_a_file_can_be_read_where_zuko_is_not(result, answers, tmp_path, monkeypatch):
    def absent(name):
        raise ImportError(name)

    again = result.save(tmp_path / "fit.irtvi")
    monkeypatch.setattr(flow.importlib, "import_module", absent)
    loaded = irtvi.load(again)
    assert loaded.items.equals(result.items)
    if result.posterior.encoder.name == "flow":
        with pytest.raises(irtvi.errors.MissingExtraError, match="flow"):
            loaded.score(answers)


def test_other_methods_need_no_encoder(result, answers):
    held = irtvi.fit(answers, fixed=result.items, model="2pl", engine="quadrature")
    for method in ("map", "wle"):
        one, other = result.score(answers, method=method), held.score(answers, method=method)
        np.testing.assert_allclose(one["theta"], other["theta"], atol=1e-5)
