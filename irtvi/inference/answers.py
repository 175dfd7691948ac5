"""Answers as matrices against table columns; complete, incomplete and sparse data each in its own way.

All that a pass needs from data is a product forward, log-likelihoods of persons at nodes, and its transpose,
expected counts of answers at nodes.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.answer_blocks import AnswerBlock, Answers, DenseBlock, SparseBlock
from irtvi.inference.measured import JoinedAnswers, MeasuredAnswers
from irtvi.models.model import Model
from irtvi.responses.cells import Cells, DenseCells, SparseCells
from irtvi.responses.measures import MeasuredCells

__all__ = ["AnswerBlock", "Answers", "answers_of"]


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
    if not isinstance(cells, MeasuredCells):
        return _of_codes(model, cells, informative, answered)
    parts: list[Answers] = [MeasuredAnswers(model, cells, informative)]
    if bool((coded := informative & ~model.measured).any()):
        parts.append(_of_codes(model, cells.coded, coded, answered))
    return parts[0] if len(parts) == 1 else JoinedAnswers(model, cells, parts)


def _of_codes(model: Model, cells: Cells, informative: Tensor, answered: Tensor) -> Answers:
    if isinstance(cells, SparseCells):
        return SparseAnswers(model, cells, informative)
    assert isinstance(cells, DenseCells)
    if bool((answered[informative] == cells.n_persons).all()):
        return CompleteAnswers(model, cells, informative)
    return IncompleteAnswers(model, cells, informative)
