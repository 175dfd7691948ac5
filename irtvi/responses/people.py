"""Persons of a table: their ids, covariates and weights."""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from irtvi.errors import ConflictingOptionsError, DuplicateIdsError, MissingIdsError, WavesError, WeightsError
from irtvi.responses.labels import label_of, shown, some
from irtvi.responses.layout import Roles, column_of


@dataclass(frozen=True, eq=False)
class People:
    """Who stands in a table.

    Parameters
    ----------
    ids : unique, in order of appearance
    of_row : position in ``ids`` of each row
    first_row : the row where each person appears first
    """

    ids: pd.Index
    of_row: np.ndarray
    first_row: np.ndarray


def people_of_rows(frame: pd.DataFrame, roles: Roles) -> People:
    """Persons of a wide table, one for each row (and wave).

    Raises
    ------
    MissingIdsError, DuplicateIdsError, WavesError
        If rows cannot be told apart.
    """
    column = frame.index if roles.id is None else column_of(frame, roles.id)
    where = "the table's index" if roles.id is None else f"column {roles.id!r}"
    ids = pd.Index(column, name=column.name)
    _check_present(ids, where)
    if roles.wave is not None:
        ids = _with_wave(ids, column_of(frame, roles.wave))
    if not all_different(ids):
        again = ids[ids.duplicated()]
        if roles.unnamed_wave is not None and column_of(frame, roles.unnamed_wave).nunique() > 1:
            raise _several_waves(roles.unnamed_wave, again)
        raise DuplicateIdsError(
            f"{len(again)} rows repeat an id in {where}: {some(again.unique())}; give each person one row, "
            "or name "
            "the right column with id= (id=False numbers the rows)"
        )
    rows = np.arange(len(ids))
    return People(ids, rows, rows)


def people_of_answers(frame: pd.DataFrame, roles: Roles) -> People:
    """Persons of a long table.

    Raises
    ------
    MissingIdsError, WavesError
        If answers cannot be given to persons.
    """
    column = column_of(frame, roles.id)
    if roles.wave is not None:
        ids = pd.Index(column)
        _check_present(ids, f"column {roles.id!r}")
        column = pd.Series(_with_wave(ids, column_of(frame, roles.wave)), name=roles.id)
    of_row, ids = positions(column)
    if roles.unnamed_wave is not None:
        waves, names = pd.factorize(column_of(frame, roles.unnamed_wave), use_na_sentinel=False)
        if len(names) > 1:
            together = of_row.astype(np.int64) * len(names) + waves
            if len(pd.unique(together)) > len(ids):
                persons = pd.Series(pd.unique(together)) // len(names)
                raise _several_waves(roles.unnamed_wave, ids[np.asarray(persons[persons.duplicated()])])
    first_row = np.flatnonzero(np.diff(np.maximum.accumulate(of_row), prepend=-1) > 0)
    return People(ids, of_row, first_row)


def positions(column: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """Position of each row's id among the ids in order of appearance, and these.

    Raises
    ------
    MissingIdsError
        If a row has none.
    """
    codes, ids = pd.factorize(column)
    index = pd.Index(ids, name=column.name)
    if isinstance(index, pd.CategoricalIndex):
        index = index.astype(index.categories.dtype)
    blank = index.isin([""]) if index.dtype.kind not in "iufb" else np.zeros(len(index), bool)
    if (codes.size and codes.min() < 0) or blank.any():
        empty = (codes < 0) | blank[codes]
        raise _missing_ids(np.flatnonzero(empty), f"column {column.name!r}")
    return codes.astype(np.int32), index


def covariates_of(frame: pd.DataFrame, roles: Roles, people: People) -> tuple[pd.DataFrame, list[str]]:
    """Covariates by person, from each person's first row, and what there is to say about them."""
    columns = list(roles.covariates)
    if not columns:
        return pd.DataFrame(index=people.ids), []
    table = frame[columns].iloc[people.first_row]
    table.index = people.ids
    varying = [column for column in columns if varies(column_of(frame, column), people)]
    if not varying:
        return table, []
    return table, [f"{some(varying)} varies within persons; the first value of each person was taken."]


def weights_of(
    name: str, given: object, column: Hashable | None, frame: pd.DataFrame, people: People
) -> np.ndarray | None:
    """Checked weights by person.

    Parameters
    ----------
    name : of the option, for messages
    given : an array in the order of persons, or a Series by person; None if it is a column
    column : name of the column

    Raises
    ------
    WeightsError
        If they are negative, missing, infinite, all zero, of the wrong number, or differ within a person.
    """
    if column is not None:
        if varies(column_of(frame, column), people):
            raise WeightsError(f"{name}={column!r} differs between the rows of a person; a person has one weight")
        given = column_of(frame, column).iloc[people.first_row]
    elif given is None:
        return None
    elif isinstance(given, pd.Series):
        given = _aligned(name, given, frame, people)
    try:
        weights = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise WeightsError(f"{name}= holds something that is no number") from None
    if weights.shape != (len(people.ids),):
        raise WeightsError(
            f"{name}= has shape {weights.shape}, but there are {len(people.ids)} persons; give one number "
            "for "
            "each, a Series by person id, or the name of a column"
        )
    if (bad := np.flatnonzero(~np.isfinite(weights) | (weights < 0))).size:
        place = f"{weights[bad[0]]} for {shown(people.ids[bad[0]])}"
        raise WeightsError(f"{name}= is {place} ({bad.size} such); weights are finite and not negative")
    if not weights.sum() > 0:
        raise WeightsError(f"{name}= is zero for everybody")
    return weights


def check_one_kind(weights: object, survey_weights: object) -> None:
    """Refuse frequencies and survey weights together."""
    if weights is not None and survey_weights is not None:
        raise ConflictingOptionsError(
            "weights= (how many persons a row stands for) and survey_weights= (how much of the population a "
            "person stands for) cannot go together; give one of them"
        )


def _aligned(name: str, weights: pd.Series, frame: pd.DataFrame, people: People) -> pd.Series:
    if len(people.ids) == len(frame) and weights.index.equals(frame.index):
        return weights
    if not weights.index.is_unique:
        raise WeightsError(f"{name}= has several weights for {weights.index[weights.index.duplicated()][0]!r}")
    if (lacking := people.ids.difference(weights.index)).size:
        raise WeightsError(f"{name}= has no weight for {some(lacking)}; its index holds person ids")
    return weights.loc[people.ids]


def all_different(ids: pd.Index) -> bool:
    """Whether no id stands twice.

    A copy is asked, so that no table of all ids stays behind, and about order first, because ids that rise need none.
    """
    asked = pd.Index(ids.array)
    return (asked.is_monotonic_increasing and asked.is_unique) or asked.is_unique


def varies(column: pd.Series, people: People) -> bool:
    """Whether a column has several values for a person."""
    if len(people.first_row) == len(column):
        return False
    codes, _ = pd.factorize(column, use_na_sentinel=False)
    return bool((codes[people.first_row][people.of_row] != codes).any())


def _check_present(ids: pd.Index, where: str) -> None:
    empty = ids.isna() | ids.isin([""]) if ids.dtype.kind not in "iub" else np.zeros(len(ids), bool)
    if empty.any():
        raise _missing_ids(np.flatnonzero(empty), where)


def _missing_ids(rows: np.ndarray, where: str) -> MissingIdsError:
    listed = ", ".join(str(row + 1) for row in rows[:5].tolist()) + (", ..." if len(rows) > 5 else "")
    return MissingIdsError(
        f"{where} is empty in {len(rows)} rows (row {listed}); fill it in, or drop these rows yourself"
    )


def _with_wave(ids: pd.Index, waves: pd.Series) -> pd.Index:
    if waves.isna().any():
        raise _missing_ids(np.flatnonzero(waves.isna()), f"wave column {waves.name!r}")
    codes, names = pd.factorize(waves)
    texts = np.array([f":{label_of(name)}" for name in names.tolist()], dtype=object)
    return pd.Index(ids.astype(str).to_numpy(dtype=object) + texts[codes], name=ids.name)


def _several_waves(column: Hashable, ids: pd.Index) -> WavesError:
    return WavesError(
        f"{some(ids.unique())} appear in several waves of column {column!r}; wave={column!r} makes each "
        "person "
        "in each wave a row of its own (id:wave), wave=False takes all waves as one, or keep the rows of "
        "one wave",
        column=column,
    )
