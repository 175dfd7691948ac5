"""Five lower bounds of a log marginal likelihood, side by side, and three ways to follow their gradients.

A person's log-weights are ``log p(y, theta) - log q(theta)`` at draws ``theta ~ q``. All five bounds are
means of them; where the mean is taken, inside or outside the logarithm, is the whole difference:

    elbo    mean of log w                          (Jordan et al. 1999; Kingma & Welling 2014)
    iwae    log of the mean of w                   (Burda, Grosse & Salakhutdinov 2016)
    miwae   mean over M of the log of the mean over L      (Rainforth et al. 2018)
    ciwae   share * elbo + (1 - share) * iwae              (Rainforth et al. 2018)
    piwae   iwae for the items, miwae for the encoder      (Rainforth et al. 2018)

In expectation elbo <= miwae <= iwae <= log p. A tighter bound is better for the items; for the encoder its
gradient drowns in noise, which is what miwae, ciwae, piwae and the estimator ``dreg`` are for.

References
----------
Burda, Grosse & Salakhutdinov (2016). Importance weighted autoencoders. ICLR.
Rainforth, Kosiorek, Le, Maddison, Igl, Wood & Teh (2018). Tighter variational bounds are not necessarily
better. ICML.
Roeder, Wu & Duvenaud (2017). Sticking the landing. NeurIPS.
Tucker, Lawson, Gu & Maddison (2019). Doubly reparameterized gradient estimators. ICLR.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

LogWeights = Float[Tensor, "outer inner persons"]


@dataclass(frozen=True)
class Bound:
    """A bound for each person and how each draw's log-weight enters its gradient.

    Attributes
    ----------
    value : Float[Tensor, " persons"]
        In nats.
    items, encoder : Float[Tensor, "outer inner persons"]
        Weight of each draw in the gradient with respect to the items and to the encoder: derivatives of the bound
        by the log-weights, so they sum to 1 over the draws of a person. The same tensor where both climb one bound.
    encoder_doubly : Float[Tensor, "outer inner persons"]
        Weights that the encoder takes under doubly reparameterised gradients.
    """

    value: Float[Tensor, " persons"]
    items: Float[Tensor, "outer inner persons"]
    encoder: Float[Tensor, "outer inner persons"]
    encoder_doubly: Float[Tensor, "outer inner persons"]

    @property
    def divided(self) -> bool:
        """Whether items and encoder climb different bounds."""
        return self.items is not self.encoder


def elbo(log_weights: LogWeights) -> Bound:
    """Mean of the log-weights."""
    outer, inner, _ = log_weights.shape
    equal = torch.full_like(log_weights, 1.0 / (outer * inner))
    return Bound(log_weights.mean((0, 1)), equal, equal, equal)


def iwae(log_weights: LogWeights) -> Bound:
    """Log of the mean of all weights."""
    outer, inner, _ = log_weights.shape
    value = torch.logsumexp(log_weights, (0, 1)) - math.log(outer * inner)
    weights = torch.softmax(log_weights.flatten(0, 1), 0).view_as(log_weights)
    return Bound(value, weights, weights, weights.square())


def miwae(log_weights: LogWeights) -> Bound:
    """Mean over the outer axis of the log of the mean over the inner one."""
    outer, inner, _ = log_weights.shape
    value = (torch.logsumexp(log_weights, 1) - math.log(inner)).mean(0)
    weights = torch.softmax(log_weights, 1)
    items = weights / outer
    return Bound(value, items, items, weights.square() / outer)


def piwae(log_weights: LogWeights) -> Bound:
    """The items climb iwae over all draws, the encoder miwae; the value is that of iwae."""
    for_items, for_encoder = iwae(log_weights), miwae(log_weights)
    return Bound(for_items.value, for_items.items, for_encoder.encoder, for_encoder.encoder_doubly)


def ciwae(log_weights: LogWeights, share: float = 0.5) -> Bound:
    """Convex combination of elbo (``share``) and iwae (the rest)."""
    loose, tight = elbo(log_weights), iwae(log_weights)

    def mixed(of_loose: Tensor, of_tight: Tensor) -> Tensor:
        return share * of_loose + (1 - share) * of_tight

    items = mixed(loose.items, tight.items)
    return Bound(mixed(loose.value, tight.value), items, items, mixed(loose.encoder_doubly, tight.encoder_doubly))


OBJECTIVES: dict[str, Callable[[LogWeights], Bound]] = {
    "elbo": elbo,
    "iwae": iwae,
    "piwae": piwae,
    "miwae": miwae,
    "ciwae": ciwae,
}


@dataclass(frozen=True)
class GradientEstimator:
    """How the gradient through the draws is taken: the encoder's, and the items' as far as the encoder sees them.

    Attributes
    ----------
    detaches_proposal : bool
        Whether ``log q`` takes no gradient through the proposal's parameters, only through the draws.
    doubly : bool
        Whether draws count with their weights for doubly reparameterised gradients.
    """

    detaches_proposal: bool
    doubly: bool

    def encoder_weights(self, bound: Bound) -> LogWeights:
        """Weights of the draws in the encoder's gradient."""
        return bound.encoder_doubly if self.doubly else bound.encoder


GRADIENTS: dict[str, GradientEstimator] = {
    "standard": GradientEstimator(detaches_proposal=False, doubly=False),
    "stl": GradientEstimator(detaches_proposal=True, doubly=False),
    "dreg": GradientEstimator(detaches_proposal=True, doubly=True),
}
