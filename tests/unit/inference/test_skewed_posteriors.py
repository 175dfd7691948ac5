"""The flow encoder where posteriors are skewed: on a short, hard test with guessing.

Whoever gets most of it wrong may be anywhere below, so that the posterior has a long tail on one side, which a
Gaussian cannot have. The items are held at the truth: only the encoders learn.
"""

import numpy as np
import pandas as pd
import pytest

import irtvi
from irtvi.inference.stochastic import StochasticSettings

ITEMS = pd.DataFrame({"a": 2.5, "b": np.linspace(0.3, 1.8, 6), "c": 0.2}, index=list("uvwxyz"))
SETTINGS = StochasticSettings(outer=1, inner=8, round_steps=40, max_rounds=6, batch_size=250)


@pytest.fixture(scope="module")
def learned():
    pytest.importorskip("zuko")
    answers = irtvi.simulate("3pl", 1_000, items=ITEMS, seed=3).responses
    exact = irtvi.fit(answers, model="3pl", fixed=ITEMS, engine="quadrature").abilities
    found = {}
    for encoder in ("product_of_experts", "flow"):
        engine = irtvi.Amortized(encoder, "elbo", "standard", SETTINGS)
        fit = irtvi.fit(answers, model="3pl", fixed=ITEMS, engine=engine)
        found[encoder] = irtvi.diagnostics.convergence(fit).people
    return exact, found


def test_the_flow_is_nearer_than_any_gaussian(learned):
    """The best Gaussian of each person leaves the approximation gap; the flow leaves less for nearly everybody."""
    _, found = learned
    gaussian, flow = (found[name] for name in ("product_of_experts", "flow"))
    assert gaussian["gap_approximation"].mean() > 0.02
    assert gaussian["gap_amortization"].min() > -1e-4
    assert (flow["gap_amortization"] < 0).mean() > 0.9
    assert -flow["error_before"].mean() < 0.25 * gaussian["gap_approximation"].mean()


def test_the_flow_has_better_scores(learned):
    exact, found = learned
    wrong = {
        name: float(np.sqrt((((people["theta_before"] - exact["theta"]) / exact["sd"]) ** 2).mean()))
        for name, people in found.items()
    }
    assert wrong["flow"] < 0.5 * wrong["product_of_experts"]
    spread = {name: float((people["sd_before"] / exact["sd"] - 1).abs().mean()) for name, people in found.items()}
    assert spread["flow"] < 0.5 * spread["product_of_experts"]
