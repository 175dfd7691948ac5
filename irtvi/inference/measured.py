"""Measured answers against table columns: statistics in place of indicators, the same two products."""

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor
from torch.nn.functional import embedding_bag

from irtvi.inference.answer_blocks import AnswerBlock, Answers, DenseBlock
from irtvi.models.items.continuous import ContinuousModel
from irtvi.models.model import Component, Model
from irtvi.responses.cells import SPARSE_BELOW
from irtvi.responses.measures import MeasuredCells, Measures


def listed_statistics(
    component: Component, measures: Measures, n_items: int
) -> tuple[Int[Tensor, " answers"], Int[Tensor, " answers"], Float64[Tensor, "answers statistics"]]:
    """Person, member and statistics of every answer to the items of a component."""
    item_model = component.item_model
    assert isinstance(item_model, ContinuousModel)
    member = torch.full((n_items,), -1, dtype=torch.long, device=measures.items.device)
    member[component.items] = torch.arange(len(component.items), device=member.device)
    of_answer = member[measures.items.long()]
    mine = of_answer >= 0
    of_answer = of_answer[mine]
    statistics = item_model.statistics(measures.values[mine], component.facts.take(of_answer))
    return measures.persons()[mine], of_answer, statistics


def statistics_matrix(component: Component, cells: MeasuredCells) -> Float64[Tensor, "persons members statistics"]:
    """Statistics of the answers to the items of a component; 0 where one is missing."""
    person, member, statistics = listed_statistics(component, cells.measures, cells.n_items)
    out = statistics.new_zeros(cells.n_persons, len(component.items), statistics.shape[1])
    out[person, member] = statistics
    return out


class WeightedBlock(AnswerBlock):
    """A block of persons as lists of columns with a factor each."""

    def __init__(
        self,
        persons: Int[Tensor, " entries"],
        columns: Int[Tensor, " entries"],
        factors: Float64[Tensor, " entries"],
        n_persons: int,
        n_used: int,
    ) -> None:
        self.n_persons = n_persons
        order = torch.argsort(persons, stable=True)
        self.columns, self.factors = columns[order], factors[order]
        self.person_offsets = _offsets(persons, n_persons)
        order = torch.argsort(columns, stable=True)
        self.persons, self.factors_back = persons[order], factors[order]
        self.column_offsets = _offsets(columns, n_used)

    def forward(
        self, table: Float[Tensor, "nodes used"], base: Float[Tensor, " nodes"]
    ) -> Float[Tensor, "nodes persons"]:
        sums = _weighted_sums(table.T, self.columns, self.person_offsets, self.factors)
        return sums.T.contiguous() + base[:, None]

    def backward(self, weights: Float[Tensor, "nodes persons"]) -> Float[Tensor, "nodes used"]:
        return _weighted_sums(weights.T, self.persons, self.column_offsets, self.factors_back).T


def _offsets(places: Int[Tensor, " entries"], n: int) -> Int[Tensor, " bounds"]:
    counts = torch.bincount(places, minlength=n)
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def _weighted_sums(rows: Tensor, places: Tensor, offsets: Tensor, factors: Tensor) -> Tensor:
    rows = rows.contiguous()
    return embedding_bag(
        places, rows, offsets, mode="sum", include_last_offset=True, per_sample_weights=factors.to(rows.dtype)
    )


class MeasuredAnswers(Answers):
    """The measured answers of all persons; a column for each statistic of each item."""

    def __init__(self, model: Model, cells: MeasuredCells, informative: Tensor) -> None:
        super().__init__(model, cells, informative & model.measured)
        self.model, self.cells = model, cells
        self.components = [
            (component, columns)
            for component, columns in zip(model.components, model.component_columns, strict=True)
            if component.is_measured
        ]
        place = torch.full((self.n_columns,), -1, dtype=torch.long, device=self.columns.device)
        place[self.columns] = torch.arange(len(self.columns), device=place.device)
        self.place = place
        n_answers = len(cells.measures.values)
        self.is_sparse = n_answers < SPARSE_BELOW * cells.n_persons * max(1, len(self.items))

    def table(self, log_probs: Float[Tensor, "nodes columns"]) -> tuple[Tensor, Tensor]:
        return log_probs[:, self.columns], log_probs.new_zeros(len(log_probs))

    def block(self, persons: Int[Tensor, " block"]) -> AnswerBlock:
        measures = self.cells.measures.take(persons)
        parts = []
        for component, columns in self.components:
            person, member, statistics = listed_statistics(component, measures, self.cells.n_items)
            place = self.place[columns[member]]
            kept = place[:, 0] >= 0
            each = person[kept][:, None].expand_as(place[kept])
            parts.append((each.flatten(), place[kept].flatten(), statistics[kept].flatten()))
        each, place, factors = (torch.cat(part) for part in zip(*parts, strict=True))
        if self.is_sparse:
            return WeightedBlock(each, place, factors, len(persons), len(self.columns))
        matrix = factors.new_zeros(len(persons), len(self.columns))
        matrix[each, place] = factors
        return DenseBlock(matrix)

    def expand(
        self, used: Float[Tensor, "nodes used"], mass: Float[Tensor, " nodes"]
    ) -> Float[Tensor, "nodes columns"]:
        expected = used.new_zeros(len(used), self.n_columns)
        expected[:, self.columns] = used
        return expected


class JoinedBlock(AnswerBlock):
    """Blocks of the same persons over different columns, side by side."""

    def __init__(self, parts: list[AnswerBlock], widths: list[int]) -> None:
        self.parts, self.widths = parts, widths

    def forward(
        self, table: Float[Tensor, "nodes used"], base: Float[Tensor, " nodes"]
    ) -> Float[Tensor, "nodes persons"]:
        total, *others = zip(self.parts, table.split(self.widths, 1), strict=True)
        log_joint = total[0].forward(total[1].contiguous(), base)
        for part, columns in others:
            log_joint += part.forward(columns.contiguous(), torch.zeros_like(base))
        return log_joint

    def backward(self, weights: Float[Tensor, "nodes persons"]) -> Float[Tensor, "nodes used"]:
        return torch.cat([part.backward(weights) for part in self.parts], 1)


class JoinedAnswers(Answers):
    """Answers of different kinds to different items, side by side."""

    def __init__(self, model: Model, cells: MeasuredCells, parts: list[Answers]) -> None:
        informative = torch.zeros_like(model.excluded)
        for part in parts:
            informative[part.items] = True
        super().__init__(model, cells, informative)
        self.parts = parts
        nothing = torch.zeros(1, self.n_columns, device=self.columns.device)
        self.widths = [part.table(nothing)[0].shape[1] for part in parts]

    def table(self, log_probs: Float[Tensor, "nodes columns"]) -> tuple[Tensor, Tensor]:
        used, base = zip(*(part.table(log_probs) for part in self.parts), strict=True)
        return torch.cat(used, 1), torch.stack(base).sum(0)

    def block(self, persons: Int[Tensor, " block"]) -> AnswerBlock:
        return JoinedBlock([part.block(persons) for part in self.parts], self.widths)

    def expand(
        self, used: Float[Tensor, "nodes used"], mass: Float[Tensor, " nodes"]
    ) -> Float[Tensor, "nodes columns"]:
        parts = zip(self.parts, used.split(self.widths, 1), strict=True)
        return torch.stack([part.expand(columns, mass) for part, columns in parts]).sum(0)
