"""Standard errors under survey weights, against persons' scores by numerical differentiation."""

import numpy as np
import pandas as pd
import pytest
import torch

import irtvi
from irtvi.inference.engines.engine import Data
from irtvi.inference.item_posterior import BlockCurvature, FullCurvature
from irtvi.results.scoring import eap

WEIGHTS = np.random.default_rng(0).choice([0.3, 2.0], 400)
BANK = pd.DataFrame({"a": np.linspace(0.7, 1.8, 6), "b": np.linspace(-1.2, 1.2, 6)}, index=[f"Q{j}" for j in range(6)])
ANSWERS = irtvi.simulate("2pl", 400, items=BANK, seed=3).responses


@pytest.fixture(scope="module")
def model_based():
    """A fit with the same weights as frequencies: the same point, information in place of the sandwich."""
    responses = irtvi.read(ANSWERS, weights=WEIGHTS / WEIGHTS.mean())
    return irtvi.fit(responses, "2pl", priors=None, engine="quadrature")


@pytest.fixture(scope="module")
def scores(model_based):
    """Each person's gradient of the log marginal likelihood, times the weight: [persons, n_free]."""
    posterior = model_based.posterior
    data = Data.of(model_based.responses, model_based.item_models, torch.device("cpu"))

    def log_marginal(free):
        return eap(posterior.model, free, data.cells, data.groups).log_marginal

    step = 1e-4 * torch.eye(len(posterior.free), dtype=torch.float64)
    differences = [log_marginal(posterior.free + h) - log_marginal(posterior.free - h) for h in step]
    return torch.stack(differences, 1) / 2e-4 * data.weights[:, None]


def survey_fit():
    return irtvi.fit(irtvi.read(ANSWERS, survey_weights=WEIGHTS), "2pl", priors=None, engine="quadrature")


def test_full(model_based, scores):
    curvature = survey_fit().posterior.curvature
    assert isinstance(curvature, FullCurvature)
    bread = model_based.posterior.curvature.covariance()
    expected = bread @ (scores.T @ scores) @ bread
    # Two searches that end within 5e-4 standard errors of each other.
    torch.testing.assert_close(curvature.covariance(), expected, rtol=2e-3, atol=2e-5)


def test_by_item(model_based, scores, monkeypatch):
    """Beyond some thousand parameters information is kept by item: the sandwich then has the same blocks."""
    monkeypatch.setattr("irtvi.inference.item_posterior.FULL_LIMIT", 5)
    survey = survey_fit()
    curvature = survey.posterior.curvature
    assert isinstance(curvature, BlockCurvature)
    plain = irtvi.fit(model_based.responses, "2pl", priors=None, engine="quadrature").posterior.curvature
    (bread, *_), (index, *_) = plain.inverses, plain.indices
    own = scores[:, index]
    meat = torch.einsum("pms,pmt->mst", own, own)
    torch.testing.assert_close(curvature.inverses[0], bread @ meat @ bread, rtol=5e-3, atol=5e-5)
    assert (survey.items["a_sd"] > 0).all()


def test_fewer_persons_than_parameters():
    """The squares of 40 scores have no inverse over 80 parameters or so; standard errors are there nevertheless."""
    few = irtvi.simulate("2pl", 40, 50, seed=5).responses
    few = few.loc[:, few.nunique() > 1]
    result = irtvi.fit(irtvi.read(few, survey_weights=np.linspace(0.5, 1.5, 40)), "2pl")
    assert result.n_parameters > 60
    assert np.isfinite(result.items[["a_sd", "b_sd"]]).all(axis=None)
    assert (result.items["a_sd"] > 0).all()


def test_a_bound_says_that_its_standard_errors_are_of_the_model():
    few = irtvi.read(ANSWERS.head(80), survey_weights=WEIGHTS[:80])
    result = irtvi.fit(few, "2pl", objective="elbo")
    assert "suppose that the model holds" in result.reason
