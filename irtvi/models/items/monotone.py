"""Monotone curves: a Gaussian process on the log slope of the logit."""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from irtvi.models.hierarchy import Hierarchy, Hyperparameter, JointNormal
from irtvi.models.items.curve import CurveModel
from irtvi.models.items.dichotomous import INTERCEPT
from irtvi.models.items.graded import GAP, Graded
from irtvi.models.items.item_model import Facts, Parameters, ParameterSpec, existing
from irtvi.models.items.readable import curve_columns

GRADED = Graded()

REACH = 8.0
"""Abilities beyond this have the slope of this ability."""
SPACING = 0.1
SATURATION = 3.0
"""Where shapes level off: they are a function of ``3 tanh(theta / 3)``."""
LENGTH = 0.7
"""Length scale of the Gaussian process, in units of ability near 0."""
WEIGHT_SD = 1.2
"""Shapes are centred and ordered by importance under a normal weight of this sd."""
N_SHAPES = 7
"""They carry .997 of the variance under the weight."""
MEAN_SHAPE_REACH = 1.5


N_HALF = round(REACH / SPACING)


@cache
def shapes() -> Float[Tensor, "nodes shapes"]:
    """Basis functions ``B`` for the log slope at the nodes -8, -7.9 .. 8 of ability.

    The leading eigenfunctions, times the root of their eigenvalues, of a squared-exponential covariance in
    ``3 tanh(theta / 3)``, after the constant has been taken out under the weight (it is the parameter
    ``alpha``). Standard normal coefficients then draw from the Gaussian process (Karhunen-Loeve).
    """
    theta = SPACING * torch.arange(-N_HALF, N_HALF + 1, dtype=torch.float64)
    place = SATURATION * torch.tanh(theta / SATURATION)
    covariance = torch.exp(-0.5 * ((place[:, None] - place) / LENGTH).square())
    weight = torch.exp(-0.5 * (theta / WEIGHT_SD).square())
    weight = weight / weight.sum()
    covariance = covariance - weight @ covariance
    covariance = covariance - (covariance @ weight)[:, None]
    root = weight.sqrt()
    values, vectors = torch.linalg.eigh(root[:, None] * covariance * root)
    values, vectors = values.flip(0)[:N_SHAPES], vectors.flip(1)[:, :N_SHAPES]
    basis = covariance @ (root[:, None] * vectors) / values.sqrt()
    # Eigenvectors come with either sign: let every function be positive where ability is 1.
    return basis * torch.sign(basis[N_HALF + round(1 / SPACING)])


class MonotoneHierarchy(Hierarchy):
    """``alpha_j ~ N(mu, s^2)``, ``v_j ~ N(Gamma' x_j, tau^2 I)``, ``mu`` flat, ``Gamma ~ N(0, g^2)``.

    ``x_j = (1, 1.5 tanh(b_j / 2))`` with ``b_j = d_j exp(-alpha_j)``, so that items share a mean shape which
    may differ between easy and hard ones (guessing shows in hard items). ``mu`` and ``Gamma`` are integrated
    out, which ties the items together.
    """

    hyperparameters = (
        Hyperparameter("s", "sd of log slopes among items", 0.32, 0.04, 1.5, 0.5),
        Hyperparameter("tau", "sd of shapes around the mean shape", 0.3, 0.01, 1.0, 0.5, mixed=True),
        Hyperparameter("g", "sd of the mean shape", 0.2, 0.02, 1.5, 0.3, optional=True),
    )
    tied = frozenset({"alpha", "v"})
    deviations = "v"

    def prior(
        self,
        hyper: Mapping[str, float],
        values: Mapping[str, Float[Tensor, "members size"]],
        index: Mapping[str, Int[Tensor, "members size"]],
    ) -> JointNormal:
        location = values["d"][:, 0] * torch.exp(-values["alpha"][:, 0])
        x = torch.stack([torch.ones_like(location), MEAN_SHAPE_REACH * torch.tanh(0.5 * location)], -1)
        ones = torch.ones_like(x[:, :1])
        tied = [_shared_mean(index["alpha"][:, 0], ones, hyper["s"], math.inf)]
        tied += _alike(index["v"], x, hyper["tau"], hyper["g"])
        return JointNormal(
            torch.cat([t.index for t in tied]),
            torch.cat([t.precision for t in tied]),
            torch.block_diag(*(t.common for t in tied)),
            torch.cat([t.mean for t in tied]),
            sum(t.log_normaliser for t in tied),
        )


def _alike(
    index: Int[Tensor, "members columns"], x: Float[Tensor, "members regressors"], sd: float, mean_sd: float
) -> list[JointNormal]:
    """The same prior for every column; computed once where the same members of all are free."""
    first = _shared_mean(index[:, 0], x, sd, mean_sd)
    if not bool(((index >= 0) == (index[:, :1] >= 0)).all()):
        return [first, *(_shared_mean(column, x, sd, mean_sd) for column in index.T[1:])]
    return [replace(first, index=column[column >= 0]) for column in index.T]


def _shared_mean(
    index: Int[Tensor, " members"], x: Float[Tensor, "members regressors"], sd: float, mean_sd: float
) -> JointNormal:
    """``N(0, sd^2 I + mean_sd^2 x x')`` as a joint prior of the parameters that are free."""
    x = x[index >= 0]
    index = index[index >= 0]
    precision = x.new_full((len(index),), sd**-2)
    common = x[:, :0]
    determinant = -2.0 * len(index) * math.log(sd)
    if mean_sd > 0 and len(index):
        inner = x.T @ x + (sd / mean_sd) ** 2 * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        factor = torch.linalg.cholesky(inner)
        common = torch.linalg.solve_triangular(factor, x.T, upper=False).T / sd
        flat = math.isinf(mean_sd)
        inner_determinant = 2 * float(factor.diagonal().log().sum())
        determinant -= inner_determinant + (0.0 if flat else 2 * x.shape[1] * math.log(mean_sd / sd))
        if flat:
            determinant += 2 * x.shape[1] * math.log(sd)
    return JointNormal(
        index, precision, common, torch.zeros_like(precision),
        0.5 * determinant - 0.5 * len(index) * math.log(2 * math.pi),
    )  # fmt: skip


class Monotone(CurveModel):
    """``f = sign * integral from 0 to theta of exp(alpha + B(t) v) dt``, ``P(y >= k) = sigmoid(f + d_k)``.

    The intercepts are parametrised as in the graded response model, of which ``v = 0`` is the case with
    ``a = exp(alpha)`` (with two categories, the 2PL). The slope is linear in ability between nodes .1 apart
    and constant beyond them, and its integral is exact, so curves are smooth and monotone everywhere.
    """

    name = "monotone"
    label = "monotone"
    reference = "Ramsay, J. O. (1998). Estimating smooth monotone functions. JRSS B 60, 365-375."
    parameters = (
        INTERCEPT,
        ParameterSpec("alpha", "mean log slope"),
        GAP,
        ParameterSpec("v", "shape", per="feature", size=N_SHAPES),
    )
    hierarchy = MonotoneHierarchy()
    directed = True
    flexible = True
    of_the_curve = ("alpha", "v")

    def curve(
        self, theta: Float[Tensor, "*#batch"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch"]:
        return facts.sign * risen(theta, params["alpha"], params["v"])

    def curve_slopes(
        self, theta: Float[Tensor, "nodes 1"], params: Parameters, facts: Facts
    ) -> dict[str, Float[Tensor, "nodes members *size"]]:
        """The integral is a weighted sum of slopes between which it interpolates, the same for all items."""
        basis = shapes().to(theta)
        weights = integral(theta, torch.eye(len(basis), dtype=theta.dtype, device=theta.device))
        slope = facts.sign[:, None] * torch.exp(params["alpha"][:, None] + params["v"] @ basis.T)
        by_shape = (weights @ (slope[:, None] * basis.T).flatten(0, 1).T).unflatten(1, (len(slope), -1))
        return {"alpha": weights @ slope.T, "v": by_shape}

    def of_height(
        self, height: Float[Tensor, "*#batch"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch categories"]:
        logits = height[..., None] + GRADED.intercepts(params, facts)
        return existing(GRADED.of_steps(logits, params, facts), facts.n_categories, -torch.inf)

    def report(self, params: Parameters, facts: Facts) -> dict[str, Tensor]:
        return curve_columns(self, params, facts)


def risen(
    theta: Float[Tensor, "*#batch"], alpha: Float[Tensor, "*#batch"], v: Float[Tensor, "*#batch shapes"]
) -> Float[Tensor, "*#batch"]:
    """Integral of the slope ``exp(alpha + B v)`` from 0 to theta."""
    return integral(theta, torch.exp(alpha[..., None] + v @ shapes().to(v).T))


def integral(theta: Float[Tensor, "*#batch"], slope: Float[Tensor, "*#batch nodes"]) -> Float[Tensor, "*#batch"]:
    """Integral from 0 to theta of a slope that is linear between the nodes, and constant beyond them."""
    area = pad(torch.cumulative_trapezoid(slope, dx=SPACING, dim=-1), (1, 0))
    area = area - area[..., N_HALF, None]
    cell = ((theta.detach() + REACH) / SPACING).floor().clamp(0, 2 * N_HALF - 1).long()
    offset = theta - (SPACING * cell.to(theta.dtype) - REACH)
    inside = offset.clamp(0.0, SPACING)
    outside = offset - inside
    curve = torch.arange(slope[..., 0].numel(), device=slope.device).reshape(slope.shape[:-1])
    at = curve * slope.shape[-1] + cell
    left, right, start = _taken(slope, at), _taken(slope, at + 1), _taken(area, at)
    curved = (right - left) * inside.square() / (2 * SPACING)
    return start + left * inside + curved + torch.where(outside < 0, left, right) * outside


def _taken(values: Tensor, at: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Elements by their place when all are in one row."""
    return values.reshape(-1).index_select(0, at.reshape(-1)).reshape(at.shape)
