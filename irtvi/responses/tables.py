"""A table in memory, taken apart: persons, labels, covariates and weights, before anything is coded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from irtvi.errors import DuplicateResponsesError, UnknownItemError
from irtvi.responses.labels import some
from irtvi.responses.layout import Roles, column_of
from irtvi.responses.observed import Observed, observe_long, observe_wide
from irtvi.responses.people import (
    People,
    covariates_of,
    people_of_answers,
    people_of_rows,
    positions,
    weights_of,
)
from irtvi.responses.settings import ReadSettings


@dataclass(frozen=True, eq=False)
class Contents:
    """What a source holds.

    Parameters
    ----------
    person_ids : unique labels of persons
    observed : their answers
    covariates : table with the index ``person_ids``
    weights, survey_weights : by person, or None
    notes : what there is to say
    """

    person_ids: pd.Index
    observed: Observed
    covariates: pd.DataFrame
    weights: np.ndarray | None
    survey_weights: np.ndarray | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class GivenWeights:
    """Weights that are no column of the table: arrays in the order of persons, or Series by person; or None."""

    weights: object = None
    survey_weights: object = None


def contents_of(frame: pd.DataFrame, roles: Roles, settings: ReadSettings, given: GivenWeights) -> Contents:
    """Persons, labels, covariates and weights of a table whose columns are known."""
    if roles.layout == "wide":
        people = people_of_rows(frame, roles)
        place = {column: k for k, column in enumerate(frame.columns.tolist())}
        columns = np.array([place[item] for item in roles.items], dtype=np.int64)
        observed = observe_wide(frame, people.ids, columns, settings.rules(roles.items))
        said = []
    else:
        people = people_of_answers(frame, roles)
        observed, left_out = observe_answers(frame, roles, settings, people)
        said = [said_of_left_out(left_out)] if roles.items else []
    return with_people(frame, roles, people, observed, given, said)


def with_people(
    frame: pd.DataFrame,
    roles: Roles,
    people: People,
    observed: Observed,
    given: GivenWeights,
    notes: Sequence[str],
) -> Contents:
    """Labels together with the covariates and weights that stand in a table.

    Parameters
    ----------
    frame : the columns about persons
    roles, people : of that table
    observed, given : as in `Contents`
    notes : said before
    """
    covariates, varying = covariates_of(frame, roles, people)
    weights, survey_weights = (
        weights_of(name, getattr(given, name) if column is None else None, column, frame, people)
        for name, column in (("weights", roles.weights), ("survey_weights", roles.survey_weights))
    )
    return Contents(people.ids, observed, covariates, weights, survey_weights, (*notes, *varying))


def observe_answers(frame: pd.DataFrame, roles: Roles, settings: ReadSettings, people: People) -> tuple[Observed, int]:
    """Labels of a long table, and the number of rows about items that were not asked for."""
    places, item_ids = positions(column_of(frame, roles.item))
    persons, response, left_out = people.of_row, column_of(frame, roles.response), 0
    if roles.items:
        chosen = pd.Index(roles.items, name=item_ids.name)
        check_items(chosen, item_ids, roles)
        places = chosen.get_indexer(item_ids).astype(np.int32)[places]
        kept = places >= 0
        left_out = int((~kept).sum())
        places, persons, response, item_ids = places[kept], persons[kept], response.loc[kept], chosen
    rules = settings.rules(item_ids)
    try:
        return observe_long((persons, people.ids), (places, item_ids), response, rules), left_out
    except DuplicateResponsesError as error:
        if raters := [column for column in roles.ignored if str(column).lower() == "rater"]:
            raise DuplicateResponsesError(
                f"{error}; where column {raters[0]!r} tells them apart, make an item of each item with each rater, as "
                "in frame['item'] + ':' + frame['rater']"
            ) from None
        raise


def check_items(chosen: pd.Index, item_ids: pd.Index, roles: Roles) -> None:
    """Refuse items that a long table does not hold."""
    if unknown := [item for item in chosen if item not in item_ids]:
        raise UnknownItemError(f"items= names {some(unknown)}, which column {roles.item!r} does not hold")


def said_of_left_out(n_rows: int) -> str:
    """What is said of rows about items that were not asked for."""
    return f"{n_rows} rows belong to items that are not in items=."


def only_items(roles: Roles, items: Sequence) -> Roles:
    """The same columns, other items."""
    return replace(roles, items=tuple(items))
