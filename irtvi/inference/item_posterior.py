"""Curvature of the marginal posterior of the items, and the Gaussian that follows from it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.models.model import Model

FULL_LIMIT = 3000
"""Most free parameters for which the full information matrix is built; beyond, a block for each item."""


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
