"""Answers set aside, to see how well they are predicted."""

from dataclasses import replace

import numpy as np
import torch

from irtvi.errors import ConflictingOptionsError
from irtvi.responses.cells import Cells, cells_of
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
    persons, items, codes = (tensor.cpu() for tensor in responses.cells.pairs())
    n_responses = len(codes)
    rng = np.random.default_rng(seed)
    luck = rng.random(n_responses, dtype=np.float32)
    keeps = np.zeros(n_responses, bool)
    keeps[_luckiest(persons.numpy(), luck)] = True
    free = np.flatnonzero(~keeps)
    n_test = min(round(share * n_responses), len(free))
    test = np.zeros(n_responses, bool)
    if n_test:
        test[free[np.argpartition(luck[free], n_test - 1)[:n_test]]] = True

    def part(chosen: np.ndarray) -> Cells:
        kept = torch.from_numpy(chosen)
        own = codes[kept].to(torch.int8)
        return cells_of(persons[kept], items[kept], own, responses.n_persons, responses.n_items)

    def numbers(chosen: np.ndarray) -> Measures | None:
        measures = responses.measures
        if measures is None:
            return None
        is_measured = torch.from_numpy(responses.measured_items)[items]
        return measures.to("cpu").keep(torch.from_numpy(chosen)[is_measured])

    return (
        replace(responses, cells=part(~test), measures=numbers(~test)),
        replace(responses, cells=part(test), measures=numbers(test)),
    )


def _luckiest(persons: np.ndarray, luck: np.ndarray) -> np.ndarray:
    """Position of each person's largest number; persons ascend."""
    if not len(persons):
        return np.zeros(0, np.int64)
    order = np.lexsort((luck, persons))
    last = np.append(np.diff(persons[order]) > 0, True)
    return order[last]
