"""Logistic models for two categories: Rasch, 1PL, 2PL, 3PL and 4PL."""

import math
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from irtvi.errors import SpecificationError
from irtvi.models.items.item_model import (
    CategoricalModel,
    Facts,
    Parameters,
    ParameterSpec,
    inner_product,
    two_categories,
)
from irtvi.models.priors import Normal
from irtvi.models.transforms import UNIT

SLOPE = ParameterSpec("a", "discrimination", start=1.0, prior=Normal(1.0, 1.0), per="dimension", turns=True)
COMMON_SLOPE = replace(SLOPE, label="common discrimination", scope="shared")
INTERCEPT = ParameterSpec("d", "intercept", prior=Normal(0.0, 3.0))
LOWER = ParameterSpec("c", "lower asymptote", start=0.2, prior=Normal(math.log(0.25), 0.5), transform=UNIT)
UPPER = ParameterSpec("u", "upper asymptote", start=0.95, prior=Normal(2.5, 0.75), transform=UNIT)


AGREE = 1e-6
"""Rounding that a difficulty and an intercept of the same item may differ by."""


def intercept_from_difficulty(columns: dict[str, float], has_slope: bool) -> dict[str, float]:
    """``d = -a b`` where a difficulty is held; an intercept beside it has to agree."""
    columns = dict(columns)
    b, d = columns.pop("b", math.nan), columns.get("d", math.nan)
    if not math.isnan(b):
        a = columns.get("a", math.nan) if has_slope else 1.0
        if not math.isnan(d):
            if not math.isclose(d, -a * b, rel_tol=AGREE, abs_tol=AGREE):
                raise SpecificationError(
                    f"The difficulty b = {b} and the intercept d = {d} contradict each other (d = -a b, a = {a}); "
                    "hold one of them."
                )
            return columns
        if math.isnan(a):
            raise SpecificationError(
                f"The difficulty b = {b} cannot be held while the discrimination a is free; "
                "hold both, or hold the intercept d."
            )
        columns["d"] = -a * b
    return columns


def slope_and_difficulty(params: Parameters) -> dict[str, Tensor]:
    """Readable columns ``a, b`` in one dimension, ``a1 .. aD, d`` in several; slopes are 1 if not stated."""
    slope = params.get("a", torch.ones_like(params["d"])[..., None])
    if slope.shape[-1] > 1:
        return {f"a{k + 1}": slope[..., k] for k in range(slope.shape[-1])} | {"d": params["d"]}
    a = slope[..., 0].expand_as(params["d"])
    return {"a": a, "b": -params["d"] / a}


LEAST_SHARE = 1e-30


def log_share(share: Tensor) -> Tensor:
    """Logarithm of an asymptote, which may be held at exactly 0: with finite values and derivatives there."""
    return torch.log(share.clamp(min=LEAST_SHARE))


class Logistic(CategoricalModel):
    """``P(right) = c + (u - c) sigmoid(a'theta + d)`` with ``c = 0`` and ``u = 1`` where not stated."""

    max_categories = 2

    def log_probs(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch categories"]:
        logit = inner_product(params["a"], theta) + params["d"] if "a" in params else theta.sum(-1) + params["d"]
        log_up, log_down = logsigmoid(logit), logsigmoid(-logit)
        lower, upper = params.get("c"), params.get("u")
        if lower is None:
            return two_categories(log_down, log_up)
        if upper is None:
            log_right = torch.logaddexp(log_share(lower) + log_down, log_up)
            return two_categories(torch.log1p(-lower) + log_down, log_right)
        log_right = torch.logaddexp(log_share(lower) + log_down, log_share(upper) + log_up)
        log_wrong = torch.logaddexp(log_share(1 - lower) + log_down, log_share(1 - upper) + log_up)
        return two_categories(log_wrong, log_right)

    def report(self, params: Parameters, facts: Facts) -> dict[str, Tensor]:
        """``a, b`` in one dimension, ``a1 .. aD, d`` in several, then the asymptotes of the model."""
        return slope_and_difficulty(params) | {name: params[name] for name in ("c", "u") if name in params}

    def unreport(self, columns: dict[str, float], facts: Facts) -> dict[str, float]:
        return intercept_from_difficulty(columns, has_slope=any(s.name == "a" for s in self.parameters))


class Rasch(Logistic):
    """Slopes 1, mean 0, the spread of abilities estimated."""

    name = "rasch"
    label = "Rasch"
    reference = "Rasch, G. (1960). Probabilistic Models for Some Intelligence and Attainment Tests."
    parameters = (INTERCEPT,)
    free_population = frozenset({"sd"})


class OnePL(Logistic):
    """One free slope for all items, abilities N(0, 1); the same likelihood as the Rasch model."""

    name = "1pl"
    label = "1PL"
    reference = (
        "Thissen, D. (1982). Marginal maximum likelihood estimation for the one-parameter logistic model."
    )
    parameters = (COMMON_SLOPE, INTERCEPT)


class TwoPL(Logistic):
    """A slope and an intercept for every item."""

    name = "2pl"
    label = "2PL"
    reference = "Birnbaum, A. (1968), in Lord & Novick, Statistical Theories of Mental Test Scores."
    parameters = (SLOPE, INTERCEPT)


class ThreePL(Logistic):
    """The 2PL with a lower asymptote (guessing)."""

    name = "3pl"
    label = "3PL"
    reference = "Birnbaum, A. (1968), in Lord & Novick, Statistical Theories of Mental Test Scores."
    parameters = (SLOPE, INTERCEPT, LOWER)


class FourPL(Logistic):
    """The 3PL with an upper asymptote (slips)."""

    name = "4pl"
    label = "4PL"
    reference = "Barton, M. A. & Lord, F. M. (1981). ETS Research Report 81-20."
    parameters = (SLOPE, INTERCEPT, LOWER, UPPER)
