"""girth (PyPI): marginal maximum likelihood, 41 nodes, at most 25 iterations; no standard errors."""

from importlib.metadata import version

import numpy as np
from girth import ability_eap, twopl_mml
from girth.utilities import INVALID_RESPONSE

from data import MISSING
from measure import Estimates, main


def prepare(responses: np.ndarray) -> np.ndarray:
    """Items x persons, with its own mark for missing."""
    return np.where(responses == MISSING, INVALID_RESPONSE, responses.astype(int)).T.copy()


def fit(dataset: np.ndarray) -> Estimates:
    result = twopl_mml(dataset)
    a, b = result["Discrimination"], result["Difficulty"]
    return Estimates(a, b, ability_eap(dataset, b, a))


if __name__ == "__main__":
    main(f"girth {version('girth')}", prepare, fit)
