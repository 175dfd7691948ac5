"""Which column of a table is what: one row for each person, or one row for each answer."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from irtvi.errors import (
    ConflictingOptionsError,
    DuplicateIdsError,
    LayoutError,
    NoItemsError,
    NoPersonsError,
    UnknownItemError,
)
from irtvi.responses.coding import Coding
from irtvi.responses.labels import label_of, some
from irtvi.responses.settings import ReadSettings

_WORDS_FOR_PERSON = (
    "person", "student", "pupil", "respondent", "subject", "user", "participant", "examinee", "candidate",
    "learner", "case",
)  # fmt: skip
ID_NAMES = frozenset(
    ["id", "ids", "pid", "testee", *_WORDS_FOR_PERSON, "persons"]
    + [word + ending for word in _WORDS_FOR_PERSON for ending in ("id", "_id", " id")]
)
ITEM_NAMES = ("item", "item_id", "itemid", "question", "question_id", "problem", "problem_id", "task")
RESPONSE_NAMES = ("resp", "response", "answer", "score", "correct", "value")
"""Column names by which ids and long tables are recognised, in any case."""


@dataclass(frozen=True)
class Roles:
    """The columns of a table.

    Parameters
    ----------
    layout : "wide" or "long"
    id : column of person ids; None where the index has them
    item, response : columns of a long table
    items : columns of a wide table
    wave : column that tells occasions apart, if the user named it
    unnamed_wave : a column called wave that the user did not name
    covariates : columns that start with cov_
    weights, survey_weights : columns
    ignored : columns that are not used
    notes : what was guessed
    """

    layout: str
    id: Hashable | None
    item: Hashable | None = None
    response: Hashable | None = None
    items: tuple[Hashable, ...] = ()
    wave: Hashable | None = None
    unnamed_wave: Hashable | None = None
    covariates: tuple[Hashable, ...] = ()
    weights: Hashable | None = None
    survey_weights: Hashable | None = None
    ignored: tuple[Hashable, ...] = ()
    notes: list[str] = field(default_factory=list)


def find_roles(frame: pd.DataFrame, settings: ReadSettings, number_rows: bool = False) -> Roles:
    """What each column is, from what the user said and, where that is open, from names and values.

    Parameters
    ----------
    frame : the table
    settings : what the user said
    number_rows : whether no column holds ids, and rows are to be numbered

    Raises
    ------
    LayoutError
        If a named column is missing, or the table cannot be read in the given layout.
    NoItemsError, NoPersonsError
        If nothing is left to read.
    """
    _check_shape(frame)
    named = ("id", "item", "response", "wave", "weights", "survey_weights")
    for option in named:
        column = getattr(settings, option)
        if column is not None and column is not False and column not in frame.columns:
            raise LayoutError(
                f"{option}={column!r} names no column; the columns are {some(map(str, frame.columns), 12)}"
            )
    long = _is_long(frame, settings)
    return _long_roles(frame, settings) if long else _wide_roles(frame, settings, number_rows)


def find_known_roles(frame: pd.DataFrame, settings: ReadSettings, coding: Coding) -> Roles:
    """What each column is in a table of new people whose items are known.

    Raises
    ------
    UnknownItemError
        If a column of a wide table is neither a known item nor anything else that is known.
    """
    _check_shape(frame)
    columns: list[Hashable] = frame.columns.tolist()
    present = [column for column in columns if column in coding.names]
    known = {
        option: column
        for option in ("id", "wave", "weights", "survey_weights")
        if not ((column := getattr(settings, option)) is None or column is False) and column in frame.columns
    }
    if settings.wave is False:
        known["wave"] = False
    named_long = settings.response in frame.columns and settings.item in frame.columns
    if not present and (named_long or _standard_long(frame)):
        if named_long:
            known |= {"item": settings.item, "response": settings.response}
        return _long_roles(frame, ReadSettings(layout="long", **known))
    if coding.settings.items is None:
        others = [column for column in columns if column not in coding.names]
        id_column = known.get("id", _id_column(frame, others))
        allowed = {id_column, *known.values()}
        unknown = [
            c
            for c in others
            if c not in allowed and not _is_covariate(c) and str(c).lower() not in ("wave", "rt", "date")
        ]
        if unknown:
            raise UnknownItemError(
                f"{some(unknown)} is no item of this coding; its items are {some(coding.item_ids)}; drop the column, "
                "or "
                "start its name with cov_ if it is a covariate"
            )
        if id_column is not None:
            known["id"] = id_column
    if not present:
        raise NoItemsError(f"no column is an item of this coding; its items are {some(coding.item_ids)}")
    return _wide_roles(frame, ReadSettings(layout="wide", items=tuple(present), **known))


def _check_shape(frame: pd.DataFrame) -> None:
    if isinstance(frame.columns, pd.MultiIndex) or isinstance(frame.index, pd.MultiIndex):
        raise LayoutError("the table has an index of several levels; use reset_index() and plain column names")
    if not len(frame.columns):
        raise NoItemsError("the table has no column; it needs a column for each item")
    if not frame.columns.is_unique:
        again = frame.columns[frame.columns.duplicated()].unique()
        raise DuplicateIdsError(f"the columns {some(again)} appear more than once; give each its own name")
    if not len(frame):
        raise NoPersonsError(f"the table has columns ({some(map(str, frame.columns))}) but no row")


def _is_long(frame: pd.DataFrame, settings: ReadSettings) -> bool:
    long_options = [name for name in ("item", "response") if getattr(settings, name) is not None]
    if settings.layout not in (None, "wide", "long"):
        raise ConflictingOptionsError(f"layout={settings.layout!r}; it is 'wide' or 'long'")
    if settings.layout == "wide" and long_options:
        raise ConflictingOptionsError(
            f"layout='wide' together with {long_options[0]}=; only a long table has such a column"
        )
    if settings.layout is None:
        return bool(long_options) or _standard_long(frame)
    return settings.layout == "long"


def _standard_long(frame: pd.DataFrame) -> bool:
    """Whether there is a column for the item and one for the response, and the item has few names."""
    names = {str(column).lower() for column in frame.columns}
    item, response = _first(frame, ITEM_NAMES), _first(frame, RESPONSE_NAMES)
    if item is None or response is None:
        return False
    return bool(names & ID_NAMES) or {"item", "resp"} <= names


def _long_roles(frame: pd.DataFrame, settings: ReadSettings) -> Roles:
    notes = []
    item = settings.item if settings.item is not None else _first(frame, ITEM_NAMES)
    response = settings.response if settings.response is not None else _first(frame, RESPONSE_NAMES)
    id_column = settings.id if settings.id is not None else _first(frame, sorted(ID_NAMES, key=_id_rank))
    lacking = {"id": id_column, "item": item, "response": response}
    if lacking := [f"{option}=" for option, column in lacking.items() if column is None]:
        raise LayoutError(
            "a long table needs columns of ids, items and responses, called id, item and resp; the columns "
            "are "
            f"{some(map(str, frame.columns), 12)}: say with {', '.join(lacking)} which they are"
        )
    if settings.layout is None:
        notes.append(f"Read as long: one row for each answer, in {id_column!r}, {item!r} and {response!r}.")
    special = {id_column, item, response, *_named_columns(settings)}
    covariates = tuple(c for c in frame.columns if _is_covariate(c) and c not in special)
    wave = _first(frame, ("wave",)) if settings.wave is None else None
    ignored = tuple(c for c in frame.columns if c not in special and c not in covariates and c != wave)
    if ignored:
        notes.append(f"Columns that are not used: {some(map(str, ignored), 8)}.")
    return Roles(
        "long", id_column, item, response, settings.items or (), _wave_column(settings), wave, covariates,
        settings.weights, settings.survey_weights, ignored, notes,
    )  # fmt: skip


def _wide_roles(frame: pd.DataFrame, settings: ReadSettings, number_rows: bool = False) -> Roles:
    notes = []
    special = set(_named_columns(settings))
    chosen = settings.items
    if chosen is not None:
        columns = set(frame.columns.tolist())
        if unknown := [item for item in chosen if item not in columns]:
            raise UnknownItemError(f"items= names {some(unknown)}, which is no column of the table")
        if clash := special.intersection(chosen):
            raise ConflictingOptionsError(f"{some(clash)} is in items= and has another role as well")
    found = _first(frame, ("wave",)) if _wave_column(settings) is None else None
    taken = {*special, *(chosen or ())}
    others = [c for c in frame.columns.tolist() if c not in taken and c != found]
    wave = found if settings.wave is None and found not in taken else None
    id_column = settings.id
    if id_column is None:
        id_column = None if number_rows else _id_column(frame, others)
        if id_column is not None:
            notes.append(f"Person ids are in column {id_column!r}.")
        elif isinstance(frame.index, pd.RangeIndex) and frame.index.name is None:
            notes.append("Persons have no ids: they are numbered by row, from 0.")
        else:
            notes.append("Person ids are in the table's index.")
    covariates = tuple(c for c in others if _is_covariate(c) and c != id_column)
    free = [c for c in others if c != id_column and c not in covariates]
    items = chosen if chosen is not None else tuple(free)
    ignored = tuple(free) if chosen is not None else ()
    if not items:
        raise NoItemsError(
            f"no column is left for items among {some(map(str, frame.columns), 12)}; name them with items=, "
            "or the "
            "right delimiter of a file with delimiter="
        )
    if settings.layout is None:
        notes.insert(0, "Read as wide: one row for each person.")
    if covariates:
        notes.append(f"Covariates: {some(map(str, covariates), 8)}.")
    if ignored:
        notes.append(f"Columns that are not used: {some(map(str, ignored), 8)}.")
    return Roles(
        "wide", id_column, None, None, tuple(items), _wave_column(settings), wave, covariates,
        settings.weights, settings.survey_weights, ignored, notes,
    )  # fmt: skip


def _wave_column(settings: ReadSettings) -> Hashable | None:
    return None if settings.wave is False else settings.wave


def _named_columns(settings: ReadSettings) -> list[Hashable]:
    columns = (settings.id, _wave_column(settings), settings.weights, settings.survey_weights)
    return [column for column in columns if column is not None]


def column_of(frame: pd.DataFrame, name: Hashable) -> pd.Series:
    """A column; names are unique."""
    column = frame[name]
    assert isinstance(column, pd.Series)
    return column


def _id_column(frame: pd.DataFrame, candidates: Sequence[Hashable]) -> Hashable | None:
    """The column of ids: by its name, else a first column of unique texts if the index says nothing."""
    named = [c for c in candidates if str(c).lower() in ID_NAMES]
    if named:
        return min(named, key=lambda c: _id_rank(str(c).lower()))
    if not isinstance(frame.index, pd.RangeIndex) or frame.index.name is not None or not candidates:
        return None
    first = candidates[0]
    if first != frame.columns[0] or _is_covariate(first):
        return None
    values = column_of(frame, first)
    if not values.is_unique or values.hasnans or len(values) < 2:
        return None
    nameless = str(first) == "" or str(first).startswith("Unnamed:")
    return first if nameless or _are_names(values) else None


def _are_names(values: pd.Series) -> bool:
    """Whether a column holds words that look like ids, not numbers or options such as A, B, C."""
    if values.dtype.kind in "biufcmM" or isinstance(values.dtype, pd.CategoricalDtype):
        return False
    sample = values.head(1000).tolist()
    return all(isinstance(value, str) and isinstance(label_of(value), str) for value in sample) and any(
        len(value) > 1 for value in sample
    )


def _id_rank(name: str) -> tuple[int, str]:
    return (0 if name == "id" else 1, name)


def _first(frame: pd.DataFrame, names: Sequence[str]) -> Hashable | None:
    by_name = {str(column).lower(): column for column in reversed(frame.columns.tolist())}
    return next((by_name[name] for name in names if name in by_name), None)


def _is_covariate(column: Hashable) -> bool:
    return isinstance(column, str) and column.lower().startswith("cov_")
