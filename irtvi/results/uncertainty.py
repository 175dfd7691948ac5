"""What not knowing the items exactly adds to the sd of a person's ability, by the delta method."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.item_posterior import BlockCurvature, Curvature, DiagonalCurvature, FullCurvature
from irtvi.inference.nodes import Grid
from irtvi.inference.table import finite, slot_derivatives
from irtvi.models.model import Component, Model
from irtvi.responses.cells import Cells, DenseCells
from irtvi.results.person_posterior import posterior_blocks

BLOCK_NUMBERS = 2_000_000
"""Numbers that a block of persons takes in memory, about."""


def sd_items(
    model: Model,
    free: Float[Tensor, " n_free"],
    curvature: Curvature | None,
    cells: Cells,
    groups: Int[Tensor, " persons"],
    grid: Grid | None = None,
) -> Float[Tensor, " persons"]:
    """Standard deviation of each person's EAP that comes from the items' posterior.

    Parameters
    ----------
    curvature : Curvature or None
        Precision of the free parameters; None gives NaN, no free parameters 0.
    grid : Grid, optional
        Nodes that suit these persons; by default they are found by a pass.

    Notes
    -----
    The derivative of a posterior mean with respect to a parameter is the posterior covariance of ability with
    the derivative of the person's complete-data log-likelihood. At the nodes that derivative is a table, so
    the covariances of everybody are products of weights with one table for each category, of which each
    person's answer chooses an entry. Nothing is drawn, so the numbers are the same at every call.
    """
    out = torch.zeros(cells.n_persons, dtype=torch.float64, device=free.device)
    if model.n_free == 0:
        return out
    if curvature is None:
        return out.fill_(torch.nan)
    variance = _variance_of(model, curvature)
    tables: _Derivatives | None = None
    for block in posterior_blocks(model, free, cells, groups, grid=grid):
        if tables is None:
            tables = _Derivatives(model, block.theta[:, None], free)
        pull = (block.weights * (block.theta - block.mean[:, None])).float()
        size = max(1, BLOCK_NUMBERS // tables.numbers_per_person(cells, len(block.theta)))
        for rows in torch.arange(len(pull), device=free.device).split(size):
            persons = block.persons[rows]
            covariances = tables.covariances(pull[rows], cells.take(persons))
            covariances.append(tables.population_covariance(pull[rows], groups[persons]))
            out[persons] = variance(len(rows), covariances).double().clamp(min=0.0).sqrt()
    return out


@dataclass(frozen=True)
class _Covariances:
    """Posterior covariances of ability with the derivatives by the slots of some (person, member) pairs.

    Attributes
    ----------
    values : Float[Tensor, "pairs slots"]
    person, member : Int[Tensor, " pairs"]
        Row of the block, and item (or group) of the part of the model.
    """

    values: Float[Tensor, "pairs slots"]
    person: Int[Tensor, " pairs"]
    member: Int[Tensor, " pairs"]


class _Derivatives:
    """Derivatives of log-probabilities and of the log density of ability by slot, at nodes (float32)."""

    def __init__(self, model: Model, theta: Float[Tensor, "nodes 1"], free: Float[Tensor, " n_free"]) -> None:
        self.model = model
        self.components = [self._component(c, theta, free) for c in model.components]
        slots = model.population_slots
        values = slots.free_values(free)
        self.population: Tensor | None = None
        if (slots.index >= 0).any():
            first = slot_derivatives(lambda v: model.population_log_prob(theta, v), values)
            self.population = torch.stack(first, -1).float()

    def _component(
        self, component: Component, theta: Tensor, free: Tensor
    ) -> Float[Tensor, "codes nodes members slots"]:
        values = component.slots.free_values(free)
        first = slot_derivatives(lambda v: component.log_probs(theta, v), values)
        table = torch.stack([finite(f) for f in first], -1)
        table[:, self.model.excluded[component.items]] = 0.0
        return table.permute(2, 0, 1, 3).float().contiguous()

    def numbers_per_person(self, cells: Cells, n_nodes: int) -> int:
        """How much memory a person takes in :meth:`covariances`."""
        if isinstance(cells, DenseCells):
            return sum(part.index.numel() for part in self.model.parts) + self.model.n_free
        return max(1, 2 * n_nodes * cells.n_responses // cells.n_persons)

    def covariances(self, pull: Float[Tensor, "block nodes"], cells: Cells) -> list[_Covariances | Tensor]:
        """For each component, ``[block, members, slots]`` or, of lists of answers, the pairs that occur."""
        if isinstance(cells, DenseCells):
            return [self._dense(k, pull, cells.codes) for k in range(len(self.components))]
        persons, items, codes = cells.pairs()
        return [self._listed(k, pull, persons, items, codes) for k in range(len(self.components))]

    def _dense(
        self, k: int, pull: Float[Tensor, "block nodes"], codes: Int[Tensor, "block items"]
    ) -> Float[Tensor, "block members slots"]:
        given = codes[:, self.model.components[k].items]
        shape = *given.shape, self.components[k].shape[-1]
        total = torch.zeros(shape, dtype=pull.dtype, device=pull.device)
        for code, rows in enumerate(self.components[k]):
            total += (pull @ rows.flatten(1)).view(shape) * (given == code)[:, :, None]
        return total

    def _listed(
        self, k: int, pull: Float[Tensor, "block nodes"], persons: Tensor, items: Tensor, codes: Tensor
    ) -> _Covariances:
        member_of = torch.full((self.model.n_items,), -1, dtype=torch.long, device=pull.device)
        own = self.model.components[k].items
        member_of[own] = torch.arange(len(own), device=pull.device)
        mine = member_of[items] >= 0
        person, member, code = persons[mine], member_of[items[mine]], codes[mine]
        table = self.components[k].permute(3, 0, 2, 1)
        values = [torch.einsum("rk,rk->r", pull[person], slot[code, member]) for slot in table]
        return _Covariances(torch.stack(values, -1), person, member)

    def population_covariance(self, pull: Float[Tensor, "block nodes"], groups: Int[Tensor, " block"]) -> _Covariances:
        """The same for the parameters of each person's population."""
        rows = torch.arange(len(pull), device=pull.device)
        if self.population is None:
            n_slots = self.model.population_slots.n_slots
            values = torch.zeros(len(pull), n_slots, dtype=pull.dtype, device=pull.device)
        else:
            values = torch.einsum("pk,kgs->pgs", pull, self.population)[rows, groups]
        return _Covariances(values, rows, groups)


Variance = Callable[[int, list[_Covariances | Tensor]], Float[Tensor, " block"]]


def _variance_of(model: Model, curvature: Curvature) -> Variance:
    """From covariances with all slots to the variance that the parameters' posterior implies."""
    if isinstance(curvature, FullCurvature):
        identity = torch.eye(model.n_free, dtype=torch.float64, device=curvature.factor.device)
        inverse_factor = torch.linalg.solve_triangular(curvature.factor, identity, upper=False)
        whitening = inverse_factor.T.float().contiguous()
        return lambda n, parts: (_gradient(model, n, parts) @ whitening).square().sum(1)
    if isinstance(curvature, DiagonalCurvature):
        variances = curvature.variance.float()
        return lambda n, parts: _gradient(model, n, parts).square() @ variances
    assert isinstance(curvature, BlockCurvature)
    inverses = [
        torch.where((index >= 0)[:, :, None] & (index >= 0)[:, None, :], inverse, 0.0).float()
        for inverse, index in zip(curvature.inverses, curvature.indices, strict=True)
    ]

    def by_member(n: int, parts: list[_Covariances | Tensor]) -> Float[Tensor, " block"]:
        total = torch.zeros(n, device=model.n_categories.device)
        for inverse, part in zip(inverses, parts, strict=True):
            if isinstance(part, Tensor):
                total += torch.einsum("pms,mst,pmt->p", part, inverse, part)
            else:
                own = torch.einsum("rs,rst,rt->r", part.values, inverse[part.member], part.values)
                total.index_add_(0, part.person, own)
        return total

    return by_member


def _gradient(model: Model, n: int, parts: list[_Covariances | Tensor]) -> Float[Tensor, "block n_free"]:
    """Covariances with the free parameters."""
    out = torch.zeros(n, model.n_free, device=model.n_categories.device)
    for slots, part in zip(model.parts, parts, strict=True):
        if isinstance(part, Tensor):
            used = (slots.index >= 0).flatten()
            out.index_add_(1, slots.index.flatten()[used], part.flatten(1)[:, used])
        else:
            index = slots.index[part.member]
            place = part.person[:, None] * model.n_free + index
            out.view(-1).index_add_(0, place[index >= 0], part.values[index >= 0])
    return out
