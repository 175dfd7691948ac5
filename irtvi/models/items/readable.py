"""What a curve without named parameters says: difficulty, slope, asymptotes, asymmetry."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.models.derivatives import slopes
from irtvi.models.items.item_model import CategoricalModel, Facts, Parameters

FAR = 6.0
"""The asymptotes are read here: practically nobody lies beyond."""
N_POINTS = 241
N_BISECTIONS = 10
N_NEWTON = 2
QUARTERS = torch.tensor([0.25, 0.5, 0.75])


def expected_share(item_model: CategoricalModel, theta: Tensor, params: Parameters, facts: Facts) -> Tensor:
    """Expected score divided by the highest one, for abilities without a dimension axis."""
    probs = item_model.log_probs(theta[..., None], params, facts).exp()
    codes = torch.arange(probs.shape[-1], dtype=probs.dtype, device=probs.device)
    return (probs * codes).sum(-1) / (facts.n_categories - 1)


def curve_columns(item_model: CategoricalModel, params: Parameters, facts: Facts) -> dict[str, Float[Tensor, " items"]]:
    """Readable columns of any curve in one dimension, differentiable with respect to the parameters.

    Let P be the expected score as a share of the highest, and ``lower_asymptote`` and ``upper_asymptote``
    its values at abilities -6 and 6 (the lower one first). ``difficulty`` is the ability at which P is
    half-way between them, ``slope`` is ``4 P' / (upper - lower)`` there, which for a 2PL is its
    discrimination, and ``asymmetry`` is ``(t75 - 2 t50 + t25) / (t75 - t25)`` with ``t25, t50, t75`` the
    abilities a quarter, half and three quarters of the way up: 0 for a 2PL, positive where the curve takes
    longer to reach the top than it took to leave the bottom.

    Returns
    -------
    dict of Tensor
        Difficulty, slope and asymmetry are NaN where P crosses the level not exactly once.
    """

    def share(theta: Tensor, p: Parameters = params) -> Tensor:
        return expected_share(item_model, theta, p, facts)

    first = next(iter(params.values()))
    grid = torch.linspace(-FAR, FAR, N_POINTS, dtype=first.dtype, device=first.device)
    fixed = {name: value.detach() for name, value in params.items()}
    curve = share(grid[:, None], fixed)
    low, high = share(grid[:1]), share(grid[-1:])
    falls = curve[-1] < curve[0]
    bottom, top = torch.where(falls, high, low), torch.where(falls, low, high)

    levels = bottom + QUARTERS.to(first)[:, None] * (top - bottom)
    theta = _cross(curve, grid, levels.detach(), lambda t: share(t, fixed))
    for _ in range(N_NEWTON):
        value, rise = slopes(lambda t: share(t, fixed), theta)
        theta = theta - (value - levels.detach()) / rise
    # A last Newton step carries the derivative of the implicit function.
    quarter, half, three_quarters = (theta - (share(theta) - levels) / rise).unbind()
    _, steepness = slopes(share, half)
    width = three_quarters - quarter
    return {
        "difficulty": half,
        "slope": 4 * steepness / (top - bottom),
        "lower_asymptote": bottom,
        "upper_asymptote": top,
        "asymmetry": torch.where(falls, -1.0, 1.0) * (three_quarters - 2 * half + quarter) / width,
    }


def _cross(
    curve: Float[Tensor, "points items"],
    grid: Float[Tensor, " points"],
    levels: Float[Tensor, "levels items"],
    share: Callable[[Tensor], Tensor],
) -> Float[Tensor, "levels items"]:
    """Where each curve crosses its levels, by bisection; NaN where not exactly once."""
    above = curve > levels[:, None]
    change = above[:, 1:] != above[:, :-1]
    cell = change.long().argmax(1)
    left, right = grid[cell], grid[cell + 1]
    for _ in range(N_BISECTIONS):
        middle = 0.5 * (left + right)
        before = (share(middle) > levels) == above[:, 0]
        left, right = torch.where(before, middle, left), torch.where(before, right, middle)
    return torch.where(change.sum(1) == 1, 0.5 * (left + right), torch.nan)
