"""Responses saved with a result come back whole: weights, covariates, and people who answered nothing."""

import numpy as np
import pandas as pd
import pytest

import irtvi
from irtvi.errors import EmptyPersonWarning


@pytest.mark.parametrize("density", [1.0, 0.1])
def test_everybody_comes_back(tmp_path, density):
    rng = np.random.default_rng(3)
    answers = rng.integers(0, 2, size=(300, 40)).astype(float)
    answers[rng.random(answers.shape) > density] = np.nan
    answers[7] = np.nan
    frame = pd.DataFrame(answers, columns=[f"Q{j}" for j in range(40)], index=[f"p{i}" for i in range(300)])
    frame["cov_age"] = np.arange(300)
    with pytest.warns(EmptyPersonWarning):
        responses = irtvi.read(frame, weights=np.arange(1.0, 301.0))
    result = irtvi.fit(responses, "1pl")
    loaded = irtvi.load(result.save(tmp_path / "exam.irtvi", include_responses=True))
    assert loaded.responses is not None
    assert loaded.responses.person_ids.equals(responses.person_ids)
    assert loaded.data_digest == result.data_digest == loaded.responses.digest()
    np.testing.assert_array_equal(loaded.responses.weights, responses.weights)
    pd.testing.assert_frame_equal(loaded.responses.covariates, responses.covariates)
    pd.testing.assert_series_equal(loaded.probability_above(0.5), result.probability_above(0.5))
