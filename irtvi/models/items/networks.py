"""Curves drawn by neural networks that all items share: link, deep and residual."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar, Self

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import elu, logsigmoid

from irtvi.models.derivatives import slot_derivatives
from irtvi.models.items.curve import CurveModel
from irtvi.models.items.dichotomous import INTERCEPT, SLOPE
from irtvi.models.items.graded import GAP, Graded
from irtvi.models.items.item_model import Facts, Parameters, ParameterSpec, existing, two_categories
from irtvi.models.items.readable import curve_columns
from irtvi.models.priors import Normal

WIDTH = 64
N_EMBEDDING = 4
N_DIRECTIONS = 8
LINEAR = 10.0
"""With this bias an exponential linear unit is linear in everything above minus it."""
RIDGE = 1e-5
NOISE = 0.2
GRADED = Graded()

EMBEDDING = ParameterSpec(
    "e", "embedding of the item", prior=Normal(0.0, 1.0), per="feature", size=N_EMBEDDING
)
DIRECTION = ParameterSpec(
    "w", "last layer of the network, along a direction", prior=Normal(0.0, 1.0),
    per="feature", size=N_DIRECTIONS, scope="shared",
)  # fmt: skip
TILT = ParameterSpec("a", "discrimination", start=1.0, prior=Normal(1.0, 1.0))

HIDDEN = "Bands take the network's hidden layers as known, so they can be too narrow far from a 2PL"

Shape = tuple[tuple[int, int], ...]
Parts = Sequence[tuple[Tensor, Tensor]]
"""Matrix ``[outputs, inputs]`` and bias of some layers."""


class Network(CurveModel):
    """A formula with a network whose hidden weights are learned with the items and then belong to the model.

    The weights have the prior ``N(mean, decay_sd^2)`` around a mean at which the model is a 2PL
    (or can be one), so that it shrinks there. The output layer may still move along its most important
    directions, by the shared parameters ``w``: what is not known of it goes into standard errors and bands.

    Parameters
    ----------
    weights : sequence of float, optional
        All weights, as :meth:`settings` gives them; without them the starting weights.
    directions : sequence of float, optional
        Directions of the output layer, row by row; without them the output layer is fixed.
    """

    shape: ClassVar[Shape]
    """(inputs, outputs) of every affine layer, in the order of use; the last one gives the output."""
    passing: ClassVar[tuple[tuple[int, tuple[int, ...], float], ...]]
    """Layers whose first units pass inputs through at the start: which layer, which inputs, which bias."""
    decay_sd: ClassVar[float] = 0.1
    flexible = True

    def __init__(
        self,
        weights: Sequence[float] | Tensor | None = None,
        directions: Sequence[float] | Tensor | None = None,
    ) -> None:
        given = starting_weights(type(self)) if weights is None else weights
        self.weights = torch.as_tensor(given, dtype=torch.float64)
        n_last = self.shape[-1][0] + 1
        flat = torch.zeros(n_last * N_DIRECTIONS) if directions is None else torch.as_tensor(directions)
        self.directions = flat.to(torch.float64).reshape(n_last, N_DIRECTIONS)

    def settings(self) -> dict[str, Any]:
        return {"weights": self.weights.tolist(), "directions": self.directions.flatten().tolist()}

    def with_weights(self, weights: Float[Tensor, " weights"]) -> Self:
        """The model with other weights and a fixed output layer."""
        return type(self)(weights)

    def weights_log_prior(self) -> Tensor:
        """Log density of the weights up to a constant, nats."""
        mean = prior_mean(type(self)).to(self.weights)
        return -0.5 * ((self.weights - mean) / self.decay_sd).square().sum()

    @abstractmethod
    def features(
        self, theta: Float[Tensor, "*#batch"], params: Parameters
    ) -> Float[Tensor, "*#batch features"]:
        """Output of the last hidden layer."""

    def output(self, theta: Float[Tensor, "*#batch"], params: Parameters) -> Float[Tensor, "*#batch"]:
        """Output of the network."""
        return self._of_features(self.features(theta, params), params["w"])

    def _of_features(
        self, features: Float[Tensor, "*batch features"], w: Float[Tensor, "*#batch directions"]
    ) -> Float[Tensor, "*batch"]:
        matrix, bias = layers(self.weights.to(features), self.shape)[-1]
        return (features @ matrix.T)[..., 0] + bias[0] + (self._moved(features) * w).sum(-1)

    def _moved(self, features: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch directions"]:
        """What each direction of the output layer adds to the output."""
        directions = self.directions.to(features)
        return features @ directions[:-1] + directions[-1]

    def curve(
        self, theta: Float[Tensor, "*#batch"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch"]:
        return self.output(theta, params)

    def of_height(
        self, height: Float[Tensor, "*#batch"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch categories"]:
        return two_categories(logsigmoid(-height), logsigmoid(height))

    def report(self, params: Parameters, facts: Facts) -> dict[str, Tensor]:
        return curve_columns(self, params, facts)


class Link(Network):
    """``P(right) = sigmoid(network(a theta + d))``: one curve for all items, stretched and moved."""

    name = "link"
    label = "link network"
    reference = "Wu, M. et al. (2020). Variational item response theory: fast, accurate, and expressive. EDM."
    parameters = (SLOPE, INTERCEPT, DIRECTION)
    of_the_curve = ("a", "d", "w")
    max_categories = 2
    caution = (
        "Bands of the link network hold if all items share one curve; where their shapes differ they are too "
        "narrow (90 % bands covered 56 to 74 % of plateaus of different widths)."
    )
    shape = ((1, WIDTH), (WIDTH, WIDTH), (WIDTH, 1))
    passing = ((0, (0,), LINEAR), (1, (0,), 0.0))

    def features(
        self, theta: Float[Tensor, "*#batch"], params: Parameters
    ) -> Float[Tensor, "*#batch features"]:
        logit = params["a"][..., 0] * theta + params["d"]
        return hidden_layers(logit[..., None], layers(self.weights.to(logit), self.shape)[:-1])


class Embedded(Network):
    """A network of ability, one of the item's embedding, and a third one of both."""

    shape = (
        (1, WIDTH), (WIDTH, WIDTH), (WIDTH, WIDTH),
        (N_EMBEDDING, WIDTH), (WIDTH, WIDTH), (WIDTH, WIDTH),
        (2 * WIDTH, WIDTH), (WIDTH, WIDTH), (WIDTH, 1),
    )  # fmt: skip
    passing = (
        (0, (0,), LINEAR), (1, (0,), 0.0), (2, (0,), -LINEAR),
        (3, (0, 1, 2, 3), LINEAR), (4, (0, 1, 2, 3), 0.0), (5, (0, 1, 2, 3), -LINEAR),
        (6, (0, WIDTH, WIDTH + 1, WIDTH + 2, WIDTH + 3), LINEAR), (7, (0, 1, 2, 3, 4), 0.0),
    )  # fmt: skip

    def features(
        self, theta: Float[Tensor, "*#batch"], params: Parameters
    ) -> Float[Tensor, "*#batch features"]:
        parts = layers(self.weights.to(theta), self.shape)
        return self._joined(self._of_ability(theta, parts), self._of_item(params["e"], parts), parts)

    def _of_ability(self, theta: Float[Tensor, "*batch"], parts: Parts) -> Float[Tensor, "*batch features"]:
        """What ability puts into the third network."""
        return affine(hidden_layers(theta[..., None], parts[:2]), parts[2]) @ parts[6][0][:, :WIDTH].T

    def _of_item(self, e: Float[Tensor, "*batch size"], parts: Parts) -> Float[Tensor, "*batch features"]:
        """What an embedding puts into the third network."""
        return affine(hidden_layers(e, parts[3:5]), parts[5]) @ parts[6][0][:, WIDTH:].T

    def _joined(
        self, ability: Float[Tensor, "*#batch features"], item: Float[Tensor, "*#batch features"], parts: Parts
    ) -> Float[Tensor, "*#batch features"]:
        return hidden_layers(elu(ability + item + parts[6][1]), parts[7:8])

    def curve_slopes(
        self, theta: Float[Tensor, "nodes 1"], params: Parameters, facts: Facts
    ) -> dict[str, Float[Tensor, "nodes members *size"]]:
        """The network of embeddings runs once for each item, and not at every ability."""
        parts, e, w = layers(self.weights.to(theta), self.shape), params["e"].detach(), params["w"].detach()
        item = self._of_item(e, parts)
        by_embedding = torch.stack(slot_derivatives(lambda own: self._of_item(own, parts), e), -1)
        with torch.enable_grad():
            joined = (self._of_ability(theta, parts) + item).requires_grad_(True)
            features = self._joined(joined, torch.zeros_like(item), parts)
            (by_item,) = torch.autograd.grad(self._of_features(features, w).sum(), joined)
        return {
            "e": torch.einsum("nmh,mhk->nmk", by_item, by_embedding),
            "w": self._moved(features.detach()),
        }


class Deep(Embedded):
    """``P(right) = sigmoid(network(theta, e))`` with an embedding ``e`` of every item."""

    name = "deep"
    label = "deep network"
    reference = Link.reference
    parameters = (EMBEDDING, DIRECTION)
    of_the_curve = ("e", "w")
    max_categories = 2
    caution = f"{HIDDEN} (90 % bands covered about three quarters of plateaus)."


class Residual(Embedded):
    """``P(y >= k) = sigmoid(a theta + d_k + network(theta, e))``, the intercepts as in the graded model."""

    name = "residual"
    label = "residual network"
    reference = Link.reference
    parameters = (TILT, INTERCEPT, GAP, EMBEDDING, DIRECTION)
    of_the_curve = ("a", "e", "w")
    caution = f"{HIDDEN} (90 % bands covered about three quarters of plateaus)."

    def curve(
        self, theta: Float[Tensor, "*#batch"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch"]:
        return params["a"] * theta + self.output(theta, params)

    def curve_slopes(
        self, theta: Float[Tensor, "nodes 1"], params: Parameters, facts: Facts
    ) -> dict[str, Float[Tensor, "nodes members *size"]]:
        return super().curve_slopes(theta, params, facts) | {"a": theta.expand(len(theta), len(params["a"]))}

    def of_height(
        self, height: Float[Tensor, "*#batch"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch categories"]:
        logits = height[..., None] + GRADED.intercepts(params, facts)
        return existing(GRADED.of_steps(logits, params, facts), facts.n_categories, -torch.inf)


def layers(weights: Float[Tensor, " weights"], shape: Shape) -> Parts:
    """Matrix ``[outputs, inputs]`` and bias of every layer."""
    sizes = [inputs * outputs + outputs for inputs, outputs in shape]
    parts = weights.split(sizes)
    return [
        (part[:-outputs].reshape(outputs, inputs), part[-outputs:])
        for part, (inputs, outputs) in zip(parts, shape, strict=True)
    ]


def affine(x: Tensor, layer: tuple[Tensor, Tensor]) -> Tensor:
    """One layer without its activation."""
    return x @ layer[0].T + layer[1]


def hidden_layers(x: Tensor, parts: Parts) -> Tensor:
    """Layers with exponential linear units."""
    for layer in parts:
        x = elu(affine(x, layer))
    return x


@cache
def starting_weights(family: type[Network]) -> Float[Tensor, " weights"]:
    """Weights before the data speak, the same in every fit.

    Hidden layers are random, but for a few units that pass the inputs through unchanged. The output layer
    comes from a regression: ``link`` returns its input, ``deep`` nearly the 2PL whose log slope and intercept
    are its first two embeddings, and ``residual`` a little noise (from exactly 0 embeddings could not move).
    """
    generator = torch.Generator().manual_seed(20_201)
    parts = []
    for inputs, outputs in family.shape:
        matrix = torch.randn(outputs, inputs, generator=generator, dtype=torch.float64) / math.sqrt(inputs)
        parts.append((matrix, torch.zeros(outputs, dtype=torch.float64)))
    for layer, sources, bias in family.passing:
        for unit, source in enumerate(sources):
            matrix, shift = parts[layer]
            matrix[unit] = 0.0
            matrix[unit, source] = 1.0
            shift[unit] = bias
    matrix, shift = parts[-1]
    matrix *= NOISE
    if family is not Residual:
        n = 2_000
        theta = 2.0 * torch.randn(n, generator=generator, dtype=torch.float64)
        e = torch.randn(n, N_EMBEDDING, generator=generator, dtype=torch.float64)
        params = {"a": torch.ones_like(theta)[:, None], "d": torch.zeros_like(theta), "e": e}
        target = theta if family is Link else torch.exp(0.4 * e[:, 0]) * theta + 1.5 * e[:, 1]
        hidden = family(_flat(parts)).features(theta, params)
        design = torch.cat([hidden, torch.ones_like(hidden[:, :1])], 1)
        ridge = RIDGE * n * torch.eye(design.shape[1], dtype=torch.float64)
        solution = torch.linalg.solve(design.T @ design + ridge, design.T @ target)
        matrix[0], shift[0] = solution[:-1], solution[-1]
    return _flat(parts)


@cache
def prior_mean(family: type[Network]) -> Float[Tensor, " weights"]:
    """Weights to which a network shrinks: those at the start, but the output of ``residual`` is 0."""
    weights = starting_weights(family).clone()
    if family is Residual:
        weights[-(WIDTH + 1) :] = 0.0
    return weights


def _flat(parts: Sequence[tuple[Tensor, Tensor]]) -> Float[Tensor, " weights"]:
    return torch.cat([torch.cat([matrix.flatten(), bias]) for matrix, bias in parts])
