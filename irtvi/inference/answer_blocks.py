"""What a pass needs from answers, and blocks of persons in matrix form or as lists."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding_bag

from irtvi.models.model import Model
from irtvi.responses.cells import Cells


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
