"""Answers on a continuous scale: numbers by person and item, and cells that carry them beside category codes."""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float64, Int, Int8, Int32, Int64
from torch import Tensor

from irtvi.responses.cells import Cells, DenseCells, SparseCells

MEASURED = 0
"""Category code of an answer that is a number on a continuous scale: it says that there is one."""


class Measures:
    """Lists of measured answers, person by person.

    Parameters
    ----------
    offsets : int64 tensor [persons + 1]
        Where each person's answers start and end.
    items : int32 tensor [answers]
        Item of each answer, ascending within a person.
    values : float64 tensor [answers]
        In the user's units; none missing.
    n_items : int
        Number of items, those in categories included.
    """

    def __init__(
        self,
        offsets: Int64[Tensor, " bounds"],
        items: Int32[Tensor, " answers"],
        values: Float64[Tensor, " answers"],
        n_items: int,
    ) -> None:
        self.offsets, self.items, self.values, self.n_items = offsets, items, values, n_items

    @staticmethod
    def of(
        persons: Int[Tensor, " n"],
        items: Int[Tensor, " n"],
        values: Float64[Tensor, " n"],
        n_persons: int,
        n_items: int,
    ) -> "Measures":
        """From answers in any order, no person and item twice."""
        flat = persons.long() * n_items + items
        if bool((flat[1:] < flat[:-1]).any()):
            order = torch.argsort(flat)
            persons, items, values = persons[order], items[order], values[order]
        counts = torch.bincount(persons, minlength=n_persons)
        offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        return Measures(offsets, items.int(), values, n_items)

    @property
    def n_persons(self) -> int:
        """Number of persons, those without a measured answer included."""
        return len(self.offsets) - 1

    def persons(self) -> Int64[Tensor, " answers"]:
        """Person of each answer."""
        rows = torch.arange(self.n_persons, device=self.offsets.device)
        return torch.repeat_interleave(rows, self.offsets.diff())

    def take(self, persons: Int[Tensor, " taken"]) -> "Measures":
        """Rows, in the given order."""
        persons = persons.to(self.offsets.device).long()
        starts, lengths = self.offsets[persons], self.offsets.diff()[persons]
        offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        within = torch.arange(int(offsets[-1]), device=offsets.device)
        index = within + torch.repeat_interleave(starts - offsets[:-1], lengths)
        return Measures(offsets, self.items[index], self.values[index], self.n_items)

    def keep(self, kept: Bool[Tensor, " answers"]) -> "Measures":
        """Some of the answers."""
        return Measures.of(self.persons()[kept], self.items[kept], self.values[kept], self.n_persons, self.n_items)

    def spread(self, places: Int[Tensor, " items"], n_items: int) -> "Measures":
        """Each item moved to its place among ``n_items``, or left out where that is -1."""
        items = places.to(self.items.device)[self.items.long()]
        kept = items >= 0
        return Measures.of(self.persons()[kept], items[kept], self.values[kept], self.n_persons, n_items)

    def to(self, device: torch.device | str) -> "Measures":
        """The same answers on another device."""
        return Measures(self.offsets.to(device), self.items.to(device), self.values.to(device), self.n_items)

    def of_item(self, item: int) -> Float64[Tensor, " n"]:
        """All answers to one item, in order of persons."""
        return self.values[self.items == item]


class MeasuredCells(Cells):
    """Category codes, with the numbers of measured answers beside them.

    Parameters
    ----------
    coded : Cells
        Codes of all items; a measured answer has the code `MEASURED`.
    measures : Measures
        The numbers of the same persons.
    """

    def __init__(self, coded: Cells, measures: Measures) -> None:
        self.coded, self.measures, self.room = coded, measures, coded.room

    @property
    def n_persons(self) -> int:
        return self.coded.n_persons

    @property
    def n_items(self) -> int:
        return self.coded.n_items

    @property
    def n_responses(self) -> int:
        return self.coded.n_responses

    def take(self, persons: Int[Tensor, " taken"]) -> "MeasuredCells":
        return MeasuredCells(self.coded.take(persons), self.measures.take(persons))

    def parts(self) -> Iterator[tuple[slice, "MeasuredCells"]]:
        for rows, part in self.coded.parts():
            persons = torch.arange(rows.start, rows.stop, device=self.measures.offsets.device)
            yield rows, MeasuredCells(part, self.measures.take(persons))

    def take_items(self, items: Int[Tensor, " taken"]) -> "MeasuredCells":
        places = torch.full((self.n_items,), -1, dtype=torch.long, device=items.device)
        places[items.long()] = torch.arange(len(items), device=items.device)
        return MeasuredCells(self.coded.take_items(items), self.measures.spread(places, len(items)))

    def spread(self, places: Int[Tensor, " items"], n_items: int) -> "MeasuredCells":
        return MeasuredCells(self.coded.spread(places, n_items), self.measures.spread(places, n_items))

    def to(self, device: torch.device | str) -> "MeasuredCells":
        return MeasuredCells(self.coded.to(device), self.measures.to(device))

    def n_answered(self) -> Int64[Tensor, " persons"]:
        return self.coded.n_answered()

    def n_answers(self) -> Int64[Tensor, " items"]:
        return self.coded.n_answers()

    def counts(self, n_categories: int) -> Int64[Tensor, "items categories"]:
        return self.coded.counts(n_categories)

    def pairs(self) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " n"], Int64[Tensor, " n"]]:
        return self.coded.pairs()

    def keep(self, chosen: Bool[Tensor, " responses"]) -> "MeasuredCells":
        measured = torch.isin(self.pairs()[1], self.measures.items.long())
        return MeasuredCells(self.coded.keep(chosen), self.measures.keep(chosen[measured]))

    def recode(self, lookup: Int8[Tensor, "items codes"]) -> "MeasuredCells":
        return MeasuredCells(self.coded.recode(lookup), self.measures)

    def sum_of(self, values: Float64[Tensor, "items codes"]) -> Float64[Tensor, " persons"]:
        return self.coded.sum_of(values)

    def to_dense(self) -> DenseCells:
        """The codes alone as a matrix."""
        return self.coded.to_dense()

    def to_sparse(self) -> SparseCells:
        """The codes alone as lists of answers."""
        return self.coded.to_sparse()
