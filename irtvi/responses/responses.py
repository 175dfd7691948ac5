"""Responses: who answered what, under the user's own names, with all that is needed to read it again."""

import hashlib
import json
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from irtvi.errors import SpecificationError, UnknownItemError
from irtvi.responses.cells import Cells
from irtvi.responses.coding import Coding
from irtvi.responses.item_coding import ItemCoding
from irtvi.responses.labels import some
from irtvi.responses.measures import Measures
from irtvi.responses.settings import ReadSettings

_IDS = 65_536
"""Ids that are turned into text at once."""


@dataclass(frozen=True, eq=False, repr=False)
class Responses:
    """Answers of persons to items; made by `irtvi.read`, never changed.

    Parameters
    ----------
    person_ids : unique labels of persons, in the order of the table
    cells : raw category codes; a measured answer has the code `MEASURED`
    coding : items, their categories, and how the table was read
    covariates : table with the index ``person_ids`` and a column for each covariate
    weights : how many persons each row stands for, or None
    survey_weights : how much of the population each row stands for, or None
    layout : "wide" or "long"
    notes : what was guessed or done, in sentences
    measures : answers on a continuous scale, or None where no item has them
    """

    person_ids: pd.Index
    cells: Cells
    coding: Coding
    covariates: pd.DataFrame
    weights: np.ndarray | None = None
    survey_weights: np.ndarray | None = None
    layout: str = "wide"
    notes: tuple[str, ...] = field(default=())
    measures: Measures | None = None

    @property
    def item_ids(self) -> pd.Index:
        """Names of the items, in the order of the table."""
        return self.coding.item_ids

    @property
    def codings(self) -> tuple[ItemCoding, ...]:
        """Categories of each item."""
        return self.coding.codings

    @property
    def settings(self) -> ReadSettings:
        """How the table was read."""
        return self.coding.settings

    @property
    def n_persons(self) -> int:
        """Number of persons, those who answered nothing included."""
        return self.cells.n_persons

    @property
    def n_items(self) -> int:
        """Number of items, those that nobody answered included."""
        return self.cells.n_items

    @property
    def n_responses(self) -> int:
        """Number of answers."""
        return self.cells.n_responses

    def raw(self) -> Cells:
        """Codes of the categories as people chose them."""
        return self.cells

    def scored(self) -> Cells:
        """Codes after the answer key and reversing."""
        return self._scored

    @cached_property
    def _scored(self) -> Cells:
        return self.cells if self.coding.keeps_codes else self.cells.recode(torch.from_numpy(self.coding.scores))

    def n_categories(self, uses: Literal["scored", "raw"]) -> np.ndarray:
        """Number of categories of each item, int [n_items]; 1 where answers are measured."""
        counts = (len(coding.categories) if uses == "raw" else coding.n_scored for coding in self.codings)
        return np.array([1 if own.measured else n for own, n in zip(self.codings, counts, strict=True)], dtype=np.int64)

    @property
    def measured_items(self) -> np.ndarray:
        """Whether the answers to each item are numbers on a continuous scale, bool [n_items]."""
        return self.coding.measured

    def numbers(self, items: Sequence[int]) -> Measures:
        """Answers to some items (by position) as numbers in the user's units, whatever they were read as.

        Answers in categories count what their scores are worth.
        """
        wanted = torch.zeros(self.n_items, dtype=torch.bool)
        wanted[list(items)] = True
        coded = wanted & ~torch.from_numpy(self.measured_items)
        persons, places, codes = (tensor.cpu() for tensor in self.scored().pairs())
        worth = torch.from_numpy(self.coding.values)
        kept = coded[places]
        parts = [(persons[kept], places[kept], worth[places[kept], codes[kept]])]
        if self.measures is not None:
            own = self.measures.to("cpu")
            kept = wanted[own.items.long()]
            parts.append((own.persons()[kept], own.items[kept].long(), own.values[kept]))
        of_persons, of_items, values = (torch.cat(part) for part in zip(*parts, strict=True))
        return Measures.of(of_persons, of_items, values, self.n_persons, self.n_items)

    def of_person(self, person: Hashable) -> "Responses":
        """The answers of one person alone; raises SpecificationError where there is no such id."""
        if person not in self.person_ids:
            raise SpecificationError(f"There is no person {person!r} in this result.")
        return self.subset(persons=np.asarray(self.person_ids == person))

    def answered(self) -> np.ndarray:
        """Number of answers of each person, int [n_persons]."""
        return self.cells.n_answered().numpy()

    def sum_score(self) -> np.ndarray:
        """Sum of each person's answers in the user's units, float [n_persons]; NaN without an answer."""
        return self._sum_score

    @cached_property
    def _sum_score(self) -> np.ndarray:
        total = self.scored().sum_of(torch.from_numpy(self.coding.values))
        if self.measures is not None:
            total.index_add_(0, self.measures.persons(), self.measures.values)
        return np.where(self.answered() > 0, total.numpy(), np.nan)

    def max_score(self) -> np.ndarray:
        """Largest sum that each person could have reached on the items answered, float [n_persons].

        The largest answer to a measured item is the largest that was seen.
        """
        return self._max_score

    @cached_property
    def _max_score(self) -> np.ndarray:
        total = self.scored().sum_of(torch.from_numpy(self.coding.largest)).numpy()
        return np.where(self.answered() > 0, total, np.nan)

    def person_weights(self) -> Float64[Tensor, " persons"]:
        """Frequencies, or survey weights scaled to mean 1, or ones."""
        if self.weights is not None:
            return torch.from_numpy(self.weights)
        if self.survey_weights is not None:
            return torch.from_numpy(self.survey_weights / self.survey_weights.mean())
        return torch.ones(self.n_persons, dtype=torch.float64)

    def subset(self, persons: np.ndarray | None = None, items: Sequence[Hashable] | None = None) -> "Responses":
        """Some persons (by position, or a bool for each) and some items (by name), in the given order."""
        part = self
        if persons is not None:
            rows = np.asarray(persons)
            rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
            part = replace(
                part,
                person_ids=self.person_ids[rows],
                cells=self.cells.take(torch.from_numpy(rows)),
                measures=None if self.measures is None else self.measures.take(torch.from_numpy(rows)),
                covariates=self.covariates.iloc[rows],
                weights=None if self.weights is None else self.weights[rows],
                survey_weights=None if self.survey_weights is None else self.survey_weights[rows],
            )
        if items is not None:
            place = self.item_ids.get_indexer(pd.Index(items))
            if (place < 0).any():
                unknown = [item for item, at in zip(items, place, strict=True) if at < 0]
                raise UnknownItemError(f"{some(unknown)} is no item; the items are {some(self.item_ids)}")
            cells = part.cells.take_items(torch.from_numpy(place))
            measures = part.measures
            if measures is not None:
                to = np.full(self.n_items, -1)
                to[place] = np.arange(len(place))
                measures = measures.spread(torch.from_numpy(to), len(place))
            part = replace(part, cells=cells, coding=self.coding.subset(place), measures=measures)
        return part

    def encode(self, new: object) -> "Responses":
        """Answers of new people, coded as these; see `Coding.encode`."""
        return self.coding.encode(new)

    def summary(self) -> pd.DataFrame:
        """What was read, as a table with the column ``value``: sizes, missing, and what was guessed."""
        from irtvi.responses.checks import check

        n_cells = self.n_persons * self.n_items
        missing = n_cells - self.n_responses
        rows = [
            ("persons", self.n_persons),
            ("items", self.n_items),
            ("responses", self.n_responses),
            ("missing", f"{missing} ({missing / max(1, n_cells):.1%})"),
            ("categories", _described(self.n_categories("scored")[~self.measured_items])),
            ("layout", self.layout),
        ]
        if self.measured_items.any():
            rows.insert(5, ("measured items", int(self.measured_items.sum())))
        if (self.n_categories("raw") != self.n_categories("scored")).any():
            rows.insert(5, ("raw categories", _described(self.n_categories("raw"))))
        if len(self.covariates.columns):
            rows.append(("covariates", ", ".join(map(str, self.covariates.columns))))
        if self.weights is not None:
            rows.append(("weights", f"frequencies, sum {self.weights.sum():g}"))
        if self.survey_weights is not None:
            rows.append(("weights", "survey weights, scaled to mean 1"))
        rows += [("note", note) for note in self.notes]
        rows += [(finding.kind, finding.text) for finding in check(self)]
        what, value = zip(*rows, strict=True)
        return pd.DataFrame({"value": list(value)}, index=pd.Index(what, name="what"), dtype=object)

    def digest(self) -> str:
        """Hash of ids, categories, codes and weights: the same for the same data, however it was stored."""
        digest = hashlib.sha256()
        state: list = [[str(item) for item in self.item_ids]]
        state += [[c.categories, c.scores, c.values] for c in self.codings]
        digest.update(json.dumps(state).encode())
        for start in range(0, self.n_persons, _IDS):
            digest.update(json.dumps(self.person_ids[start : start + _IDS].astype(str).tolist()).encode())
        if self.measures is not None:
            for tensor in (self.measures.offsets, self.measures.items, self.measures.values):
                digest.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
        cells = self.cells.to("cpu").compact()
        for name in ("offsets", "items", "codes"):
            if (tensor := getattr(cells, name, None)) is not None:
                digest.update(np.ascontiguousarray(tensor.numpy()).data)
        for weights in (self.weights, self.survey_weights):
            digest.update(b"-" if weights is None else weights.tobytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        measured = int(self.measured_items.sum())
        kinds = [f"{_described(self.n_categories('scored')[~self.measured_items])} categories"]
        kinds = [] if measured == self.n_items else kinds
        kinds += [f"{measured} items measured"] if measured else []
        return (
            f"Responses({self.n_persons} persons, {self.n_items} items, {self.n_responses} responses, "
            f"{', '.join(kinds)})"
        )


def _described(n_categories: np.ndarray) -> str:
    counted = sorted(Counter(n_categories.tolist()).items())
    if not counted:
        return "none"
    if len(counted) == 1:
        return str(counted[0][0])
    return ", ".join(f"{n} ({items} items)" for n, items in counted)
