"""Items and abilities are found again in simulated data, and standard errors are as wide as they should be.

Every family has items with 3, 4, 5, 6 and 7 categories in one test of 30 items, answered by 3,000 persons.
The limits are four standard errors of the statistic, if estimates are normal around the truth with the
reported standard errors and independent of each other. The abilities of each sample have exactly the mean and
the spread of the population, because otherwise all difficulties would be off together.
"""

import numpy as np
import pandas as pd
import pytest
import torch

import irtvi
from irtvi.models.items import ITEM_MODELS, Facts

pytestmark = pytest.mark.slow

N_PERSONS = 3_000
CATEGORIES = np.tile([3, 4, 5, 6, 7], 6)
SPREAD = {"pcm": 1.4, "rsm": 1.4}
"""True standard deviation of ability where the model estimates it."""
MODELS = ["grm", "gpcm", "pcm", "rsm", "sequential", "nominal", "nested_logit"]


def steps(rng, n_items, falling):
    """Step intercepts [items, 6]: around 0 for an average step, in falling order where asked."""
    drawn = rng.normal(0, 0.4, (n_items, 6)) + rng.normal(0, 0.7, (n_items, 1))
    places = np.array([np.linspace(1.5, -1.5, n - 1).tolist() + [0.0] * (7 - n) for n in CATEGORIES])
    drawn = drawn + places
    if not falling:
        return drawn
    for row, n in enumerate(CATEGORIES):
        ordered = np.sort(drawn[row, : n - 1])[::-1]
        drawn[row, : n - 1] = ordered - 0.25 * np.arange(n - 1)  # at least a quarter of a logit apart
    return drawn


def true_parameters(name, rng):
    n_items = len(CATEGORIES)
    a = rng.lognormal(0.1, 0.3, (n_items, 1))
    if name == "grm":
        d = steps(rng, n_items, falling=True)
        mean = np.array([row[: n - 1].mean() for row, n in zip(d, CATEGORIES, strict=True)])
        gaps = np.where(np.arange(5) < CATEGORIES[:, None] - 2, -np.diff(d, axis=1), 1.0)
        return {"a": a, "d": mean, "gap": gaps}
    if name == "rsm":
        by_kind = {n: np.sort(rng.normal(0, 1, n - 2)) for n in np.unique(CATEGORIES)}
        t = np.array([by_kind[n].tolist() + [0.0] * (7 - n) for n in CATEGORIES])
        return {"d": rng.normal(0, 0.8, n_items), "t": t}
    if name in ("nominal", "nested_logit"):
        # Options that are ordered by chance alone; the key of the nested logit is the first option.
        width = 6 if name == "nominal" else 5
        options = {
            "slope": rng.normal(0.6, 0.8, (n_items, width)),
            "intercept": rng.normal(0, 0.8, (n_items, width)),
        }
        return options if name == "nominal" else options | {"a": a, "d": rng.normal(0, 0.8, n_items)}
    intercepts = {"d": steps(rng, n_items, falling=False)}
    return intercepts if name == "pcm" else intercepts | {"a": a}


def simulated(name, seed):
    """Answers, the true table of items, and the true abilities."""
    rng = np.random.default_rng(seed)
    item_model = ITEM_MODELS[name]()
    key = torch.full((len(CATEGORIES),), 0 if item_model.needs_key else -1)
    facts = Facts(torch.as_tensor(CATEGORIES), key)
    params = {n: torch.as_tensor(np.ascontiguousarray(v)) for n, v in true_parameters(name, rng).items()}
    z = rng.normal(size=N_PERSONS)
    theta = torch.as_tensor(SPREAD.get(name, 1.0) * (z - z.mean()) / z.std())
    probabilities = item_model.log_probs(theta[:, None, None], params, facts).exp()
    generator = torch.Generator().manual_seed(seed)
    codes = torch.multinomial(probabilities.flatten(0, 1), 1, generator=generator).view(N_PERSONS, -1)
    items = [f"q{j + 1:02d}" for j in range(len(CATEGORIES))]
    answers = irtvi.read(
        pd.DataFrame(codes.numpy(), columns=items),
        categories={item: list(range(n)) for item, n in zip(items, CATEGORIES, strict=True)},
        key=dict.fromkeys(items, 0) if item_model.needs_key else None,
    )
    truth = pd.DataFrame({n: v.numpy() for n, v in item_model.report(params, facts).items()}, index=items)
    return answers, truth, theta.numpy()


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", MODELS)
def test_recovery(name, seed):
    answers, truth, theta = simulated(name, seed)
    result = irtvi.fit(answers, name)
    assert result.converged
    sign = np.sign(np.corrcoef(result.abilities["theta"], theta)[0, 1]) if name == "nominal" else 1.0
    z = []
    for column in truth:
        turned = sign if name == "nominal" and column.startswith("a") else 1.0
        off = turned * result.items[column] - truth[column]
        sd = result.items[f"{column}_sd"]
        off, sd = off[truth[column].notna()], sd[truth[column].notna()]
        kept = sd > 0
        z.append((off / sd)[kept].to_numpy())
    z = np.concatenate(z)
    assert np.isfinite(z).all()
    n = _n_independent(name, len(z))
    assert abs(z.mean()) < 4 / np.sqrt(n)
    assert abs((z**2).mean() - 1) < 4 * np.sqrt(2 / n)
    assert abs((np.abs(z) < 1.645).mean() - 0.9) < 4 * np.sqrt(0.09 / n)
    assert np.corrcoef(sign * result.abilities["theta"], theta)[0, 1] > 0.93
    if name in SPREAD:
        population = result.population.iloc[0]
        assert abs(population["sd"] - SPREAD[name]) < 4 * population["sd_sd"]


def _n_independent(name, n_values):
    """Shared thresholds stand in many rows of the table, and options sum to zero."""
    if name == "rsm":
        return len(CATEGORIES) + sum(n - 2 for n in np.unique(CATEGORIES))
    return {"nominal": 0.8, "nested_logit": 0.8}.get(name, 1.0) * n_values
