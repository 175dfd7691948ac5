"""Several fits of the same data side by side."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from irtvi.errors import DifferentDataError, SpecificationError
from irtvi.inference.threads import in_one_thread
from irtvi.models.parameters import Slots
from irtvi.responses.cells import Cells
from irtvi.responses.responses import Responses
from irtvi.results.result import Result

INDISTINGUISHABLE = 2.0
"""Standard errors within which a difference in held-out log-likelihood says nothing."""

NESTED_IN = {
    "rasch": {"1pl", "2pl", "3pl", "4pl"},
    "1pl": {"rasch", "2pl", "3pl", "4pl"},
    "2pl": {"3pl", "4pl"},
    "3pl": {"4pl"},
    "rsm": {"pcm", "gpcm", "nominal"},
    "pcm": {"gpcm", "nominal"},
    "gpcm": {"nominal"},
}
"""Item models by name, and those of which they are a special case."""
ASYMPTOTES = {"3pl": {"c"}, "4pl": {"c", "u"}}


@in_one_thread
def compare(results: Mapping[str, Result], holdout: Responses | None = None) -> pd.DataFrame:
    """Fits of the same data, one row each.

    Parameters
    ----------
    results : mapping of name to Result
    holdout : Responses, optional
        Answers of the same persons that were set aside by :func:`irtvi.holdout` before the fits.

    Returns
    -------
    DataFrame
        Index: the names, in the given order. Columns:

        ``log_marginal, n_parameters, aic, bic, sabic``
            In nats and in units of deviance. ``penalised`` says that priors took part, so that the criteria
            are not those of maximum likelihood; they are NaN for flexible models, whose number of parameters
            says little.
        ``penalised, converged, seconds``
        ``lr_against, lr, df, p, lr_note``
            Likelihood-ratio test of the model ``lr_against``, the largest of those compared that is nested in
            this one. NaN, and the reason in ``lr_note``, where its statistic is not chi-squared.
        ``held_out, held_out_difference, held_out_se, verdict``
            With ``holdout``: the log-likelihood of the answers that were set aside, abilities integrated out
            given each person's other answers; its difference from the best fit; the standard error of that
            difference, clustered by person; "best", "indistinguishable" (within two standard errors) or
            "worse".

    Raises
    ------
    irtvi.errors.DifferentDataError
        The fits are not of the same data, or the held-out answers took part in them.
    irtvi.errors.SpecificationError
        There is nothing to compare, or it is no result.
    """
    if not isinstance(results, Mapping) or not results:
        raise SpecificationError("compare takes a mapping of names to results, such as {'2pl': result}.")
    strange = [name for name, result in results.items() if not isinstance(result, Result)]
    if strange:
        raise SpecificationError(f"compare takes results of irtvi.fit; {strange[0]!r} is {results[strange[0]]!r}.")
    if holdout is not None and not isinstance(holdout, Responses):
        raise SpecificationError(
            f"compare(holdout=) takes the second part of irtvi.holdout, got {type(holdout).__name__}."
        )
    _check_same_data(results)
    _check_same_kind(results)
    rows = {name: _row(result) | _likelihood_ratio(name, results) for name, result in results.items()}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "name"
    if holdout is not None:
        table = table.join(held_out(results, holdout))
    return table


def held_out(results: Mapping[str, Result], holdout: Responses) -> pd.DataFrame:
    """Log-likelihood of answers that were set aside, and paired differences from the best fit.

    Notes
    -----
    Differences of the same person's answers share that person's ability, so the standard error is that of a sum
    over persons: ``sqrt(n / (n - 1) * sum_i w_i (D_i - mean D)^2)`` with ``D_i`` the difference summed over person
    i's held-out answers, ``w_i`` the frequency weight (squared for survey weights) and n the number of persons.
    """
    train = next(iter(results.values())).responses_of(None)
    _check_apart(train, holdout)
    cells = {name: result.predict(holdout) for name, result in results.items()}
    person = train.person_ids.get_indexer(pd.Index(next(iter(cells.values()))["id"]))
    persons, row = np.unique(person, return_inverse=True)
    if not len(persons):
        raise SpecificationError("compare(holdout=) has no answers.")
    weight = train.person_weights().numpy()[persons]
    sums = pd.DataFrame(
        {name: np.bincount(row, table["log_prob"].to_numpy(), minlength=len(persons)) for name, table in cells.items()}
    )
    total = (sums.mul(weight, axis=0)).sum()
    best = total.idxmax()
    difference = sums.sub(sums[best], axis=0)
    survey = train.survey_weights is not None
    n = float(len(persons)) if survey else float(weight.sum())
    centred = difference - difference.mul(weight, axis=0).sum() / weight.sum()
    variance = centred.pow(2).mul(weight**2 if survey else weight, axis=0).sum() * n / max(n - 1.0, 1.0)
    table = pd.DataFrame(
        {"held_out": total, "held_out_difference": total - total[best], "held_out_se": np.sqrt(variance)}
    )
    table["verdict"] = [
        _verdict(name == best, *table.loc[name, ["held_out_difference", "held_out_se"]]) for name in table.index
    ]
    return table


def _verdict(is_best: bool, difference: float, se: float) -> str:
    if is_best:
        return "best"
    return "indistinguishable" if abs(difference) < INDISTINGUISHABLE * se or difference == 0 else "worse"


def _check_same_data(results: Mapping[str, Result]) -> None:
    digests = {name: result.data_digest for name, result in results.items()}
    first, *others = digests
    for name in others:
        if digests[name] != digests[first]:
            raise DifferentDataError(
                f"{first!r} and {name!r} are fits of different data, so their likelihoods cannot be compared: "
                f"{_described(results[first])} against {_described(results[name])}. Fit both to the same Responses."
            )


def _check_same_kind(results: Mapping[str, Result]) -> None:
    """Densities and probabilities are different things: no item is measured in one fit and in categories in another."""
    first, *others = results
    for name in others:
        differs = results[name].model.measured.cpu() != results[first].model.measured.cpu()
        if bool(differs.any()):
            item = results[first].coding.item_ids[int(differs.nonzero()[0, 0])]
            raise SpecificationError(
                f"Item {item!r} is measured in one of {first!r} and {name!r} and in categories in the other: a "
                "log density does not compare with a log-probability. Compare fits of one kind."
            )


def _described(result: Result) -> str:
    return f"{result.n_persons:g} persons x {len(result.coding.item_ids)} items (digest {result.data_digest[:8]})"


def _check_apart(train: Responses, holdout: Responses) -> None:
    """No held-out answer took part in the fits."""
    if holdout.n_persons != train.n_persons or not holdout.item_ids.equals(train.item_ids):
        return  # predict says what is wrong
    n_shared = 0
    for rows, part in train.cells.parts():
        same = holdout.cells.take(torch.arange(rows.start, rows.stop))
        fitted, held_out = (_positions(cells) for cells in (part, same))
        n_shared += len(np.intersect1d(fitted, held_out, assume_unique=True))
    if n_shared:
        raise DifferentDataError(
            f"{n_shared} of the {holdout.n_responses} held-out answers took part in the fits. Split with "
            "irtvi.holdout and fit its first part."
        )


def _positions(cells: Cells) -> np.ndarray:
    """Of the answers, counted through persons and items."""
    persons, items, _ = cells.pairs()
    return persons.cpu().numpy().astype(np.int64) * cells.n_items + items.cpu().numpy()


def _row(result: Result) -> dict[str, Any]:
    flexible = any(m.flexible for m in result.item_models)
    return {
        "log_marginal": result.log_marginal,
        "n_parameters": result.n_parameters,
        "aic": np.nan if flexible else result.aic,
        "bic": np.nan if flexible else result.bic,
        "sabic": np.nan if flexible else result.sabic,
        "penalised": result.penalised,
        "converged": result.converged,
        "seconds": result.posterior.seconds,
    }


class _LikelihoodRatio(NamedTuple):
    lr_against: str
    lr: float
    df: float
    p: float
    lr_note: str


def _likelihood_ratio(name: str, results: Mapping[str, Result]) -> dict[str, Any]:
    return _tested(name, results)._asdict()


def _tested(name: str, results: Mapping[str, Result]) -> _LikelihoodRatio:
    large = results[name]
    nested = [
        other
        for other, small in results.items()
        if other != name and small.n_parameters <= large.n_parameters and is_nested(small, large)
    ]
    if not nested:
        return _LikelihoodRatio("", np.nan, np.nan, np.nan, "no model that is known to be nested in this one")
    against = max(nested, key=lambda other: results[other].n_parameters)
    small = results[against]
    df = float(large.n_parameters - small.n_parameters)
    lr = 2.0 * (large.log_marginal - small.log_marginal)
    if reason := _no_likelihood(small, large):
        return _LikelihoodRatio(against, np.nan, np.nan, np.nan, reason)
    if reason := _no_chi_square(small, large):
        return _LikelihoodRatio(against, lr, df, np.nan, reason)
    from scipy.special import chdtrc

    return _LikelihoodRatio(against, lr, df, float(chdtrc(df, max(lr, 0.0))), "")


def _no_likelihood(small: Result, large: Result) -> str:
    """Why there is no ratio of maximised likelihoods."""
    if small.penalised or large.penalised:
        return "priors took part: fit with priors=None"
    if "survey" in (small.weighting, large.weighting):
        return "survey weights: there is no likelihood"
    if not (small.converged and large.converged):
        return "a fit has not converged"
    return ""


def _no_chi_square(small: Result, large: Result) -> str:
    """Why twice the log ratio is not chi-squared (Self and Liang 1987)."""
    if large.n_parameters == small.n_parameters:
        return "equal numbers of parameters: the same model in another form"
    asymptotes = set().union(*(ASYMPTOTES.get(m.name, set()) for m in large.item_models))
    asymptotes -= set().union(*(ASYMPTOTES.get(m.name, set()) for m in small.item_models))
    if asymptotes:
        edge = ", ".join({"c": "c = 0", "u": "u = 1"}[name] for name in sorted(asymptotes))
        return f"the smaller model lies on the boundary of the larger ({edge})"
    if small.posterior.boundary or large.posterior.boundary:
        return "a parameter is at its boundary"
    return ""


def is_nested(small: Result, large: Result) -> bool:
    """Whether one fit's model is known to be a special case of another's.

    Between item models that :data:`NESTED_IN` names, where neither fit was restricted by held or equal parameters;
    and between fits of the same item models, where whatever is held or equal in the larger is so in the smaller.
    """
    pairs = {(s.name, b.name) for s, b in zip(small.item_models, large.item_models, strict=True)}
    if all(s == b for s, b in pairs):
        return _same_population(small, large) and _restricts(small, large)
    if not all(s == b or b in NESTED_IN.get(s, set()) for s, b in pairs):
        return False
    return not (_is_restricted(small) or _is_restricted(large))


def _same_population(small: Result, large: Result) -> bool:
    return _is_refinement(
        _origins(small.model.population_slots, 0, small), _origins(large.model.population_slots, 0, large)
    )


def _restricts(small: Result, large: Result) -> bool:
    return _is_refinement(_item_origins(small), _item_origins(large))


def _item_origins(result: Result) -> dict[tuple[int, str], tuple[str, float]]:
    origins = {}
    for part, component in enumerate(result.model.components):
        own = _origins(component.slots, part, result)
        items = component.items.tolist()
        origins |= {(items[member], name): origin for (member, name), origin in own.items()}
    return origins


def _origins(slots: Slots, part: int, result: Result) -> dict[tuple[int, str], tuple[str, float]]:
    """Where each number comes from: a position in the free vector, or a value that the user holds."""
    at_boundary = {(m, s) for p, m, s in result.posterior.boundary if p == part}
    origins = {}
    for member in range(slots.index.shape[0]):
        for slot, name in enumerate(slots.names()):
            if not slots.exists[member, slot]:
                continue
            position = int(slots.index[member, slot])
            if position >= 0:
                origins[member, name] = ("free", float(position))
            elif (member, slot) in at_boundary:
                origins[member, name] = ("boundary", float(member * slots.n_slots + slot))
            else:
                origins[member, name] = ("held", float(slots.held[member, slot]))
    return origins


def _is_refinement(
    small: dict[tuple[int, str], tuple[str, float]], large: dict[tuple[int, str], tuple[str, float]]
) -> bool:
    """Whether numbers that are held or equal in the larger are held at the same value or equal in the smaller."""
    if set(small) != set(large):
        return False
    images: dict[tuple[str, float], tuple[str, float]] = {}
    for where, origin in large.items():
        if origin[0] == "held" and not (small[where][0] == "held" and np.isclose(small[where][1], origin[1])):
            return False
        if images.setdefault(origin, small[where]) != small[where]:
            return False
    return True


def _is_restricted(result: Result) -> bool:
    """Whether the user held parameters or made them equal."""
    origins = _item_origins(result)
    shared = {spec.name for m in result.item_models for spec in m.parameters if spec.scope == "shared"}
    own = [origin for (_, name), origin in origins.items() if name.rstrip("0123456789") not in shared]
    return any(kind == "held" for kind, _ in own) or len(set(own)) < len(own)
