"""Adjacent-category models: generalised partial credit, partial credit and rating scale."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from irtvi.models.items.dichotomous import INTERCEPT, SLOPE, intercept_from_difficulty
from irtvi.models.items.item_model import (
    Facts,
    Parameters,
    ParameterSpec,
    existing,
    held_together,
    log_shares,
)
from irtvi.models.items.stepwise import STEP_INTERCEPTS, Stepwise
from irtvi.models.priors import Normal

THRESHOLD = ParameterSpec(
    "t", "threshold shared by the items", prior=Normal(0.0, 3.0), per="contrast", scope="shared"
)


class AdjacentCategories(Stepwise):
    """``log P(y = k) - log P(y = k - 1) = a'theta + d_k``."""

    def of_steps(
        self, logits: Float[Tensor, "*batch steps"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*batch categories"]:
        sums = pad(logits.cumsum(-1), (1, 0))
        codes = torch.arange(sums.shape[-1], device=sums.device)
        return log_shares(sums, codes < facts.n_categories[..., None])


class GeneralisedPartialCredit(AdjacentCategories):
    """A slope for every item and an intercept for every step between neighbouring categories."""

    name = "gpcm"
    label = "generalised partial credit"
    reference = (
        "Muraki, E. (1992). A generalized partial credit model: application of an EM algorithm. "
        "Applied Psychological Measurement, 16, 159-176."
    )
    parameters = (SLOPE, STEP_INTERCEPTS)


class PartialCredit(AdjacentCategories):
    """Slopes 1, mean 0, the spread of abilities estimated: the Rasch model for ordered categories."""

    name = "pcm"
    label = "partial credit"
    reference = "Masters, G. N. (1982). A Rasch model for partial credit scoring. Psychometrika, 47, 149-174."
    parameters = (STEP_INTERCEPTS,)
    free_population = frozenset({"sd"})


class RatingScale(AdjacentCategories):
    """Partial credit whose items with as many categories share their thresholds: ``d_k = d - t_k``.

    The thresholds sum to zero; the last one is minus the sum of the others.
    """

    name = "rsm"
    label = "rating scale"
    reference = (
        "Andrich, D. (1978). A rating formulation for ordered response categories. "
        "Psychometrika, 43, 561-573."
    )
    parameters = (INTERCEPT, THRESHOLD)
    free_population = frozenset({"sd"})

    def thresholds(self, params: Parameters, facts: Facts) -> Float[Tensor, "*items steps"]:
        """Thresholds ``t_1 .. t_K-1``, which sum to zero over the steps of an item."""
        n_steps = facts.n_categories - 1
        given = pad(existing(params["t"], n_steps - 1, 0.0), (0, 1))
        last = torch.arange(given.shape[-1], device=given.device) == n_steps[..., None] - 1
        return torch.where(last, -given.sum(-1, keepdim=True), given)

    def intercepts(self, params: Parameters, facts: Facts) -> Float[Tensor, "*items steps"]:
        return params["d"][..., None] - self.thresholds(params, facts)

    def report(self, params: Parameters, facts: Facts) -> dict[str, Tensor]:
        """``b`` and ``t1 .. tK-1``: step k is as hard as ``b + t_k``."""
        steps = existing(self.thresholds(params, facts), facts.n_categories - 1, math.nan)
        return {"b": -params["d"]} | {f"t{k + 1}": steps[..., k] for k in range(steps.shape[-1])}

    def unreport(self, columns: dict[str, float], facts: Facts) -> dict[str, float]:
        names = [f"t{k + 1}" for k in range(int(facts.n_categories) - 1)]
        others = [columns.get(name, math.nan) for name in names[:-1]]
        if others and math.isnan(columns.get(names[-1], math.nan)):
            columns = columns | {names[-1]: -sum(others)}  # NaN unless all the others are given
        thresholds = held_together(columns, names, "thresholds")
        params = intercept_from_difficulty(
            {name: value for name, value in columns.items() if name not in names}, has_slope=False
        )
        if thresholds is None:
            return params
        mean = sum(thresholds) / len(thresholds)
        params |= {name: t - mean for name, t in zip(names[:-1], thresholds, strict=False)}
        if "d" in params:
            params["d"] -= mean
        return params
