"""Curvature of the marginal posterior of the items, and the Gaussian that follows from it.

The observed information of a marginal likelihood is the expected complete-data information minus the
covariance, over each person's posterior of ability, of that person's complete-data score (Louis 1982). The
second part is what not knowing abilities costs; it is computed from adaptive Gauss-Hermite nodes.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.table import finite, slot_derivatives
from irtvi.models.model import Model
from irtvi.responses.cells import Cells

FULL_LIMIT = 3000
"""Most free parameters for which the full information matrix is built; beyond, a block for each item."""
CHUNK_BYTES = 48 * 2**20


class Curvature(ABC):
    """A symmetric positive definite matrix over the free parameters, to solve with."""

    @abstractmethod
    def solve(self, gradient: Float[Tensor, " n_free"]) -> Float[Tensor, " n_free"]:
        """The matrix's inverse times a vector."""

    @abstractmethod
    def covariance_diagonal(self) -> Float[Tensor, " n_free"]:
        """Diagonal of the inverse."""


@dataclass(frozen=True)
class FullCurvature(Curvature):
    """Held as a Cholesky factor."""

    factor: Float[Tensor, "n_free n_free"]

    def solve(self, gradient: Float[Tensor, " n_free"]) -> Float[Tensor, " n_free"]:
        return torch.cholesky_solve(gradient[:, None], self.factor)[:, 0]

    def covariance_diagonal(self) -> Float[Tensor, " n_free"]:
        return self.covariance().diagonal()

    def covariance(self) -> Float[Tensor, "n_free n_free"]:
        return torch.cholesky_inverse(self.factor)


@dataclass(frozen=True)
class BlockCurvature(Curvature):
    """One small matrix for each item; free parameters outside of blocks stand alone.

    Attributes
    ----------
    inverses : list of Float[Tensor, "members slots slots"]
    indices : list of Int[Tensor, "members slots"]
        Position of every slot in the free vector, -1 where held.
    """

    inverses: Sequence[Float[Tensor, "members slots slots"]]
    indices: Sequence[Int[Tensor, "members slots"]]
    n_free: int

    def solve(self, gradient: Float[Tensor, " n_free"]) -> Float[Tensor, " n_free"]:
        out = torch.zeros_like(gradient)
        for inverse, index in zip(self.inverses, self.indices, strict=True):
            local = torch.where(index >= 0, gradient[index.clamp(min=0)], 0.0)
            step = (inverse @ local[..., None])[..., 0]
            out[index[index >= 0]] = step[index >= 0]
        return out

    def covariance_diagonal(self) -> Float[Tensor, " n_free"]:
        out = torch.zeros(self.n_free, dtype=torch.float64, device=self.inverses[0].device)
        for inverse, index in zip(self.inverses, self.indices, strict=True):
            out[index[index >= 0]] = inverse.diagonal(dim1=1, dim2=2)[index >= 0]
        return out


def uses_blocks(model: Model) -> bool:
    """Whether information is kept by item: too many free parameters for the full matrix."""
    return model.n_free > FULL_LIMIT and not _has_ties(model)


def _has_ties(model: Model) -> bool:
    used = torch.cat([part.index[part.index >= 0] for part in model.parts])
    return len(used.unique()) < len(used)


def full_matrix(model: Model, blocks: Sequence[Tensor], diagonal: Float[Tensor, " n_free"]) -> Tensor:
    """Per-member blocks of every part, and a diagonal, as one matrix over the free parameters."""
    matrix = torch.diag(diagonal)
    for part, block in zip(model.parts, blocks, strict=True):
        part.collect_blocks(block, matrix)
    return matrix


def member_blocks(model: Model, blocks: Sequence[Tensor], diagonal: Float[Tensor, " n_free"]) -> list[Tensor]:
    """Per-member blocks with a diagonal over the free parameters added; held slots become identity."""
    out = []
    for part, block in zip(model.parts, blocks, strict=True):
        index = part.index
        free = index >= 0
        both = free[:, :, None] & free[:, None, :]
        block = torch.where(both, block, 0.0)
        added = torch.where(free, diagonal[index.clamp(min=0)], 1.0)
        out.append(block + torch.diag_embed(added))
    return out


def missing_information(
    model: Model,
    cells: Cells,
    free: Float[Tensor, " n_free"],
    persons: Int[Tensor, " some"],
    mean: Float[Tensor, " some"],
    sd: Float[Tensor, " some"],
    weights: Float[Tensor, " some"] | None,
    groups: Int[Tensor, " some"],
    n_nodes: int = 7,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "n_free n_free"]:
    """Sum over persons of the posterior covariance of their complete-data scores.

    Parameters
    ----------
    persons : Int[Tensor, " some"]
        Rows of ``cells`` to sum over.
    mean, sd : Float[Tensor, " some"]
        Their posterior moments, which place the nodes; the nodes are reweighted by the exact log joint.
    weights : Float[Tensor, " some"] or None
        Weight of each person in the sum.
    n_nodes : int
        Gauss-Hermite nodes a person.
    """
    total = torch.zeros(model.n_free, model.n_free, dtype=torch.float64, device=free.device)
    n_slots = sum(c.slots.n_slots * len(c.items) * 2 for c in model.components)
    chunk = max(8, CHUNK_BYTES // (n_nodes * 4 * (n_slots + model.n_free)))
    for part in torch.arange(len(persons), device=free.device).split(chunk):
        codes = cells.take(persons[part]).to_dense().codes
        scores, posterior = _scores_at_nodes(
            model, codes, free, mean[part], sd[part], groups[part], n_nodes, dtype
        )
        scores = scores - (posterior[..., None] * scores).sum(1, keepdim=True)
        spread = posterior if weights is None else posterior * weights[part, None].to(dtype)
        rows = (spread.sqrt()[..., None] * scores).flatten(0, 1)
        total += (rows.T @ rows).double()
    return total


def person_scores(
    model: Model,
    cells: Cells,
    free: Float[Tensor, " n_free"],
    persons: Int[Tensor, " some"],
    mean: Float[Tensor, " some"],
    sd: Float[Tensor, " some"],
    groups: Int[Tensor, " some"],
    n_nodes: int = 7,
) -> Float[Tensor, "some n_free"]:
    """Gradient of every person's log marginal likelihood with respect to the free parameters."""
    codes = cells.take(persons).to_dense().codes
    scores, posterior = _scores_at_nodes(model, codes, free, mean, sd, groups, n_nodes, torch.float64)
    return (posterior[..., None] * scores).sum(1)


def _scores_at_nodes(
    model: Model,
    codes: Tensor,
    free: Tensor,
    mean: Tensor,
    sd: Tensor,
    groups: Tensor,
    n_nodes: int,
    dtype: torch.dtype,
) -> tuple[Float[Tensor, "some nodes n_free"], Float[Tensor, "some nodes"]]:
    x, w = np.polynomial.hermite_e.hermegauss(n_nodes)
    x, log_w = torch.as_tensor(x, device=free.device), torch.as_tensor(np.log(w) + x**2 / 2, device=free.device)
    theta = (mean[:, None] + sd[:, None] * x).to(dtype)
    n_persons = len(codes)
    flat = theta.reshape(-1, 1)
    scores = torch.zeros(n_persons * n_nodes, model.n_free, dtype=dtype, device=free.device)
    log_joint = torch.zeros(n_persons * n_nodes, dtype=dtype, device=free.device)
    values = model.population_slots.free_values(free).to(dtype)
    group_of_row = groups.repeat_interleave(n_nodes)[:, None]

    def density(v: Tensor) -> Tensor:
        return model.population_log_prob(flat, v)

    log_joint += density(values).gather(1, group_of_row)[:, 0]
    if (model.population_slots.index >= 0).any():
        own = torch.zeros(len(flat), len(values), dtype=dtype, device=free.device).scatter_(1, group_of_row, 1.0)
        first = torch.stack([f * own for f in slot_derivatives(density, values)], -1)
        scores += model.population_slots.collect_rows(first, model.n_free)
    for component in model.components:
        given = codes[:, component.items].long()
        answered = (given >= 0) & ~model.excluded[component.items]
        picked = given.clamp(min=0)[:, None, :, None].expand(-1, n_nodes, -1, 1).flatten(0, 1)
        own = answered[:, None].expand(-1, n_nodes, -1).flatten(0, 1)
        values = component.slots.free_values(free).to(dtype)

        def table(v: Tensor, component=component) -> Tensor:
            return component.log_probs(flat, v)

        def pick(x: Tensor, picked: Tensor = picked, own: Tensor = own) -> Tensor:
            return torch.where(own, finite(x).gather(2, picked)[..., 0], 0.0)

        log_joint += pick(table(values)).sum(1)
        first = torch.stack([pick(f) for f in slot_derivatives(table, values)], -1)
        scores += component.slots.collect_rows(first, model.n_free)
    posterior = torch.softmax(log_joint.reshape(n_persons, n_nodes).double() + log_w, 1).to(dtype)
    return scores.reshape(n_persons, n_nodes, -1), posterior


def missing_information_by_item(
    model: Model,
    cells: Cells,
    free: Float[Tensor, " n_free"],
    mean: Float[Tensor, " persons"],
    sd: Float[Tensor, " persons"],
    weights: Float[Tensor, " persons"] | None,
    n_nodes: int = 5,
) -> list[Float[Tensor, "members slots slots"]]:
    """The part of the missing information within each item, over all answers, one block list entry a part.

    The nodes carry their Gauss-Hermite weights: the Gaussian of each person's posterior moments stands for
    the posterior. Correlations between items are left out, which is what makes it affordable.
    """
    x, w = np.polynomial.hermite_e.hermegauss(n_nodes)
    x, q = torch.as_tensor(x, device=free.device), torch.as_tensor(w / w.sum(), device=free.device)
    persons, items, codes = cells.pairs()
    out = []
    for component in model.components:
        position = torch.full((model.n_items,), -1, dtype=torch.long, device=free.device)
        position[component.items] = torch.arange(len(component.items), device=free.device)
        mine = (position[items] >= 0) & ~model.excluded[items]
        person, member, code = persons[mine], position[items[mine]], codes[mine].long()
        values = component.slots.free_values(free)
        block = torch.zeros(*values.shape, values.shape[1], dtype=torch.float64, device=free.device)
        for rows in torch.arange(len(person), device=free.device).split(200_000):
            p, m = person[rows], member[rows]
            theta = (mean[p] + sd[p] * x[:, None]).float()
            facts = component.facts.take(m)

            def pairs(v: Tensor, component=component, theta=theta, facts=facts, code=code[rows]) -> Tensor:
                params = component.slots.unpack(v)
                log_probs = component.item_model.log_probs(theta[..., None], params, facts)
                return log_probs.gather(-1, code.expand(len(theta), -1)[..., None])[..., 0]

            first = torch.stack(slot_derivatives(pairs, values[m].float()), -1).double()
            first = first - (q[:, None, None] * first).sum(0)
            weighted = first * (q[:, None, None] if weights is None else (q[:, None] * weights[p])[..., None])
            block.index_add_(0, m, torch.einsum("qrs,qrt->rst", weighted, first))
        out.append(block)
    slots = model.population_slots
    out.append(torch.zeros(*slots.index.shape, slots.n_slots, dtype=torch.float64, device=free.device))
    return out
