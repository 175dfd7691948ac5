"""Scores as people report them: percentiles, the chance of being above a cut, and customary scales."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import torch

from irtvi.errors import SpecificationError
from irtvi.inference.threads import in_one_thread
from irtvi.results.result import Result

Reference = Literal["population", "sample"] | Mapping[str, Any]


class Scale(NamedTuple):
    """A customary scale: what the reference population's mean and sd become."""

    mean: float
    sd: float


T_SCALE = Scale(50.0, 10.0)
SCALE_500 = Scale(500.0, 100.0)


class ReferencePopulation(NamedTuple):
    """The people whose mean and sd of ability define a scale."""

    name: str
    mean: float
    sd: float


def reference_population(result: Result, reference: Reference) -> ReferencePopulation:
    """Mean and sd of the people whom a scale refers to.

    Parameters
    ----------
    result : Result
    reference : "population", "sample" or {"mean": .., "sd": .., "name": ..}
        The population of the model; the point estimates of the people of the fit who answered something; or numbers
        on the scale of theta, of a norm sample for instance, which can have a name.

    Raises
    ------
    irtvi.errors.SpecificationError
        The reference is none of these, or has no spread.
    """
    if isinstance(reference, Mapping):
        if not {"mean", "sd"} <= set(reference) <= {"mean", "sd", "name"}:
            raise SpecificationError(
                f"reference= needs mean and sd, and may have a name, got {sorted(map(str, reference))}."
            )
        name = str(reference.get("name") or "given")
        found = ReferencePopulation(name, float(reference["mean"]), float(reference["sd"]))
    elif reference == "population":
        row = result.population.iloc[0]
        found = ReferencePopulation("population of the model", float(row["mean"]), float(row["sd"]))
    elif reference == "sample":
        theta = result.abilities.loc[result.abilities["n_answered"] > 0, "theta"]
        found = ReferencePopulation("people of the data", float(theta.mean()), float(theta.std()))
    else:
        raise SpecificationError(
            f"reference= is 'population', 'sample' or a mapping with mean and sd, got {reference!r}."
        )
    if not found.sd > 0:
        raise SpecificationError(f"The reference population ({found.name}) has the sd {found.sd}; it must be positive.")
    return found


def rescaled(theta: Any, reference: ReferencePopulation, scale: Scale) -> Any:
    """Abilities on a scale on which the reference population has the scale's mean and sd."""
    return scale.mean + scale.sd * (theta - reference.mean) / reference.sd


@in_one_thread
def score_report(
    result: Result, cut: float = 0.0, *, reference: Reference = "population", new: Any = None
) -> pd.DataFrame:
    """One row for each person: the score, its uncertainty, and where it stands.

    Parameters
    ----------
    result : Result
    cut : float
        A cut score on the scale of theta.
    reference : "population", "sample" or {"mean": .., "sd": .., "name": ..}
        Whose mean and sd become 50 and 10, and 500 and 100.
    new : DataFrame, path or Responses, optional
        New people in place of those of the fit.

    Returns
    -------
    DataFrame
        Index: the person ids, in the order of the data. ``theta, sd, sd_items, lower, upper`` as in
        ``result.abilities``; ``percentile_population`` of the model's normal population,
        ``percentile_sample`` among the point estimates of the people in the table (mid-ranks, so that ties share one);
        ``probability_above``, the posterior probability that theta exceeds the cut; ``t_score``, ``scale500`` and
        their sds; ``sum_score``, ``n_answered``, ``status``. Percentiles of people without an answer are NaN.
    """
    table = result.abilities if new is None else result.score(new)
    whose = reference_population(result, reference)
    answered = table["n_answered"].to_numpy() > 0
    theta = table["theta"].to_numpy(dtype=float)
    population = result.population.iloc[0]
    sample = np.full(len(theta), np.nan)
    if answered.any():
        sample[answered] = 100.0 * (_mid_ranks(theta[answered]) - 0.5) / answered.sum()
    report = table[["theta", "sd", "sd_items", "lower", "upper"]].copy()
    standardised = torch.from_numpy((theta - population["mean"]) / population["sd"])
    report["percentile_population"] = np.where(answered, 100.0 * torch.special.ndtr(standardised).numpy(), np.nan)
    report["percentile_sample"] = sample
    report["probability_above"] = result.probability_above(cut, new).to_numpy()
    report["t_score"] = rescaled(table["theta"], whose, T_SCALE)
    report["t_sd"] = table["sd"] * T_SCALE.sd / whose.sd
    report["scale500"] = rescaled(table["theta"], whose, SCALE_500)
    report["scale500_sd"] = table["sd"] * SCALE_500.sd / whose.sd
    return report.join(table[["sum_score", "n_answered", "status"]])


class AroundCut(NamedTuple):
    """How many people are above a cut, and for how many that is open."""

    expected_above: float
    n_open: int


SAME = 1e-7
"""Distance of abilities that count as one; integrals of the same answers differ by some 1e-8."""
OPEN = (0.1, 0.9)
"""Between these chances of being above the cut it is open whether somebody is."""


def around_cut(report: pd.DataFrame) -> AroundCut:
    """Expected number of people above the cut, and number of people too close to it to tell.

    Parameters
    ----------
    report : DataFrame
        From :func:`score_report`; people without an answer do not count.
    """
    chance = report.loc[report["n_answered"] > 0, "probability_above"]
    return AroundCut(float(chance.sum()), int(chance.between(*OPEN, inclusive="neither").sum()))


@in_one_thread
def score_changes(first: Result, second: Result) -> pd.DataFrame:
    """How the scores of the same people differ between two fits.

    Returns
    -------
    DataFrame
        Index: the person ids of people who answered something. ``theta_first, theta_second, difference``, each on the
        scale on which the population of its model has mean 0 and sd 1 (a Rasch fit estimates the sd), and places
        from above ``rank_first, rank_second`` (ties share the mean), ``shift`` (positive: moved up in the second).

    Raises
    ------
    irtvi.errors.SpecificationError
        The fits are not of the same people.
    """
    if not first.abilities.index.equals(second.abilities.index):
        raise SpecificationError("score_changes needs two fits of the same people in the same order.")
    answered = first.abilities["n_answered"] > 0
    one, two = (_standardized(result).loc[answered] for result in (first, second))
    table = pd.DataFrame({"theta_first": one, "theta_second": two, "difference": two - one})
    table["rank_first"] = _mid_ranks(-one.to_numpy())
    table["rank_second"] = _mid_ranks(-two.to_numpy())
    table["shift"] = table["rank_first"] - table["rank_second"]
    return table


def _mid_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from the lowest on; values that are the same but for the rounding of integrals share their mean."""
    order = np.argsort(values, kind="stable")
    steps = np.diff(values[order], prepend=-np.inf) > SAME
    ties = np.bincount(steps.cumsum() - 1)
    last = ties.cumsum()
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(last - 0.5 * (ties - 1), ties)
    return ranks


def _standardized(result: Result) -> pd.Series:
    return rescaled(result.abilities["theta"], reference_population(result, "population"), Scale(0.0, 1.0))
