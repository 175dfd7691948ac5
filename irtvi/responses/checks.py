"""What is said about the data before anything is fitted."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from irtvi.errors import (
    ConstantItemWarning,
    DisconnectedWarning,
    EmptyPersonWarning,
    FewAnswersWarning,
    IrtviWarning,
    ManyCategoriesWarning,
    TextOrderWarning,
)
from irtvi.responses.cells import Cells, DenseCells, SparseCells
from irtvi.responses.item_coding import is_known_order
from irtvi.responses.labels import some
from irtvi.responses.responses import Responses

FEW_ANSWERS = 10
"""Below so many answers, the standard error of a difficulty is about as wide as the ability distribution."""

_MANY_CATEGORIES = 12
_MOST_ANSWERS = 2**21
"""Answers that are looked at together."""


@dataclass(frozen=True, eq=False)
class Finding:
    """One thing worth knowing about the data.

    Parameters
    ----------
    kind : short name, such as "constant item"
    text : the sentence for people
    warning : class of the warning that `irtvi.read` gives, or None
    items, persons : ids that it is about
    """

    kind: str
    text: str
    warning: type[IrtviWarning] | None
    items: pd.Index
    persons: pd.Index


def check(responses: Responses) -> list[Finding]:
    """All that can be said about responses without a model."""
    return list(_findings(responses))


def _findings(responses: Responses) -> Iterator[Finding]:
    most = int(responses.n_categories("raw").max(initial=0))
    counts = responses.raw().counts(most).numpy() if most else np.zeros((responses.n_items, 1), int)
    answers, used = counts.sum(1), (counts > 0).sum(1)
    for place, coding in enumerate(responses.codings):
        if coding.measured is not None:
            used[place] = 1 + (coding.measured[0] < coding.measured[1])
    items = responses.item_ids
    if (constant := items[(used == 1) & (answers > 0)]).size:
        text = "Everybody gave the same answer to {}, of which there is little to learn."
        yield _of_items("constant item", constant, ConstantItemWarning, text)
    if (empty := responses.person_ids[responses.answered() == 0]).size:
        yield Finding(
            "empty person",
            f"{_number(empty, 'person')} answered nothing: {some(empty)}; the population's mean is the score.",
            EmptyPersonWarning,
            items[:0],
            empty,
        )
    if (few := items[answers < min(FEW_ANSWERS, responses.n_persons)]).size:
        text = f"{{}} has fewer than {FEW_ANSWERS} answers: the parameters will be uncertain."
        yield _of_items("few answers", few, FewAnswersWarning, text)
    if len(groups := item_groups(responses.raw(), answers > 0)) > 1:
        sizes = ", ".join(str(len(group)) for group in groups[:5]) + (", ..." if len(groups) > 5 else "")
        yield Finding(
            "disconnected booklets",
            f"The items fall into {len(groups)} groups (of {sizes} items) that no person links: scores from "
            "different groups compare only under the assumption that the groups of "
            "persons are equally able.",
            DisconnectedWarning,
            items[np.concatenate(groups[1:])],
            responses.person_ids[:0],
        )
    yield from _about_categories(responses)


def _about_categories(responses: Responses) -> Iterator[Finding]:
    codings, items = responses.codings, responses.item_ids
    unobserved = np.array([any(coding.observed) and not all(coding.observed) for coding in codings])
    if unobserved.any():
        examples = "; ".join(
            f"{items[i]!r}: {some(codings[i].unobserved)}" for i in np.flatnonzero(unobserved)[:5].tolist()
        )
        yield Finding(
            "unobserved category",
            f"Nobody chose some categories of {_number(items[unobserved], 'item')} ({examples}).",
            None,
            items[unobserved],
            responses.person_ids[:0],
        )
    declared = responses.settings.categories
    words = np.array([
        coding.key is None and len(coding.categories) > 1 and isinstance(coding.categories[0], str)
        and not declared[item] and not is_known_order(coding.categories)
        and list(coding.categories) == sorted(map(str, coding.categories))
        for item, coding in zip(items, codings, strict=True)
    ])  # fmt: skip
    if words.any():
        order = some(codings[int(np.argmax(words))].categories, 8)
        text = (
            f"The categories of {{}} are words in alphabetical order ({order}); give their order in "
            "categories=, or "
            "the right answers in key=."
        )
        yield _of_items("alphabetical categories", items[words], TextOrderWarning, text)
    n_categories = responses.n_categories("raw")
    many = (n_categories > _MANY_CATEGORIES) & (n_categories > 2 * np.median(n_categories))
    if many.any():
        text = (
            f"{{}} has {n_categories[many].max()} categories, far more than the others: declare a code for "
            "missing in "
            "missing=, and keep a column that is no item out by items=."
        )
        yield _of_items("many categories", items[many], ManyCategoriesWarning, text)


def item_groups(cells: Cells, answered: np.ndarray) -> list[np.ndarray]:
    """Positions of items that persons link to each other, the largest group first.

    Two items that a person answered are linked, so neighbours in each person's list are enough. Persons are
    added until all items hang together.

    Parameters
    ----------
    cells : answers
    answered : bool for each item; those that nobody answered are in no group
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    group = np.arange(cells.n_items)
    start, size = 0, 64
    most = max(64, _MOST_ANSWERS * cells.n_persons // max(1, cells.n_responses))
    while start < cells.n_persons and len(np.unique(group[answered])) > 1:
        persons, items = _answers(cells, start, min(start + size, cells.n_persons))
        together = persons[1:] == persons[:-1]
        left, right = group[items[:-1][together]], group[items[1:][together]]
        edges = coo_array((np.ones(len(left), bool), (left, right)), shape=(cells.n_items, cells.n_items))
        group = connected_components(edges, directed=False)[1][group]
        start, size = start + size, min(size * 8, most)
    groups = [np.flatnonzero(answered & (group == g)) for g in np.unique(group[answered])]
    return sorted(groups, key=len, reverse=True)


def _answers(cells: Cells, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Person and item of each answer of persons from ``start`` to ``stop``."""
    if isinstance(cells, DenseCells):
        persons, items = np.nonzero(cells.codes[start:stop].numpy() >= 0)
        return persons, items
    assert isinstance(cells, SparseCells)
    offsets = cells.offsets[start : stop + 1].numpy()
    return np.repeat(np.arange(stop - start), np.diff(offsets)), cells.items[offsets[0] : offsets[-1]].numpy()


def _of_items(kind: str, items: pd.Index, warning: type[IrtviWarning], sentence: str) -> Finding:
    subject = f"item {items[0]!r}" if len(items) == 1 else f"{len(items)} items ({some(items)})"
    text = sentence.format(subject).replace(") has", ") have")
    return Finding(kind, text[0].upper() + text[1:], warning, items, items[:0])


def _number(things: pd.Index, word: str) -> str:
    return f"{len(things)} {word}{'' if len(things) == 1 else 's'}"
