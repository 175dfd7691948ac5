"""The graded response model."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid, pad

from irtvi.errors import SpecificationError
from irtvi.models.items.dichotomous import INTERCEPT, SLOPE
from irtvi.models.items.item_model import Facts, Parameters, ParameterSpec, existing
from irtvi.models.items.stepwise import Stepwise
from irtvi.models.priors import Normal
from irtvi.models.transforms import POSITIVE

GAP = ParameterSpec(
    "gap", "distance between neighbouring intercepts", start=1.0, prior=Normal(0.0, 1.0),
    transform=POSITIVE, per="contrast",
)  # fmt: skip


class Graded(Stepwise):
    """``P(y >= k) = sigmoid(a'theta + d_k)`` with falling intercepts.

    The search moves the mean ``d`` of an item's intercepts and the logarithms of the distances ``gap``
    between neighbours, so that every point of its space is a model. The default priors stand on these; with
    two categories the model is the 2PL, priors included.
    """

    name = "grm"
    label = "graded response"
    reference = "Samejima, F. (1969). Estimation of latent ability using a response pattern of graded scores."
    parameters = (SLOPE, INTERCEPT, GAP)

    def intercepts(self, params: Parameters, facts: Facts) -> Float[Tensor, "*items steps"]:
        below = pad(params["gap"].cumsum(-1), (1, 0))
        n_steps = facts.n_categories - 1
        mean = existing(below, n_steps, 0.0).sum(-1) / n_steps.clamp(min=1)
        return (params["d"] + mean)[..., None] - below

    def of_steps(
        self, logits: Float[Tensor, "*batch steps"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*batch categories"]:
        at_least = pad(logsigmoid(logits), (1, 0))
        below_next = pad(existing(logsigmoid(-logits), facts.n_categories - 1, 0.0), (0, 1))
        inner = existing(torch.log(-torch.expm1(-params["gap"])), facts.n_categories - 2, 0.0)
        return at_least + below_next + pad(inner, (1, 1))

    def from_intercepts(self, intercepts: list[float]) -> dict[str, float]:
        gaps = [upper - lower for upper, lower in pairwise(intercepts)]
        if any(gap <= 0 for gap in gaps):
            raise SpecificationError(
                "The intercepts of a graded response item must fall (its difficulties rise where a > 0), "
                f"got d = {', '.join(f'{d:g}' for d in intercepts)}."
            )
        named = {f"gap{k + 1}": gap for k, gap in enumerate(gaps)}
        return {"d": sum(intercepts) / len(intercepts)} | named if intercepts else named
