"""Who gave which answer: what is asked of category codes by person and item, however they are kept.

Whatever looks at all answers does so in parts of consecutive persons, and whatever makes new answers of that size asks
the cells' room for them, so that answers on disk never stand in memory as a whole.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

import torch
from jaxtyping import Bool, Float64, Int, Int8, Int64
from torch import Tensor

from irtvi.responses.room import Room

if TYPE_CHECKING:
    from irtvi.responses.cells import DenseCells, SparseCells

MISSING = -1
MAX_CATEGORIES = 127
"""Codes are stored as int8."""

SPARSE_BELOW = 0.15
"""Share of answered cells below which lists of answers are smaller and faster than a matrix."""


class Cells(ABC):
    """Category codes of persons (rows) and items (columns).

    Attributes
    ----------
    room : Room
        Where new cells of the same size go.
    """

    room: Room

    @property
    @abstractmethod
    def n_persons(self) -> int:
        """Number of rows, persons without an answer included."""

    @property
    @abstractmethod
    def n_items(self) -> int:
        """Number of columns, items without an answer included."""

    @property
    def density(self) -> float:
        """Share of the cells that hold an answer."""
        return self.n_responses / max(1, self.n_persons * self.n_items)

    @property
    @abstractmethod
    def n_responses(self) -> int:
        """Number of answers."""

    @abstractmethod
    def take(self, persons: Int[Tensor, " taken"]) -> Self:
        """Rows, in the given order."""

    @abstractmethod
    def parts(self) -> Iterator[tuple[slice, Self]]:
        """All rows, so many at a time that they can be worked on at once; nothing is copied."""

    @abstractmethod
    def take_items(self, items: Int[Tensor, " taken"]) -> "Cells":
        """Columns, in the given order."""

    @abstractmethod
    def spread(self, places: Int[Tensor, " items"], n_items: int) -> "Cells":
        """Each column moved to its place among ``n_items``; the other columns are missing."""

    @abstractmethod
    def to(self, device: torch.device | str) -> Self:
        """The same cells on another device."""

    @abstractmethod
    def n_answered(self) -> Int64[Tensor, " persons"]:
        """Number of answers of each person."""

    @abstractmethod
    def n_answers(self) -> Int64[Tensor, " items"]:
        """Number of answers to each item."""

    @abstractmethod
    def counts(self, n_categories: int) -> Int64[Tensor, "items categories"]:
        """How many persons gave each code, by item."""

    @abstractmethod
    def pairs(self) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " n"], Int64[Tensor, " n"]]:
        """Persons, items and codes of all answers; by person, then by item."""

    @abstractmethod
    def keep(self, chosen: Bool[Tensor, " responses"]) -> "Cells":
        """Only some of the answers, one flag for each in the order of :meth:`pairs`."""

    @abstractmethod
    def recode(self, lookup: Int8[Tensor, "items codes"]) -> "Cells":
        """Each code replaced by ``lookup[item, code]``, which may be -1; missing stays missing."""

    @abstractmethod
    def sum_of(self, values: Float64[Tensor, "items codes"]) -> Float64[Tensor, " persons"]:
        """Sum over a person's answers of ``values[item, code]``."""

    @abstractmethod
    def to_dense(self) -> "DenseCells":
        """The same cells as a matrix."""

    @abstractmethod
    def to_sparse(self) -> "SparseCells":
        """The same cells as lists of answers."""

    def compact(self) -> "Cells":
        """The same cells in the form that suits their density."""
        return self.to_sparse() if self.density < SPARSE_BELOW else self.to_dense()
