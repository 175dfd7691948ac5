"""The yardstick: a 2PL by expectation-maximisation as a strong user would write it in NumPy.

Marginal maximum likelihood after Bock and Aitkin (1981) on 61 fixed nodes, float32 for what is as long as
the data, float64 for the items. Every pass gives the log-likelihood, the last one posterior means and sds; no
checks, no priors, no standard errors.

    python bare_em.py FOLDER
"""

import numpy as np

from data import MISSING
from measure import Estimates, main

NODES = np.linspace(-6.0, 6.0, 61)
WEIGHTS = np.exp(-0.5 * NODES**2) / np.exp(-0.5 * NODES**2).sum()
DESIGN = np.stack([NODES, np.ones_like(NODES)])
TOLERANCE = 1e-4


def fit(responses: np.ndarray) -> Estimates:
    """Iterate until no slope or intercept moves by more than 1e-4, then score by posterior means."""
    correct = (responses == 1).astype(np.float32)
    wrong = (responses == 0).astype(np.float32) if (responses == MISSING).any() else None
    n_correct = correct.sum(0, dtype=float)
    n_answered = len(responses) if wrong is None else n_correct + wrong.sum(0, dtype=float)
    slopes = np.ones(responses.shape[1])
    # A share of right answers over all abilities is nearer to 1/2 than the curve at ability zero.
    intercepts = np.sqrt(1 + 1 / 1.702**2) * np.log((n_correct + 0.5) / (n_answered - n_correct + 0.5))

    for _ in range(1000):
        posterior, _ = _posterior(correct, wrong, slopes, intercepts)
        expected_correct = (posterior.T @ correct).astype(float)
        if wrong is None:
            expected = posterior.sum(0, dtype=float)[:, None]
        else:
            expected = expected_correct + posterior.T @ wrong
        previous = slopes, intercepts
        slopes, intercepts = _maximise(slopes, intercepts, expected_correct, expected)
        if max(np.abs(slopes - previous[0]).max(), np.abs(intercepts - previous[1]).max()) < TOLERANCE:
            break

    posterior, log_likelihood = _posterior(correct, wrong, slopes, intercepts)
    theta = posterior @ NODES
    sd = np.sqrt(posterior @ NODES**2 - theta**2)
    return Estimates(slopes, -intercepts / slopes, theta, sd, log_likelihood)


def _posterior(
    correct: np.ndarray, wrong: np.ndarray | None, slopes: np.ndarray, intercepts: np.ndarray
) -> tuple[np.ndarray, float]:
    """Each person's weights over the nodes, persons x nodes, and the log-likelihood of all."""
    logit = np.outer(NODES, slopes) + intercepts
    log_wrong = -np.logaddexp(0.0, logit)
    log_correct = log_wrong + logit
    if wrong is None:
        # log p = sum of x * logit + log P(all wrong): one product is enough.
        posterior = correct @ logit.T.astype(np.float32)
        posterior += (log_wrong.sum(1) + np.log(WEIGHTS)).astype(np.float32)
    else:
        posterior = correct @ log_correct.T.astype(np.float32)
        posterior += wrong @ log_wrong.T.astype(np.float32)
        posterior += np.log(WEIGHTS).astype(np.float32)
    top = posterior.max(1, keepdims=True)
    posterior = np.exp(posterior - top)
    total = posterior.sum(1, keepdims=True)
    posterior /= total
    return posterior, float((np.log(total) + top).sum(dtype=float))


def _maximise(
    slopes: np.ndarray, intercepts: np.ndarray, expected_correct: np.ndarray, expected: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Newton steps for all items at once on the expected table, nodes x items."""
    for _ in range(5):
        p = 1.0 / (1.0 + np.exp(-(np.outer(NODES, slopes) + intercepts)))
        gradient = DESIGN @ (expected_correct - expected * p)
        weight = expected * p * (1.0 - p)
        on_slope, cross, on_intercept = NODES**2 @ weight, NODES @ weight, weight.sum(0)
        determinant = on_slope * on_intercept - cross**2
        step_slope = (on_intercept * gradient[0] - cross * gradient[1]) / determinant
        step_intercept = (on_slope * gradient[1] - cross * gradient[0]) / determinant
        slopes = slopes + np.clip(step_slope, -0.5, 0.5)
        intercepts = intercepts + np.clip(step_intercept, -0.5, 0.5)
    return slopes, intercepts


if __name__ == "__main__":
    main(f"NumPy {np.__version__}", prepare=lambda responses: responses, fit=fit)
