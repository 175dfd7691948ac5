"""Complete-data information less what is missing of it, as a curvature to step by."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.inference.item_posterior import (
    BlockCurvature,
    CoupledCurvature,
    Curvature,
    FullCurvature,
    full_matrix,
    member_blocks,
    uses_blocks,
)
from irtvi.models.model import Model

Missing = Tensor | Sequence[Tensor]
"""Missing information: a matrix over the free parameters, or one block for each item."""


def curvature_of(
    model: Model, information: Sequence[Tensor], prior_curvature: Tensor, missing: Missing | None
) -> Curvature | None:
    """Information and prior, less the missing information; None if that is not positive definite."""
    common = model.log_prior.common()
    if uses_blocks(model):
        blocks = member_blocks(model, information, prior_curvature)
        if missing is not None:
            blocks = [block - lost for block, lost in zip(blocks, _of_free_slots(model, missing), strict=True)]
        inverses = []
        for block in blocks:
            factor, info = torch.linalg.cholesky_ex(block)
            if bool((info > 0).any()):
                return None
            inverses.append(torch.cholesky_inverse(factor))
        curvature = BlockCurvature(inverses, [p.index for p in model.parts], model.n_free)
        return curvature if common is None else CoupledCurvature.of(curvature, common)
    matrix = _complete_matrix(model, information, prior_curvature)
    if missing is not None:
        assert isinstance(missing, Tensor)
        matrix -= missing
    factor, info = torch.linalg.cholesky_ex(matrix)
    return None if int(info) > 0 else FullCurvature(factor)


def _complete_matrix(
    model: Model, information: Sequence[Tensor], prior_curvature: Tensor
) -> Float[Tensor, "n_free n_free"]:
    """Information and prior as one matrix, a little more than nothing where there is none."""
    matrix = full_matrix(model, information, prior_curvature)
    common = model.log_prior.common()
    if common is not None:
        matrix -= common @ common.T
    diagonal = matrix.diagonal()
    diagonal += 1e-9 * (1.0 + diagonal)
    return matrix


def _of_free_slots(model: Model, missing: Missing) -> list[Tensor]:
    """Missing information by item, 0 for slots that are held."""
    held = [part.index < 0 for part in model.parts]
    return [torch.where(h[:, :, None] | h[:, None, :], 0.0, lost) for lost, h in zip(missing, held, strict=True)]


class AtMost:
    """Missing information, of which no direction may lose more than some share of its complete-data information.

    A sample of persons tells the missing information up to noise, by which more may seem to be missing than there is
    where nearly all of it is. The rest stays as it is: a share of the whole would slow the search down everywhere.
    """

    def __init__(
        self, model: Model, information: Sequence[Tensor], prior_curvature: Tensor, missing: Missing | None
    ) -> None:
        self._whole = missing
        pairs: list[tuple[Tensor, Tensor]] = []
        if missing is not None and uses_blocks(model):
            blocks = member_blocks(model, information, prior_curvature)
            pairs = list(zip(blocks, _of_free_slots(model, missing), strict=True))
        elif missing is not None:
            assert isinstance(missing, Tensor)
            pairs = [(_complete_matrix(model, information, prior_curvature), missing)]
        self._spectra = [_Spectrum.of(*pair) for pair in pairs]

    def share(self, share: float) -> Missing | None:
        """With that share at most."""
        lessened = [spectrum.at_most(share) for spectrum in self._spectra]
        return lessened[0] if isinstance(self._whole, Tensor) else lessened or None

    def longest(self, share: float, gradient: Float[Tensor, " n_free"]) -> float:
        """Largest component of a step, where the information is one matrix."""
        return float(self._spectra[0].step(share, gradient).abs().max()) if isinstance(self._whole, Tensor) else 0.0


@dataclass(frozen=True)
class _Spectrum:
    """Missing information relative to complete information.

    Attributes
    ----------
    missing : Float[Tensor, "*batch n n"]
    shares : Float[Tensor, "*batch n"]
        1 where all is missing.
    axes : Float[Tensor, "*batch n n"]
        Columns, with ``missing = axes diag(shares) axes'`` and ``complete = axes axes'``.
    inverse : Float[Tensor, "*batch n n"]
        Of the axes, transposed.
    """

    missing: Float[Tensor, "*batch n n"]
    shares: Float[Tensor, "*batch n"]
    axes: Float[Tensor, "*batch n n"]
    inverse: Float[Tensor, "*batch n n"]

    @staticmethod
    def of(complete: Float[Tensor, "*batch n n"], missing: Float[Tensor, "*batch n n"]) -> "_Spectrum":
        root = torch.linalg.cholesky(complete)
        half = torch.linalg.solve_triangular(root, missing, upper=False)
        relative = torch.linalg.solve_triangular(root, half.mT, upper=False)
        shares, vectors = torch.linalg.eigh(0.5 * (relative + relative.mT))
        inverse = torch.linalg.solve_triangular(root.mT, vectors, upper=True)
        return _Spectrum(missing, shares, root @ vectors, inverse)

    def at_most(self, share: float) -> Float[Tensor, "*batch n n"]:
        """The missing information with that share at most of any direction."""
        most = int((self.shares > share).sum(-1).max())
        axes, beyond = self.axes[..., -most:], (self.shares[..., -most:] - share).clamp(min=0.0)
        return self.missing - (axes * beyond[..., None, :]) @ axes.mT if most else self.missing

    def step(self, share: float, gradient: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Newton's step by the complete information less that of :meth:`at_most`."""
        return self.inverse @ ((self.inverse.mT @ gradient) / (1 - self.shares.clamp(max=share)))
