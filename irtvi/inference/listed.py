"""Answers of a component one by one: who gave them, to which item, and how they choose from coefficients."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.measured import listed_statistics
from irtvi.models.model import Component
from irtvi.responses.cells import Cells
from irtvi.responses.measures import MeasuredCells


@dataclass(frozen=True)
class ListedAnswers:
    """Answers to the items of one component.

    Attributes
    ----------
    person, member : Int[Tensor, " answers"]
        Row of the cells, and place of the item in the component.
    statistics : Tensor
        Category codes ``[answers]``, or statistics ``[answers, statistics]`` where answers are measured.
    """

    person: Int[Tensor, " answers"]
    member: Int[Tensor, " answers"]
    statistics: Tensor

    def choose(self, coefficients: Float[Tensor, "*batch answers statistics"]) -> Float[Tensor, "*batch answers"]:
        """Log-probability (or log density) of each answer, or any other number linear in coefficients."""
        if self.statistics.ndim == 1:
            code = self.statistics.expand(coefficients.shape[:-1])
            return coefficients.gather(-1, code[..., None])[..., 0]
        return (coefficients * self.statistics.to(coefficients.dtype)).sum(-1)

    def part(self, rows: Int[Tensor, " some"]) -> "ListedAnswers":
        """Some of the answers."""
        return ListedAnswers(self.person[rows], self.member[rows], self.statistics[rows])


def listed(component: Component, excluded: Tensor, cells: Cells) -> ListedAnswers:
    """The answers to those items of a component that take part in the likelihood."""
    if component.is_measured:
        assert isinstance(cells, MeasuredCells)
        person, member, statistics = listed_statistics(component, cells.measures, cells.n_items)
        kept = ~excluded[component.items[member]]
        return ListedAnswers(person[kept], member[kept], statistics[kept])
    persons, items, codes = cells.pairs()
    place = torch.full_like(excluded, -1, dtype=torch.long)
    place[component.items] = torch.arange(len(component.items), device=place.device)
    mine = (place[items] >= 0) & ~excluded[items]
    return ListedAnswers(persons[mine], place[items[mine]], codes[mine])
