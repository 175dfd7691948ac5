"""What models of ordered categories have in common: a slope, and an intercept for every step upward."""

import math
from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.errors import SpecificationError
from irtvi.models.items.item_model import (
    CategoricalModel,
    Facts,
    Parameters,
    ParameterSpec,
    existing,
    held_together,
    inner_product,
)
from irtvi.models.priors import Normal

STEP_INTERCEPTS = ParameterSpec("d", "intercept of a step", prior=Normal(0.0, 3.0), per="step")


class Stepwise(CategoricalModel):
    """Ordered categories whose k-th step has the logit ``a'theta + d_k``, where ``a`` is 1 if not stated.

    What a step is, a subclass says: passing it, preferring its upper category to its lower one, or being
    at least that high.
    """

    def log_probs(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch categories"]:
        ability = inner_product(params["a"], theta) if "a" in params else theta.sum(-1)
        logits = ability[..., None] + self.intercepts(params, facts)
        return existing(self.of_steps(logits, params, facts), facts.n_categories, -torch.inf)

    @abstractmethod
    def of_steps(
        self, logits: Float[Tensor, "*batch steps"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*batch categories"]:
        """Log-probabilities of the categories from the logits of the steps; the caller masks padding."""

    def intercepts(self, params: Parameters, facts: Facts) -> Float[Tensor, "*items steps"]:
        """Intercepts ``d_1 .. d_K-1``."""
        return params["d"]

    def from_intercepts(self, intercepts: list[float]) -> dict[str, float]:
        """Parameters other than the slope, by name, from the intercepts of one item."""
        return {f"d{k + 1}": d for k, d in enumerate(intercepts)}

    def report(self, params: Parameters, facts: Facts) -> dict[str, Tensor]:
        """``a, b1 .. bK-1`` in one dimension, ``a1 .. aD, d1 .. dK-1`` in several."""
        intercepts = self.intercepts(params, facts)
        slope = params.get("a", torch.ones_like(facts.n_categories, dtype=intercepts.dtype)[..., None])
        steps = existing(intercepts, facts.n_categories - 1, torch.nan)
        if slope.shape[-1] > 1:
            columns = {f"a{k + 1}": slope[..., k] for k in range(slope.shape[-1])}
            return columns | {f"d{k + 1}": steps[..., k] for k in range(steps.shape[-1])}
        a = slope[..., 0]
        return {"a": a} | {f"b{k + 1}": -steps[..., k] / a for k in range(steps.shape[-1])}

    def unreport(self, columns: dict[str, float], facts: Facts) -> dict[str, float]:
        n_steps = int(facts.n_categories) - 1
        b_names, d_names = ([f"{letter}{k + 1}" for k in range(n_steps)] for letter in "bd")
        difficulties = held_together(columns, b_names, "difficulties")
        intercepts = held_together(columns, d_names, "intercepts")
        params = {name: value for name, value in columns.items() if name not in (*b_names, *d_names)}
        if intercepts is None and difficulties is not None:
            a = columns.get("a", math.nan) if any(s.name == "a" for s in self.parameters) else 1.0
            if math.isnan(a):
                raise SpecificationError(
                    f"The difficulties b1 = {difficulties[0]} and so on cannot be held while the "
                    "discrimination a is free; hold both, or hold the intercepts d1 and so on."
                )
            intercepts = [-a * b for b in difficulties]
        return params if intercepts is None else params | self.from_intercepts(intercepts)
