"""Simulated 2PL data for the benchmarks, kept as NumPy files that every program can read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

MISSING = -1


@dataclass(frozen=True)
class Size:
    """How large a data set is, and which share of its cells is missing at random."""

    n_persons: int
    n_items: int
    missing: float = 0.0

    def __str__(self) -> str:
        words = f"{self.n_persons:,} x {self.n_items}"
        return f"{words}, {self.missing:.0%} missing" if self.missing else words

    @property
    def n_responses(self) -> int:
        return round(self.n_persons * self.n_items * (1 - self.missing))


def size_of(text: str) -> Size:
    """Read 10000x50, or 10000x100m80 with 80 % missing."""
    shape, _, missing = text.partition("m")
    n_persons, n_items = map(int, shape.split("x"))
    return Size(n_persons, n_items, int(missing or 0) / 100)


@dataclass(frozen=True)
class Simulated:
    """Responses (int8, persons x items, -1 for missing) and the parameters that made them."""

    responses: np.ndarray
    a: np.ndarray
    b: np.ndarray
    theta: np.ndarray


def simulate(size: Size, seed: int) -> Simulated:
    """Draw a ~ lognormal(0, .3), b ~ N(0, 1), theta ~ N(0, 1), and responses from the 2PL."""
    rng = np.random.default_rng(seed)
    a = np.exp(0.3 * rng.standard_normal(size.n_items))
    b = rng.standard_normal(size.n_items)
    theta = rng.standard_normal(size.n_persons)
    responses = np.empty((size.n_persons, size.n_items), dtype=np.int8)
    for start in range(0, size.n_persons, 50_000):
        rows = slice(start, start + 50_000)
        logit = a * (theta[rows, None] - b)
        responses[rows] = rng.logistic(size=logit.shape) < logit
        if size.missing:
            responses[rows][rng.random(logit.shape) < size.missing] = MISSING
    return Simulated(responses, a, b, theta)


def save(simulated: Simulated, folder: Path) -> None:
    """Write `responses.npy` and `truth.npz`."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "responses.npy", simulated.responses)
    np.savez(folder / "truth.npz", a=simulated.a, b=simulated.b, theta=simulated.theta)


def load(folder: Path) -> Simulated:
    """Read what `save` wrote."""
    truth = np.load(folder / "truth.npz")
    return Simulated(np.load(folder / "responses.npy"), truth["a"], truth["b"], truth["theta"])
