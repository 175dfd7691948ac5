"""Derivatives of the log-likelihood of every answer by the free parameters, as tables over nodes.

What a person's posterior of ability says about a derivative is then one product of weights with the tables, from
which each answer chooses its entries; no formula is evaluated per response.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from irtvi.inference.listed import ListedAnswers, listed
from irtvi.inference.measured import statistics_matrix
from irtvi.inference.table import component_derivatives
from irtvi.models.derivatives import slot_derivatives
from irtvi.models.model import Component, Model
from irtvi.responses.cells import Cells
from irtvi.responses.measures import MeasuredCells

Derivatives = Callable[[Component, Tensor, Tensor], list[Tensor]]
"""From a component, nodes and slot values: derivatives ``[nodes, members, statistics]`` by slot."""


@dataclass(frozen=True)
class _ComponentTable:
    """One component: a column for each number of an item that is read from the free vector.

    Attributes
    ----------
    by_code : Float[Tensor, "codes nodes columns"]
        Derivative of the log-probability of a code.
    member, slot, target : Int[Tensor, " columns"]
        Item, by its place in the component, its number, and the position in the free vector.
    repeats : int or None
        How often all items follow each other; None where some numbers of items are held.
    """

    by_code: Float[Tensor, "codes nodes columns"]
    member: Int[Tensor, " columns"]
    slot: Int[Tensor, " columns"]
    target: Int[Tensor, " columns"]
    repeats: int | None

    def onto_columns(self, by_member: Float[Tensor, "block members"]) -> Float[Tensor, "block 1 own"]:
        """The same number for all columns of an item, to be broadcast over those that repeat."""
        return (by_member[:, self.member] if self.repeats is None else by_member)[:, None]

    def repeated(self, columns: Float[Tensor, "block columns"]) -> Float[Tensor, "block repeats own"]:
        """Columns side by side with what :meth:`onto_columns` gives."""
        return columns.unflatten(1, (self.repeats or 1, -1))


@dataclass(frozen=True)
class AnswerScores:
    """Numbers for each answer to the items of a component.

    Attributes
    ----------
    values : Float[Tensor, "answers slots"]
    person : Int[Tensor, " answers"]
        Row of the block.
    member : Int[Tensor, " answers"]
        Item, by its place in the component.
    """

    values: Float[Tensor, "answers slots"]
    person: Int[Tensor, " answers"]
    member: Int[Tensor, " answers"]


class ScoreTables:
    """Derivatives at some nodes for all components and the population.

    Parameters
    ----------
    model : Model
    theta : Float[Tensor, "nodes 1"]
    free : Float[Tensor, " n_free"]
    dtype : torch.dtype
        Of the tables and of products with them.
    derivatives : Derivatives
        Of what; by default of the log-probabilities.

    Attributes
    ----------
    target : Int[Tensor, " columns"]
        Position of every column in the free vector; tied parameters have several columns.
    """

    def __init__(
        self,
        model: Model,
        theta: Float[Tensor, "nodes 1"],
        free: Float[Tensor, " n_free"],
        dtype: torch.dtype,
        derivatives: Derivatives = component_derivatives,
    ) -> None:
        self.model, self.dtype = model, dtype
        self.components = [_component_table(model, c, theta, free, dtype, derivatives) for c in model.components]
        slots = model.population_slots
        used = slots.index >= 0
        values = slots.free_values(free)
        # [nodes, groups, slots]; groups other than a person's own say nothing about it.
        self.population: Tensor | None = None
        if bool(used.any()):
            first = slot_derivatives(lambda v: model.population_log_prob(theta, v), values)
            self.population = torch.where(used, torch.stack(first, -1), 0.0).to(dtype)
        self.population_used = used
        self.target = torch.cat([*(table.target for table in self.components), slots.index[used]])
        self._one_each = len(self.target) == model.n_free == len(self.target.unique())

    @property
    def n_columns(self) -> int:
        return len(self.target)

    @property
    def of_items(self) -> slice:
        """The columns that are about items; those of the population follow."""
        return slice(0, self.n_columns - int(self.population_used.sum()))

    def answered(self, cells: Cells) -> list[list[Float[Tensor, "block 1 _own"]]]:
        """For each component and code, who gave it; for each statistic, where answers are measured."""
        out = []
        codes = cells.to_dense().codes
        for component, table in zip(self.model.components, self.components, strict=True):
            if component.is_measured:
                assert isinstance(cells, MeasuredCells)
                statistics = statistics_matrix(component, cells).to(self.dtype)
                out.append([table.onto_columns(statistic) for statistic in statistics.unbind(-1)])
                continue
            own = codes if len(component.items) == codes.shape[1] else codes[:, component.items]
            chose = torch.empty(len(table.by_code), *own.shape, dtype=self.dtype, device=codes.device)
            for code, of_code in enumerate(chose):
                torch.eq(own, code, out=of_code)
            out.append([table.onto_columns(of_code) for of_code in chose])
        return out

    def products(
        self,
        weights: Float[Tensor, "chosen block"],
        rows: slice,
        group: int,
        answered: Sequence[Sequence[Float[Tensor, "block 1 _own"]]],
    ) -> Float[Tensor, "block all_columns"]:
        """Each person's weighted sum over the chosen nodes of the derivatives of the own log joint.

        Parameters
        ----------
        weights : Float[Tensor, "chosen block"]
            Of any sign.
        rows : slice
            Which nodes they belong to.
        group : int
            Of these persons.
        answered : list of list
            From :meth:`answered`.
        """
        out = torch.empty(weights.shape[1], self.n_columns, dtype=self.dtype, device=weights.device)
        by_person, first = weights.T, 0
        for table, given in zip(self.components, answered, strict=True):
            own = out[:, first : first + len(table.target)]
            columns = table.repeated(own)
            for k, (derivative, chose) in enumerate(zip(table.by_code, given, strict=True)):
                if k:
                    columns.addcmul_(table.repeated(by_person @ derivative[rows]), chose)
                else:
                    torch.mm(by_person, derivative[rows], out=own)
                    columns.mul_(chose)
            first += len(table.target)
        if self.population is not None:
            of_group = self.population_used.clone()
            of_group[torch.arange(len(of_group)) != group] = False
            columns = out[:, first:].zero_()
            columns[:, of_group[self.population_used]] = weights.T @ self.population[rows, group][:, of_group[group]]
        return out

    def by_answer(
        self, weights: Float[Tensor, "chosen block"], rows: slice, group: int, cells: Cells
    ) -> Iterator[AnswerScores]:
        """What :meth:`products` adds up, for each component and each answer of the block by itself."""
        by_person = weights.T.contiguous()
        for component, table in zip(self.model.components, self._listed, strict=True):
            answers = listed(component, torch.zeros_like(self.model.excluded), cells)
            own = by_person[answers.person]
            values = torch.stack([_chosen(own, slot, answers, rows) for slot in table], -1)
            yield AnswerScores(values, answers.person, answers.member)
        if self.population is not None:
            values = weights.T @ self.population[rows, group]
            each = torch.arange(len(values), device=values.device)
            yield AnswerScores(values, each, torch.full_like(each, group))

    def by_category(
        self, weights: Float[Tensor, "nodes block categories"], of_population: Float[Tensor, "nodes block"], group: int
    ) -> Float[Tensor, "block all_columns"]:
        """As :meth:`products`, where every answer (column of a table of log-probabilities) has weights of its own."""
        out = weights.new_zeros(weights.shape[1], self.n_columns)
        first = 0
        for table, places in zip(self.components, self.model.component_columns, strict=True):
            columns = out[:, first : first + len(table.target)]
            for code, derivative in enumerate(table.by_code):
                place = places[table.member, code]
                chosen = torch.where(place >= 0, weights[:, :, place.clamp(min=0)], 0.0)
                columns += torch.einsum("kpc,kc->pc", chosen, derivative)
            first += len(table.target)
        if self.population is not None:
            of_group = self.population_used[group]
            columns = torch.zeros(len(out), *self.population_used.shape, dtype=out.dtype, device=out.device)
            columns[:, group, of_group] = of_population.T @ self.population[:, group][:, of_group]
            out[:, first:] = columns[:, self.population_used]
        return out

    @cached_property
    def _listed(self) -> list[Float[Tensor, "_slots _codes _members nodes"]]:
        return [
            self._spread(k, table.by_code).permute(2, 0, 3, 1).contiguous() for k, table in enumerate(self.components)
        ]

    @cached_property
    def member(self) -> Int[Tensor, " columns"]:
        """Which item a column is about; one number for all columns of the population."""
        items = [c.items[table.member] for c, table in zip(self.model.components, self.components, strict=True)]
        population = self.target.new_full((int(self.population_used.sum()),), -1)
        return torch.cat([*items, population])

    def blocks_by_part(
        self, matrix: Float[Tensor, "all_columns all_columns"]
    ) -> list[Float[Tensor, "_members _slots _slots"]]:
        """What a matrix over the columns says within each item, by part of the model; 0 for slots that are held."""
        components = zip(self.model.components, self.components, strict=True)
        places = [(table.member, table.slot, component.slots.index) for component, table in components]
        group, slot = torch.nonzero(self.population_used).unbind(1)
        places.append((group, slot, self.population_used))
        blocks, first = [], 0
        for member, slot, index in places:
            row, column = torch.nonzero(member[:, None] == member).unbind(1)
            block = matrix.new_zeros(*index.shape, index.shape[1])
            block[member[row], slot[row], slot[column]] = matrix[first + row, first + column]
            blocks.append(block)
            first += len(member)
        return blocks

    def by_part(self, columns: Float[Tensor, "block all_columns"]) -> list[Float[Tensor, "block _slots _members"]]:
        """Columns by part of the model, slot and member; 0 where a slot is not read from the free vector."""
        *of_components, of_population = columns.split(
            [*(len(table.target) for table in self.components), int(self.population_used.sum())], 1
        )
        parts = [self._spread(k, own) for k, own in enumerate(of_components)]
        population = columns.new_zeros(len(columns), *self.population_used.shape)
        population[:, self.population_used] = of_population
        return [*parts, population.transpose(1, 2)]

    def _spread(
        self, component: int, columns: Float[Tensor, "*batch columns"]
    ) -> Float[Tensor, "*batch slots members"]:
        table = self.components[component]
        if table.repeats is not None:
            return columns.unflatten(-1, (table.repeats, -1))
        index = self.model.components[component].slots.index
        out = torch.zeros(*columns.shape[:-1], *index.T.shape, dtype=columns.dtype, device=columns.device)
        out[..., table.slot, table.member] = columns
        return out

    def by_free(self, columns: Float[Tensor, "block all_columns"]) -> Float[Tensor, "block n_free"]:
        """Columns by free parameter, added up where several items share one."""
        out = columns.new_zeros(len(columns), self.model.n_free)
        first = 0
        for targets, several in self._neighbours:
            own = columns[:, first : first + len(targets)]
            first += len(targets)
            if several:
                out[:, int(targets[0])] += own.sum(1)
            else:
                out.index_add_(1, targets, own)
        return out

    @cached_property
    def _neighbours(self) -> list[tuple[Int[Tensor, " columns"], bool]]:
        """Targets of columns side by side, and whether these are all the same parameter's."""
        _, counts = torch.unique_consecutive(self.target, return_counts=True)
        runs, alone = [], 0
        for count in [*counts.tolist(), 0]:
            if count == 1:
                alone += 1
                continue
            runs += [(alone, False), (count, True)]
            alone = 0
        sizes = [(size, several) for size, several in runs if size]
        parts = self.target.split([size for size, _ in sizes])
        return [(part, several) for part, (_, several) in zip(parts, sizes, strict=True)]

    def to_multiply(self, columns: Float[Tensor, "block all_columns"]) -> Float[Tensor, "block n_free"]:
        """As :meth:`by_free`, but in the order of the columns, which costs nothing, where each parameter has one."""
        return columns if self._one_each else self.by_free(columns)

    def matrix_by_free(self, products: Float[Tensor, "n_free n_free"]) -> Float[Tensor, "n_free n_free"]:
        """Sums of products of what :meth:`to_multiply` gives, put in the order of the free parameters."""
        if not self._one_each:
            return products
        out = torch.empty_like(products)
        out[self.target[:, None], self.target] = products
        return out


def _chosen(
    weights: Float[Tensor, "answers chosen"],
    slot: Float[Tensor, "codes members nodes"],
    answers: ListedAnswers,
    rows: slice,
) -> Float[Tensor, " answers"]:
    """Weighted sum over nodes of each answer's derivative by one slot."""
    if answers.statistics.ndim == 1:
        return torch.einsum("rk,rk->r", weights, slot[..., rows].contiguous()[answers.statistics, answers.member])
    by_statistic = (weights * slot[..., rows][:, answers.member]).sum(2)
    return (by_statistic.T * answers.statistics.to(weights.dtype)).sum(1)


def _component_table(
    model: Model, component: Component, theta: Tensor, free: Tensor, dtype: torch.dtype, derivatives: Derivatives
) -> _ComponentTable:
    index = component.slots.index
    free_here: Bool[Tensor, "members slots"] = (index >= 0) & ~model.excluded[component.items][:, None]
    # Slot by slot, so that the columns of a slot lie side by side.
    slot, member = torch.nonzero(free_here.T).unbind(1)
    values = component.slots.free_values(free)
    first = torch.stack(derivatives(component, theta, values))
    by_code = first.permute(3, 1, 0, 2).flatten(2).to(dtype)
    repeats = index.shape[1] if bool(free_here.all()) else None
    if repeats is None:
        by_code = by_code[:, :, slot * len(index) + member]
    return _ComponentTable(by_code, member, slot, index[member, slot], repeats)
