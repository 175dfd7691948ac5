"""Item characteristic curves of known shapes, and the model that knows them: nothing can predict better.

Every curve here is ``c + (1 - c) (share expit(a1 (theta - b1)) + (1 - share) expit(a2 (theta - b2))) ** power``.
"""

import numpy as np
import pandas as pd
import torch
from scipy.special import expit

from irtvi.models.items.item_model import CategoricalModel, Facts, Parameters, ParameterSpec, two_categories

COLUMNS = ("a1", "b1", "a2", "b2", "share", "power", "c")
SMALLEST = 1e-12


def two_parameters(rng: np.random.Generator, b: np.ndarray) -> pd.DataFrame:
    """The 2PL."""
    return _parameters(rng.lognormal(0.0, 0.3, len(b)), b)


def guessing(rng: np.random.Generator, b: np.ndarray) -> pd.DataFrame:
    """The 2PL above a lower asymptote of a quarter."""
    return _parameters(rng.lognormal(0.2, 0.3, len(b)), b, c=0.25)


def power(rng: np.random.Generator, b: np.ndarray) -> pd.DataFrame:
    """A logistic curve to a power between .3 and 3, half-way at b."""
    a = rng.lognormal(0.2, 0.3, len(b))
    xi = np.exp(rng.uniform(np.log(0.3), np.log(3.0), len(b)))
    half = 0.5 ** (1 / xi)
    return _parameters(a, b - np.log(half / (1 - half)) / a, power=xi)


def plateau(rng: np.random.Generator, b: np.ndarray) -> pd.DataFrame:
    """Two steep logistic curves about two sds apart, added up."""
    n = len(b)
    steep, steep_too = rng.lognormal(0.9, 0.2, (2, n))
    share, apart = rng.uniform(0.3, 0.7, n), rng.uniform(0.7, 1.3, n)
    return _parameters(steep, 0.5 * b - apart, a2=steep_too, b2=0.5 * b + apart, share=share)


KINDS = {"2pl": two_parameters, "3pl": guessing, "power": power, "plateau": plateau}


def _parameters(a1, b1, a2=1.0, b2=0.0, share=1.0, power=1.0, c=0.0) -> pd.DataFrame:
    values = (a1, b1, a2, b2, share, power, c)
    return pd.DataFrame(dict(zip(COLUMNS, values, strict=True)), index=[f"item{j}" for j in range(len(a1))])


def probability(theta: np.ndarray, items: pd.DataFrame) -> np.ndarray:
    """Probability of a right answer, abilities by items."""
    p = {name: column.to_numpy() for name, column in items.items()}
    first = p["share"] * expit(p["a1"] * (theta[:, None] - p["b1"]))
    second = (1 - p["share"]) * expit(p["a2"] * (theta[:, None] - p["b2"]))
    return p["c"] + (1 - p["c"]) * (first + second) ** p["power"]


class Known(CategoricalModel):
    """The curves themselves, every parameter held."""

    name = "known"
    label = "true curves"
    reference = "benchmarks/true_curves.py"
    max_categories = 2
    parameters = tuple(ParameterSpec(name, name, start=1.0) for name in COLUMNS)

    def log_probs(self, theta: torch.Tensor, params: Parameters, facts: Facts) -> torch.Tensor:
        p, ability = params, theta[..., 0]
        first = p["share"] * torch.sigmoid(p["a1"] * (ability - p["b1"]))
        second = (1 - p["share"]) * torch.sigmoid(p["a2"] * (ability - p["b2"]))
        right = p["c"] + (1 - p["c"]) * (first + second) ** p["power"]
        right = right.clamp(SMALLEST, 1 - SMALLEST)
        return two_categories(torch.log1p(-right), right.log())
