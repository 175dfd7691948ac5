"""Reliability of abilities: empirical, and marginal over the item sets that people answered."""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.inference.engines.engine import Data
from irtvi.inference.nodes import Grid
from irtvi.inference.placing import population_range
from irtvi.inference.posterior import Posterior
from irtvi.results.node_tables import information_tables

NODES = 241
BLOCK, CELLS = 4096, 2**22
"""Persons, and persons times items, that are worked on at once."""


def reliability(posterior: Posterior, data: Data) -> pd.Series:
    """Three coefficients: empirical, marginal (of what was answered), marginal_all_items.

    ``empirical`` is var(EAP) / (var(EAP) + mean sd^2) over the persons who answered; ``marginal`` the integral
    of I / (I + 1/s^2) over the population, s its sd, averaged over the sets of items that people answered;
    ``marginal_all_items`` the same for everybody answering every item.
    """
    n_answered = data.cells.n_answered().to(posterior.device)
    weights = torch.ones_like(posterior.persons.mean) if data.weights is None else data.weights
    weights = torch.where(n_answered > 0, weights, 0.0)
    total = weights.sum()
    mean, sd = posterior.persons.mean, posterior.persons.sd
    centre = (weights * mean).sum() / total
    spread = (weights * (mean - centre).square()).sum() / total
    noise = (weights * sd.square()).sum() / total
    per_set = _marginal(posterior, data, weights)
    everything = torch.ones(1, posterior.model.n_items, dtype=torch.float64, device=posterior.device)
    return pd.Series(
        {
            "empirical": float(spread / (spread + noise)),
            "marginal": per_set,
            "marginal_all_items": float(_OfSets(posterior)(everything)[0]),
        }
    )


def _marginal(posterior: Posterior, data: Data, weights: Tensor) -> float:
    chosen = torch.nonzero(weights > 0)[:, 0]
    of_sets, total = _OfSets(posterior), 0.0
    complete = float(of_sets(torch.ones(1, posterior.model.n_items, dtype=torch.float64, device=posterior.device))[0])
    for rows in chosen.split(max(1, min(BLOCK, CELLS // posterior.model.n_items))):
        answered = data.cells.take(rows).to_dense().codes >= 0
        if bool(answered.all()):
            total += complete * float(weights[rows].sum())
        else:
            total += float((weights[rows] * of_sets(answered.double())).sum())
    return total / float(weights.sum())


class _OfSets:
    """The marginal reliability of sets of items, given as indicators ``[sets, items]``."""

    def __init__(self, posterior: Posterior) -> None:
        low, high = population_range(posterior.model, posterior.free)
        theta = Grid.covering(low, high, (high - low) / NODES).theta(posterior.device)
        tables = information_tables(posterior.model, theta, posterior.free)
        assert tables.information is not None
        self.information = torch.nan_to_num(tables.information[:, posterior.model.columns.offset]).T.contiguous()
        self.information[posterior.model.excluded] = 0.0
        values = posterior.model.population_slots.free_values(posterior.free)
        density = posterior.model.population_log_prob(theta, values).exp().mean(1)
        self.density = density / density.sum()
        _, sd = posterior.model.population.moments(posterior.model.population_params(posterior.free))
        self.precision = 1.0 / float(np.mean(sd.cpu().numpy())) ** 2

    def __call__(self, sets: Float[Tensor, "sets items"]) -> Float[Tensor, " sets"]:
        of_set = sets @ self.information
        return (of_set / (of_set + self.precision)) @ self.density
