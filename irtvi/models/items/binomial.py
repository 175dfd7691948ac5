"""The binomial model: how many of several tries at an item succeeded."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from irtvi.models.items.dichotomous import INTERCEPT, SLOPE, intercept_from_difficulty, slope_and_difficulty
from irtvi.models.items.item_model import CategoricalModel, Facts, Parameters, existing, inner_product


class Binomial(CategoricalModel):
    """The score k is the number of successes in ``n = K - 1`` independent tries, each of them a 2PL.

    ``P(k) = C(n, k) p^k (1 - p)^(n - k)`` with ``p = sigmoid(a'theta + d)``. An item's number of tries is
    its highest category, at most 126. With one try the model is the 2PL.
    """

    name = "binomial"
    label = "binomial"
    reference = (
        "Masters, G. N. & Wright, B. D. (1984). The essential process in a family of measurement models. "
        "Psychometrika, 49, 529-544."
    )
    parameters = (SLOPE, INTERCEPT)
    counts_successes = True

    def log_probs(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch categories"]:
        logit = (inner_product(params["a"], theta) + params["d"])[..., None]
        n_tries = (facts.n_categories[..., None] - 1).clamp(min=0).to(logit.dtype)
        successes = torch.arange(int(facts.n_categories.max()), dtype=logit.dtype, device=logit.device)
        failures = (n_tries - successes).clamp(min=0)
        ways = torch.lgamma(n_tries + 1) - torch.lgamma(successes + 1) - torch.lgamma(failures + 1)
        log_probs = ways + successes * logsigmoid(logit) + failures * logsigmoid(-logit)
        return existing(log_probs, facts.n_categories, -torch.inf)

    def report(self, params: Parameters, facts: Facts) -> dict[str, Tensor]:
        """``a, b`` in one dimension, ``a1 .. aD, d`` in several."""
        return slope_and_difficulty(params)

    def unreport(self, columns: dict[str, float], facts: Facts) -> dict[str, float]:
        return intercept_from_difficulty(columns, has_slope=True)
