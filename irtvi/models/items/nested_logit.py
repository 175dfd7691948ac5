"""The nested logit model: right or wrong first, then which of the wrong options."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid, pad

from irtvi.models.items.dichotomous import INTERCEPT, SLOPE, intercept_from_difficulty
from irtvi.models.items.item_model import (
    CategoricalModel,
    Facts,
    Parameters,
    ParameterSpec,
    inner_product,
    log_shares,
)
from irtvi.models.items.nominal import against_first, option_columns
from irtvi.models.priors import Normal

DISTRACTOR_SLOPES = ParameterSpec(
    "slope", "slope of a distractor against the first", prior=Normal(0.0, 2.0), per="contrast", turns=True
)
DISTRACTOR_INTERCEPTS = ParameterSpec(
    "intercept", "intercept of a distractor against the first", prior=Normal(0.0, 3.0), per="contrast"
)


class NestedLogit(CategoricalModel):
    """``P(key) = sigmoid(a theta + d)``; wrong answer k has a share proportional to ``exp(a_k theta + c_k)``.

    One dimension. The search moves slopes and intercepts against those of the first distractor. Tables hold
    those that sum to zero over the distractors of an item.
    """

    name = "nested_logit"
    label = "nested logit"
    reference = (
        "Suh, Y. & Bolt, D. M. (2010). Nested logit models for multiple-choice item response data. "
        "Psychometrika, 75, 454-473."
    )
    parameters = (SLOPE, INTERCEPT, DISTRACTOR_SLOPES, DISTRACTOR_INTERCEPTS)
    uses = "raw"
    ordered = False
    needs_key = True

    def log_probs(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch categories"]:
        logit = (inner_product(params["a"], theta) + params["d"])[..., None]
        among_wrong = pad(params["slope"] * theta + params["intercept"], (1, 0))
        by_code, is_key, exists = self._by_code(among_wrong, facts)
        is_wrong = exists & ~is_key
        wrong = logsigmoid(-logit) + torch.where(is_wrong, log_shares(by_code, is_wrong), 0.0)
        return torch.where(exists, torch.where(is_key, logsigmoid(logit), wrong), -torch.inf)

    def _by_code(
        self, of_distractors: Float[Tensor, "*batch distractors"], facts: Facts
    ) -> tuple[Float[Tensor, "*batch codes"], Tensor, Tensor]:
        """Values by raw code (0 at the key), which code is the key, and which codes exist."""
        codes = torch.arange(of_distractors.shape[-1] + 1, device=of_distractors.device)
        key = facts.key[..., None]
        is_key = codes == key
        earlier, later = pad(of_distractors, (0, 1)), pad(of_distractors, (1, 0))
        by_code = torch.where(is_key, 0.0, torch.where(codes < key, earlier, later))
        return by_code, is_key, codes < facts.n_categories[..., None]

    def report(self, params: Parameters, facts: Facts) -> dict[str, Tensor]:
        """``a, b`` of the right answer, ``a1 .. aK`` and ``c1 .. cK`` of the wrong ones by raw code."""
        slopes, is_key, exists = self._by_code(pad(params["slope"], (1, 0)), facts)
        intercepts, _, _ = self._by_code(pad(params["intercept"], (1, 0)), facts)
        a = params["a"][..., 0]
        return {"a": a, "b": -params["d"] / a} | option_columns(slopes, intercepts, exists & ~is_key)

    def unreport(self, columns: dict[str, float], facts: Facts) -> dict[str, float]:
        distractors = [code for code in range(int(facts.n_categories)) if code != int(facts.key)]
        shown = {f"{letter}{int(facts.key) + 1}" for letter in "ac"}
        columns = against_first({n: v for n, v in columns.items() if n not in shown}, distractors)
        return intercept_from_difficulty(columns, has_slope=True)
