"""How a fit ends: standard errors from samples of persons, and what is kept on the way."""

import warnings

import numpy as np
import pytest
import torch

import irtvi
from irtvi.inference import final_pass


def quietly(answers):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of people who answered nothing
        return irtvi.read(answers)


@pytest.fixture(scope="module")
def sparse():
    return quietly(irtvi.simulate("2pl", 10_000, 100, missing=0.95, seed=5).responses)


def test_few_answers_a_person_ask_more_persons_for_standard_errors(sparse):
    """Nearly all information is missing there, and so the noise of a sample is large beside what is left."""
    one, other = (irtvi.fit(sparse, model="2pl", seed=seed).items[["a_sd", "b_sd"]].to_numpy() for seed in (0, 1))
    apart = np.log(one / other) / np.sqrt(2)
    assert np.sqrt(np.square(apart).mean()) < final_pass.LARGEST_NOISE


def test_a_small_sample_of_them_would_not_do(sparse, monkeypatch):
    monkeypatch.setattr(final_pass, "LARGEST_NOISE", np.inf)
    one, other = (irtvi.fit(sparse, model="2pl", seed=seed).items[["a_sd", "b_sd"]].to_numpy() for seed in (0, 1))
    apart = np.log(one / other) / np.sqrt(2)
    assert np.sqrt(np.square(apart).mean()) > 0.03


def test_sd_items_on_the_way_are_those_of_a_pass_of_their_own(monkeypatch):
    """Where persons are many they are found in the final pass, by the curvature that its posterior has."""
    monkeypatch.setattr(final_pass, "INFORMATION_WORK", 1e6)
    result = irtvi.fit(irtvi.simulate("2pl", 12_000, 40, seed=4).responses, model="2pl")
    known = result.posterior.sd_items
    assert result.posterior.information_persons < 12_000
    assert known is not None
    fresh = result.score(result.responses)["sd_items"].to_numpy()
    # The nodes of the two lie up to 1.1 posterior sds apart, see test_item_uncertainty.py.
    np.testing.assert_allclose(known.numpy(), fresh, rtol=5e-5)


def test_networks_have_standard_errors_where_curves_fold(monkeypatch):
    """Then the observed information is not positive definite; the expected one, less what may be missing, serves."""
    observed = final_pass.observed_information
    monkeypatch.setattr(final_pass, "observed_information", lambda *args: [-torch.abs(b) for b in observed(*args)])
    answers = irtvi.simulate("2pl", 300, 8, seed=1).responses
    link = irtvi.fit(answers, model="link")
    assert np.isfinite(link.covariance.to_numpy()).all()
    assert (np.diag(link.covariance) > 0).all()
    assert "no standard errors" in irtvi.fit(answers, model="2pl").reason
