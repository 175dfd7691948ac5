"""One person's answers, and how likely each of them was."""

import math
from collections.abc import Hashable

import numpy as np
import pandas as pd

from irtvi.responses.responses import Responses
from irtvi.results.result import Result

COLUMNS = ["item", "answer", "points", "chance", "as_unlikely"]


def person_answers(result: Result, person: Hashable) -> pd.DataFrame:
    """A person's answers, the least expected first.

    Parameters
    ----------
    result : Result
    person : person id

    Returns
    -------
    DataFrame
        ``item``, ``answer`` (as in the data), ``points``, ``chance``: the model's probability of this answer at the
        person's point estimate, and ``as_unlikely``: that of an answer which is no likelier. Of a measured answer both
        are the probability of one at least as far from the expected, by its mean and sd.

    Raises
    ------
    irtvi.errors.ResponsesNeededError
        The result was loaded from a file without responses.
    irtvi.errors.SpecificationError
        There is no such person.
    """
    responses = result.responses_of(None)
    own = responses.of_person(person)
    _, items, raw = (part.cpu().numpy() for part in own.raw().pairs())
    if not len(items):
        return pd.DataFrame(columns=COLUMNS)
    ids = own.item_ids[items]
    theta = float(result.abilities["theta"].loc[person])
    measured = result.model.measured.cpu().numpy()
    rows = _measured_rows(result, own, theta)
    coded = [item for item, j in zip(ids, items, strict=True) if not measured[j]]
    curves = result.curves(coded, theta=[theta], what="probability") if coded else pd.DataFrame({"item": []})
    chances = {item: one["value"].to_numpy() for item, one in curves.groupby("item", sort=False)}
    for item, j, code in zip(ids, items, raw, strict=True):
        if measured[j]:
            continue
        coding = responses.codings[j]
        score = coding.scores[code]
        row = code if result.item_models[j].uses == "raw" else score
        all_chances = chances[item]
        own_chance = float(all_chances[row])
        as_unlikely = float(all_chances[all_chances <= own_chance].sum())
        rows.append((item, str(coding.categories[code]), coding.values[score], own_chance, as_unlikely))
    return pd.DataFrame(rows, columns=COLUMNS).sort_values(
        ["as_unlikely", "chance"], kind="stable", ignore_index=True
    )


def _measured_rows(result: Result, own: Responses, theta: float) -> list[tuple[Hashable, str, float, float, float]]:
    numbers = own.numbers(np.flatnonzero(result.model.measured.cpu().numpy()).tolist())
    rows = []
    for j, value in zip(numbers.items.tolist(), numbers.values.tolist(), strict=True):
        item = own.item_ids[j]
        mean, sd = (result.curves(item, theta=[theta], what=what)["value"].iloc[0] for what in ("expected", "sd"))
        beyond = math.erfc(abs(value - mean) / sd / math.sqrt(2))
        rows.append((item, f"{value:g}", value, beyond, beyond))
    return rows
