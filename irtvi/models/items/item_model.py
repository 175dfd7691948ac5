"""The seam for item models: one pure formula, from which everything else is derived."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from irtvi.errors import SpecificationError
from irtvi.models.hierarchy import Hierarchy
from irtvi.models.priors import Prior
from irtvi.models.transforms import IDENTITY, Transform

Parameters = dict[str, Tensor]


class Facts(NamedTuple):
    """What is fixed about items: leading axes broadcast against those of the parameters.

    Attributes
    ----------
    n_categories : Int[Tensor, "*items"]
        Number of categories of each item; of statistics, where answers are measured.
    key : Int[Tensor, "*items"]
        Code of the keyed category (-1 without a key), for models of raw answers.
    sign : Int[Tensor, "*items"]
        -1 where higher ability means lower answers, as the data say, else 1; for models with ``directed``.
    centre, scale : Float64[Tensor, "*items"]
        Where measured answers lie and how far they spread, in the user's units; for models of measured answers.
    """

    n_categories: Int[Tensor, "*items"]
    key: Int[Tensor, "*items"]
    sign: Int[Tensor, "*items"] = torch.ones((), dtype=torch.long)
    centre: Float64[Tensor, "*items"] = torch.zeros((), dtype=torch.float64)
    scale: Float64[Tensor, "*items"] = torch.ones((), dtype=torch.float64)

    def take(self, items: Tensor) -> "Facts":
        """The facts of some items, gathered (one row per response, say)."""
        return Facts(*(fact[items] if fact.ndim else fact for fact in self))


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
    per : {"item", "dimension", "step", "contrast", "feature"}
        Event shape: one number, one per latent dimension, one per category but the first, one per category
        but two, or ``size`` numbers.
    scope : {"item", "shared"}
        Whether every item has its own or all items of the model share it; with an event shape that depends
        on the number of categories, those that have as many.
    turns : bool
        Whether it changes its sign when ability is turned round.
    size : int
        How many numbers, for ``per="feature"``.
    limits : tuple of float
        Unconstrained. Beyond them the likelihood may rise for ever: it is held at the one it passes.
    """

    name: str
    label: str
    start: float = 0.0
    prior: Prior | None = None
    transform: Transform = IDENTITY
    per: Literal["item", "dimension", "step", "contrast", "feature"] = "item"
    scope: Literal["item", "shared"] = "item"
    turns: bool = False
    size: int = 1
    limits: tuple[float, float] = (-math.inf, math.inf)

    @property
    def depends_on_categories(self) -> bool:
        """Whether an item with more categories has more of these numbers."""
        return self.per in ("step", "contrast")


class ItemModel(ABC):
    """How the answer to an item depends on ability.

    Every model has the form ``log p(y | theta) = statistics(y) . coefficients(theta)``, so that the likelihoods
    of all persons are one matrix product. A :class:`CategoricalModel` has the statistics "which category", a
    ``ContinuousModel`` the powers or logarithms of what was measured. A subclass of either states its parameters
    and one formula; fitting, curves, information, scoring, simulation, storage and figures follow.

    Attributes
    ----------
    name, label, reference : str
        Under which it is registered, how people call it, where it comes from.
    parameters : tuple of ParameterSpec
    uses : {"scored", "raw", "measured"}
        Whether the formula is about scored codes, the options that people chose, or numbers on a continuous scale.
    max_categories : int or None
    ordered : bool
        Whether a higher category stands for more, so that an expected score makes sense.
    needs_key : bool
        Whether every item must have one right answer.
    counts_successes : bool
        Whether the scores must be 0, 1, 2 and so on, in the user's units too.
    free_population : frozenset of str
        What of the population the model frees.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    reference: ClassVar[str] = ""
    parameters: ClassVar[tuple[ParameterSpec, ...]]
    uses: ClassVar[Literal["scored", "raw", "measured"]] = "scored"
    max_categories: ClassVar[int | None] = None
    ordered: ClassVar[bool] = True
    needs_key: ClassVar[bool] = False
    counts_successes: ClassVar[bool] = False
    free_population: ClassVar[frozenset[str]] = frozenset()
    directed: ClassVar[bool] = False
    """Whether the formula is monotone in ability, in the direction that ``facts.sign`` gives."""
    flexible: ClassVar[bool] = False
    """Whether the number of parameters says little about the fit, so that AIC and BIC mean nothing."""
    hierarchy: ClassVar[Hierarchy | None] = None
    """A prior that ties items together and whose hyperparameters are learned from the data."""
    caution: ClassVar[str] = ""
    """What every output of the model must say."""

    @abstractmethod
    def coefficients(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch statistics"]:
        """What each statistic of an answer adds to the answer's log-probability or log density, in nats.

        Parameters
        ----------
        theta : Float[Tensor, "*#batch dims"]
            Abilities.
        params : dict of Tensor
            Leading axes that broadcast against those of theta, then the event shape of each parameter, on
            the formula's scale. Items with fewer categories are padded with numbers that mean nothing.
        facts : Facts
            What is fixed about the items.
        """

    @abstractmethod
    def expectations(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch statistics"]:
        """Expected statistics of an answer.

        With the coefficients' derivatives they give the Fisher information: ``E[score_s score_t]`` is the sum over
        statistics of ``d_s coefficient * d_t expectation``.
        """

    def report(self, params: Parameters, facts: Facts) -> dict[str, Tensor]:
        """Readable columns of the item table as a smooth function of the parameters.

        Standard deviations follow by the delta method. What an item does not have is NaN. The default is
        the parameters themselves.
        """
        columns: dict[str, Tensor] = {}
        for spec in self.parameters:
            value = params[spec.name]
            if spec.per == "item":
                columns[spec.name] = value
            else:
                size = value.shape[-1]
                columns |= {element_name(spec, k, size): value[..., k] for k in range(size)}
        return columns

    def unreport(self, columns: dict[str, float], facts: Facts) -> dict[str, float]:
        """Parameters of one item, by their names in the formula, from readable columns.

        Parameters
        ----------
        columns : dict of float
            Columns that :meth:`report` gives, or parameters; NaN is free.
        facts : Facts
            Of the one item (no leading axes).

        Raises
        ------
        SpecificationError
            The columns hold a part of what must be held together.
        """
        return columns

    def orientation(self, params: Parameters, facts: Facts) -> Float[Tensor, "*items dims"] | None:
        """How much higher ability raises the answer to each item; its mean over items is made positive.

        None for a model that says which way is up by itself.
        """
        slopes = [params[spec.name] for spec in self.parameters if spec.per == "dimension" and spec.turns]
        return slopes[0] if slopes else None

    def settings(self) -> dict[str, Any]:
        """Constructor arguments, plain values only, so that a saved result can rebuild the model."""
        return {}


class CategoricalModel(ItemModel):
    """Answers in categories: a subclass states the log-probability of every one of them."""

    @abstractmethod
    def log_probs(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch categories"]:
        """Log-probability of every category, in nats; parameters as for :meth:`coefficients`.

        Returns
        -------
        Float[Tensor, "*#batch categories"]
            Categories that an item does not have hold -inf.
        """

    def coefficients(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch categories"]:
        return self.log_probs(theta, params, facts)

    def expectations(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch categories"]:
        return self.log_probs(theta, params, facts).exp()


def event_size(spec: ParameterSpec, dims: int, n_categories: int) -> int:
    """How many numbers a parameter has for an item with that many categories."""
    sizes = {
        "item": 1,
        "dimension": dims,
        "step": n_categories - 1,
        "contrast": n_categories - 2,
        "feature": spec.size,
    }
    return max(sizes[spec.per], 0)


def element_name(spec: ParameterSpec, k: int, size: int) -> str:
    """Name of the k-th number of a parameter: ``a`` in one dimension, ``a1 ..`` in several, ``d1 ..``."""
    if spec.per == "item" or (spec.per == "dimension" and size == 1):
        return spec.name
    return f"{spec.name}{k + 1}"


def two_categories(log_wrong: Tensor, log_right: Tensor) -> Tensor:
    """Stack two log-probabilities on a new last axis, broadcast against each other."""
    return torch.stack(torch.broadcast_tensors(log_wrong, log_right), -1)


def existing(values: Tensor, n_categories: Int[Tensor, "*items"], otherwise: float) -> Tensor:
    """Values of the categories (last axis) that an item has, and another number for the others."""
    codes = torch.arange(values.shape[-1], device=values.device)
    return torch.where(codes < n_categories[..., None], values, otherwise)


def log_shares(logits: Tensor, exists: Tensor) -> Tensor:
    """Log of the shares proportional to ``exp(logits)`` among the categories (last axis) that exist.

    Everything is counted from the largest logit, its derivative included: at extreme abilities that of the
    surest category, a product of ability and a tiny probability, then does not come from numbers near 1
    that cancel. Categories that do not exist hold -inf.
    """
    among = torch.where(exists, logits, -torch.inf)
    largest = logits.gather(-1, among.argmax(-1, keepdim=True))
    below = torch.where(exists, logits - largest, -torch.inf)
    return torch.where(exists, below - torch.logsumexp(below, -1, keepdim=True), -torch.inf)


def held_together(columns: dict[str, float], names: list[str], what: str) -> list[float] | None:
    """The values of columns that can only be held together; None where all of them are free."""
    values = [columns.get(name, math.nan) for name in names]
    free = [name for name, value in zip(names, values, strict=True) if math.isnan(value)]
    if len(free) == len(names):
        return None
    if free:
        raise SpecificationError(
            f"The {what} of an item are held together: {', '.join(free)} must be given too, "
            f"or none of {', '.join(names)}."
        )
    return values


def inner_product(slope: Tensor, theta: Tensor) -> Tensor:
    """``a'theta`` over the last axis; in one dimension a product, since a sum over one number is slow."""
    return slope[..., 0] * theta[..., 0] if slope.shape[-1] == theta.shape[-1] == 1 else (slope * theta).sum(-1)
