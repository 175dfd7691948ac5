"""Whether 90 % intervals hold the truth in 90 % of cases: of slopes, of difficulties, of abilities.

Data sets are drawn one after the other, abilities anew from N(0, 1) in each, items from the population of the
design. Estimates of one data set hang together (all items share the error of the sampled abilities' mean and sd), so
the standard error of a coverage is that of a mean over data sets; with the numbers of sets below it stays under .01,
which is itself tested. The bounds .87 and .93 are the promise, three such standard errors wide.
"""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import irtvi

pytestmark = pytest.mark.slow

ENGINES = ["quadrature", "amortized"]
LEVEL, NINETY = 0.9, 1.6448536
LEAST, MOST, LARGEST_ERROR = 0.87, 0.93, 0.01
DESIGNS = {
    "2,000 x 50": SimpleNamespace(model="2pl", n_persons=2_000, missing=0.0, sets=50),
    "10,000 x 50": SimpleNamespace(model="2pl", n_persons=10_000, missing=0.0, sets=50),
    "10,000 x 50, 80 % missing": SimpleNamespace(model="2pl", n_persons=10_000, missing=0.8, sets=40),
}
N_ITEMS = 50


def drawn(design, seed):
    rng = np.random.default_rng(seed)
    items = pd.DataFrame({"a": np.exp(0.3 * rng.standard_normal(N_ITEMS)), "b": rng.standard_normal(N_ITEMS)})
    items.index = [f"Q{j + 1}" for j in range(N_ITEMS)]
    return irtvi.simulate(design.model, design.n_persons, items=items, missing=design.missing, seed=seed)


@pytest.fixture(scope="module", params=[(d, e) for d in DESIGNS for e in ENGINES], ids=lambda p: f"{p[0]}, {p[1]}")
def coverage(request):
    """One row for each data set: the share of intervals that hold the truth, by what is estimated."""
    name, engine = request.param
    design = DESIGNS[name]
    rows, people = [], []
    for seed in range(100, 100 + design.sets):
        truth = drawn(design, seed)
        answers = truth.responses[truth.responses.notna().any(axis=1)]
        result = irtvi.fit(answers, model=design.model, priors=None, engine=engine)
        assert result.converged
        apart = (result.items[["a", "b"]] - truth.items[["a", "b"]]).abs()
        rows.append({x: (apart[x] < NINETY * result.items[f"{x}_sd"]).mean() for x in ("a", "b")})
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
