"""Reliability of abilities: empirical, and marginal over the item sets that people answered."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from irtvi.inference.engines.engine import Data
from irtvi.inference.nodes import Grid
from irtvi.inference.placing import population_range
from irtvi.inference.posterior import Posterior
from irtvi.results.estimates import information_tables

NODES = 241
BLOCK = 4096


def reliability(posterior: Posterior, data: Data) -> pd.Series:
    """Three coefficients: empirical, marginal (of what was answered), marginal_all_items.

    ``empirical`` is var(EAP) / (var(EAP) + mean sd^2) over the persons who answered; ``marginal`` the integral
    of I / (I + 1/s^2) over the population, s its sd, averaged over the sets of items that people answered;
    ``marginal_all_items`` the same for everybody answering every item.
    """
    n_answered = data.cells.n_answered().to(posterior.device)
    weights = torch.ones(len(n_answered), dtype=torch.float64) if data.weights is None else data.weights
    weights = torch.where(n_answered > 0, weights, 0.0)
    total = weights.sum()
    mean, sd = posterior.persons.mean, posterior.persons.sd
    centre = (weights * mean).sum() / total
    spread = (weights * (mean - centre).square()).sum() / total
    noise = (weights * sd.square()).sum() / total
    per_set = _marginal(posterior, data, weights)
    everything = torch.ones(1, posterior.model.n_items, dtype=torch.bool)
    return pd.Series(
        {
            "empirical": float(spread / (spread + noise)),
            "marginal": per_set,
            "marginal_all_items": float(_of_sets(posterior, everything)[0]),
        }
    )


def _marginal(posterior: Posterior, data: Data, weights: Tensor) -> float:
    chosen = torch.nonzero(weights > 0)[:, 0]
    total = 0.0
    for rows in chosen.split(BLOCK):
        answered = data.cells.take(rows).to_dense().codes >= 0
        sets, which = torch.unique(answered, dim=0, return_inverse=True)
        total += float((weights[rows] * _of_sets(posterior, sets)[which]).sum())
    return total / float(weights.sum())


def _of_sets(posterior: Posterior, sets: Tensor) -> Tensor:
    low, high = population_range(posterior.model, posterior.free)
    theta = Grid.covering(low, high, (high - low) / NODES).theta(posterior.device)
    tables = information_tables(posterior.model, theta, posterior.free)
    assert tables.information is not None
    information = torch.nan_to_num(tables.information[:, posterior.model.columns.offset])
    information[:, posterior.model.excluded] = 0.0
    values = posterior.model.population_slots.free_values(posterior.free)
    density = posterior.model.population_log_prob(theta, values).exp().mean(1)
    density = density / density.sum()
    _, sd = posterior.model.population.moments(posterior.model.population_params(posterior.free))
    of_set = sets.to(information.dtype) @ information.T
    return (of_set / (of_set + 1.0 / float(np.mean(sd.cpu().numpy())) ** 2)) @ density
