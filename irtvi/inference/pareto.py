"""Pareto k: how heavy the tail of importance weights is, for many persons at once.

References
----------
Vehtari, Simpson, Gelman, Yao & Gabry (2024). Pareto smoothed importance sampling. JMLR 25(72).
Yao, Vehtari, Simpson & Gelman (2018). Yes, but did it work? Evaluating variational inference. ICML.
Zhang & Stephens (2009). A new and efficient estimation method for the generalized Pareto distribution.
Technometrics 51.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

GOOD_K = 0.7
"""Above, importance weights are no longer to be trusted (Vehtari et al. 2024)."""
PRIOR_COUNT = 10
PRIOR_K = 0.5
LEAST_DRAWS = 25
CHUNK = 20_000


def pareto_k(log_weights: Float[Tensor, "draws persons"]) -> Float[Tensor, " persons"]:
    """Shape of the generalized Pareto distribution of the largest weights, with the prior of PSIS.

    Parameters
    ----------
    log_weights : Float[Tensor, "draws persons"]
        At least 25 draws.

    Returns
    -------
    Float[Tensor, " persons"]
        Float64; 0 where weights do not vary, which have no tail.

    Raises
    ------
    ValueError
        Too few draws for a tail.
    """
    n_draws = len(log_weights)
    if n_draws < LEAST_DRAWS:
        raise ValueError(f"Pareto k needs at least {LEAST_DRAWS} draws, got {n_draws}.")
    n_tail = math.ceil(min(0.2 * n_draws, 3 * math.sqrt(n_draws)))
    return torch.cat([_tail_shape(part, n_tail) for part in log_weights.double().split(CHUNK, 1)])


def _tail_shape(log_weights: Float[Tensor, "draws persons"], n_tail: int) -> Float[Tensor, " persons"]:
    largest = torch.topk(log_weights - log_weights.amax(0), n_tail + 1, dim=0).values.flip(0).exp()
    exceedance = largest[1:] - largest[0]
    varies = exceedance[-1] > 1e-10
    k = _generalized_pareto(torch.where(varies, exceedance, torch.ones_like(exceedance)))
    k = (n_tail * k + PRIOR_COUNT * PRIOR_K) / (n_tail + PRIOR_COUNT)
    return torch.where(varies, k, 0.0)


def _generalized_pareto(x: Float[Tensor, "tail persons"]) -> Float[Tensor, " persons"]:
    """Shape by the quasi-Bayesian estimate of Zhang and Stephens; ``x`` ascending and positive."""
    n = len(x)
    n_candidates = 30 + int(math.sqrt(n))
    rank = torch.arange(1, n_candidates + 1, dtype=x.dtype, device=x.device)
    spread = 1 - torch.sqrt(n_candidates / (rank - 0.5))
    quartile = x[int(n / 4 + 0.5) - 1].clamp(min=torch.finfo(x.dtype).tiny)
    b = spread[:, None] / (3 * quartile) + 1 / x[-1]
    k = torch.log1p(-b[:, None] * x).mean(1)
    profile = n * (torch.log(-b / k) - k - 1)
    b_mean = (b * torch.softmax(profile, 0)).sum(0)
    return torch.log1p(-b_mean * x).mean(0)


def effective_draws(log_weights: Float[Tensor, "draws persons"]) -> Float[Tensor, " persons"]:
    """Number of independent draws worth as much as these weighted ones (Kong 1992)."""
    weights = torch.softmax(log_weights.double(), 0)
    return 1 / weights.square().sum(0)
