"""The nominal response model: options without an order."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from irtvi.models.items.item_model import (
    CategoricalModel,
    Facts,
    Parameters,
    ParameterSpec,
    held_together,
    log_shares,
)
from irtvi.models.priors import Normal

OPTION_SLOPES = ParameterSpec(
    "slope", "slope of an option against the first", prior=Normal(0.0, 2.0), per="step", turns=True
)
OPTION_INTERCEPTS = ParameterSpec(
    "intercept", "intercept of an option against the first", prior=Normal(0.0, 3.0), per="step"
)


class Nominal(CategoricalModel):
    """``P(y = k)`` is proportional to ``exp(a_k theta + c_k)``; one dimension.

    The search moves slopes and intercepts against those of the first option. Tables hold those that sum to
    zero over the options of an item.
    """

    name = "nominal"
    label = "nominal response"
    reference = (
        "Bock, R. D. (1972). Estimating item parameters and latent ability when responses are scored in two "
        "or more nominal categories. Psychometrika, 37, 29-51."
    )
    parameters = (OPTION_SLOPES, OPTION_INTERCEPTS)
    uses = "raw"
    ordered = False

    def log_probs(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch categories"]:
        logits = pad(params["slope"] * theta + params["intercept"], (1, 0))
        return log_shares(logits, _has(params, facts))

    def report(self, params: Parameters, facts: Facts) -> dict[str, Tensor]:
        """``a1 .. aK`` and ``c1 .. cK``, by raw code."""
        return option_columns(
            pad(params["slope"], (1, 0)), pad(params["intercept"], (1, 0)), _has(params, facts)
        )

    def unreport(self, columns: dict[str, float], facts: Facts) -> dict[str, float]:
        return against_first(columns, list(range(int(facts.n_categories))))

    def orientation(self, params: Parameters, facts: Facts) -> Float[Tensor, "*items dims"]:
        """Slope of the right option above the mean; without a key that of later options above earlier."""
        exists = _has(params, facts)
        slopes = pad(params["slope"], (1, 0))
        code = torch.arange(slopes.shape[-1], device=slopes.device)
        right = torch.where(facts.key[..., None] >= 0, (code == facts.key[..., None]).double(), code)
        return (centred(right, exists) * torch.where(exists, slopes, 0.0)).sum(-1, keepdim=True)


def _has(params: Parameters, facts: Facts) -> Tensor:
    codes = torch.arange(params["slope"].shape[-1] + 1, device=facts.n_categories.device)
    return codes < facts.n_categories[..., None]


def centred(values: Tensor, exists: Tensor) -> Tensor:
    """Values less their mean over those that exist; 0 elsewhere."""
    mean = torch.where(exists, values, 0.0).sum(-1, keepdim=True) / exists.sum(-1, keepdim=True).clamp(min=1)
    return torch.where(exists, values - mean, 0.0)


def option_columns(slopes: Tensor, intercepts: Tensor, exists: Tensor) -> dict[str, Tensor]:
    """Readable columns of options: slopes ``a1 ..`` and intercepts ``c1 ..`` that sum to zero."""
    columns: dict[str, Tensor] = {}
    for letter, values in (("a", slopes), ("c", intercepts)):
        shown = torch.where(exists, centred(values, exists), torch.nan)
        columns |= {f"{letter}{k + 1}": shown[..., k] for k in range(shown.shape[-1])}
    return columns


def against_first(columns: dict[str, float], codes: list[int]) -> dict[str, float]:
    """The inverse of :func:`option_columns` for one item, whose options have these raw codes."""
    params = dict(columns)
    for letter, name in (("a", "slope"), ("c", "intercept")):
        shown = [f"{letter}{code + 1}" for code in codes]
        values = held_together(columns, shown, f"options' {name}s")
        for column in shown:
            params.pop(column, None)
        if values is not None:
            params |= {f"{name}{k + 1}": value - values[0] for k, value in enumerate(values[1:])}
    return params
