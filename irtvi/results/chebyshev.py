"""Polynomials through Chebyshev points, for many functions at once."""

import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.models.derivatives import slopes

HALVINGS = 60


def chebyshev_points(n: int, device: torch.device) -> tuple[Float[Tensor, " n"], Float[Tensor, "n n"]]:
    """Chebyshev points in [-1, 1], and the matrix that turns values there into the coefficients of the series."""
    order = torch.arange(n, dtype=torch.float64, device=device)
    angle = torch.pi * (order + 0.5) / n
    to_series = 2.0 / n * torch.cos(order[:, None] * angle)
    to_series[0] *= 0.5
    return torch.cos(angle), to_series


def reading_weights(
    to_series: Float[Tensor, "points points"], x: Float[Tensor, " some"]
) -> tuple[Float[Tensor, "points some"], Float[Tensor, "points some"]]:
    """Weights that turn values at the points into the polynomial's value and slope at each x."""

    def polynomials(t: Tensor) -> Tensor:
        found = [torch.ones_like(t), t]
        while len(found) < len(to_series):
            found.append(2 * t * found[-1] - found[-2])
        return torch.stack(found)

    value, slope = slopes(polynomials, x)
    return to_series.T @ value, to_series.T @ slope


def series_value(series: Float[Tensor, "points some"], x: Float[Tensor, " some"]) -> Float[Tensor, " some"]:
    """Chebyshev series at x in [-1, 1] (Clenshaw 1955)."""
    ahead = torch.zeros_like(x)
    after = torch.zeros_like(x)
    for coefficient in series[1:].flip(0):
        ahead, after = coefficient + 2 * x * ahead - after, ahead
    return series[0] + x * ahead - after


def series_slope(series: Float[Tensor, "points some"], x: Float[Tensor, " some"]) -> Float[Tensor, " some"]:
    """Derivative of the series at x."""
    return slopes(lambda t: series_value(series, t), x)[1]


def falling_root(series: Float[Tensor, "points some"]) -> Float[Tensor, " some"]:
    """Where the series falls through zero, by halving."""
    left = torch.full_like(series[0], -1.0)
    right = torch.full_like(series[0], 1.0)
    for _ in range(HALVINGS):
        middle = 0.5 * (left + right)
        rises = series_value(series, middle) > 0
        left, right = torch.where(rises, middle, left), torch.where(rises, right, middle)
    return 0.5 * (left + right)
