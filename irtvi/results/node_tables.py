"""What answers contribute at nodes to functions of ability that are maximised: scores, information, their slopes."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.models.derivatives import finite, slopes, slot_derivatives
from irtvi.models.model import Component, Model


@dataclass(frozen=True)
class NodeTables:
    """What the answers contribute at nodes, by (item, category) column.

    Attributes
    ----------
    log_probs, score : Float[Tensor, "nodes columns"]
        Log-probability and its derivative with respect to ability.
    information, information_slope, third : Float[Tensor, "nodes columns"] or None
        Of the item, repeated for each of its categories: ``sum (P')^2 / P``, its derivative, and
        ``sum P' P'' / P``. In general, with coefficients c and expected statistics E: ``sum c' E'`` and ``sum c' E''``,
        in the column of the statistic 1.
    """

    log_probs: Float[Tensor, "nodes columns"]
    score: Float[Tensor, "nodes columns"]
    information: Float[Tensor, "nodes columns"] | None = None
    information_slope: Float[Tensor, "nodes columns"] | None = None
    third: Float[Tensor, "nodes columns"] | None = None


def likelihood_tables(model: Model, theta: Float[Tensor, "nodes 1"], free: Float[Tensor, " n_free"]) -> NodeTables:
    """Log-probabilities and scores."""
    log_probs = theta.new_empty(len(theta), len(model.columns.item))
    score = torch.empty_like(log_probs)
    for component, columns in zip(model.components, model.component_columns, strict=True):
        exists = columns >= 0
        value, slope = slopes(component.coefficients, theta, component.slots.free_values(free))
        log_probs[:, columns[exists]] = value[:, exists]
        score[:, columns[exists]] = finite(slope)[:, exists]
    return NodeTables(log_probs, score)


def information_tables(model: Model, theta: Float[Tensor, "nodes 1"], free: Float[Tensor, " n_free"]) -> NodeTables:
    """As :func:`likelihood_tables`, with the items' information and what goes with it."""
    shape = len(theta), len(model.columns.item)
    log_probs, score, information, information_slope, third = (theta.new_empty(shape) for _ in range(5))
    for component, columns in zip(model.components, model.component_columns, strict=True):
        values = component.slots.free_values(free)
        exists = columns >= 0
        curve = _Curve.of(component, theta, values)
        log_probs[:, columns[exists]] = curve.coefficients[:, exists]
        score[:, columns[exists]] = curve.score[:, exists]
        for out, terms in (
            (information, curve.score * curve.moved),
            (information_slope, curve.score_slope * curve.moved + curve.score * curve.bent),
            (third, curve.score * curve.bent),
        ):
            out[:, columns[exists]] = _by_answer(component, terms)[:, exists]
    return NodeTables(log_probs, score, information, information_slope, third)


def information_derivatives(component: Component, theta: Float[Tensor, "nodes 1"], values: Tensor) -> list[Tensor]:
    """Derivatives of the items' information with respect to each slot, where an answer chooses them."""
    return _derivatives(component, theta, values, lambda curve: curve.score * curve.moved)


def third_derivatives(component: Component, theta: Float[Tensor, "nodes 1"], values: Tensor) -> list[Tensor]:
    """As :func:`information_derivatives`, of ``sum P' P'' / P``."""
    return _derivatives(component, theta, values, lambda curve: curve.score * curve.bent)


def _derivatives(
    component: Component, theta: Tensor, values: Tensor, terms: Callable[["_Curve"], Tensor]
) -> list[Tensor]:
    def of_slots(slots: Tensor) -> Tensor:
        return _by_answer(component, terms(_Curve.of(component, theta, slots)))

    return [finite(derivative) for derivative in slot_derivatives(of_slots, values)]


@dataclass(frozen=True)
class _Curve:
    """Coefficients and expected statistics of a component with their derivatives by ability.

    Attributes
    ----------
    coefficients, score, score_slope : Float[Tensor, "nodes members statistics"]
        Coefficients, and their first two derivatives.
    moved, bent : Float[Tensor, "nodes members statistics"]
        First two derivatives of the expected statistics.
    """

    coefficients: Float[Tensor, "nodes members statistics"]
    score: Float[Tensor, "nodes members statistics"]
    score_slope: Float[Tensor, "nodes members statistics"]
    moved: Float[Tensor, "nodes members statistics"]
    bent: Float[Tensor, "nodes members statistics"]

    @staticmethod
    def of(component: Component, theta: Tensor, values: Tensor) -> "_Curve":
        value, score, score_slope = slopes(component.coefficients, theta, values, order=2)
        _, moved, bent = slopes(component.expectations, theta, values, order=2)
        return _Curve(value, finite(score), finite(score_slope), moved, bent)


def _by_answer(
    component: Component, terms: Float[Tensor, "nodes members statistics"]
) -> Float[Tensor, "nodes members statistics"]:
    """Sums over statistics, where whoever answered meets them once: at every category, or at the statistic 1."""
    sums = terms.sum(-1, keepdim=True).expand_as(terms)
    if component.is_measured:
        return torch.where(torch.arange(terms.shape[-1], device=terms.device) == 0, sums, 0.0)
    return sums
