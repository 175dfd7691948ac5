"""From a table or file to Responses."""

import warnings
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from irtvi.errors import ConflictingOptionsError, DataError, OneItemError
from irtvi.responses.cells import Cells
from irtvi.responses.checks import check
from irtvi.responses.coding import UNKNOWN, Coding, code_items
from irtvi.responses.files import load_table
from irtvi.responses.folder import folder_of
from irtvi.responses.item_coding import lookup_of
from irtvi.responses.labels import Label, counted, shown, some
from irtvi.responses.layout import Roles, find_roles
from irtvi.responses.measures import MEASURED
from irtvi.responses.observed import Observed
from irtvi.responses.people import check_one_kind
from irtvi.responses.responses import Responses
from irtvi.responses.settings import (
    ReadSettings,
    categories_option,
    items_option,
    key_option,
    labels_option,
)
from irtvi.responses.streaming import contents_of_folder
from irtvi.responses.tables import GivenWeights, contents_of


def read(
    source: object,
    *,
    layout: str | None = None,
    id: Hashable | None = None,
    item: Hashable | None = None,
    response: Hashable | None = None,
    items: Sequence[Hashable] | None = None,
    wave: Hashable | None = None,
    key: object = None,
    reverse: object = None,
    missing: object = None,
    wrong: object = None,
    categories: object = None,
    continuous: object = None,
    weights: object = None,
    survey_weights: object = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    sheet: str | int | None = None,
) -> Responses:
    """Read a table of answers.

    A wide table has a row for each person and a column for each item; a long one has a row for each answer,
    with the columns ``id``, ``item`` and ``resp``. Columns that start with ``cov_`` are set aside as
    covariates. What is not said is detected, and `Responses.summary` says what was.

    ``key``, ``reverse``, ``missing``, ``wrong``, ``categories`` and ``continuous`` take one value for all items, or a
    dict by item. Values are compared by meaning: 1, 1.0, True and "1" are the same.

    Parameters
    ----------
    source : DataFrame, 2-d array, path or binary file
        Files: .csv, .tsv, .txt (also .gz), .parquet, .xlsx. A folder of .parquet files is one table that may be
        larger than memory: its coded answers stand in a temporary file. In long layout the rows of a person stand
        together, across files too.
    layout : "wide", "long" or None
    id : column of person ids; False numbers the rows of a wide table
    item, response : columns of a long table
    items : which items to read, in this order
    wave : column of occasions; each person on each occasion becomes a row of its own, called ``id:wave``
        (False: a column called wave means nothing)
    key : right answers; the chosen options are kept beside the scores
    reverse : items to reverse (True for all, or their names)
    missing : values that stand for missing; empty cells always do
    wrong : values that are scored as wrong, that is in the lowest category; "blank" means empty cells of a
        wide table, or rows of a long one that have no response (absent rows are never wrong)
    categories : all categories in their order, also those that nobody chose
    continuous : items whose answers are numbers on a continuous scale (True for all, or their names)
    weights : frequencies, how many persons a row stands for: a column, an array, or a Series by person
    survey_weights : how much of the population each person stands for
    delimiter, decimal, encoding : of a text file, where the detected ones are wrong
    sheet : of a workbook, by name or position; by default the first

    Returns
    -------
    Responses
        All persons and items of the table; nothing is dropped.

    Raises
    ------
    irtvi.errors.DataError
        One of its kinds, with what was wrong, where, and what to do.

    Warns
    -----
    irtvi.errors.IrtviWarning
        One of its kinds, where fitting can go on.
    """
    check_one_kind(weights, survey_weights)
    folder = folder_of(source, delimiter=delimiter, decimal=decimal, encoding=encoding, sheet=sheet)
    if folder:
        frame, notes = folder.head(), list(folder.notes)
    else:
        frame, notes = load_table(source, delimiter, decimal, encoding, sheet)
    settings = ReadSettings(
        layout=layout,
        id=None if id is False else id,
        item=item,
        response=response,
        items=None if items is None else _names(items),
        wave=wave,
        weights=_column_name(weights, frame),
        survey_weights=_column_name(survey_weights, frame),
        key=key_option(key),
        reverse=items_option(reverse),
        missing=labels_option("missing", missing),
        wrong=labels_option("wrong", wrong),
        categories=categories_option(categories),
        continuous=items_option(continuous),
    )
    if folder and id is None and folder.index_column is not None:
        settings = replace(settings, id=folder.index_column)
    if id is False:
        frame = frame.reset_index(drop=True)
    roles = find_roles(frame, settings, number_rows=id is False)
    given = GivenWeights(weights, survey_weights)
    contents = (
        contents_of_folder(folder, roles, settings, given) if folder else contents_of(frame, roles, settings, given)
    )
    observed = contents.observed
    if observed.cells.n_items < 2:
        raise OneItemError(
            f"the only item is {observed.item_ids[0]!r}; ability needs two items at least. "
            f"The columns are {some(map(str, frame.columns), 12)}: is the delimiter, the sheet or items= right?"
        )
    settings.check_items(observed.item_ids)
    kept = _settings_as_read(settings, roles)
    counts = observed.counts()
    occurs = counts > 0
    with located(observed):
        seen = [tuple(label for label, o in zip(own, row, strict=False) if o)
                for own, row in zip(observed.labels, occurs, strict=True)]  # fmt: skip
        codings = code_items(observed.item_ids, seen, observed.declared, kept, observed.ranges())
        coding = Coding(observed.item_ids, codings, kept)
        cells = coded(observed, occurs, coding)
    responses = Responses(
        contents.person_ids,
        cells,
        coding,
        contents.covariates,
        contents.weights,
        contents.survey_weights,
        roles.layout,
        (*notes, *roles.notes, *contents.notes, *_declared_notes(observed, coding, counts)),
        observed.measures,
    )
    for finding in check(responses):
        if finding.warning is not None:
            warnings.warn(finding.text, finding.warning, stacklevel=2)
    return responses


def coded(observed: Observed, occurs: np.ndarray, coding: Coding) -> Cells:
    """Raw codes of the coding's categories in place of the codes of what was observed.

    The coding's items are the observed ones, in their order.
    """
    lookup = coding.codes_of_numbers[:, : occurs.shape[1]] if observed.is_of_numbers else None
    if lookup is None or (occurs & (lookup == UNKNOWN)).any():
        lookup = _codes_of_labels(observed, occurs, coding)
    if ((lookup == np.arange(occurs.shape[1])) | ~occurs).all():
        return observed.cells
    return observed.cells.recode(torch.from_numpy(np.where(occurs, lookup, -1).astype(np.int8))).compact()


def _codes_of_labels(observed: Observed, occurs: np.ndarray, coding: Coding) -> np.ndarray:
    """Raw code of each label, int8 [items, labels]; an error where a label is none of an item's categories."""
    lookup = np.full(occurs.shape, -1, np.int8)
    memo: dict[tuple, list[int]] = {}
    for place, (item, own) in enumerate(zip(coding.item_ids, coding.codings, strict=True)):
        labels, rule = observed.labels[place], coding.rules[place]
        row = occurs[place, : len(labels)]
        task = (labels, row.tobytes(), own, rule)
        if task not in memo:
            memo[task] = lookup_of(item, labels, row.tolist(), own, rule)
        lookup[place, : len(labels)] = memo[task]
    lookup[list(observed.measured), :1] = MEASURED
    return lookup


@contextmanager
def located(observed: Observed) -> Iterator[None]:
    """Add to an error about a value where it stands first."""
    try:
        yield
    except DataError as error:
        if error.label is None:
            raise
        place = observed.where(error.item, error.label)
        raise type(error)(f"{error} ({place})", item=error.item, label=error.label) from None


def _names(items: Sequence[Hashable]) -> tuple[Hashable, ...]:
    if isinstance(items, str):
        raise ConflictingOptionsError(f"items={items!r} is one text; give a list of item names")
    names = tuple(items)
    if len(set(names)) < len(names):
        raise ConflictingOptionsError(f"items= names {some(i for i in set(names) if names.count(i) > 1)} twice")
    return names


def _column_name(weights: object, frame: pd.DataFrame) -> Hashable | None:
    named = isinstance(weights, str) or (isinstance(weights, Hashable) and weights in frame.columns)
    return weights if named and weights is not None else None  # pyright: ignore[reportReturnType]


def _settings_as_read(settings: ReadSettings, roles: Roles) -> ReadSettings:
    """The settings with what was detected, so that new data are read alike."""
    return replace(settings, layout=roles.layout, id=roles.id, item=roles.item, response=roles.response)


def _declared_notes(observed: Observed, coding: Coding, counts: np.ndarray) -> list[str]:
    """How many answers were read as missing or as wrong because the user said so, and what nobody chose."""
    missing: Counter[Label] = Counter()
    wrong: Counter[Label] = Counter()
    for place, rule in enumerate(coding.rules):
        for declared, total in ((rule.missing, missing), (rule.wrong, wrong)):
            for label in declared:
                labels = observed.labels[place]
                total[label] += int(counts[place, labels.index(label)]) if label in labels else 0
    notes = [f"{shown(label)} was read as missing ({counted(n, 'answer')})." for label, n in missing.items()]
    notes += [f"{shown(label)} was scored as wrong ({counted(n, 'answer')})." for label, n in wrong.items()]
    pairs = list(zip(coding.item_ids, coding.codings, strict=True))
    for done, items in (
        ("Scored by a key", [item for item, own in pairs if own.key is not None]),
        ("Reversed", [item for item, own in pairs if own.reversed]),
    ):
        if items:
            notes.append(f"{done}: {counted(len(items), 'item')} ({some(items, 8)}).")
    if measured := [item for item, own in zip(coding.item_ids, coding.codings, strict=True) if own.measured]:
        notes.append(f"Read as measured, numbers on a continuous scale: {some(measured, 8)}.")
    return notes
