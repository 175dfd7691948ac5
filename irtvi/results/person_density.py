"""What is known about the ability of one person, as a density."""

from collections.abc import Hashable

import pandas as pd
from scipy.stats import norm

from irtvi.inference.engines.engine import Data
from irtvi.inference.nodes import Grid
from irtvi.results.person_posterior import SMOOTH, placed_grid, posterior_blocks
from irtvi.results.result import Result

FINEST = 0.04
"""Spacing of nodes, in units of ability."""


def person_density(result: Result, person: Hashable) -> pd.DataFrame:
    """Posterior density of one person's ability, and the density of the population that the person is from.

    Parameters
    ----------
    result : Result
    person : person id

    Returns
    -------
    DataFrame
        Columns ``theta``, ``posterior``, ``population``. The items are held at their point estimates.

    Raises
    ------
    irtvi.errors.ResponsesNeededError
        The result was loaded from a file without responses.
    irtvi.errors.SpecificationError
        There is no such person.
    """
    own = result.responses_of(None).of_person(person)
    data = Data.of(own, result.item_models, result.posterior.device)
    model, free = result.model, result.posterior.free
    placed = placed_grid(model, free, data.cells, data.groups, SMOOTH)
    grid = Grid.covering(placed.low, placed.high, min(placed.spacing, FINEST))
    (block,) = posterior_blocks(model, free, data.cells, data.groups, grid=grid)
    theta = block.theta.cpu().numpy()
    population = result.population.iloc[int(data.groups[0])]
    return pd.DataFrame(
        {
            "theta": theta,
            "posterior": block.weights[0].cpu().numpy() / block.spacing,
            "population": norm.pdf(theta, population["mean"], population["sd"]),
        }
    )
