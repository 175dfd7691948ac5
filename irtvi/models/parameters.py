"""The one map from the free vector of a search to the full parameters of every part of a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.models.hierarchy import JointNormal
from irtvi.models.items.item_model import Parameters, ParameterSpec, element_name
from irtvi.models.priors import Prior
from irtvi.models.transforms import Transform

HELD = -1


@dataclass(frozen=True)
class Slots:
    """Where the parameters of one part of a model (a family of items, a population) come from.

    A slot is one number of one member (item or group). It is read from the free vector at ``index``, or,
    where ``index`` is -1, from ``held`` (on the unconstrained scale). Parameters that are equal have the
    same index, so equality, sharing and holding are one mechanism.

    Attributes
    ----------
    specs : tuple of ParameterSpec
    transforms : tuple of Transform
        One for each spec; a prior may have narrowed the declared one.
    sizes : tuple of int
        Columns of each spec.
    index : Int[Tensor, "members slots"]
    held : Float[Tensor, "members slots"]
    exists : Bool[Tensor, "members slots"]
        False where a member has no such number (an item with fewer categories).
    """

    specs: tuple[ParameterSpec, ...]
    transforms: tuple[Transform, ...]
    sizes: tuple[int, ...]
    index: Int[Tensor, "members slots"]
    held: Float[Tensor, "members slots"]
    exists: Tensor

    @property
    def n_slots(self) -> int:
        return self.index.shape[1]

    def free_values(self, free: Float[Tensor, "*draws n_free"]) -> Float[Tensor, "*draws members slots"]:
        """Unconstrained values of all slots."""
        if free.shape[-1] == 0:
            return self.held.expand(*free.shape[:-1], *self.held.shape)
        gathered = free[..., self.index.clamp(min=0)]
        return torch.where(self.index >= 0, gathered, self.held)

    def unpack(self, values: Float[Tensor, "*batch slots"]) -> Parameters:
        """Named parameters on the formula's scale from unconstrained slot values."""
        params: Parameters = {}
        column = 0
        for spec, transform, size in zip(self.specs, self.transforms, self.sizes, strict=True):
            value = transform.to_natural(values[..., column : column + size])
            params[spec.name] = value[..., 0] if spec.per == "item" else value
            column += size
        return params

    def natural(self, free: Float[Tensor, "*draws n_free"]) -> Parameters:
        """Named parameters on the formula's scale from the free vector."""
        return self.unpack(self.free_values(free))

    def names(self) -> list[str]:
        """Name of each slot, as priors and tables use it."""
        return [
            element_name(spec, k, size) for spec, size in zip(self.specs, self.sizes, strict=True) for k in range(size)
        ]

    def columns(self) -> dict[str, slice]:
        """Which slots each spec has."""
        ends = list(accumulate(self.sizes))
        return {spec.name: slice(end - size, end) for spec, size, end in zip(self.specs, self.sizes, ends, strict=True)}

    def slot_transforms(self) -> list[Transform]:
        """Transform of each slot."""
        return [t for t, size in zip(self.transforms, self.sizes, strict=True) for _ in range(size)]

    def slot_limits(self) -> Float[Tensor, "2 slots"]:
        """Unconstrained ends of each slot's range."""
        ends = [spec.limits for spec, size in zip(self.specs, self.sizes, strict=True) for _ in range(size)]
        return torch.tensor(ends, dtype=torch.float64, device=self.held.device).T

    def to(self, device: torch.device) -> "Slots":
        return Slots(
            self.specs, self.transforms, self.sizes,
            self.index.to(device), self.held.to(device), self.exists.to(device),
        )  # fmt: skip

    def collect(self, by_slot: Float[Tensor, "members slots"], n_free: int) -> Float[Tensor, " n_free"]:
        """Sum of slot values by free parameter: the transpose of :meth:`free_values` (for gradients)."""
        out = torch.zeros(n_free, dtype=by_slot.dtype, device=by_slot.device)
        used = self.index >= 0
        return out.index_add_(0, self.index[used], by_slot[used])

    def collect_blocks(self, blocks: Float[Tensor, "members slots slots"], out: Float[Tensor, "n_free n_free"]) -> None:
        """Add per-member matrices (information) into a matrix over the free parameters."""
        n_free = len(out)
        rows = self.index[:, :, None].expand_as(blocks)
        columns = self.index[:, None, :].expand_as(blocks)
        used = (rows >= 0) & (columns >= 0)
        out.view(-1).index_add_(0, rows[used] * n_free + columns[used], blocks[used])


@dataclass(frozen=True)
class PriorGroup:
    """Free parameters that have the same prior and transform."""

    prior: Prior
    transform: Transform
    index: Int[Tensor, " parameters"]

    def values(self, free: Float[Tensor, " n_free"]) -> Float[Tensor, " parameters"]:
        """The parameters on the scale of the prior."""
        x = free[self.index]
        return self.transform.to_natural(x) if self.prior.scale == "natural" else x


@dataclass(frozen=True)
class LogPrior:
    """Log prior density of the free vector, with its first two derivatives.

    Attributes
    ----------
    groups : tuple of PriorGroup
        Independent priors.
    n_free : int
    joint : tuple of JointNormal
        Priors that tie parameters together.
    """

    groups: tuple[PriorGroup, ...]
    n_free: int
    joint: tuple[JointNormal, ...] = ()

    def value(self, free: Float[Tensor, " n_free"]) -> Tensor:
        total = free.new_zeros(())
        for group in self.groups:
            total = total + group.prior.log_prob(group.values(free)).sum()
        for joint in self.joint:
            total = total + joint.log_prob(free)
        return total

    def common(self) -> Float[Tensor, "n_free rank"] | None:
        """The matrix U of the part U U' of the Hessian that ties parameters together; None without one.

        The Hessian is this part plus the diagonal that :meth:`derivatives` gives.
        """
        if not self.joint:
            return None
        return torch.cat([joint.scattered(self.n_free) for joint in self.joint], 1)

    def derivatives(
        self, free: Float[Tensor, " n_free"]
    ) -> tuple[Tensor, Float[Tensor, " n_free"], Float[Tensor, " n_free"]]:
        """Value, gradient and diagonal of the Hessian (without :meth:`common`) on the unconstrained scale."""
        value, gradient, second = free.new_zeros(()), torch.zeros_like(free), torch.zeros_like(free)
        if self.groups:
            x = free.detach().clone().requires_grad_(True)
            independent = LogPrior(self.groups, self.n_free).value(x)
            (first,) = torch.autograd.grad(independent, x, create_graph=True)
            (curvature,) = torch.autograd.grad(first.sum(), x, allow_unused=True)
            value, gradient = independent.detach(), first.detach()
            second = second if curvature is None else curvature.detach()
        for joint in self.joint:
            value = value + joint.log_prob(free)
            gradient = gradient.index_add(0, joint.index, joint.gradient(free))
            second = second.index_add(0, joint.index, -joint.precision)
        return value, gradient, second

    def to(self, device: torch.device) -> "LogPrior":
        moved = tuple(PriorGroup(g.prior, g.transform, g.index.to(device)) for g in self.groups)
        return LogPrior(moved, self.n_free, tuple(joint.to(device) for joint in self.joint))


def free_start(slots: Sequence[Slots], n_free: int) -> Float[Tensor, " n_free"]:
    """Free vector at the specs' starting values."""
    start = torch.zeros(n_free, dtype=torch.float64)
    for part in slots:
        values = torch.cat(
            [
                transform.to_free(torch.full((size,), spec.start, dtype=torch.float64))
                for spec, transform, size in zip(part.specs, part.transforms, part.sizes, strict=True)
            ]
        ).expand(part.index.shape)
        used = part.index >= 0
        start[part.index[used]] = values[used]
    return start
