"""Why an item or a person deserves a look: the remarks that irtvi makes, and items that run against the others."""

from __future__ import annotations

import pandas as pd

from irtvi import Result


def item_flags(result: Result) -> pd.Series:
    """Reason by item, for items with one."""
    table = result.items
    reasons = table["status"].fillna("").astype(str)
    against = (table["item_rest"] < 0) & (reasons == "")
    reasons = reasons.mask(against, "runs against the others: is its key right?")
    if "a" in table.columns:
        negative = (table["a"] < 0) & (reasons == "")
        reasons = reasons.mask(negative, "negative discrimination: is its key right?")
    return reasons.loc[reasons != ""]  # pyright: ignore[reportReturnType]


def person_flags(result: Result) -> pd.Series:
    """Reason by person, for persons with one."""
    table = result.abilities
    reasons = table["status"].fillna("").astype(str)
    reasons = reasons.mask(~table["reliable"].astype(bool) & (reasons == ""), "the score is not reliable")
    return reasons.loc[reasons != ""]  # pyright: ignore[reportReturnType]
