"""Category codes by person and item as tensors, -1 where an answer is missing: a matrix, or lists of answers."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int, Int8, Int32, Int64
from torch import Tensor
from torch.nn.functional import pad

from irtvi.responses.abstract_cells import MAX_CATEGORIES, MISSING, SPARSE_BELOW, Cells
from irtvi.responses.room import MEMORY, Room

__all__ = ["MAX_CATEGORIES", "MISSING", "SPARSE_BELOW", "Cells", "DenseCells", "SparseCells", "cells_of"]

_ROWS = 255
"""Rows whose indicators can be added up in uint8."""

_PART = 2**21
"""Answers, or cells of a matrix, that are worked on at once."""
_CACHED = 1024
"""Persons whose numbers stay in the cache."""
_FEW_CATEGORIES = 8
"""Up to so many, a look at the matrix for each category is faster than counting all at once."""


class DenseCells(Cells):
    """A matrix of codes.

    Parameters
    ----------
    codes : int8 tensor [persons, items]
        Category codes, -1 where missing.
    room : where new cells of the same size go
    """

    def __init__(self, codes: Int8[Tensor, "persons items"], room: Room = MEMORY) -> None:
        self.codes, self.room = codes, room

    @property
    def n_persons(self) -> int:
        return self.codes.shape[0]

    @property
    def n_items(self) -> int:
        return self.codes.shape[1]

    @cached_property
    def n_responses(self) -> int:
        return int(self.n_answered().sum())

    def take(self, persons: Int[Tensor, " taken"]) -> "DenseCells":
        return DenseCells(self.codes.index_select(0, persons))

    def parts(self) -> Iterator[tuple[slice, "DenseCells"]]:
        size = max(1, _PART // max(1, self.n_items))
        for start in range(0, self.n_persons, size):
            rows = slice(start, min(start + size, self.n_persons))
            yield rows, DenseCells(self.codes[rows])

    def _like(self, n_items: int) -> Int8[Tensor, "persons items"]:
        return self.room.empty((self.n_persons, n_items), torch.int8, self.codes.device)

    def take_items(self, items: Int[Tensor, " taken"]) -> Cells:
        codes = self._like(len(items))
        for rows, part in self.parts():
            codes[rows] = part.codes[:, items]
        return DenseCells(codes, self.room).compact()

    def spread(self, places: Int[Tensor, " items"], n_items: int) -> Cells:
        codes = self._like(n_items).fill_(MISSING)
        for rows, part in self.parts():
            codes[rows, places] = part.codes
        return DenseCells(codes, self.room).compact()

    def to(self, device: torch.device | str) -> "DenseCells":
        codes = self.codes.to(device)
        if codes is self.codes:
            return self
        return DenseCells(codes, self.room if codes.device.type == "cpu" else MEMORY)

    def n_answered(self) -> Int64[Tensor, " persons"]:
        return self._answered

    @cached_property
    def _answered(self) -> Int64[Tensor, " persons"]:
        if self.codes.device.type != "cpu":
            return (self.codes >= 0).sum(1)
        out = torch.empty(self.n_persons, dtype=torch.long)
        for rows, part in self.parts():
            out[rows] = torch.from_numpy((part.codes.numpy() >= 0).sum(1))  # ten times faster than torch
        return out

    def n_answers(self) -> Int64[Tensor, " items"]:
        return self._counts.sum(1)

    def counts(self, n_categories: int) -> Int64[Tensor, "items categories"]:
        counted = self._counts[:, :n_categories]
        return pad(counted, (0, n_categories - counted.shape[1]))

    @cached_property
    def _counts(self) -> Int64[Tensor, "items codes"]:
        n_codes = max(1, int(self.codes.max()) + 1) if self.codes.numel() else 1
        if n_codes <= _FEW_CATEGORIES:
            return torch.stack([_column_sums(self.codes, code) for code in range(n_codes)], 1)
        total = self.codes.new_zeros(self.n_items * (n_codes + 1), dtype=torch.long)
        for at in self._places(n_codes + 1):
            total += torch.bincount(at.flatten(), minlength=len(total))
        return total.view(self.n_items, n_codes + 1)[:, 1:]

    def _places(self, width: int) -> Iterator[Int64[Tensor, "block items"]]:
        """By block of persons, where codes stand in a flat table [items, width], -1 in its first column."""
        first = torch.arange(self.n_items, device=self.codes.device) * width + 1
        for _, part in self.parts():
            yield part.codes + first

    def pairs(self) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " n"], Int64[Tensor, " n"]]:
        persons, items = torch.nonzero(self.codes >= 0, as_tuple=True)
        return persons, items, self.codes[persons, items].long()

    def keep(self, chosen: Bool[Tensor, " responses"]) -> Cells:
        codes, first = self._like(self.n_items), 0
        for rows, part in self.parts():
            answered = part.codes >= 0
            own = chosen[first : first + int(answered.sum())]
            first += len(own)
            answered[answered.clone()] = own
            codes[rows] = torch.where(answered, part.codes, MISSING)
        return DenseCells(codes, self.room).compact()

    def recode(self, lookup: Int8[Tensor, "items codes"]) -> Cells:
        lookup = lookup.to(self.codes.device)
        padded = torch.cat([torch.full_like(lookup[:, :1], MISSING), lookup], 1)
        codes = self._like(self.n_items)
        for (rows, _), at in zip(self.parts(), self._places(padded.shape[1]), strict=True):
            codes[rows] = padded.take(at)
        return DenseCells(codes, self.room)

    def sum_of(self, values: Float64[Tensor, "items codes"]) -> Float64[Tensor, " persons"]:
        values = values.to(self.codes.device)
        if values.shape[1] <= _FEW_CATEGORIES:
            counted = [code for code in range(values.shape[1]) if bool(values[:, code].any())]
            total = values.new_zeros(self.n_persons)
            gave = values.new_empty(_CACHED, self.n_items)
            for codes, part in zip(self.codes.split(_CACHED), total.split(_CACHED), strict=True):
                for code in counted:
                    part += torch.eq(codes, code, out=gave[: len(codes)]) @ values[:, code]
            return total
        padded = torch.cat([torch.zeros_like(values[:, :1]), values], 1)
        return torch.cat([padded.take(at).sum(1) for at in self._places(padded.shape[1])])

    def to_dense(self) -> "DenseCells":
        return self

    def to_sparse(self) -> "SparseCells":
        offsets, device = _offsets(self.n_answered()), self.codes.device
        items = self.room.empty((self.n_responses,), torch.int32, device)
        codes = self.room.empty((self.n_responses,), torch.int8, device)
        for rows, part in self.parts():
            own = slice(int(offsets[rows.start]), int(offsets[rows.stop]))
            _, items[own], codes[own] = part.pairs()
        return SparseCells(offsets, items, codes, self.n_items, self.room)


class SparseCells(Cells):
    """Lists of answers, person by person.

    Parameters
    ----------
    offsets : int64 tensor [persons + 1]
        Where each person's answers start and end.
    items : int32 tensor [responses]
        Item of each answer, ascending within a person.
    codes : int8 tensor [responses]
        Category code of each answer, none missing.
    n_items : int
        Number of items, those without an answer included.
    room : where new cells of the same size go
    """

    def __init__(
        self,
        offsets: Int64[Tensor, " bounds"],
        items: Int32[Tensor, " responses"],
        codes: Int8[Tensor, " responses"],
        n_items: int,
        room: Room = MEMORY,
    ) -> None:
        self.offsets, self.items, self.codes = offsets, items, codes
        self._n_items, self.room = n_items, room

    @property
    def n_persons(self) -> int:
        return len(self.offsets) - 1

    @property
    def n_items(self) -> int:
        return self._n_items

    @property
    def n_responses(self) -> int:
        return len(self.codes)

    def take(self, persons: Int[Tensor, " taken"]) -> "SparseCells":
        persons = persons.long()
        starts, lengths = self.offsets[persons], self.offsets.diff()[persons]
        offsets = _offsets(lengths)
        within = torch.arange(int(offsets[-1]), device=offsets.device)
        index = within + torch.repeat_interleave(starts - offsets[:-1], lengths)
        return SparseCells(offsets, self.items[index], self.codes[index], self.n_items)

    def parts(self) -> Iterator[tuple[slice, "SparseCells"]]:
        start = 0
        while start < self.n_persons:
            first = self.offsets[start]
            stop = int(torch.searchsorted(self.offsets, first + _PART, right=True)) - 1
            stop = max(stop, start + 1)
            own = slice(int(first), int(self.offsets[stop]))
            offsets = self.offsets[start : stop + 1] - first
            yield slice(start, stop), SparseCells(offsets, self.items[own], self.codes[own], self.n_items)
            start = stop

    def take_items(self, items: Int[Tensor, " taken"]) -> Cells:
        place = torch.full((self.n_items,), -1, dtype=torch.long, device=self.items.device)
        place[items.long()] = torch.arange(len(items), device=place.device)
        return self._moved(place, len(items))

    def spread(self, places: Int[Tensor, " items"], n_items: int) -> Cells:
        return self._moved(places.to(self.items.device), n_items)

    def _moved(self, places: Int[Tensor, " items"], n_items: int) -> Cells:
        """Each item at another place, or gone where that is -1."""
        items, codes = self._like(torch.int32), self._like(torch.int8)
        counts = torch.zeros(self.n_persons, dtype=torch.long, device=self.items.device)
        end = 0
        for rows, part in self.parts():
            persons, old, given = part.pairs()
            new = places[old]
            if bool((places.diff() <= 0).any()):
                order = torch.argsort(persons * n_items + new)
                persons, new, given = persons[order], new[order], given[order]
            kept = new >= 0
            counts[rows] = torch.bincount(persons[kept], minlength=part.n_persons)
            start, end = end, end + int(kept.sum())
            items[start:end], codes[start:end] = new[kept].int(), given[kept].to(torch.int8)
        return SparseCells(_offsets(counts), items[:end], codes[:end], n_items, self.room).compact()

    def _like(self, dtype: torch.dtype) -> Tensor:
        return self.room.empty((self.n_responses,), dtype, self.codes.device)

    def to(self, device: torch.device | str) -> "SparseCells":
        offsets, items, codes = (tensor.to(device) for tensor in (self.offsets, self.items, self.codes))
        if codes is self.codes:
            return self
        return SparseCells(offsets, items, codes, self.n_items, self.room if codes.device.type == "cpu" else MEMORY)

    def n_answered(self) -> Int64[Tensor, " persons"]:
        return self.offsets.diff()

    def n_answers(self) -> Int64[Tensor, " items"]:
        return self._n_answers

    @cached_property
    def _n_answers(self) -> Int64[Tensor, " items"]:
        return torch.bincount(self.items, minlength=self.n_items)

    def counts(self, n_categories: int) -> Int64[Tensor, "items categories"]:
        total = self.offsets.new_zeros(self.n_items * n_categories)
        for _, part in self.parts():
            flat = part.items.long() * n_categories + part.codes
            total += torch.bincount(flat[part.codes < n_categories], minlength=len(total))
        return total.view(self.n_items, n_categories)

    def pairs(self) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " n"], Int64[Tensor, " n"]]:
        return self.persons(), self.items.long(), self.codes.long()

    def persons(self) -> Int64[Tensor, " responses"]:
        """Person of each answer."""
        rows = torch.arange(self.n_persons, device=self.offsets.device)
        return torch.repeat_interleave(rows, self.offsets.diff())

    def keep(self, chosen: Bool[Tensor, " responses"]) -> "SparseCells":
        codes, start = self._like(torch.int8), 0
        for _, part in self.parts():
            own = slice(start, start + part.n_responses)
            codes[own] = torch.where(chosen[own], part.codes, MISSING)
            start = own.stop
        return SparseCells(self.offsets, self.items, codes, self.n_items, self.room).without_missing()

    def recode(self, lookup: Int8[Tensor, "items codes"]) -> Cells:
        lookup, codes = lookup.to(self.codes.device), self._like(torch.int8)
        start = 0
        for _, part in self.parts():
            codes[start : start + part.n_responses] = lookup[part.items, part.codes.int()]
            start += part.n_responses
        return SparseCells(self.offsets, self.items, codes, self.n_items, self.room).without_missing()

    def without_missing(self) -> "SparseCells":
        """Without the answers whose code is -1."""
        counts = torch.empty(self.n_persons, dtype=torch.long, device=self.codes.device)
        for rows, part in self.parts():
            before = _offsets((part.codes >= 0).long())
            counts[rows] = before[part.offsets].diff()
        offsets = _offsets(counts)
        n_kept = int(offsets[-1])
        if n_kept == self.n_responses:
            return self
        items = self.room.empty((n_kept,), torch.int32, self.codes.device)
        codes = self.room.empty((n_kept,), torch.int8, self.codes.device)
        for rows, part in self.parts():
            own, kept = slice(int(offsets[rows.start]), int(offsets[rows.stop])), part.codes >= 0
            items[own], codes[own] = part.items[kept], part.codes[kept]
        return SparseCells(offsets, items, codes, self.n_items, self.room)

    def sum_of(self, values: Float64[Tensor, "items codes"]) -> Float64[Tensor, " persons"]:
        values = values.to(self.codes.device)
        total = values.new_zeros(self.n_persons)
        for rows, part in self.parts():
            total[rows].index_add_(0, part.persons(), values[part.items, part.codes.int()])
        return total

    def to_dense(self) -> DenseCells:
        codes = self.room.empty((self.n_persons, self.n_items), torch.int8, self.codes.device).fill_(MISSING)
        for rows, part in self.parts():
            codes[rows][part.persons(), part.items.long()] = part.codes
        return DenseCells(codes, self.room)

    def to_sparse(self) -> "SparseCells":
        return self

    def transpose(self) -> tuple[Int64[Tensor, " bounds"], Int32[Tensor, " n"], Int8[Tensor, " n"]]:
        """Offsets by item, and person and code of each answer, persons ascending within an item."""
        return self._transposed

    @cached_property
    def _transposed(self) -> tuple[Int64[Tensor, " bounds"], Int32[Tensor, " n"], Int8[Tensor, " n"]]:
        order = torch.argsort(self.items, stable=True)
        counts = torch.bincount(self.items, minlength=self.n_items)
        return _offsets(counts), self.persons()[order].int(), self.codes[order]


def cells_of(
    persons: Int[Tensor, " n"],
    items: Int[Tensor, " n"],
    codes: Int8[Tensor, " n"],
    n_persons: int,
    n_items: int,
) -> Cells:
    """Cells from answers in any order, no person and item twice, in the form that suits their density."""
    if len(codes) >= SPARSE_BELOW * n_persons * n_items:
        dense = torch.full((n_persons, n_items), MISSING, dtype=torch.int8, device=codes.device)
        dense[persons.long(), items.long()] = codes
        return DenseCells(dense)
    flat = persons.long() * n_items + items
    if bool((flat[1:] < flat[:-1]).any()):
        order = torch.argsort(flat)
        persons, items, codes = persons[order], items[order], codes[order]
    return SparseCells(_offsets(torch.bincount(persons, minlength=n_persons)), items.int(), codes, n_items)


def _offsets(counts: Int64[Tensor, " n"]) -> Int64[Tensor, " bounds"]:
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def _column_sums(codes: Int8[Tensor, "persons items"], code: int) -> Int64[Tensor, " items"]:
    """How often a code stands in each column; added up in uint8, ten times faster than in int64."""
    if codes.device.type != "cpu":
        return (codes == code).sum(0)
    total = np.zeros(codes.shape[1], np.int64)
    values = codes.numpy()
    for start in range(0, len(values), _ROWS):
        total += (values[start : start + _ROWS] == code).view(np.uint8).sum(0, dtype=np.uint8)
    return torch.from_numpy(total)
