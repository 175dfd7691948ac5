"""Curvature of the marginal posterior of the items, and the Gaussian that follows from it.

The observed information of a marginal likelihood is the expected complete-data information minus the
covariance, over each person's posterior of ability, of that person's complete-data score (Louis 1982). The
second part is what not knowing abilities costs. A person's score at a node is read off a table over a fine
grid that all share, so no formula is evaluated per response.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.nodes import Grid
from irtvi.inference.table import finite, slot_derivatives
from irtvi.models.model import Component, Model
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

    @abstractmethod
    def coloured(self, noise: Float[Tensor, "draws n_free"]) -> Float[Tensor, "draws n_free"]:
        """Standard normal noise turned into noise with the inverse as covariance."""


@dataclass(frozen=True)
class FullCurvature(Curvature):
    """Held as a Cholesky factor."""

    factor: Float[Tensor, "n_free n_free"]

    def solve(self, gradient: Float[Tensor, " n_free"]) -> Float[Tensor, " n_free"]:
        return torch.cholesky_solve(gradient[:, None], self.factor)[:, 0]

    def covariance_diagonal(self) -> Float[Tensor, " n_free"]:
        return self.covariance().diagonal()

    def coloured(self, noise: Float[Tensor, "draws n_free"]) -> Float[Tensor, "draws n_free"]:
        return torch.linalg.solve_triangular(self.factor.T, noise.T, upper=True).T

    def covariance(self) -> Float[Tensor, "n_free n_free"]:
        """The inverse."""
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

    inverses: Sequence[Float[Tensor, "_members _slots _slots"]]
    indices: Sequence[Int[Tensor, "_members _slots"]]
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

    def coloured(self, noise: Float[Tensor, "draws n_free"]) -> Float[Tensor, "draws n_free"]:
        out = torch.zeros_like(noise)
        for inverse, index in zip(self.inverses, self.indices, strict=True):
            local = torch.where(index >= 0, noise[:, index.clamp(min=0)], 0.0)
            mixed = torch.einsum("nst,dnt->dns", torch.linalg.cholesky(inverse), local)
            out[:, index[index >= 0]] = mixed[:, index >= 0]
        return out


@dataclass(frozen=True)
class CoupledCurvature(Curvature):
    """Blocks less a matrix of low rank: items tied together by a common prior (Woodbury's identity).

    Attributes
    ----------
    blocks : BlockCurvature
    spread : Float[Tensor, "n_free rank"]
        The inverse is that of the blocks plus ``spread spread'``.
    """

    blocks: BlockCurvature
    spread: Float[Tensor, "n_free rank"]

    @staticmethod
    def of(blocks: BlockCurvature, common: Float[Tensor, "n_free rank"]) -> "CoupledCurvature | None":
        """The blocks less ``common common'``; None if that is not positive definite."""
        solved = torch.stack([blocks.solve(column) for column in common.T], 1)
        inner = torch.eye(common.shape[1], dtype=common.dtype, device=common.device) - common.T @ solved
        factor, failed = torch.linalg.cholesky_ex(inner)
        if int(failed):
            return None
        return CoupledCurvature(blocks, torch.linalg.solve_triangular(factor, solved.T, upper=False).T)

    def solve(self, gradient: Float[Tensor, " n_free"]) -> Float[Tensor, " n_free"]:
        return self.blocks.solve(gradient) + self.spread @ (self.spread.T @ gradient)

    def covariance_diagonal(self) -> Float[Tensor, " n_free"]:
        return self.blocks.covariance_diagonal() + self.spread.square().sum(1)

    def coloured(self, noise: Float[Tensor, "draws n_free"]) -> Float[Tensor, "draws n_free"]:
        return self.within_items().coloured(noise)

    def within_items(self) -> BlockCurvature:
        """The same covariance within items, none between them."""
        inverses = []
        for inverse, index in zip(self.blocks.inverses, self.blocks.indices, strict=True):
            own = torch.where((index >= 0)[..., None], self.spread[index.clamp(min=0)], 0.0)
            inverses.append(inverse + own @ own.transpose(1, 2))
        return BlockCurvature(inverses, self.blocks.indices, self.blocks.n_free)


@dataclass(frozen=True)
class DiagonalCurvature(Curvature):
    """Variances alone, as a mean-field posterior has them."""

    variance: Float[Tensor, " n_free"]

    def solve(self, gradient: Float[Tensor, " n_free"]) -> Float[Tensor, " n_free"]:
        return self.variance * gradient

    def covariance_diagonal(self) -> Float[Tensor, " n_free"]:
        return self.variance

    def coloured(self, noise: Float[Tensor, "draws n_free"]) -> Float[Tensor, "draws n_free"]:
        return noise * self.variance.sqrt()


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


@dataclass(frozen=True)
class PersonNodes:
    """Nodes around a person's posterior mean, as multiples of the posterior sd.

    Attributes
    ----------
    n_nodes : int
        Odd.
    spacing : float
        In posterior sds; below about 1.2 the trapezoid rule is accurate to 1e-6.
    """

    n_nodes: int
    spacing: float


ROUGH = PersonNodes(5, 1.3)
FINE = PersonNodes(11, 0.8)
GRAIN = 6
"""The table is this many times finer than the narrowest person's spacing, so that nodes can be rounded to it."""
MOST_TABLE_NODES = 4000


class _ScoreTable:
    """Log-probabilities and slot derivatives of one component on a fine grid, by category."""

    def __init__(self, component: Component, theta: Tensor, free: Tensor, excluded: Tensor) -> None:
        values = component.slots.free_values(free)

        def table(v: Tensor) -> Tensor:
            return component.log_probs(theta, v)

        log_probs = finite(table(values))
        first = torch.stack([finite(f) for f in slot_derivatives(table, values)], -1)
        self.log_probs = [x.float().contiguous() for x in log_probs.unbind(2)]
        self.first = [x.float().contiguous() for x in first.unbind(2)]
        self.items, self.excluded = component.items, excluded[component.items]

    def indicators(self, codes: Tensor) -> list[Float[Tensor, "some members"]]:
        """For each category, who chose it."""
        given = codes[:, self.items]
        return [((given == code) & ~self.excluded).float() for code in range(len(self.first))]

    def log_likelihood(self, indicators: list[Tensor]) -> Float[Tensor, "some table_nodes"]:
        return sum((chosen @ log_probs.T for chosen, log_probs in zip(indicators, self.log_probs, strict=True)))  # type: ignore[return-value]

    def scores(self, indicators: list[Tensor], node: Int[Tensor, "some nodes"]) -> Float[Tensor, "rows members slots"]:
        """Derivatives of each person's log-likelihood by the slots of each item, at the person's nodes."""
        total = None
        for chosen, first in zip(indicators, self.first, strict=True):
            part = first[node].mul_(chosen[:, None, :, None])
            total = part if total is None else total.add_(part)
        assert total is not None
        return total.flatten(0, 1)


def _scores(
    model: Model,
    cells: Cells,
    free: Tensor,
    persons: Tensor,
    mean: Tensor,
    sd: Tensor,
    groups: Tensor,
    nodes: PersonNodes,
) -> Iterator[tuple[Tensor, Float[Tensor, "some nodes n_free"], Float[Tensor, "some nodes"]]]:
    """For chunks of persons: which, complete-data scores at their nodes, posterior weights of the nodes."""
    half = (nodes.n_nodes - 1) // 2
    low = float((mean - half * nodes.spacing * sd).min())
    high = float((mean + half * nodes.spacing * sd).max())
    grain = max(float(sd.min()) * nodes.spacing / GRAIN, (high - low) / MOST_TABLE_NODES)
    grid = Grid.covering(low, high, grain)
    theta = grid.theta(free.device)
    tables = [_ScoreTable(component, theta, free, model.excluded) for component in model.components]
    values = model.population_slots.free_values(free)

    def density(v: Tensor) -> Tensor:
        return model.population_log_prob(theta, v)

    log_density = density(values)
    population_free = bool((model.population_slots.index >= 0).any())
    population_first = torch.stack(slot_derivatives(density, values), -1) if population_free else None
    stride = (nodes.spacing * sd / grid.spacing).round().clamp(min=1.0).long()
    centre = ((mean - grid.low) / grid.spacing).round().long()
    offsets = torch.arange(-half, half + 1, device=free.device)
    node = (centre[:, None] + stride[:, None] * offsets).clamp(0, grid.n_nodes - 1)
    n_numbers = 2 * sum(t.first[0][0].numel() for t in tables) + model.n_free
    chunk = max(8, CHUNK_BYTES // (4 * max(nodes.n_nodes * n_numbers, grid.n_nodes)))
    for part in torch.arange(len(persons), device=free.device).split(chunk):
        codes = cells.take(persons[part]).to_dense().codes
        at = node[part]
        log_joint = log_density[at, groups[part, None]]
        scores = torch.zeros(at.numel(), model.n_free, device=free.device)
        if population_first is not None:
            own = torch.zeros(*at.shape, *values.shape, dtype=torch.float64, device=free.device)
            own[torch.arange(len(part))[:, None], torch.arange(nodes.n_nodes), groups[part, None]] = population_first[
                at, groups[part, None]
            ]
            model.population_slots.add_columns(own.flatten(0, 1).float(), scores)
        for component, table in zip(model.components, tables, strict=True):
            indicators = table.indicators(codes)
            log_joint = log_joint + table.log_likelihood(indicators).gather(1, at)
            component.slots.add_columns(table.scores(indicators, at), scores)
        yield part, scores.view(*at.shape, model.n_free), torch.softmax(log_joint, 1).float()


def missing_information(
    model: Model,
    cells: Cells,
    free: Float[Tensor, " n_free"],
    persons: Int[Tensor, " some"],
    mean: Float[Tensor, " some"],
    sd: Float[Tensor, " some"],
    weights: Float[Tensor, " some"] | None,
    groups: Int[Tensor, " some"],
    nodes: PersonNodes = FINE,
) -> Float[Tensor, "n_free n_free"]:
    """Sum over persons of the posterior covariance of their complete-data scores.

    Parameters
    ----------
    persons : Int[Tensor, " some"]
        Rows of ``cells`` to sum over.
    mean, sd : Float[Tensor, " some"]
        Their posterior moments, which place the nodes; the nodes are weighted by the exact log joint.
    weights : Float[Tensor, " some"] or None
        Weight of each person in the sum.
    nodes : PersonNodes
    """
    total = torch.zeros(model.n_free, model.n_free, dtype=torch.float64, device=free.device)
    for part, scores, posterior in _scores(model, cells, free, persons, mean, sd, groups, nodes):
        scores -= posterior[:, None] @ scores
        spread = posterior if weights is None else posterior * weights[part, None].float()
        rows = scores.mul_(spread.sqrt()[..., None]).flatten(0, 1)
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
    nodes: PersonNodes = FINE,
) -> Float[Tensor, "some n_free"]:
    """Gradient of every person's log marginal likelihood with respect to the free parameters."""
    out = torch.zeros(len(persons), model.n_free, dtype=torch.float64, device=free.device)
    for part, scores, posterior in _scores(model, cells, free, persons, mean, sd, groups, nodes):
        out[part] = (posterior[:, None] @ scores)[:, 0].double()
    return out


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
