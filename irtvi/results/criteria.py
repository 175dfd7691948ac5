"""Functions of ability that are maximised for each person, and how they depend on the items."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.inference.score_tables import Derivatives
from irtvi.inference.table import component_derivatives
from irtvi.models.model import Model
from irtvi.results.node_tables import information_derivatives, information_tables, likelihood_tables, third_derivatives


class Criterion(ABC):
    """A function of ability, to be maximised for each person."""

    uses_prior: ClassVar[bool] = False
    derivatives: ClassVar[tuple[Derivatives, ...]] = (component_derivatives,)
    """What the slope's dependence on the parameters is made of; the first is that of the log-probabilities."""

    @abstractmethod
    def columns(self, model: Model, theta: Float[Tensor, "nodes 1"], free: Float[Tensor, " n_free"]) -> list[Tensor]:
        """Tables ``[nodes, columns]`` whose sums over a person's answers :meth:`combine` needs."""

    @abstractmethod
    def combine(
        self, theta: Float[Tensor, " nodes"], sums: list[Tensor], prior: Float[Tensor, "2 nodes 1"]
    ) -> tuple[Float[Tensor, "nodes persons"], Float[Tensor, "nodes persons"]]:
        """The function and its derivative at nodes, from those sums and the log prior with its derivative."""

    def dependence(self, at: "Interpolated") -> list[Float[Tensor, "nodes persons"]]:
        """How the derivative at each person's ability depends on the parameters.

        For each of the tables of :attr:`derivatives` the weights of its nodes: what the products with the answers add
        up to is the derivative of the slope. A log prior's part comes with the first table.
        """
        return [at.slope]


@dataclass(frozen=True)
class Interpolated:
    """Sums over each person's answers at nodes, and how to read them at the person's own ability.

    Attributes
    ----------
    value, slope : Float[Tensor, "nodes persons"]
        Weights that turn values at the nodes into the value and the derivative at that ability.
    sums : list of Float[Tensor, "nodes persons"]
        Of the tables of :meth:`Criterion.columns`.
    """

    value: Float[Tensor, "nodes persons"]
    slope: Float[Tensor, "nodes persons"]
    sums: list[Float[Tensor, "nodes persons"]]

    def of(self, k: int) -> Float[Tensor, " persons"]:
        """The k-th sum at each person's ability."""
        return (self.value * self.sums[k]).sum(0)


class Likelihood(Criterion):
    """The log-likelihood: maximum likelihood."""

    def columns(self, model: Model, theta: Float[Tensor, "nodes 1"], free: Float[Tensor, " n_free"]) -> list[Tensor]:
        tables = likelihood_tables(model, theta, free)
        return [tables.log_probs, tables.score]

    def combine(
        self, theta: Float[Tensor, " nodes"], sums: list[Tensor], prior: Float[Tensor, "2 nodes 1"]
    ) -> tuple[Float[Tensor, "nodes persons"], Float[Tensor, "nodes persons"]]:
        return sums[0], sums[1]


class LogPosterior(Likelihood):
    """Log-likelihood plus log density of the person's population: the posterior mode."""

    uses_prior = True

    def combine(
        self, theta: Float[Tensor, " nodes"], sums: list[Tensor], prior: Float[Tensor, "2 nodes 1"]
    ) -> tuple[Float[Tensor, "nodes persons"], Float[Tensor, "nodes persons"]]:
        return sums[0] + prior[0], sums[1] + prior[1]


class WithJeffreys(Criterion):
    """Log-likelihood plus half the log information (Jeffreys 1946); the "WLE" of R mirt."""

    derivatives = (component_derivatives, information_derivatives)

    def columns(self, model: Model, theta: Float[Tensor, "nodes 1"], free: Float[Tensor, " n_free"]) -> list[Tensor]:
        tables = information_tables(model, theta, free)
        assert tables.information is not None
        assert tables.information_slope is not None
        return [tables.log_probs, tables.score, tables.information, tables.information_slope]

    def combine(
        self, theta: Float[Tensor, " nodes"], sums: list[Tensor], prior: Float[Tensor, "2 nodes 1"]
    ) -> tuple[Float[Tensor, "nodes persons"], Float[Tensor, "nodes persons"]]:
        log_likelihood, score, information, information_slope = sums
        correction = (0.5 * information_slope / information).nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        return log_likelihood + 0.5 * information.log(), score + correction

    def dependence(self, at: Interpolated) -> list[Float[Tensor, "nodes persons"]]:
        information, information_slope = at.of(2), at.of(3)
        of_information = 0.5 * (at.slope - information_slope / information * at.value) / information
        return [at.slope, of_information]


class Warm(Criterion):
    """The function whose derivative is ``score + J / (2 I)`` (Warm 1989; Penfield & Bergeron 2005).

    ``J`` is the sum over items and categories of ``P' P'' / P``. The function itself, an integral of its
    derivative, only serves to choose among several maxima.
    """

    derivatives = (component_derivatives, third_derivatives, information_derivatives)

    def columns(self, model: Model, theta: Float[Tensor, "nodes 1"], free: Float[Tensor, " n_free"]) -> list[Tensor]:
        tables = information_tables(model, theta, free)
        assert tables.information is not None
        assert tables.third is not None
        return [tables.log_probs, tables.score, tables.information, tables.third]

    def combine(
        self, theta: Float[Tensor, " nodes"], sums: list[Tensor], prior: Float[Tensor, "2 nodes 1"]
    ) -> tuple[Float[Tensor, "nodes persons"], Float[Tensor, "nodes persons"]]:
        log_likelihood, score, information, third = sums
        correction = (0.5 * third / information).nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        steps = 0.5 * theta.diff()[:, None] * (correction[1:] + correction[:-1])
        integral = torch.cat([torch.zeros_like(correction[:1]), steps.cumsum(0)])
        return log_likelihood + integral, score + correction

    def dependence(self, at: Interpolated) -> list[Float[Tensor, "nodes persons"]]:
        information, third = at.of(2), at.of(3)
        return [at.slope, 0.5 * at.value / information, -0.5 * third / information.square() * at.value]
