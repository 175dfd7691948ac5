"""What people of similar ability answered, to be held against fitted curves."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from scipy.special import ndtri
from torch import Tensor

from irtvi.errors import SpecificationError
from irtvi.inference.engines.engine import Data
from irtvi.inference.nodes import Grid
from irtvi.inference.threads import in_one_thread
from irtvi.responses.measures import MeasuredCells
from irtvi.responses.responses import Responses
from irtvi.results.curve_families import code_values
from irtvi.results.fit_grid import fit_grid
from irtvi.results.person_posterior import SMOOTH, placed_grid, posterior_blocks
from irtvi.results.result import Result

FINEST = 0.04
"""Spacing of nodes, in units of ability, that is fine enough to cut groups at nodes."""
ANSWERS_AT_ONCE = 1_000_000


@in_one_thread
def empirical_categories(
    result: Result,
    items: Hashable | Sequence[Hashable] | None = None,
    *,
    n_groups: int = 10,
    level: float = 0.95,
    responses: Responses | None = None,
) -> pd.DataFrame:
    """Shares of the answers to items, by groups of ability.

    Parameters
    ----------
    result : Result
    items : item id or list of ids, optional
        Default: all.
    n_groups : int
        Groups of ability, each with the same share of the posterior mass of everybody.
    level : float
        Of the intervals.
    responses : Responses, optional
        In place of those of the fit.

    Returns
    -------
    DataFrame
        Columns ``item, category, theta`` (mean ability of the group), ``value, lower, upper`` (share of the answers
        and its Wilson interval), ``n`` (pseudo-count of answers of the group).

    Raises
    ------
    irtvi.errors.ResponsesNeededError
        The result was loaded from a file without responses.

    Notes
    -----
    Nobody's ability is known, so a person counts in each group with the posterior probability of belonging to it.
    If the model is right, the expected share of a group is then the model's, averaged over that group; groups by point
    estimates would be off by the shrinkage of the estimates. A person's own answer to the item takes part in
    placing the person, which pulls the shares a little towards the curve on short tests.
    """
    ids, counts, theta, labels, _, _ = _pseudo_counts(result, items, n_groups, responses)
    if measured := [item for item, own in zip(ids, labels, strict=True) if not own]:
        raise SpecificationError(
            f"Answers to {measured[0]!r} are measured and have no categories; use empirical_scores."
        )
    rows = []
    for j, item in enumerate(ids):
        n = counts[j].sum(0)
        for k, label in enumerate(labels[j]):
            value, lower, upper = wilson(counts[j, k], n, level)
            rows.append(_group_frame(item, theta[j], value, lower, upper, n).assign(category=label))
    return pd.concat(rows, ignore_index=True).loc[:, ["item", "category", "theta", "value", "lower", "upper", "n"]]


@in_one_thread
def empirical_scores(
    result: Result,
    items: Hashable | Sequence[Hashable] | None = None,
    *,
    n_groups: int = 10,
    level: float = 0.95,
    responses: Responses | None = None,
) -> pd.DataFrame:
    """Mean answers to items by groups of ability, in the user's units.

    Parameters and groups as for :func:`empirical_categories`. Columns ``item, theta, value, lower, upper, n``. The
    interval is Wilson's for two categories, and the normal one, kept between the lowest and the highest answer, for
    more.

    Raises
    ------
    irtvi.errors.ResponsesNeededError
        The result was loaded from a file without responses.
    irtvi.errors.SpecificationError
        An item's categories have no order.
    """
    ids, counts, theta, labels, worth, moments = _pseudo_counts(result, items, n_groups, responses)
    by_id = dict(zip(result.coding.item_ids, result.item_models, strict=True))
    unordered = [item for item in ids if not by_id[item].ordered]
    if unordered:
        raise SpecificationError(
            f"The categories of item {unordered[0]!r} have no order, so there is no mean answer; "
            "use empirical_categories."
        )
    frames = []
    for j, item in enumerate(ids):
        n_categories = len(labels[j])
        if not n_categories:
            n, (total, squares) = counts[j, 0], moments[j]
            mean, lower, upper = _mean_interval(n, total, squares, level)
            frames.append(_group_frame(item, theta[j], mean, lower, upper, n))
            continue
        own, value_of = counts[j, :n_categories], worth[j, :n_categories]
        n, low, high = own.sum(0), value_of.min(), value_of.max()
        if n_categories == 2:
            value, lower, upper = (
                low + (high - low) * bound for bound in wilson(own[int(value_of.argmax())], n, level)
            )
            frames.append(_group_frame(item, theta[j], value, lower, upper, n))
            continue
        mean, lower, upper = _mean_interval(n, value_of @ own, value_of**2 @ own, level)
        lower, upper = np.clip(lower, low, high), np.clip(upper, low, high)
        frames.append(_group_frame(item, theta[j], mean, lower, upper, n))
    return pd.concat(frames, ignore_index=True)


def wilson(count: np.ndarray, n: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A share and its Wilson (1927) score interval; NaN where n is 0.

    Parameters
    ----------
    count, n : arrays
        Successes and trials, which need not be whole numbers.
    level : float
    """
    if not 0.0 < level < 1.0:
        raise SpecificationError(f"level must lie between 0 and 1, got {level}.")
    z = float(ndtri(0.5 + level / 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = count / n
        centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(np.maximum(share * (1 - share), 0.0) / n + (z / (2 * n)) ** 2)
    return share, np.clip(centre - half, 0.0, 1.0), np.clip(centre + half, 0.0, 1.0)


def _mean_interval(
    n: np.ndarray, total: np.ndarray, squares: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and normal interval from the number of answers, their sum and the sum of their squares."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / n
        half = ndtri(0.5 + level / 2) * np.sqrt(np.maximum(squares / n - mean**2, 0.0) / n)
    return mean, mean - half, mean + half


def _group_frame(
    item: Hashable, theta: np.ndarray, value: np.ndarray, lower: np.ndarray, upper: np.ndarray, n: np.ndarray
) -> pd.DataFrame:
    frame = pd.DataFrame({"theta": theta, "value": value, "lower": lower, "upper": upper, "n": n})
    frame.insert(0, "item", [item] * len(frame))
    return frame.loc[frame["n"] > 0]


def _pseudo_counts(
    result: Result, items: Hashable | Sequence[Hashable] | None, n_groups: int, given: Responses | None
) -> tuple[list, np.ndarray, np.ndarray, list[list], np.ndarray, np.ndarray]:
    """Ids; counts [items, categories, groups]; mean abilities [items, groups]; labels and worth of the categories.

    Last, sums of measured answers and of their squares [items, 2, groups]; such items have no labels, and their answers
    are counted in the first category.
    """
    if n_groups < 2:
        raise SpecificationError(f"n_groups must be at least 2, got {n_groups}.")
    responses = result.responses_of(given)
    ids = list(result.coding.item_ids) if items is None else list(items) if isinstance(items, list) else [items]
    positions = [int(p) for p in result.coding.item_ids.get_indexer(pd.Index(ids))]
    if -1 in positions:
        raise SpecificationError(f"There is no item {ids[positions.index(-1)]!r} in this result.")
    data = Data.of(responses, result.item_models, result.posterior.device)
    placed = None if given is None else placed_grid(
        result.model, result.posterior.free, data.cells, data.groups, SMOOTH
    )
    share, centre = ability_groups(result, n_groups) if placed is None else _memberships(result, data, placed, n_groups)
    cells = data.cells.take_items(torch.tensor(positions))
    n_most = int(result.model.n_categories[positions].max())
    counts = torch.zeros(len(ids) * n_most, n_groups, dtype=torch.float64)
    places = torch.zeros(len(ids), n_groups, dtype=torch.float64)
    for rows, block in cells.parts():
        persons, columns, codes = (tensor.cpu().long() for tensor in block.pairs())
        for part in torch.arange(len(persons)).split(ANSWERS_AT_ONCE):
            who = share[rows][persons[part]]
            counts.index_add_(0, columns[part] * n_most + codes[part], who)
            places.index_add_(0, columns[part], who * centre[rows][persons[part]])
    counts = counts.view(len(ids), n_most, n_groups)
    theta = places / counts.sum(1)
    labels, worth = _labels(result, positions)
    moments = torch.zeros(2, len(ids), n_groups, dtype=torch.float64)
    if isinstance(cells, MeasuredCells):
        numbers = cells.measures.to("cpu")
        who = share[numbers.persons()]
        for power, own in enumerate(moments, 1):
            own.index_add_(0, numbers.items.long(), who * numbers.values[:, None] ** power)
    return ids, counts.numpy(), theta.numpy(), labels, worth, moments.transpose(0, 1).numpy()


def _labels(result: Result, positions: Sequence[int]) -> tuple[list[list], np.ndarray]:
    labels = []
    for j in positions:
        coding, raw = result.coding.codings[j], result.item_models[j].uses == "raw"
        if result.item_models[j].uses == "measured":
            labels.append([])
            continue
        as_read = raw or coding.scores == tuple(range(len(coding.categories)))
        labels.append(list(coding.categories if as_read else coding.values))
    return labels, code_values(result.coding, result.item_models)[list(positions)].numpy()


class AbilityGroups(NamedTuple):
    """Each person's (weighted) probability of each group of like ability, and mean ability there.

    Attributes
    ----------
    share, centre : Float[Tensor, "persons groups"]
    """

    share: Float[Tensor, "persons groups"]
    centre: Float[Tensor, "persons groups"]


_groups_of: WeakKeyDictionary[Result, dict[int, AbilityGroups]] = WeakKeyDictionary()


@in_one_thread
def ability_groups(result: Result, n_groups: int) -> AbilityGroups:
    """The groups of the persons of the fit, kept with the result: they are the same for every item.

    Parameters
    ----------
    result : Result
        With the responses of its fit.
    n_groups : int
    """
    kept = _groups_of.setdefault(result, {})
    if n_groups not in kept:
        data = Data.of(result.responses_of(None), result.item_models, result.posterior.device)
        kept[n_groups] = _memberships(result, data, fit_grid(result), n_groups)
    return kept[n_groups]


def _memberships(result: Result, data: Data, placed: Grid, n_groups: int) -> AbilityGroups:
    model, free = result.model, result.posterior.free
    grid = Grid.covering(placed.low, placed.high, min(placed.spacing, FINEST))
    weights = torch.ones(data.cells.n_persons, dtype=torch.float64) if data.weights is None else data.weights.cpu()
    weights = weights * (data.cells.n_answered().cpu() > 0)
    everybody = torch.zeros(grid.n_nodes, dtype=torch.float64)
    for block in posterior_blocks(model, free, data.cells, data.groups, grid=grid):
        everybody += weights[block.persons.cpu()] @ block.weights.cpu()
    group = _groups(everybody, n_groups)
    member = torch.nn.functional.one_hot(group, n_groups).to(torch.float64)
    theta = grid.theta(torch.device("cpu"))
    share = torch.zeros(data.cells.n_persons, n_groups, dtype=torch.float64)
    moment = torch.zeros_like(share)
    for block in posterior_blocks(model, free, data.cells, data.groups, grid=grid):
        own, persons = block.weights.cpu(), block.persons.cpu()
        share[persons], moment[persons] = own @ member, own @ (theta * member)
    centre = torch.where(share > 0, moment / share.clamp(min=1e-300), 0.0)
    return AbilityGroups(share * weights[:, None], centre)


def _groups(mass: Float[Tensor, " nodes"], n_groups: int) -> Int[Tensor, " nodes"]:
    """Group of each node, so that groups have the same mass."""
    middle = (mass.cumsum(0) - mass / 2) / mass.sum()
    return (middle * n_groups).long().clamp(0, n_groups - 1)
