"""What not knowing the items exactly adds to the sd of a person's ability, by the delta method."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.item_posterior import BlockCurvature, Curvature, FullCurvature
from irtvi.inference.table import finite, slot_derivatives
from irtvi.models.model import Component, Model
from irtvi.responses.cells import Cells, DenseCells
from irtvi.results.person_posterior import posterior_blocks

BLOCK_NUMBERS = 2_000_000
"""Numbers in a block of persons x items x slots."""


def sd_items(
    model: Model,
    free: Float[Tensor, " n_free"],
    curvature: Curvature | None,
    cells: Cells,
    groups: Int[Tensor, " persons"],
) -> Float[Tensor, " persons"]:
    """Standard deviation of each person's EAP that comes from the items' posterior.

    Parameters
    ----------
    curvature : Curvature or None
        Precision of the free parameters; None gives NaN, no free parameters 0.

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
    spread = _spread_of(model, curvature)
    tables: _Derivatives | None = None
    for block in posterior_blocks(model, free, cells, groups):
        if tables is None:
            tables = _Derivatives(model, block.theta[:, None], free)
        pull = block.weights * (block.theta - block.mean[:, None])
        size = max(16, BLOCK_NUMBERS // tables.n_numbers)
        for rows in torch.arange(len(pull), device=free.device).split(size):
            persons = block.persons[rows]
            codes = _codes(cells, persons)
            parts = tables.covariances(pull[rows].float(), codes, groups[persons])
            out[persons] = spread(parts).double().clamp(min=0.0).sqrt()
    return out


def _codes(cells: Cells, persons: Tensor) -> Tensor:
    return cells.codes[persons] if isinstance(cells, DenseCells) else cells.take(persons).to_dense().codes


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
        self.n_numbers = sum(c.slots.index.numel() for c in model.components) + model.n_free

    def _component(
        self, component: Component, theta: Tensor, free: Tensor
    ) -> Float[Tensor, "codes nodes columns"]:
        values = component.slots.free_values(free)
        first = slot_derivatives(lambda v: component.log_probs(theta, v), values)
        table = torch.stack([finite(f) for f in first], -1)
        table[:, self.model.excluded[component.items]] = 0.0
        return table.permute(2, 0, 1, 3).flatten(2).float()

    def covariances(
        self,
        pull: Float[Tensor, "block nodes"],
        codes: Int[Tensor, "block items"],
        groups: Int[Tensor, " block"],
    ) -> list[Float[Tensor, "block members slots"]]:
        """Posterior covariance of ability with the derivative by every slot, for each part of the model."""
        out = []
        for component, table in zip(self.model.components, self.components, strict=True):
            given = codes[:, component.items]
            shape = len(given), len(component.items), component.slots.n_slots
            total = torch.zeros(shape, dtype=pull.dtype, device=pull.device)
            for code, rows in enumerate(table):
                total += (pull @ rows).view(shape) * (given == code)[:, :, None]
            out.append(total)
        slots = self.model.population_slots
        total = torch.zeros(len(pull), *slots.index.shape, dtype=pull.dtype, device=pull.device)
        if self.population is not None:
            mine = torch.einsum("pk,kgs->pgs", pull, self.population)
            member = torch.arange(len(slots.index), device=pull.device)
            total = torch.where((groups[:, None] == member)[:, :, None], mine, 0.0)
        out.append(total)
        return out


def _spread_of(model: Model, curvature: Curvature):
    """Function from covariances with all slots to the variance that the parameters' posterior implies."""
    if isinstance(curvature, FullCurvature):
        identity = torch.eye(model.n_free, dtype=torch.float64, device=curvature.factor.device)
        inverse_factor = torch.linalg.solve_triangular(curvature.factor, identity, upper=False)
        whitening = inverse_factor.T.float().contiguous()

        def full(parts: list[Tensor]) -> Float[Tensor, " block"]:
            gradient = torch.zeros(len(parts[0]), model.n_free, dtype=parts[0].dtype, device=parts[0].device)
            for part, values in zip(model.parts, parts, strict=True):
                used = (part.index >= 0).flatten()
                gradient.index_add_(1, part.index.flatten()[used], values.flatten(1)[:, used])
            return (gradient @ whitening).square().sum(1)

        return full
    assert isinstance(curvature, BlockCurvature)
    inverses = [
        torch.where((index >= 0)[:, :, None] & (index >= 0)[:, None, :], inverse, 0.0).float()
        for inverse, index in zip(curvature.inverses, curvature.indices, strict=True)
    ]

    def blocks(parts: list[Tensor]) -> Float[Tensor, " block"]:
        total = torch.zeros(len(parts[0]), dtype=parts[0].dtype, device=parts[0].device)
        for inverse, values in zip(inverses, parts, strict=True):
            total += torch.einsum("pms,mst,pmt->p", values, inverse, values)
        return total

    return blocks
