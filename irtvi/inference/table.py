"""Tables over nodes: log-probabilities of every (item, category), their derivatives, and expected counts.

Where answers are measured, an item has columns of coefficients, one for each statistic of an answer, and expected
statistics in place of counts; what follows is the same.

With nodes shared by all persons an item model is a small table, whatever the number of persons; all that a
person adds is a row of weights over nodes. Derivatives are taken here, once for all models.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.inference.interruption import may_stop
from irtvi.models.derivatives import finite, second_derivatives_of_sum, slopes, slot_derivatives, value_and_jacobian
from irtvi.models.items.continuous import ContinuousModel
from irtvi.models.items.curve import CurveModel
from irtvi.models.model import Component, Model

PART_NUMBERS = 60_000
"""Numbers in the table of a part of a component: large enough for speed, small enough for the cache."""


def coefficient_table(
    model: Model, theta: Float[Tensor, "nodes dims"], free: Float[Tensor, " n_free"]
) -> Float[Tensor, "nodes columns"]:
    """Log-probabilities (nats) of all (item, category) columns at the nodes, float64; coefficients of statistics."""
    table = torch.empty(len(theta), len(model.columns.item), dtype=theta.dtype, device=theta.device)
    for component, columns in zip(model.components, model.component_columns, strict=True):
        for part, members in parts_of(component, theta):
            exists = columns[members] >= 0
            coefficients = part.coefficients(theta, part.slots.free_values(free))
            table[:, columns[members][exists]] = coefficients[:, exists]
    return table


def parts_of(component: Component, theta: Float[Tensor, "nodes dims"]) -> Iterator[tuple[Component, slice]]:
    """A component in parts whose tables stay in fast memory; whole where it is small."""
    n_members = len(component.items)
    numbers = max(1, len(theta) * int(component.facts.n_categories.max()))
    size = max(16, PART_NUMBERS // numbers)
    for first in range(0, n_members, size):
        may_stop()
        members = slice(first, min(first + size, n_members))
        yield (component if size >= n_members else component.part(members)), members


def expected_of(component_columns: Tensor, expected: Float[Tensor, "nodes columns"]) -> Tensor:
    """A component's view ``[nodes, members, categories]`` of an expected table; 0 where there is no category."""
    gathered = expected[:, component_columns.clamp(min=0)]
    return torch.where(component_columns >= 0, gathered, 0.0)


def component_derivatives(
    component: Component, theta: Float[Tensor, "nodes dims"], values: Float[Tensor, "members slots"]
) -> list[Float[Tensor, "nodes members categories"]]:
    """First derivatives of a component's log-probabilities with respect to each slot; 0 where there is no category.

    Going backward, a formula is differentiated once for each category, but at copies of the slots at every node.
    """
    copies = values.expand(len(theta), *values.shape)
    if isinstance(component.item_model, CurveModel):
        return _through_curve(component, component.item_model, theta, copies)
    _, jacobian = value_and_jacobian(lambda slots: finite(component.coefficients(theta, slots)).unbind(-1), copies)
    return list(jacobian.unbind(-1))


def _through_curve(
    component: Component,
    model: CurveModel,
    theta: Float[Tensor, "nodes 1"],
    copies: Float[Tensor, "nodes members slots"],
) -> list[Float[Tensor, "nodes members categories"]]:
    """Derivatives by the slots as far as they act beside the curve, and through it by the chain rule."""
    slots, facts = component.slots, component.facts
    params = slots.unpack(copies[0])
    height = model.curve(theta, params, facts)[..., None]

    def of_height(both: Tensor) -> Sequence[Tensor]:
        table = model.of_height(both[..., -1], slots.unpack(both[..., :-1]), facts)
        return finite(component.padded(table)).unbind(-1)

    _, jacobian = value_and_jacobian(of_height, torch.cat([copies, height], -1))
    *beside, through = jacobian.unbind(-1)
    by_name = model.curve_slopes(theta, params, facts)
    for (name, columns), transform in zip(slots.columns().items(), slots.transforms, strict=True):
        if name not in by_name:
            continue
        _, scale = slopes(transform.to_natural, copies[0][:, columns])
        rises = by_name[name].reshape(*height.shape[:2], -1) * scale
        for slot, rise in zip(range(slots.n_slots)[columns], rises.unbind(-1), strict=True):
            beside[slot] = beside[slot] + through * rise[..., None]
    return beside


@dataclass(frozen=True)
class Expectations:
    """What a pass over all persons leaves behind for the items and the population.

    Attributes
    ----------
    theta : Float[Tensor, "nodes dims"]
    counts : Float[Tensor, "nodes columns"]
        Expected number of persons at each node who gave each answer.
    mass : Float[Tensor, "nodes groups"]
        Expected number of persons at each node, by group.
    """

    theta: Float[Tensor, "nodes dims"]
    counts: Float[Tensor, "nodes columns"]
    mass: Float[Tensor, "nodes groups"]

    def where_anybody_is(self) -> "Expectations":
        """Without the nodes that nobody's posterior reaches."""
        reached = self.mass.sum(1) > 0
        return Expectations(self.theta[reached], self.counts[reached], self.mass[reached])


def gradient_and_information(
    model: Model, free: Float[Tensor, " n_free"], expectations: Expectations
) -> tuple[Float[Tensor, " n_free"], list[Tensor]]:
    """Gradient of the log-likelihood and the expected (Fisher) complete-data information of every part.

    By Fisher's identity the gradient of the log marginal likelihood is that of the expected complete-data
    log-likelihood. The information comes as one ``[members, slots, slots]`` block per part of the model.
    """
    gradient = torch.zeros(model.n_free, dtype=torch.float64, device=free.device)
    blocks = []
    expectations = expectations.where_anybody_is()
    theta = expectations.theta
    for component, columns in zip(model.components, model.component_columns, strict=True):
        of_parts = []
        for part, members in parts_of(component, theta):
            counts = expected_of(columns[members], expectations.counts)
            g, block = _component_first_order(part, theta, free, counts)
            gradient += part.slots.collect(g, model.n_free)
            of_parts.append(block)
        blocks.append(torch.cat(of_parts))
    slots = model.population_slots
    values = slots.free_values(free)
    if (slots.index >= 0).any():
        first = slot_derivatives(lambda v: model.population_log_prob(theta, v), values)
        g = torch.stack([(expectations.mass * f).sum(0) for f in first], -1)
        gradient += slots.collect(g, model.n_free)
        block = torch.stack([torch.stack([(expectations.mass * f * h).sum(0) for h in first], -1) for f in first], -2)
    else:
        block = torch.zeros(*values.shape, values.shape[-1], dtype=torch.float64, device=free.device)
    blocks.append(block)
    return gradient, blocks


def _component_first_order(
    component: Component, theta: Tensor, free: Tensor, counts: Tensor
) -> tuple[Float[Tensor, "members slots"], Float[Tensor, "members slots slots"]]:
    values = component.slots.free_values(free)
    first = torch.stack(component_derivatives(component, theta, values), -1)
    gradient = torch.einsum("nmc,nmcs->ms", counts, first)
    if component.is_measured:
        moved = torch.stack(slot_derivatives(lambda v: component.expectations(theta, v), values), -1)
        information = torch.einsum("nmcs,nmct->mst", counts[..., :1, None] * first, moved)
        return gradient, 0.5 * (information + information.mT)
    weight = counts.sum(2, keepdim=True) * component.expectations(theta, values)
    return gradient, torch.einsum("nmcs,nmct->mst", weight[..., None] * first, first)


def observed_information(model: Model, free: Float[Tensor, " n_free"], expectations: Expectations) -> list[Tensor]:
    """Minus the second derivatives of the expected complete-data log-likelihood, by part of the model."""
    blocks = []
    expectations = expectations.where_anybody_is()
    theta = expectations.theta
    for component, columns in zip(model.components, model.component_columns, strict=True):
        of_parts = []
        for part, members in parts_of(component, theta):
            counts = expected_of(columns[members], expectations.counts)

            def expected(v: Tensor, part=part, counts=counts) -> Tensor:
                return counts * finite(part.coefficients(theta, v))

            of_parts.append(-second_derivatives_of_sum(expected, part.slots.free_values(free)))
        blocks.append(torch.cat(of_parts))
    slots = model.population_slots
    values = slots.free_values(free)
    block = torch.zeros(*values.shape, values.shape[-1], dtype=torch.float64, device=free.device)
    if (slots.index >= 0).any():
        block = -second_derivatives_of_sum(lambda v: expectations.mass * model.population_log_prob(theta, v), values)
    blocks.append(block)
    return blocks


def steepest_slope(model: Model, theta: Float[Tensor, "nodes 1"], free: Float[Tensor, " n_free"]) -> float:
    """Largest slope of any item's log-odds between two categories, per unit of ability, from node to node.

    The singularities of the likelihood lie no closer to real abilities than pi over it. Differences between
    nodes that ascend see a rise that lies between two of them, which slopes at the nodes would miss.
    """
    return steepest_of(model, theta, free, coefficient_table(model, theta, free))


def steepest_of(
    model: Model, theta: Float[Tensor, "nodes 1"], free: Float[Tensor, " n_free"], table: Float[Tensor, "nodes columns"]
) -> float:
    """As :func:`steepest_slope`, from the table at the nodes."""
    steepest = 0.0
    step = theta.diff(dim=0)[:, :, None]
    for component, columns in zip(model.components, model.component_columns, strict=True):
        if isinstance(component.item_model, ContinuousModel):
            steepness = component.item_model.steepness(component.slots.natural(free))
            steepest = max(steepest, float(steepness.max()))
            continue
        for part in columns.split(max(16, PART_NUMBERS // (len(theta) * columns.shape[1]))):
            slope = table[:, part.clamp(min=0)].diff(dim=0) / step
            exists = part >= 0
            high = torch.where(exists, slope, -torch.inf).amax(-1)
            low = torch.where(exists, slope, torch.inf).amin(-1)
            steepest = max(steepest, float((high - low).max()))
    return steepest
