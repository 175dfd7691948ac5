"""mirt (PyPI, not the R package of that name): EM with its defaults, standard errors included, EAP scores."""

from importlib.metadata import version

import numpy as np
from mirt import fit_mirt, fscores

from measure import Estimates, main


def prepare(responses: np.ndarray) -> np.ndarray:
    """Integers; negative is missing."""
    return responses.astype(int)


def fit(responses: np.ndarray) -> Estimates:
    result = fit_mirt(responses, model="2PL")
    parameters = result.model.parameters
    scores = fscores(result, responses, method="EAP")
    return Estimates(np.ravel(parameters["discrimination"]), np.ravel(parameters["difficulty"]), np.ravel(scores.theta))


if __name__ == "__main__":
    main(f"mirt {version('mirt')}", prepare, fit)
