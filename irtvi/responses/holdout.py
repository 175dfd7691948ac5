"""Answers set aside, to see how well they are predicted."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from irtvi.errors import ConflictingOptionsError
from irtvi.responses.cells import Cells
from irtvi.responses.measures import Measures
from irtvi.responses.responses import Responses


def holdout(responses: Responses, share: float = 0.1, seed: int = 0) -> tuple[Responses, Responses]:
    """Split answers at random into two parts that have the same persons, items and coding.

    Everybody who answered something keeps an answer in the first part.

    Parameters
    ----------
    responses : answers
    share : of the answers that goes to the second part, between 0 and 1
    seed : of the random choice

    Returns
    -------
    train, test : Responses
        Each answer is in one of them, and missing in the other.
    """
    if not 0 < share < 1:
        raise ConflictingOptionsError(f"share={share}; it lies between 0 and 1, such as .1")
    luck = np.random.default_rng(seed).random(responses.n_responses, dtype=np.float32)
    for answers, persons, _ in _parts(responses.cells):
        luck[answers][_luckiest(persons, luck[answers])] = np.inf
    test = _lowest(luck, round(share * responses.n_responses))
    measured = responses.measured_items

    def numbers(chosen: np.ndarray) -> Measures | None:
        measures = responses.measures
        if measures is None:
            return None
        own = [chosen[answers][measured[items]] for answers, _, items in _parts(responses.cells)]
        return measures.to("cpu").keep(torch.from_numpy(np.concatenate(own)))

    def part(chosen: np.ndarray) -> Responses:
        cells = responses.cells.to("cpu").keep(torch.from_numpy(chosen))
        return replace(responses, cells=cells, measures=numbers(chosen))

    return part(~test), part(test)


def _parts(cells: Cells) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Some answers at a time: which they are, and their persons and items."""
    first = 0
    for _, part in cells.parts():
        persons, items, _ = (tensor.cpu().numpy() for tensor in part.pairs())
        yield slice(first, first + len(persons)), persons, items
        first += len(persons)


def _lowest(luck: np.ndarray, n: int) -> np.ndarray:
    """Whether a number is among the n lowest; infinite ones never are."""
    n = min(n, int(np.isfinite(luck).sum()))
    if not n:
        return np.zeros(len(luck), bool)
    limit = np.partition(luck, n - 1)[n - 1]
    lowest = luck < limit
    lowest[np.flatnonzero(luck == limit)[: n - int(lowest.sum())]] = True
    return lowest


def _luckiest(persons: np.ndarray, luck: np.ndarray) -> np.ndarray:
    """Position of each person's largest number; persons ascend."""
    if not len(persons):
        return np.zeros(0, np.int64)
    order = np.lexsort((luck, persons))
    last = np.append(np.diff(persons[order]) > 0, True)
    return order[last]
