"""Answers as matrices against table columns; complete, incomplete and sparse data each in its own way.

All that a pass needs from data is a product forward, log-likelihoods of persons at nodes, and its transpose,
expected counts of answers at nodes.
"""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding_bag

from irtvi.models.model import Model
from irtvi.responses.cells import Cells, DenseCells, SparseCells


class AnswerBlock(ABC):
    """Answers of some persons."""

    @abstractmethod
    def forward(
        self, table: Float[Tensor, "nodes used"], base: Float[Tensor, " nodes"]
    ) -> Float[Tensor, "nodes persons"]:
        """Base plus the sum over a person's answers of the table's entries."""

    @abstractmethod
    def backward(self, weights: Float[Tensor, "nodes persons"]) -> Float[Tensor, "nodes used"]:
        """Sum over persons of their weights, by answer."""


class DenseBlock(AnswerBlock):
    """A block of persons as a float matrix of indicators."""

    def __init__(self, indicators: Float[Tensor, "persons used"]) -> None:
        self.indicators = indicators

    def forward(
        self, table: Float[Tensor, "nodes used"], base: Float[Tensor, " nodes"]
    ) -> Float[Tensor, "nodes persons"]:
        return torch.addmm(base[:, None], table, self.indicators.to(table.dtype).T)

    def backward(self, weights: Float[Tensor, "nodes persons"]) -> Float[Tensor, "nodes used"]:
        return weights @ self.indicators.to(weights.dtype)


class SparseBlock(AnswerBlock):
    """A block of persons as lists of answers, and for the way back as lists of persons by answer."""

    def __init__(self, columns: Int[Tensor, " answers"], offsets: Int[Tensor, " persons_and_1"], n_used: int) -> None:
        self.columns, self.offsets = columns, offsets
        n_persons = len(offsets) - 1
        persons = torch.repeat_interleave(torch.arange(n_persons, device=columns.device), offsets.diff())
        order = torch.argsort(columns, stable=True)
        self.persons_by_answer = persons[order]
        counts = torch.bincount(columns, minlength=n_used)
        self.answer_offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])

    def forward(
        self, table: Float[Tensor, "nodes used"], base: Float[Tensor, " nodes"]
    ) -> Float[Tensor, "nodes persons"]:
        rows = table.T.contiguous()
        sums = embedding_bag(self.columns, rows, self.offsets, mode="sum", include_last_offset=True)
        return sums.T.contiguous() + base[:, None]

    def backward(self, weights: Float[Tensor, "nodes persons"]) -> Float[Tensor, "nodes used"]:
        rows = weights.T.contiguous()
        sums = embedding_bag(self.persons_by_answer, rows, self.answer_offsets, mode="sum", include_last_offset=True)
        return sums.T


class Answers(ABC):
    """The answers of all persons in the columns that carry information."""

    def __init__(self, model: Model, cells: Cells, informative: Tensor) -> None:
        self.n_persons = cells.n_persons
        self.items = torch.nonzero(informative)[:, 0]
        layout = model.columns
        self.columns = torch.nonzero(informative[layout.item])[:, 0]
        self.n_columns = len(layout.item)

    @abstractmethod
    def table(self, log_probs: Float[Tensor, "nodes columns"]) -> tuple[Tensor, Tensor]:
        """The used part ``[nodes, used]`` and the base ``[nodes]`` of a table."""

    @abstractmethod
    def block(self, persons: Int[Tensor, " block"]) -> AnswerBlock:
        """The answers of some persons."""

    @abstractmethod
    def expand(
        self, used: Float[Tensor, "nodes used"], mass: Float[Tensor, " nodes"]
    ) -> Float[Tensor, "nodes columns"]:
        """Expected counts in all columns from those that were accumulated."""


class CompleteAnswers(Answers):
    """Everybody answered everything: the first category of each item goes into the base."""

    def __init__(self, model: Model, cells: DenseCells, informative: Tensor) -> None:
        super().__init__(model, cells, informative)
        self.codes, self.some = cells.codes, len(self.items) < cells.n_items
        item, code = model.columns.item[self.columns], model.columns.code[self.columns]
        self.rest = self.columns[code > 0]
        self.first = model.columns.offset[item[code > 0]]
        self.all_first = self.columns[code == 0]
        position = torch.searchsorted(self.items, item[code > 0])
        self.position, self.code = position, code[code > 0].to(self.codes.dtype)
        self.dichotomous = len(self.rest) == len(self.items)

    def table(self, log_probs: Float[Tensor, "nodes columns"]) -> tuple[Tensor, Tensor]:
        return log_probs[:, self.rest] - log_probs[:, self.first], log_probs[:, self.all_first].sum(1)

    def block(self, persons: Int[Tensor, " block"]) -> AnswerBlock:
        codes = self.codes.index_select(0, persons)
        if self.some:
            codes = codes[:, self.items]
        if self.dichotomous:
            return DenseBlock(codes.float())
        return DenseBlock((codes[:, self.position] == self.code).float())

    def expand(
        self, used: Float[Tensor, "nodes used"], mass: Float[Tensor, " nodes"]
    ) -> Float[Tensor, "nodes columns"]:
        counts = used.new_zeros(len(used), self.n_columns)
        counts[:, self.all_first] = mass[:, None]
        counts.index_add_(1, self.first, -used)
        counts[:, self.rest] = used
        return counts.clamp_(min=0.0)


class IncompleteAnswers(Answers):
    """Some answers are missing: an indicator for every (item, category)."""

    def __init__(self, model: Model, cells: DenseCells, informative: Tensor) -> None:
        super().__init__(model, cells, informative)
        self.codes = cells.codes
        code = model.columns.code[self.columns]
        # Code by code, so that the columns of a code lie side by side.
        order = torch.argsort(code, stable=True)
        self.columns, code = self.columns[order], code[order]
        self.item = model.columns.item[self.columns]
        self.of_code = torch.bincount(code).tolist()

    def table(self, log_probs: Float[Tensor, "nodes columns"]) -> tuple[Tensor, Tensor]:
        return log_probs[:, self.columns], log_probs.new_zeros(len(log_probs))

    def block(self, persons: Int[Tensor, " block"]) -> AnswerBlock:
        codes = self.codes.index_select(0, persons)
        columns = torch.empty(len(codes), len(self.columns), device=codes.device)
        for code, (items, out) in enumerate(
            zip(self.item.split(self.of_code), columns.split(self.of_code, 1), strict=True)
        ):
            answered = codes if len(items) == codes.shape[1] else codes[:, items]
            torch.eq(answered, code, out=out)
        return DenseBlock(columns)

    def expand(
        self, used: Float[Tensor, "nodes used"], mass: Float[Tensor, " nodes"]
    ) -> Float[Tensor, "nodes columns"]:
        counts = used.new_zeros(len(used), self.n_columns)
        counts[:, self.columns] = used
        return counts


class SparseAnswers(Answers):
    """Few answers a person: lists of answered columns."""

    def __init__(self, model: Model, cells: SparseCells, informative: Tensor) -> None:
        super().__init__(model, cells, torch.ones_like(informative))
        self.cells = cells
        self.offset = model.columns.offset
        self.excluded = ~informative

    def table(self, log_probs: Float[Tensor, "nodes columns"]) -> tuple[Tensor, Tensor]:
        return log_probs, log_probs.new_zeros(len(log_probs))

    def block(self, persons: Int[Tensor, " block"]) -> AnswerBlock:
        cells = self.cells.take(persons)
        items = cells.items.long()
        columns = self.offset[items] + cells.codes.long()
        offsets = cells.offsets
        if self.excluded.any():
            keep = ~self.excluded[items]
            kept = torch.cat([keep.new_zeros(1, dtype=torch.long), keep.long().cumsum(0)])
            columns, offsets = columns[keep], kept[offsets]
        return SparseBlock(columns, offsets, self.n_columns)

    def expand(
        self, used: Float[Tensor, "nodes used"], mass: Float[Tensor, " nodes"]
    ) -> Float[Tensor, "nodes columns"]:
        return used


def answers_of(model: Model, cells: Cells) -> Answers:
    """The form of the answers that suits their density.

    Items that are excluded from the likelihood, and items that nobody answered, do not count as missing.
    """
    answered = cells.n_answers()
    informative = (answered > 0) & ~model.excluded
    if isinstance(cells, SparseCells):
        return SparseAnswers(model, cells, informative)
    assert isinstance(cells, DenseCells)
    if bool((answered[informative] == cells.n_persons).all()):
        return CompleteAnswers(model, cells, informative)
    return IncompleteAnswers(model, cells, informative)
