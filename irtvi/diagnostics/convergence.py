"""How good a fit's approximations are: of the search, and of every person before and after repair."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from irtvi.inference.certificate import HALVING_LIMIT, NEEDS_REPAIR, Certificates
from irtvi.inference.engines.engine import Data
from irtvi.inference.expectation import EDGE
from irtvi.inference.pareto import GOOD_K
from irtvi.inference.threads import in_one_thread
from irtvi.results.certifying import gaps_by_step
from irtvi.results.result import Result

NUMBERS = ("gap_approximation", "gap_amortization", "gap_repaired", "error", "delta", "edge", "pareto_k", "ess")

LIMITS = {"gap_amortization": NEEDS_REPAIR, "pareto_k": GOOD_K, "delta": HALVING_LIMIT, "edge": EDGE}


@dataclass(frozen=True)
class Convergence:
    """Whether the search arrived and whom the scores serve; what a certificate says is a diagnostic, not a proof.

    Attributes
    ----------
    converged : bool
        Whether the search met its criterion.
    reason : str
        Why it ended.
    people : DataFrame
        One row a person, index the ids. Before repair: ``theta_before``, ``sd_before`` (of the encoder),
        ``error_before`` (signed error of its bound as a log marginal, nats), which is minus the sum of
        ``gap_approximation`` (what any Gaussian leaves) and ``gap_amortization`` (what the encoder leaves beside
        the best Gaussian). After repair: ``theta``, ``sd``, ``error_after`` (signed error of the repaired
        Gaussian's bound), ``gap_repaired``; ``log_marginal`` by integration, and ``error``, how far that may be
        off. ``pareto_k`` and ``ess`` of draws where they are used, ``delta`` (the rule on every other node) and
        ``edge`` (posterior on the outermost nodes) otherwise. ``repair_needed``, ``repaired`` (whether the scores
        of the result are), ``repair_sufficed``, ``reliable``. NaN where the engine has no such number.
    numbers : DataFrame
        The same numbers over persons: columns mean, median, q90, q99, max.
    shares : DataFrame
        Persons that need repair, are repaired, for whom it sufficed (of those who need it), who are reliable, and
        who lie beyond each limit: columns share, persons, limit.
    trace : DataFrame
        The search, step by step, as ``Result.trace``; and of the encoder at the parameters of that step, on at
        most 200 persons: ``gap_approximation``, ``gap_amortization`` (mean, nats, before repair) and
        ``repair_needed`` (share).
    """

    converged: bool
    reason: str
    people: pd.DataFrame
    numbers: pd.DataFrame
    shares: pd.DataFrame
    trace: pd.DataFrame

    def __repr__(self) -> str:
        return f"<Convergence: {self.reason} {len(self.people)} persons: {self.said()}>"

    def said(self) -> str:
        """The shares in one line of words."""
        shares = zip(self.shares.index, self.shares["share"].to_numpy(dtype=float), strict=True)
        return "; ".join(f"{name} {share:.1%}" for name, share in shares if share >= 0)


@in_one_thread
def convergence(result: Result, responses: Any = None) -> Convergence:
    """The whole certificate of a result.

    Parameters
    ----------
    result : Result
    responses : DataFrame, path or Responses, optional
        New people; by default those of the fit.

    Raises
    ------
    irtvi.errors.ResponsesNeededError
        The result was loaded from a file without responses, and none were given.
    """
    given = result.responses_of(responses)
    gaps = gaps_by_step(result.posterior, result.engine, Data.of(given, result.item_models, result.posterior.device))
    found = result.certified(None if responses is None else given)
    scores = result.abilities if responses is None else result.score(given)
    people = _people(found, scores)
    return Convergence(
        converged=result.converged,
        reason=result.reason,
        people=people,
        numbers=_numbers(people),
        shares=_shares(people),
        trace=pd.concat([result.trace, gaps], axis=1),
    )


def _people(found: Certificates, scores: pd.DataFrame) -> pd.DataFrame:
    columns = {
        "theta_before": found.encoded_mean,
        "sd_before": found.encoded_sd,
        "error_before": found.error_before,
        "gap_approximation": found.gap_approximation,
        "gap_amortization": found.gap_amortization,
        "error_after": found.error_after,
        "gap_repaired": found.gap_repaired,
        "log_marginal": found.log_marginal,
        "error": found.error,
        "delta": found.delta,
        "edge": found.edge,
        "pareto_k": found.pareto_k,
        "ess": found.ess,
        "repair_needed": found.needed,
        "repaired": found.repaired,
        "repair_sufficed": found.sufficed,
        "reliable": found.reliable,
    }
    table = pd.DataFrame({name: values.cpu().numpy() for name, values in columns.items()}, index=scores.index)
    table.insert(5, "theta", scores["theta"])
    table.insert(6, "sd", scores["sd"])
    return table


def _numbers(people: pd.DataFrame) -> pd.DataFrame:
    values = people[list(NUMBERS)]
    statistics = [values.mean(), values.median(), values.quantile(0.9), values.quantile(0.99), values.max()]
    return pd.concat(statistics, axis=1, keys=["mean", "median", "q90", "q99", "max"])


def _shares(people: pd.DataFrame) -> pd.DataFrame:
    needed = people["repair_needed"].to_numpy()
    rows = {
        "repair needed": _share(needed),
        "repaired": _share(people["repaired"].to_numpy()),
        "repair sufficed": _share(people["repair_sufficed"].to_numpy()[needed]),
        "reliable": _share(people["reliable"].to_numpy()),
    }
    for name, limit in LIMITS.items():
        values = people[name].dropna().to_numpy()
        rows[f"{name} over the limit"] = _share(values > limit, limit)
    return pd.DataFrame.from_dict(rows, orient="index")


def _share(who: np.ndarray, limit: float = np.nan) -> dict[str, float]:
    return {"share": who.mean() if len(who) else np.nan, "persons": who.sum(), "limit": limit}
