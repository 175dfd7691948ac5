"""Priors that tie the items of a model together, and whose spread is learned from the data."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

NO_PRECISION = 1e-10
"""Share of the largest eigenvalue of a precision at or below which a direction has none."""


@dataclass(frozen=True)
class JointNormal:
    """A normal density of some free parameters with mean 0 and precision ``diag(precision) - U U'``.

    Items that share an unknown mean have such a prior: the low-rank part says that moving all of them
    together costs little (or nothing, where the mean is wholly unknown and the density improper).

    Attributes
    ----------
    index : Int[Tensor, " tied"]
        Positions in the free vector.
    precision : Float[Tensor, " tied"]
    common : Float[Tensor, "tied rank"]
        The matrix U.
    mean : Float[Tensor, " tied"]
    log_normaliser : float
        Half the log (pseudo-)determinant of the precision less the powers of 2 pi.
    """

    index: Int[Tensor, " tied"]
    precision: Float[Tensor, " tied"]
    common: Float[Tensor, "tied rank"]
    mean: Float[Tensor, " tied"]
    log_normaliser: float

    def gradient(self, free: Float[Tensor, " n_free"]) -> Float[Tensor, " tied"]:
        """Gradient of the log density with respect to the tied parameters."""
        x = free[self.index] - self.mean
        return self.common @ (self.common.T @ x) - self.precision * x

    def log_prob(self, free: Float[Tensor, " n_free"]) -> Tensor:
        """Log density, nats."""
        x = free[self.index] - self.mean
        return (
            0.5 * ((self.common.T @ x).square().sum() - (self.precision * x.square()).sum())
            + self.log_normaliser
        )

    def scattered(self, n_free: int) -> Float[Tensor, "n_free rank"]:
        """U over the whole free vector."""
        out = self.common.new_zeros(n_free, self.common.shape[1])
        return out.index_copy(0, self.index, self.common)

    def narrowed(self, new_index: Int[Tensor, " tied"], values: Float[Tensor, " tied"]) -> "JointNormal":
        """The density of those that stay free (a new index of at least 0), given values of the others."""
        stays = new_index >= 0
        if bool(stays.all()):
            return JointNormal(new_index, self.precision, self.common, self.mean, self.log_normaliser)
        held = ~stays
        pull = self.common[stays] @ (self.common[held].T @ (values[held] - self.mean[held]))
        kept = torch.diag(self.precision[stays]) - self.common[stays] @ self.common[stays].T
        mean = self.mean[stays] + pseudo_solved(kept, pull)
        normaliser = log_normaliser(kept)
        return JointNormal(new_index[stays], self.precision[stays], self.common[stays], mean, normaliser)

    def to(self, device: torch.device) -> "JointNormal":
        return JointNormal(
            self.index.to(device), self.precision.to(device), self.common.to(device),
            self.mean.to(device), self.log_normaliser,
        )  # fmt: skip


def pseudo_solved(precision: Float[Tensor, "tied tied"], pull: Float[Tensor, " tied"]) -> Float[Tensor, " tied"]:
    """Shortest solution of ``precision x = pull``; directions without precision are left out.

    Not by LAPACK's least squares, whose last bits differ from call to call.
    """
    eigenvalues, vectors = torch.linalg.eigh(precision)
    proper = eigenvalues > NO_PRECISION * eigenvalues.max()
    return vectors[:, proper] @ ((vectors[:, proper].T @ pull) / eigenvalues[proper])


def log_normaliser(precision: Float[Tensor, "tied tied"]) -> float:
    """Log normalising constant of a normal density; directions without precision are left out."""
    eigenvalues = torch.linalg.eigvalsh(precision)
    proper = eigenvalues[eigenvalues > NO_PRECISION * eigenvalues.max()]
    return 0.5 * float(proper.log().sum()) - 0.5 * len(proper) * math.log(2 * math.pi)


@dataclass(frozen=True)
class Hyperparameter:
    """A positive number that a hierarchy learns.

    Attributes
    ----------
    name, label : str
    start : float
    low, high : float
        Range in which it is looked for.
    scale : float
        Scale of its half-normal prior.
    optional : bool
        Whether it is 0 unless the data ask for it.
    mixed : bool
        Whether its uncertainty goes into the items' covariance.
    """

    name: str
    label: str
    start: float
    low: float
    high: float
    scale: float
    optional: bool = False
    mixed: bool = False

    def log_prior(self, value: float) -> float:
        """Log density, up to a constant."""
        return -0.5 * (value / self.scale) ** 2


class Hierarchy(ABC):
    """How the items' parameters are distributed among items, given a few hyperparameters."""

    hyperparameters: tuple[Hyperparameter, ...]
    tied: frozenset[str]
    """Names of the item parameters that have their prior from here."""
    deviations: str
    """Name of the one of these that is 0 in a simple model, from which a search can start."""

    def start(self) -> dict[str, float]:
        """Hyperparameters before the data speak."""
        return {h.name: 0.0 if h.optional else h.start for h in self.hyperparameters}

    @abstractmethod
    def prior(
        self,
        hyper: Mapping[str, float],
        values: Mapping[str, Float[Tensor, "members size"]],
        index: Mapping[str, Int[Tensor, "members size"]],
    ) -> JointNormal:
        """The joint prior of the free parameters.

        Parameters
        ----------
        hyper : mapping
            Hyperparameters by name.
        values : mapping
            Unconstrained values by parameter name; what the prior mean depends on is read from them.
        index : mapping
            Position of every number in the free vector, -1 where held.
        """
