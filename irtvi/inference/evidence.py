"""Hyperparameters of a prior that ties items together: learned by Laplace evidence, and mixed over.

Around a point estimate the log-likelihood of the items, abilities integrated out, is taken as quadratic
(its observed information, Louis 1982). The evidence of hyperparameters is then a Gaussian integral
(MacKay 1992; Rue, Martino & Chopin 2009). Complete-data information would not do: it claims that the shapes
of curves are known far better than they are, and the spread among items collapses to 0.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.inference.expectation import Pass
from irtvi.inference.interruption import may_stop
from irtvi.inference.item_posterior import Curvature, FullCurvature, full_matrix
from irtvi.inference.louis import NEGLIGIBLE
from irtvi.inference.marginal import MarginalPosterior
from irtvi.inference.table import gradient_and_information
from irtvi.models.hierarchy import Hierarchy, Hyperparameter
from irtvi.models.model import Component, Model, hold, tie
from irtvi.models.parameters import LogPrior

MOST_ITEMS = 40
"""Items from which hyperparameters are learned; more say little more and cost their number cubed."""
PERSONS = 1_000
"""Persons from whom the missing information is estimated."""
GAIN, PROMISE = 3.0, 0.5
"""Log evidence by which an optional hyperparameter must pay, and by how much before the others are fitted to it."""
SETTLED, RISING = 0.17, 0.05
"""Hyperparameters that fall, or rise, by less than this factor (log) need no further round. Where the data ask for much
freedom, evidence around a point that had little of it says so only bit by bit."""
LOOSER = 2.0
"""Factor by which a hyperparameter may rise in a round: a quadratic around a point overstates what lies far off."""
FIRST_GRID = 7
SIMPLEX = 0.5
MIXTURE_GRID = 11
LEAST_WEIGHT = 1e-3
FLOOR = 1e-3


@dataclass(frozen=True)
class Quadratic:
    """A quadratic log-likelihood ``linear'x - x' information x / 2`` of the free parameters of some items."""

    component: Component
    free: Float[Tensor, " n_free"]
    information: Float[Tensor, "n_free n_free"]
    linear: Float[Tensor, " n_free"]

    def factored(self, hyper: Mapping[str, float]) -> tuple[float, Float[Tensor, "n_free n_free"]] | None:
        """Log evidence and Cholesky factor of the posterior precision; None if that is not one."""
        prior = self.component.joint_prior(hyper, self.free)
        matrix = self.information.clone()
        matrix[prior.index, prior.index] += prior.precision
        common = prior.scattered(len(matrix))
        matrix.addmm_(common, common.T, alpha=-1)
        factor, failed = torch.linalg.cholesky_ex(matrix)
        if int(failed):
            return None
        fit = 0.5 * torch.linalg.solve_triangular(factor, self.linear[:, None], upper=False).square().sum()
        evidence = fit - factor.diagonal().log().sum() + prior.log_normaliser
        evidence += sum(h.log_prior(hyper[h.name]) for h in _hierarchy(self.component).hyperparameters)
        return float(evidence), factor

    def mean(self, factor: Float[Tensor, "n_free n_free"]) -> Float[Tensor, " n_free"]:
        """Of the posterior with that precision."""
        return torch.cholesky_solve(self.linear[:, None], factor)[:, 0]


def learn(problem: MarginalPosterior, free: Float[Tensor, " n_free"], passed: Pass) -> tuple[Model, bool]:
    """The model with hyperparameters that have the highest evidence around a point.

    Parameters
    ----------
    problem : MarginalPosterior
        Its persons are those who speak.
    free : Float[Tensor, " n_free"]
    passed : Pass
        Over these persons, at ``free``.

    Returns
    -------
    Model
    bool
        Whether the hyperparameters hardly changed.
    """
    model = problem.model
    hyper, settled = list(model.hyper), True
    for part, component in enumerate(model.components):
        if component.item_model.hierarchy is None:
            continue
        quadratic = _some_items(problem, free, passed, part)
        before = model.hyper[part]
        found = _highest(quadratic, before)
        settled &= _close(found, before)
        hyper[part] = _not_much_looser(found if settled else _further(found, before), component, before)
    return tie(model, hyper, free), settled


def looser(model: Model, free: Float[Tensor, " n_free"]) -> Model | None:
    """The model with more freedom for shapes; None where the data asked for next to none.

    Evidence may have two summits: around curves that were held tight it asks for little freedom, around loose ones for
    much. A search that settled looks from here whether it comes back.
    """
    hyper, any_looser = list(model.hyper), False
    for part, component in enumerate(model.components):
        if component.item_model.hierarchy is None:
            continue
        for h in _hierarchy(component).hyperparameters:
            value = hyper[part][h.name]
            if h.mixed and 0.5 * h.start < value < h.high:
                hyper[part] = {**hyper[part], h.name: min(LOOSER * value, h.high)}
                any_looser = True
    return tie(model, hyper, free) if any_looser else None


def mixed_curvature(
    model: Model,
    free: Float[Tensor, " n_free"],
    information: list[Tensor],
    missing: Float[Tensor, "n_free n_free"],
) -> Curvature | None:
    """Curvature of a Gaussian with the posterior covariance, hyperparameters not known exactly.

    The posterior is mixed over a grid of the hyperparameter that governs shapes, weighted by its evidence;
    the others stay at their estimates.

    Parameters
    ----------
    information : list of Tensor
        Observed complete-data information of every part.
    missing : Tensor
        Missing information.
    """
    part, component = next((p, c) for p, c in enumerate(model.components) if c.item_model.hierarchy is not None)
    others = replace(model.log_prior, joint=tuple(j for k, j in enumerate(model.log_prior.joint) if k > 0))
    _, _, second = others.derivatives(free)
    base = full_matrix(model, information, -second) - missing
    common = others.common()
    base = base if common is None else base - common @ common.T
    own = model.log_prior.joint[0]
    pull = torch.zeros_like(free).index_add(0, own.index, own.gradient(free))
    base = _semidefinite(base)
    quadratic = Quadratic(component, free, base, base @ free - pull)
    chosen = next(h for h in _hierarchy(component).hyperparameters if h.mixed)
    logs = torch.linspace(math.log(1.5 * chosen.low), math.log(0.7 * chosen.high), MIXTURE_GRID).tolist()
    found = []
    for log in logs:
        may_stop()
        one = quadratic.factored({**model.hyper[part], chosen.name: math.exp(log)})
        if one is not None:
            found.append((one[0] + log, one[1]))
    if not found:
        return None
    weight = torch.softmax(torch.tensor([evidence for evidence, _ in found], dtype=torch.float64), 0)
    kept = [(float(w), factor) for w, (_, factor) in zip(weight, found, strict=True) if w > LEAST_WEIGHT]
    total = sum(w for w, _ in kept)
    means = torch.stack([quadratic.mean(factor) for _, factor in kept])
    shares = torch.tensor([w / total for w, _ in kept], dtype=torch.float64, device=free.device)
    apart = means - shares @ means
    covariance = (apart.T * shares) @ apart
    for share, (_, factor) in zip(shares.tolist(), kept, strict=True):
        covariance.add_(torch.cholesky_inverse(factor), alpha=share)
    root, failed = torch.linalg.cholesky_ex(covariance)
    if int(failed):
        return None
    factor, failed = torch.linalg.cholesky_ex(torch.cholesky_inverse(root))
    return None if int(failed) else FullCurvature(factor)


def _hierarchy(component: Component) -> Hierarchy:
    hierarchy = component.item_model.hierarchy
    assert hierarchy is not None
    return hierarchy


def _some_items(problem: MarginalPosterior, free: Tensor, passed: Pass, part: int) -> Quadratic:
    """The quadratic log-likelihood of some items of a component, everything else held where it is."""
    model = problem.model
    index = model.components[part].slots.index
    step = max(1, math.ceil(len(index) / MOST_ITEMS))
    inside = torch.zeros(model.n_free, dtype=torch.bool, device=free.device)
    own = index[::step]
    inside[own[own >= 0]] = True
    untied = replace(model, log_prior=replace(model.log_prior, joint=()))
    outside = torch.nonzero(~inside)[:, 0]
    small, remaining = hold(untied, outside, free[outside])
    x = free[remaining]
    gradient, information = gradient_and_information(small, x, passed.expectations)
    _, prior_gradient, second = LogPrior(small.log_prior.groups, small.n_free).derivatives(x)
    of_items = replace(problem, model=small)
    missing = of_items.missing(x, passed, PERSONS, NEGLIGIBLE)
    assert isinstance(missing, Tensor)
    matrix = full_matrix(small, information, (-second).clamp(min=0.0)) - missing
    matrix = _filled(matrix, lambda: of_items.score_products(x, passed, PERSONS))
    return Quadratic(small.components[part], x, matrix, matrix @ x + gradient + prior_gradient)


def _filled(
    matrix: Float[Tensor, "n n"], of_scores: Callable[[], Float[Tensor, "n n"]]
) -> Float[Tensor, "n n"]:
    """Observed information with what persons' scores say where it is not positive.

    Off the maximum, and by sampling, the observed information of shapes that the data hardly know is negative. Nearly
    0 instead would be a likelihood that rises without end along its gradient, and evidence for any spread at all; the
    products of scores estimate the same information and are never negative.
    """
    matrix = 0.5 * (matrix + matrix.T)
    values, vectors = torch.linalg.eigh(matrix)
    if float(values.min()) >= 0.0:
        return matrix
    instead = ((of_scores() @ vectors) * vectors).sum(0)
    return (vectors * torch.maximum(values, instead.clamp(min=FLOOR))) @ vectors.T


def _semidefinite(matrix: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """The matrix with negative eigenvalues (sampling noise, a point off the maximum) raised to nearly 0."""
    matrix = 0.5 * (matrix + matrix.T)
    raised = matrix.clone()
    raised.diagonal().add_(FLOOR)
    if not int(torch.linalg.cholesky_ex(raised).info):
        return matrix
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=FLOOR)) @ vectors.T


def _highest(quadratic: Quadratic, start: Mapping[str, float]) -> dict[str, float]:
    """Hyperparameters of highest evidence; optional ones stay 0 unless they pay."""
    specs = _hierarchy(quadratic.component).hyperparameters
    needed = [h for h in specs if not h.optional]
    first = dict(start) | {h.name: 0.0 for h in specs if h.optional}
    for h in needed:
        if h.mixed:
            first = _best_of(quadratic, [first, *({**first, h.name: value} for value in _spread(h))])[0]
    best, evidence = _climb(quadratic, first, [h.name for h in needed])
    for h in specs:
        if h.optional:
            trials = [{**best, h.name: value} for value in (start[h.name], *_spread(h)) if value > 0]
            trial, reached = _best_of(quadratic, trials)
            if reached > evidence + PROMISE:
                trial, reached = _climb(quadratic, trial, [*(n.name for n in needed), h.name])
            if reached > evidence + GAIN:
                best, evidence = trial, reached
    return best


def _spread(h: Hyperparameter) -> list[float]:
    """Values over the range of a hyperparameter."""
    return torch.linspace(math.log(h.low), math.log(h.high), FIRST_GRID).exp().tolist()


def _best_of(quadratic: Quadratic, trials: Sequence[dict[str, float]]) -> tuple[dict[str, float], float]:
    reached = [_evidence(quadratic, trial) for trial in trials]
    place = max(range(len(trials)), key=reached.__getitem__)
    return trials[place], reached[place]


def _evidence(quadratic: Quadratic, hyper: Mapping[str, float]) -> float:
    may_stop()
    found = quadratic.factored(hyper)
    return -1e12 if found is None else found[0]


def _climb(quadratic: Quadratic, start: Mapping[str, float], names: list[str]) -> tuple[dict[str, float], float]:
    """Nelder-Mead on the logarithms of some hyperparameters."""
    specs = {h.name: h for h in _hierarchy(quadratic.component).hyperparameters}
    bounds = [(math.log(specs[n].low), math.log(specs[n].high)) for n in names]
    corner = [min(max(math.log(start[n]), low), high) for n, (low, high) in zip(names, bounds, strict=True)]
    # Away from the nearer bound, so that no corner of the simplex is clipped onto another.
    inward = [SIMPLEX if low + high > 2 * x else -SIMPLEX for x, (low, high) in zip(corner, bounds, strict=True)]
    simplex = [corner] + [[x + inward[k] * (k == i) for k, x in enumerate(corner)] for i in range(len(corner))]

    def loss(logs) -> float:
        return -_evidence(quadratic, {**start, **{n: math.exp(x) for n, x in zip(names, logs, strict=True)}})

    from scipy.optimize import minimize

    found = minimize(
        loss, corner, method="Nelder-Mead", bounds=bounds,
        options={"initial_simplex": simplex, "xatol": 0.05, "fatol": 0.02, "maxfev": 40 * len(names)},
    )  # fmt: skip
    return {**start, **{n: math.exp(x) for n, x in zip(names, found.x, strict=True)}}, -float(found.fun)


def _not_much_looser(
    found: Mapping[str, float], component: Component, before: Mapping[str, float]
) -> dict[str, float]:
    specs = _hierarchy(component).hyperparameters
    return {h.name: min(found[h.name], h.high, LOOSER * (before[h.name] or h.start)) for h in specs}


def _further(found: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """What rose, as much again (over-relaxation): by single steps it would take many rounds."""
    return {n: found[n] * max(1.0, found[n] / before[n] if before[n] > 0 else 1.0) for n in found}


def _close(found: Mapping[str, float], before: Mapping[str, float]) -> bool:
    return all(
        (found[n] > 0) == (before[n] > 0) and (found[n] == 0 or -SETTLED < math.log(found[n] / before[n]) < RISING)
        for n in found
    )
