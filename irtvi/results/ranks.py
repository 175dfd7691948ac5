"""Places of people by ability, and how sure one can be of them."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.errors import SpecificationError
from irtvi.inference.engines.engine import Data
from irtvi.inference.nodes import Grid
from irtvi.inference.threads import in_one_thread
from irtvi.results.fit_grid import fit_grid
from irtvi.results.person_posterior import SMOOTH, placed_grid, posterior_blocks
from irtvi.results.result import Result

FINEST = 0.04
"""Spacing of nodes, in units of ability."""
MOST_PLACES = 400
"""Places at which the distribution of a place is computed; between them it is interpolated."""


@in_one_thread
def rank_intervals(result: Result, level: float = 0.95, new: Any = None) -> pd.DataFrame:
    """Place of every person, 1 for the highest ability, with a central interval.

    Parameters
    ----------
    result : Result
    level : float
        Of the interval.
    new : DataFrame, path or Responses, optional
        New people in place of those of the fit.

    Returns
    -------
    DataFrame
        Index: the person ids. ``rank`` (expected place), ``rank_lower``, ``rank_upper`` (whole places). Persons without
        an answer take no part and have NaN.

    Raises
    ------
    irtvi.errors.ResponsesNeededError
        The result was loaded from a file without responses.

    Notes
    -----
    A person's place is one more than the number of the others who are abler. Given the person's own ability the others
    are independent (items at their point estimate), so that the number is a sum of independent yes-or-no variables;
    it is taken as normal with their mean and variance, and averaged over the person's posterior. Deterministic;
    plausible values, ranked draw by draw, come to the same but for Monte Carlo error. Ranks from posteriors: Laird
    and Louis (1989), Journal of Educational Statistics 14, 29-46. Every row of the data is one person, also where it
    has a frequency.
    """
    if not 0.0 < level < 1.0:
        raise SpecificationError(f"level must lie between 0 and 1, got {level}.")
    responses = result.responses_of(new)
    table = pd.DataFrame(np.nan, index=responses.person_ids, columns=["rank", "rank_lower", "rank_upper"])
    answered = np.flatnonzero(responses.answered() > 0)
    if not len(answered):
        return table
    part = responses if len(answered) == responses.n_persons else responses.subset(persons=answered)
    data = Data.of(part, result.item_models, result.posterior.device)
    placed = fit_grid(result) if new is None else _placed(result, data)
    table.iloc[answered] = _places(result, data, placed, level).cpu().numpy()
    return table


def _placed(result: Result, data: Data) -> Grid:
    return placed_grid(result.model, result.posterior.free, data.cells, data.groups, SMOOTH)


def _places(result: Result, data: Data, placed: Grid, level: float) -> Float[Tensor, "persons 3"]:
    """Expected place and both ends of the interval."""
    model, free, n_persons = result.model, result.posterior.free, data.cells.n_persons
    grid = Grid.covering(placed.low, placed.high, min(placed.spacing, FINEST))
    abler = torch.zeros(grid.n_nodes, dtype=torch.float64, device=free.device)
    variance = torch.zeros_like(abler)
    for block in posterior_blocks(model, free, data.cells, data.groups, grid=grid):
        above = _above(block.weights)
        abler += above.sum(0)
        variance += (above * (1.0 - above)).sum(0)
    # Within the cell of a node abilities differ, and with them the expected place: a uniform spread of that length.
    length = torch.gradient(abler)[0].abs()
    spread = (variance + length.square() / 12).clamp(min=0.05).sqrt()
    evenly = torch.linspace(1, n_persons, min(n_persons, MOST_PLACES), dtype=torch.float64, device=free.device)
    places = evenly.round().unique()
    # The person's own chance of being "abler than itself" is taken out: half of it here, the rest to first order.
    distance = (places + 0.5 - (abler[:, None] + 0.5)) / spread[:, None]
    # Quantiles of whole places need no more than float32.
    below = torch.special.ndtr(distance).float()
    density = (torch.exp(-0.5 * distance.square()) / (np.sqrt(2 * np.pi) * spread[:, None])).float()
    tails = (1.0 - level) / 2, (1.0 + level) / 2
    out = torch.empty(n_persons, 3, dtype=torch.float64, device=free.device)
    for block in posterior_blocks(model, free, data.cells, data.groups, grid=grid):
        own = _above(block.weights)
        distribution = block.weights.float() @ below
        distribution += (block.weights * (own - 0.5)).float() @ density
        out[block.persons, 0] = 0.5 + block.weights @ abler
        for column, tail in enumerate(tails, 1):
            out[block.persons, column] = _quantile(distribution, places, tail)
    return out


def _above(weights: Float[Tensor, "persons nodes"]) -> Float[Tensor, "persons nodes"]:
    """Probability of an ability above each node; a node's own cell counts half."""
    return (weights.flip(1).cumsum(1).flip(1) - 0.5 * weights).clamp(0.0, 1.0)


def _quantile(
    distribution: Float[Tensor, "persons places"], places: Float[Tensor, " places"], tail: float
) -> Float[Tensor, " persons"]:
    """Smallest place at which the distribution reaches ``tail``."""
    last = len(places) - 1
    rising = distribution.cummax(1).values
    k = torch.searchsorted(rising, torch.full_like(rising[:, :1], tail))[:, 0].clamp(max=last)
    before = (k - 1).clamp(min=0)
    low, high = rising.gather(1, before[:, None])[:, 0], rising.gather(1, k[:, None])[:, 0]
    share = ((tail - low) / (high - low).clamp(min=1e-12)).clamp(0.0, 1.0)
    between = places[before] + share * (places[k] - places[before])
    return torch.where(k == 0, places[0], between.ceil())
