"""Learning a network's weights together with the items, from expected counts.

The items' side of a pass over persons is a small table of expected counts at nodes. Weights and item
parameters climb on it jointly by limited-memory BFGS, so that a step costs the same whatever the number of
persons; passes and steps alternate (a generalised EM algorithm, Dempster, Laird & Rubin 1977).
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from irtvi.inference.interruption import may_stop
from irtvi.inference.table import Expectations, component_derivatives, expected_of, gradient_and_information
from irtvi.models.derivatives import finite
from irtvi.models.items.networks import N_DIRECTIONS, Network
from irtvi.models.model import Component, Model

STEPS, SHORTEST = 100, 3e-4
"""Steps of the optimiser between passes, at most; it ends where one gains fewer nats, or moves nothing by more standard
errors, than this. That is early stopping: on few persons, weights that are learned to the end predict worse."""
MEMORY = 20
LEAST_VARIANCE = 1e-9
LEAST_SHARE = 0.01
"""Of the information about a direction of the output layer that must be left when items follow suit."""
NEGLIGIBLE = 1e-7
LEAST_MASS = 1e-3
"""Nodes at which fewer persons than this are expected take no part."""
MOST_NODES = 48
"""At which weights are learned: curves are smooth, so that more would only cost time."""
N_PROBES = 4
"""Random signs from which the information about weights is estimated; a layer has hundreds of them."""


def has_networks(model: Model) -> bool:
    """Whether any items follow a network."""
    return any(isinstance(component.item_model, Network) for component in model.components)


def improved(
    model: Model, free: Float[Tensor, " n_free"], expectations: Expectations
) -> tuple[Model, Float[Tensor, " n_free"]]:
    """Weights and free parameters after some joint steps on the expected complete-data log posterior.

    Steps are counted in standard errors, as far as the diagonal of the information tells them. Each weight is known
    from all items together and each item's parameters from its own answers only: unscaled, items hardly move.
    """
    expectations = _at_fewer_nodes(expectations)
    theta = expectations.theta.float()  # the networks' layers are all the cost; the sums stay in float64
    counts = [expected_of(columns, expectations.counts) for columns in model.component_columns]
    start, units = [free], [_standard_errors(model, free, expectations)]
    for component, count in zip(model.components, counts, strict=True):
        if isinstance(component.item_model, Network):
            start.append(component.item_model.weights.to(free))
            units.append(_weight_unit(component, component.item_model, free, theta, count))
    moves = [torch.zeros_like(x).requires_grad_(True) for x in start]
    optimiser = torch.optim.LBFGS(
        moves, max_iter=STEPS, max_eval=2 * STEPS, history_size=MEMORY, line_search_fn="strong_wolfe",
        tolerance_grad=0.0, tolerance_change=SHORTEST,
    )  # fmt: skip

    def moved() -> list[Tensor]:
        return [x + unit * move for x, unit, move in zip(start, units, moves, strict=True)]

    def loss() -> Tensor:
        may_stop()
        optimiser.zero_grad()
        items, *weights = moved()
        now = with_weights(model, weights)
        total = model.log_prior.value(items)
        for component, count in zip(now.components, counts, strict=True):
            values = component.slots.free_values(items).float()
            total = total + (count * finite(component.coefficients(theta, values))).sum()
        for component in now.components:
            if isinstance(component.item_model, Network):
                total = total + component.item_model.weights_log_prior()
        value = -total
        value.backward()
        return value

    optimiser.step(loss)  # pyright: ignore[reportArgumentType]
    items, *weights = (x.detach() for x in moved())
    return with_weights(model, weights), items


def _at_fewer_nodes(expectations: Expectations) -> Expectations:
    """The same sums, as far as smooth curves can tell."""
    keep = expectations.mass.sum(1) > LEAST_MASS
    theta, counts, mass = expectations.theta[keep], expectations.counts[keep], expectations.mass[keep]
    if len(theta) <= MOST_NODES:
        return Expectations(theta, counts, mass)
    theta, shares = fewer_nodes(theta[:, 0])
    return Expectations(theta, shares.T @ counts, shares.T @ mass)


def _standard_errors(model: Model, free: Tensor, expectations: Expectations) -> Float[Tensor, " n_free"]:
    """Of the free parameters, if all else were known."""
    _, information = gradient_and_information(model, free, expectations)
    total = -model.log_prior.derivatives(free)[2]
    for part, block in zip(model.parts, information, strict=True):
        total += part.collect(block.diagonal(dim1=1, dim2=2).contiguous(), model.n_free)
    return total.clamp(min=LEAST_VARIANCE).rsqrt()


def _weight_unit(
    component: Component, network: Network, free: Tensor, theta: Tensor, counts: Tensor
) -> Float[Tensor, " weights"]:
    """Typical standard error of the weights of each layer, if all else were known.

    The diagonal of the information is the mean square of gradients by random signs (Bekas, Kokiopoulou & Saad 2007).
    """
    values = component.slots.free_values(free).float()
    weights = network.weights.to(free, copy=True).requires_grad_(True)
    variance = _variance_of_score(component.coefficients(theta, values).exp())
    spread = (counts.sum(-1) * variance).clamp(min=0.0).sqrt()
    generator = torch.Generator().manual_seed(0)
    squares = torch.zeros_like(weights)
    with torch.enable_grad():
        output = network.with_weights(weights).output(theta[:, None, 0], component.slots.unpack(values))
        for _ in range(N_PROBES):
            signs = 2.0 * torch.randint(2, output.shape, generator=generator).to(spread) - 1.0
            (slope,) = torch.autograd.grad((output * spread * signs).sum(), weights, retain_graph=True)
            squares += slope.square() / N_PROBES
    sizes = [inputs * outputs + outputs for inputs, outputs in network.shape]
    information = torch.cat([layer.mean().expand(len(layer)) for layer in squares.split(sizes)])
    return (information + network.decay_sd**-2).rsqrt()


def fewer_nodes(
    theta: Float[Tensor, " nodes"],
) -> tuple[Float[Tensor, "fewer 1"], Float[Tensor, "nodes fewer"]]:
    """Fewer equally spaced nodes, and what of a count at each node goes to each of them.

    The shares are the weights of cubic interpolation, so a sum of counts times a function is kept as far as the
    function is cubic between four nodes.
    """
    low, high = theta[0], theta[-1]
    spacing = (high - low) / (MOST_NODES - 1)
    place = (theta - low) / spacing
    left = place.floor().clamp(1, MOST_NODES - 3).long()
    x = place - left
    below, above = x + 1, x - 2
    weights = torch.stack([
        -x * (x - 1) * above / 6, below * (x - 1) * above / 2, -below * x * above / 2, below * x * (x - 1) / 6
    ], 1)  # fmt: skip
    shares = torch.zeros(len(theta), MOST_NODES, dtype=theta.dtype, device=theta.device)
    shares.scatter_(1, left[:, None] + torch.arange(-1, 3, device=theta.device), weights)
    return (low + spacing * torch.arange(MOST_NODES, dtype=theta.dtype, device=theta.device))[:, None], shares


def with_weights(model: Model, weights: Sequence[Tensor]) -> Model:
    """The model with other weights of its networks, in the order of components."""
    given = iter(weights)
    components = tuple(
        replace(c, item_model=c.item_model.with_weights(next(given))) if isinstance(c.item_model, Network) else c
        for c in model.components
    )
    return replace(model, components=components)


def weights_log_prior(model: Model) -> float:
    """Log prior of the weights of all networks, up to a constant."""
    networks = [c.item_model for c in model.components if isinstance(c.item_model, Network)]
    return sum(float(network.weights_log_prior()) for network in networks)


def opened(model: Model, free: Float[Tensor, " n_free"], expectations: Expectations) -> Model:
    """The model with output layers that may move along a few directions.

    Those in which the answers say most about a change that the items could not make by their own parameters.
    A direction that they can follow, such as one that stretches the curve of ``link``, would make no band wider
    and leave a ridge on which the search goes astray.
    """
    components = []
    for component, columns in zip(model.components, model.component_columns, strict=True):
        item_model = component.item_model
        if isinstance(item_model, Network):
            counts = expected_of(columns, expectations.counts)
            directions = _leading_directions(component, item_model, free, expectations.theta, counts)
            item_model = type(item_model)(item_model.weights, directions)
        components.append(replace(component, item_model=item_model))
    return replace(model, components=tuple(components))


def _leading_directions(
    component: Component, network: Network, free: Tensor, theta: Tensor, counts: Tensor
) -> Float[Tensor, "features_and_1 directions"]:
    """Where the items leave much information about the output layer, times the prior sd of weights.

    It is the information in expected scores, less what the items' own parameters explain (a Schur complement).
    """
    values = component.slots.free_values(free)
    probs = component.coefficients(theta, values).exp()
    codes = torch.arange(probs.shape[-1], dtype=probs.dtype, device=probs.device)
    variance = _variance_of_score(probs).clamp(min=LEAST_VARIANCE)
    persons = counts.sum(-1)
    features = network.features(theta[:, None, 0], component.slots.unpack(values))
    features = torch.cat([features, torch.ones_like(features[..., :1])], -1)
    features = (features * (persons * variance).sqrt()[..., None]).transpose(0, 1)
    own = component_derivatives(component, theta, values)[: component.slots.columns()["w"].start]
    rises = torch.stack([(probs * codes * derivative).sum(-1) for derivative in own], -1)
    rises = (rises * (persons / variance).sqrt()[..., None]).transpose(0, 1)
    cross = rises.mT @ features
    inner = rises.mT @ rises + LEAST_VARIANCE * torch.eye(len(own), dtype=rises.dtype, device=rises.device)
    whole = (features.mT @ features).sum(0)
    left = whole - (cross.mT @ torch.linalg.solve(inner, cross)).sum(0)
    return network.decay_sd * _most_of_its_own(whole, left)


def _variance_of_score(probs: Float[Tensor, "nodes members categories"]) -> Float[Tensor, "nodes members"]:
    codes = torch.arange(probs.shape[-1], dtype=probs.dtype, device=probs.device)
    return (probs * codes.square()).sum(-1) - (probs * codes).sum(-1).square()


def _most_of_its_own(whole: Float[Tensor, "n n"], left: Float[Tensor, "n n"]) -> Float[Tensor, "n directions"]:
    """Leading eigenvectors of what is left, among directions of which a fair share is left; 0 where there are fewer."""
    values, vectors = torch.linalg.eigh(whole)
    known = values > NEGLIGIBLE * values[-1]
    white = vectors[:, known] / values[known].sqrt()
    shares, turn = torch.linalg.eigh(white.T @ left @ white)
    basis = torch.linalg.qr(white @ turn[:, shares > LEAST_SHARE])[0]
    leading = (basis @ torch.linalg.eigh(basis.T @ left @ basis)[1]).flip(1)[:, :N_DIRECTIONS]
    return pad(leading, (0, N_DIRECTIONS - leading.shape[1]))
