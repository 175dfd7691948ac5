"""The seam for item models: one pure formula, from which everything else is derived."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.models.priors import Prior
from irtvi.models.transforms import IDENTITY, Transform

Parameters = dict[str, Tensor]


class Facts(NamedTuple):
    """What is fixed about items: leading axes broadcast against those of the parameters.

    Attributes
    ----------
    n_categories : Int[Tensor, "*items"]
        Number of categories of each item.
    key : Int[Tensor, "*items"]
        Code of the keyed category (-1 without a key), for models of raw answers.
    """

    n_categories: Int[Tensor, "*items"]
    key: Int[Tensor, "*items"]

    def take(self, items: Tensor) -> "Facts":
        """The facts of some items, gathered (one row per response, say)."""
        return Facts(*(fact[items] for fact in self))


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter of an item model.

    Attributes
    ----------
    name : str
        The name in the formula, in priors and in tables.
    label : str
        What it is, for people.
    start : float
        Where the search starts before the data speak.
    prior : Prior or None
        Default prior.
    transform : Transform
        From the unconstrained to the formula's scale.
    per : {"item", "dimension", "step"}
        Event shape: one number, one per latent dimension, or one per category but the first.
    scope : {"item", "shared"}
        Whether every item has its own or all items of the model share it.
    """

    name: str
    label: str
    start: float = 0.0
    prior: Prior | None = None
    transform: Transform = IDENTITY
    per: Literal["item", "dimension", "step"] = "item"
    scope: Literal["item", "shared"] = "item"


class ItemModel(ABC):
    """How the answer to an item depends on ability.

    A subclass states its parameters and one formula, :meth:`log_probs`. Fitting, curves, information,
    scoring, simulation, storage and figures follow from these two.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    reference: ClassVar[str] = ""
    parameters: ClassVar[tuple[ParameterSpec, ...]]
    uses: ClassVar[Literal["scored", "raw"]] = "scored"
    max_categories: ClassVar[int | None] = None
    ordered: ClassVar[bool] = True
    free_population: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def log_probs(
        self, theta: Float[Tensor, "*batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*batch categories"]:
        """Log-probability of every category, in nats.

        Parameters
        ----------
        theta : Float[Tensor, "*batch dims"]
            Abilities.
        params : dict of Tensor
            ``"*batch"`` leading axes, then the event shape of each parameter, on the formula's scale.
        facts : Facts
            What is fixed about the items.

        Returns
        -------
        Float[Tensor, "*batch categories"]
            Categories that an item does not have hold -inf.
        """

    def report(self, params: Parameters, facts: Facts) -> dict[str, Tensor]:
        """Readable columns of the item table as a smooth function of the parameters.

        Standard deviations follow by the delta method. The default is the parameters themselves.
        """
        columns: dict[str, Tensor] = {}
        for spec in self.parameters:
            value = params[spec.name]
            if spec.per == "item":
                columns[spec.name] = value
            else:
                for k in range(value.shape[-1]):
                    columns[element_name(spec, k, value.shape[-1])] = value[..., k]
        return columns

    def unreport(self, columns: dict[str, Any]) -> dict[str, Any]:
        """Parameters from readable columns of one item; the inverse of :meth:`report`.

        Columns that the model does not know are left out by the caller; NaN means free.
        """
        return columns

    def settings(self) -> dict[str, Any]:
        """Constructor arguments, plain values only, so that a saved result can rebuild the model."""
        return {}


def event_size(spec: ParameterSpec, dims: int, n_categories: int) -> int:
    """How many numbers a parameter has for an item with that many categories."""
    return {"item": 1, "dimension": dims, "step": n_categories - 1}[spec.per]


def element_name(spec: ParameterSpec, k: int, size: int) -> str:
    """Name of the k-th number of a parameter: ``a`` in one dimension, ``a1 ..`` in several, ``d1 ..``."""
    if spec.per == "item" or (spec.per == "dimension" and size == 1):
        return spec.name
    return f"{spec.name}{k + 1}"


def two_categories(log_wrong: Tensor, log_right: Tensor) -> Tensor:
    """Stack two log-probabilities on a new last axis, broadcast against each other."""
    return torch.stack(torch.broadcast_tensors(log_wrong, log_right), -1)
