"""Whether 90 % intervals hold the truth in 90 % of cases: of item parameters and of abilities.

Data sets are drawn one after the other, abilities anew from N(0, 1) in each, items from the population of the
design: under the 2PL slopes lognormal(0, .3) and difficulties N(0, 1), fitted by maximum likelihood; under the 3PL
from the priors of the fit. Those are narrower than the default priors, which also draw items that nobody in ten
thousand can solve: their posteriors are far from one Gaussian. In 40 sets drawn from the default priors the intervals
of a covered .849 (standard error .008), those of b .884 (.009) and those of c .903 (.007).

Estimates of one data set hang together (all items share the error of the sampled abilities' mean and sd), so the
standard error of a coverage is that of a mean over data sets. With the numbers of sets below it stays under .01,
which is itself tested; the bounds .87 and .93 are then three such standard errors away from .9.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

import irtvi

pytestmark = pytest.mark.slow

ENGINES = ["quadrature", "amortized"]
LEVEL, NINETY = 0.9, 1.6448536
LEAST, MOST, LARGEST_ERROR = 0.87, 0.93, 0.01
N_ITEMS = 50
PRIORS = {
    "a": irtvi.priors.LogNormal(0.0, 0.3),
    "d": irtvi.priors.Normal(0.0, 1.5),
    "c": irtvi.priors.Normal(float(np.log(0.25)), 0.5),
}


def two_parameters(rng):
    return pd.DataFrame({"a": np.exp(0.3 * rng.standard_normal(N_ITEMS)), "b": rng.standard_normal(N_ITEMS)})


def three_parameters(rng):
    a, d, logit = (rng.standard_normal(N_ITEMS) for _ in range(3))
    a = np.exp(PRIORS["a"].mean + PRIORS["a"].sd * a)
    logit = PRIORS["c"].mean + PRIORS["c"].sd * logit
    return pd.DataFrame({"a": a, "b": -PRIORS["d"].sd * d / a, "c": 1 / (1 + np.exp(-logit))})


@dataclass(frozen=True)
class Design:
    """What is drawn and how it is fitted, so many times."""

    n_persons: int
    sets: int
    missing: float = 0.0
    model: str = "2pl"
    items: Callable[[np.random.Generator], pd.DataFrame] = two_parameters
    priors: dict | None = None

    def drawn(self, seed):
        items = self.items(np.random.default_rng(seed))
        items.index = [f"Q{j + 1}" for j in range(N_ITEMS)]
        return irtvi.simulate(self.model, self.n_persons, items=items, missing=self.missing, seed=seed)


DESIGNS = {
    "2PL, 2,000 x 50": Design(2_000, sets=50),
    "2PL, 10,000 x 50": Design(10_000, sets=50),
    "2PL, 10,000 x 50, 80 % missing": Design(10_000, sets=50, missing=0.8),
    "3PL, 10,000 x 50": Design(10_000, sets=40, model="3pl", items=three_parameters, priors=PRIORS),
}


@pytest.fixture(scope="module", params=[(d, e) for d in DESIGNS for e in ENGINES], ids=lambda p: f"{p[0]}, {p[1]}")
def coverage(request):
    """One row for each data set: the share of intervals that hold the truth, by what is estimated."""
    name, engine = request.param
    design = DESIGNS[name]
    rows, people = [], []
    for seed in range(100, 100 + design.sets):
        truth = design.drawn(seed)
        answers = truth.responses[truth.responses.notna().any(axis=1)]
        result = irtvi.fit(answers, model=design.model, priors=design.priors, engine=engine)
        assert result.converged
        items = result.items
        names = [name for name in ("a", "b", "c") if name in items]
        rows.append({x: ((items[x] - truth.items[x]).abs() < NINETY * items[f"{x}_sd"]).mean() for x in names})
        theta = truth.abilities.loc[answers.index, "theta"]
        interval = result.intervals(LEVEL)
        inside = (interval["lower"] < theta) & (theta < interval["upper"])
        people.append(pd.DataFrame({"set": seed, "eap": result.abilities["theta"], "inside": inside}))
    everybody = pd.concat(people, ignore_index=True)
    everybody["third"] = pd.qcut(everybody["eap"], 3, labels=["theta, low", "theta, middle", "theta, high"]).astype(str)
    thirds = everybody.groupby(["set", "third"])["inside"].mean().unstack().reset_index(drop=True)
    return pd.DataFrame(rows).assign(theta=everybody.groupby("set")["inside"].mean().to_numpy()).join(thirds)


def test_ninety_per_cent_intervals_cover(coverage):
    error = coverage.std() / np.sqrt(len(coverage))
    assert (error < LARGEST_ERROR).all(), error
    found = coverage.mean()
    assert ((found > LEAST) & (found < MOST)).all(), found
