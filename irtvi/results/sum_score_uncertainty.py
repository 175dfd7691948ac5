"""What not knowing the items exactly adds to the sd of an ability given a sum score, by the delta method."""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.item_posterior import Curvature
from irtvi.inference.item_uncertainty import variance_of_combination
from irtvi.inference.score_tables import ScoreTables
from irtvi.models.model import Model
from irtvi.responses.cells import Cells
from irtvi.results.lord_wingersky import Lattice, Recursion, lattice_of
from irtvi.results.sum_scores import Batch, batches

NUMBERS = 20_000_000
"""That a run of the recursion keeps for the way back."""


def sd_items_of_sums(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    groups: Int[Tensor, " persons"],
    values: Float[Tensor, "items codes"],
    curvature: Curvature | None,
) -> Float[Tensor, " persons"]:
    """Standard deviation of each person's mean given the sum that comes from the items' posterior.

    Parameters
    ----------
    values : Float[Tensor, "items codes"]
        What each code is worth, in the user's units.
    curvature : Curvature or None
        Precision of the free parameters; None gives NaN, no free parameters 0.
    """
    out = torch.full((cells.n_persons,), torch.nan, dtype=torch.float64, device=free.device)
    if model.n_free == 0:
        return out.zero_()
    if curvature is None:
        return out
    for persons, tables, columns in sum_derivatives(model, free, cells, groups, values):
        out[persons] = variance_of_combination(curvature, tables, columns).clamp(min=0.0).sqrt()
    return out


def sum_derivatives(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    groups: Int[Tensor, " persons"],
    values: Float[Tensor, "items codes"],
) -> Iterator[tuple[Int[Tensor, " some"], ScoreTables, Float[Tensor, "some columns"]]]:
    """Derivatives of the means given the sum, in the columns of the tables that come with them.

    Notes
    -----
    With F the distribution of the sum at a node and d the density there, the mean is the sum of d theta F over that of
    d F. Its derivative by log d is the posterior weight of the node times the distance from the mean; that by the
    log-probability of an answer comes back through the recursion.
    """
    lattice = lattice_of(model, values)
    tables: dict[int, ScoreTables] = {}
    for batch in batches(model, free, cells, groups, lattice):
        theta = batch.nodes.theta
        if len(theta) not in tables:
            tables[len(theta)] = ScoreTables(model, theta[:, None], free, torch.float64)
        pair, which = torch.unique(batch.row * lattice.n_sums + batch.reached, return_inverse=True)
        columns = [_columns(batch, part, lattice, tables[len(theta)]) for part in pair.split(_size(batch, lattice))]
        yield batch.persons, tables[len(theta)], torch.cat(columns)[which]


def _size(batch: Batch, lattice: Lattice) -> int:
    """How many pairs of set and sum go through the recursion together."""
    longest = int((lattice.steps.amax(1) * batch.answered).sum(1).max()) + 1
    states = 2 * longest * (1 + math.isqrt(int(batch.answered.sum(1).max())))
    return max(1, NUMBERS // (len(batch.nodes.theta) * (states + batch.nodes.probabilities.shape[1])))


def _columns(
    batch: Batch, pair: Int[Tensor, " pairs"], lattice: Lattice, tables: ScoreTables
) -> Float[Tensor, "pairs columns"]:
    """Derivatives of the mean for pairs of a set of answered items and a sum."""
    nodes, reached = batch.nodes, pair % lattice.n_sums
    recursion = Recursion(nodes.model, nodes.probabilities, lattice, batch.answered[pair // lattice.n_sums])
    distribution = recursion.distribution()
    each = torch.arange(len(pair), device=pair.device)
    density = torch.softmax(nodes.log_density[:, batch.group], 0)[:, None]
    posterior = density * distribution[:, each, reached]
    probability = posterior.sum(0)
    posterior = posterior / probability
    distance = nodes.theta[:, None] - (posterior * nodes.theta[:, None]).sum(0)
    weights = torch.zeros_like(distribution)
    weights[:, each, reached] = density * distance / probability
    return tables.by_category(recursion.slopes(weights), posterior * distance, batch.group)
