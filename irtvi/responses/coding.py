"""Categories and scores of all items: how labels become codes, for the data at hand and for new people."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from irtvi.responses.cells import MAX_CATEGORIES
from irtvi.responses.item_coding import ItemCoding, code_item
from irtvi.responses.labels import Label
from irtvi.responses.settings import ByItem, ItemRule, ReadSettings

if TYPE_CHECKING:
    from irtvi.responses.responses import Responses

UNKNOWN = -2
"""In place of the code of a label that is none of an item's categories."""


@dataclass(frozen=True, eq=False)
class Coding:
    """The items, their categories and the settings: all that is needed to read new people's answers.

    Parameters
    ----------
    item_ids : the user's names of the items
    codings : one `ItemCoding` for each item
    settings : how the table was read
    """

    item_ids: pd.Index
    codings: tuple[ItemCoding, ...]
    settings: ReadSettings

    def encode(self, source: object) -> "Responses":
        """Answers of new people, coded in the same way.

        Parameters
        ----------
        source : table, path or Responses
            As for `irtvi.read`. Items that are not in it are missing; ``cov_*`` columns may be in it.

        Raises
        ------
        UnknownItemError
            If it holds an item that was not among those read first.
        UnseenCategoryError
            If a value is not among the categories of its item.
        """
        from irtvi.responses.encode import encode

        return encode(source, self)

    @cached_property
    def rules(self) -> tuple[ItemRule, ...]:
        """What was declared about each item."""
        return tuple(self.settings.rules(self.item_ids.tolist()))

    @cached_property
    def names(self) -> frozenset[Hashable]:
        """The items, to look names up in."""
        return frozenset(self.item_ids.tolist())

    @cached_property
    def settings_for_new(self) -> ReadSettings:
        """How new people's table is read: any of the items, measured where they were in the first."""
        known = zip(self.item_ids.tolist(), self.measured.tolist(), strict=True)
        measured = ByItem(False, {item: True for item, is_measured in known if is_measured})
        return replace(self.settings, items=None, continuous=measured)

    @cached_property
    def measured(self) -> np.ndarray:
        """Whether the answers to each item are numbers on a continuous scale, bool [n_items]."""
        return np.array([coding.measured is not None for coding in self.codings], dtype=bool)

    @cached_property
    def keeps_codes(self) -> bool:
        """Whether scored codes are the raw ones: no key, and nothing is reversed."""
        return all(coding.scores == tuple(range(len(coding.scores))) for coding in self.codings)

    @cached_property
    def scores(self) -> np.ndarray:
        """Scored code of each raw code, -1 where there is no such category, int8 [n_items, raw codes]."""
        return padded([coding.scores for coding in self.codings], -1).astype(np.int8)

    @cached_property
    def values(self) -> np.ndarray:
        """What each scored code is worth in the user's units, float [n_items, scored codes]."""
        return padded([coding.values for coding in self.codings], 0.0)

    @cached_property
    def largest(self) -> np.ndarray:
        """Largest value of an item, at each of its scored codes, float [n_items, scored codes]."""
        largest = np.array([coding.range[1] for coding in self.codings])
        return np.repeat(largest[:, None], max(1, self.values.shape[1]), 1)

    @cached_property
    def codes_of_numbers(self) -> np.ndarray:
        """Raw code of the labels 0, 1, 2 and so on, -1 where missing, `UNKNOWN` where an item has no such category."""
        memo: dict[tuple, list[int]] = {}
        rows = []
        for coding, rule in zip(self.codings, self.rules, strict=True):
            task = (coding.categories, coding.scores, rule)
            if task not in memo:
                found = (coding.code(label, rule) for label in range(MAX_CATEGORIES))
                memo[task] = [UNKNOWN if code is None else code for code in found]
            rows.append(memo[task])
        return np.array(rows, np.int8).reshape(len(rows), MAX_CATEGORIES)

    def subset(self, items: np.ndarray) -> "Coding":
        """The coding of some items, by position."""
        if np.array_equal(items, np.arange(len(self.codings))):
            return self
        return Coding(self.item_ids[items], tuple(self.codings[i] for i in items), self.settings)

    def state(self) -> dict:
        """Plain lists, dicts, numbers and texts, for a file."""
        return {
            "item_ids": self.item_ids.tolist(),
            "item_ids_name": self.item_ids.name,
            "codings": [coding.state() for coding in self.codings],
            "settings": self.settings.state(),
        }

    @classmethod
    def from_state(cls, state: Mapping) -> "Coding":
        """The coding that `state` described."""
        return cls(
            pd.Index(state["item_ids"], name=state["item_ids_name"]),
            tuple(ItemCoding.from_state(coding) for coding in state["codings"]),
            ReadSettings.from_state(state["settings"]),
        )


def code_items(
    item_ids: pd.Index,
    seen: Sequence[tuple[Label, ...]],
    declared: Sequence[tuple[Label, ...]],
    settings: ReadSettings,
    measured: Mapping[int, tuple[float, float]],
) -> tuple[ItemCoding, ...]:
    """Categories of all items.

    An item whose answers show one category or none takes the commonest scale of the other items that holds
    its value, else 0 and 1 if that holds it: of a question that everybody solved we know what wrong would be.

    Parameters
    ----------
    item_ids : names, for messages
    seen : the labels that occur in each item, those declared missing or wrong among them
    declared : categories that come with the data, in their order; empty where none do
    settings : the user's declarations
    measured : lowest and highest answer of the items that are measured, by position
    """
    memo: dict[tuple, ItemCoding] = {}
    tasks = []
    for place, (item, labels, order) in enumerate(zip(item_ids, seen, declared, strict=True)):
        rule = settings.rule(item)
        tasks.append((labels, rule.categories or order, rule, measured.get(place)))
        if tasks[-1] not in memo:
            memo[tasks[-1]] = code_item(item, *tasks[-1])
    scales = Counter(memo[task].categories for task in tasks if _is_whole_scale(memo[task]))
    for item, task in zip(item_ids, tasks, strict=True):
        coding = memo[task]
        alone = len(coding.categories) < 2 and not coding.key and not task[1] and coding.measured is None
        if alone and (scale := _scale_for(coding, scales)):
            memo[task] = code_item(item, task[0], scale, task[2])
    return tuple(memo[task] for task in tasks)


def _is_whole_scale(coding: ItemCoding) -> bool:
    return not coding.key and len(coding.categories) > 1 and all(isinstance(c, int) for c in coding.categories)


def _scale_for(coding: ItemCoding, scales: Counter) -> tuple[Label, ...]:
    for scale, _ in scales.most_common():
        if set(coding.categories) <= set(scale):
            return scale
    return (0, 1) if set(coding.categories) <= {0, 1} and not scales else ()


def padded(rows: Sequence[Sequence[int | float]], fill: int | float) -> np.ndarray:
    """Rows of different length as one array, float [rows, longest]."""
    table = np.full((len(rows), max((len(row) for row in rows), default=0)), fill, dtype=np.float64)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return table
