"""Why an item or a person deserves a look."""

import numpy as np
import pandas as pd

from irtvi.results.result import Result

WRONG_WAY = "is its key right, or has it to be reversed?"


def item_flags(result: Result) -> pd.Series:
    """Reason by item, for the items that deserve a look.

    Parameters
    ----------
    result : Result

    Returns
    -------
    Series
        Index: the item ids, in their order; values: the status of the item, or that it runs against the others (a
        negative correlation with the rest of the answers, a negative discrimination).
    """
    table = result.items
    reasons = _statuses(table)
    reasons = reasons.mask(_constant(result) & (reasons == ""), "everybody gave the same answer")
    against = (table["item_rest"] < 0) & (reasons == "")
    reasons = reasons.mask(against, f"runs against the others: {WRONG_WAY}")
    for name in ("a", "slope"):
        if name in table.columns:
            negative = (table[name] < 0) & (reasons == "")
            reasons = reasons.mask(negative, f"negative discrimination: {WRONG_WAY}")
    return _given(reasons)


def person_flags(result: Result) -> pd.Series:
    """Reason by person, for the persons whose score deserves a look.

    Parameters
    ----------
    result : Result

    Returns
    -------
    Series
        Index: the person ids, in their order; values: the status of the score, or that its integral is not reliable.
    """
    table = result.abilities
    reasons = _statuses(table)
    reasons = reasons.mask(~table["reliable"].astype(bool) & (reasons == ""), "the score is not reliable")
    return _given(reasons)


def _constant(result: Result) -> np.ndarray:
    """Items without a spread: no correlation, and a mean that is one of the scores."""
    table = result.items
    scores = (np.asarray(coding.values, dtype=float) for coding in result.coding.codings)
    alike = [bool(np.isclose(own, mean).any()) for own, mean in zip(scores, table["mean"], strict=True)]
    return np.array(alike) & table["item_rest"].isna().to_numpy() & (table["n_answered"] > 0).to_numpy()


def _statuses(table: pd.DataFrame) -> pd.Series:
    return table["status"].fillna("").astype(str)  # pyright: ignore[reportReturnType]


def _given(reasons: pd.Series) -> pd.Series:
    return reasons.loc[reasons != ""]  # pyright: ignore[reportReturnType]
