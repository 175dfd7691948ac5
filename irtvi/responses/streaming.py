"""A folder, taken apart batch by batch: codes go into a temporary file, and only what is about persons stays.

Each batch is read by the same code as a table in memory. Its labels are then joined with those of the batches before
it, so that in the end a folder is what any other source is, except for where its codes are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import torch

from irtvi.errors import ConflictingOptionsError, NotSortedError, WeightsError
from irtvi.responses.cells import MAX_CATEGORIES, MISSING, Cells, DenseCells, SparseCells
from irtvi.responses.folder import Batch, Folder, Origin
from irtvi.responses.item_coding import too_many
from irtvi.responses.labels import Label, shown, some
from irtvi.responses.layout import Roles, column_of
from irtvi.responses.observed import Observed, observe_wide
from irtvi.responses.people import People, all_different, people_of_answers, people_of_rows, varies
from irtvi.responses.room import SCRATCH, Growing, require_space
from irtvi.responses.settings import ReadSettings
from irtvi.responses.tables import (
    Contents,
    GivenWeights,
    check_items,
    observe_answers,
    only_items,
    said_of_left_out,
    with_people,
)

_BYTES_OF_ANSWER = 5
"""Of an item's number and a code."""


def contents_of_folder(folder: Folder, roles: Roles, settings: ReadSettings, given: GivenWeights) -> Contents:
    """Persons, labels, covariates and weights of a folder whose columns are known.

    Raises
    ------
    ConflictingOptionsError
        If items are measured.
    NotSortedError
        If the rows of a person do not stand together in a long folder.
    DiskSpaceError
        If there is no room for the codes.
    """
    measured = [item for item, continuous in settings.continuous.named.items() if continuous]
    if settings.continuous.default or measured:
        raise ConflictingOptionsError(
            f"a folder is read in categories, but {some(measured) if measured else 'all items'} should be measured "
            "(continuous=, or a model of numbers); read the answers from one table"
        )
    return (_wide if roles.layout == "wide" else _long)(folder, roles, settings, given)


@dataclass
class _Vocabulary:
    """The labels of items, in the order in which they come.

    Attributes
    ----------
    names : names of the items
    labels : their labels, each with its code
    declared : categories that come with the data, in their order
    """

    names: list = field(default_factory=list)
    labels: list[dict[Label, int]] = field(default_factory=list)
    declared: list[tuple[Label, ...]] = field(default_factory=list)
    _known: dict = field(default_factory=dict)

    def places(self, names: pd.Index) -> np.ndarray:
        """Where items stand; new ones come last."""
        for name in names:
            if name not in self._known:
                self._known[name] = len(self.names)
                self.names.append(name)
                self.labels.append({})
                self.declared.append(())
        return np.array([self._known[name] for name in names], dtype=np.int64)

    def translated(self, observed: Observed, places: np.ndarray) -> Cells:
        """The answers of a batch in the codes of all batches."""
        most = max((len(labels) for labels in observed.labels), default=0)
        lookup = np.full((len(places), most), MISSING, np.int8)
        for row, place in enumerate(places.tolist()):
            lookup[row, : len(observed.labels[row])] = self._codes(place, observed.labels[row])
            self._declare(place, observed.declared[row])
        if (lookup[lookup >= 0] == np.nonzero(lookup >= 0)[1]).all():
            return observed.cells
        return observed.cells.recode(torch.from_numpy(lookup))

    def _codes(self, place: int, labels: Sequence[Label]) -> list[int]:
        known = self.labels[place]
        for label in labels:
            if label not in known:
                known[label] = len(known)
        if len(known) > MAX_CATEGORIES:
            raise too_many(self.names[place], len(known), *_ends(list(known)))
        return [known[label] for label in labels]

    def _declare(self, place: int, order: tuple[Label, ...]) -> None:
        before = self.declared[place]
        if order and not _is_within(order, before):
            if not _is_within(before, order):
                raise ConflictingOptionsError(
                    f"item {self.names[place]!r} has the categories {some(order, 8)} here and {some(before, 8)} in "
                    "rows before; give their order in categories="
                )
            self.declared[place] = order

    def observed(self, person_ids: pd.Index, name: object, cells: Cells, place_of) -> Observed:
        """All that was seen."""
        items = pd.Index(self.names, name=name)  # pyright: ignore[reportArgumentType]
        return Observed(person_ids, items, cells, [tuple(own) for own in self.labels], self.declared, place_of)


def _ends(labels: list[Label]) -> tuple[Label, Label]:
    numbers = sorted(label for label in labels if not isinstance(label, str))
    return (numbers[0], numbers[-1]) if numbers else (labels[0], labels[-1])


def _is_within(part: Sequence[Label], whole: Sequence[Label]) -> bool:
    """Whether labels stand in this order in the whole."""
    rest = iter(whole)
    return all(label in rest for label in part)


# ---- a row for each person ---------------------------------------------------------------------------------------


def _wide(folder: Folder, roles: Roles, settings: ReadSettings, given: GivenWeights) -> Contents:
    special = [roles.id, roles.wave, roles.unnamed_wave, roles.weights, roles.survey_weights, *roles.covariates]
    about_persons = [column for column in dict.fromkeys(special) if column is not None]
    items, rules = pd.Index(roles.items), settings.rules(roles.items)
    codes = SCRATCH.empty((folder.n_rows, len(items)), torch.int8, torch.device("cpu"))
    vocabulary, located, about = _Vocabulary(), [], []
    places = vocabulary.places(items)
    row = 0
    for batch in folder.batches([*about_persons, *items]):
        frame = batch.frame()
        located.append(Origin(row, *batch.origins[0][1:]))
        with batch.named():
            columns = frame.columns.get_indexer(items)
            observed = observe_wide(frame, frame.index, columns, rules)
            codes[row : row + len(frame)] = vocabulary.translated(observed, places).to_dense().codes
        about.append(frame[about_persons])
        row += len(frame)
    table = pd.concat(about, ignore_index=True)
    people = people_of_rows(table, roles)

    def place_of(item: int, code: int) -> str:
        for rows, part in DenseCells(codes).parts():
            found = torch.nonzero(part.codes[:, item] == code)
            if len(found):
                return _row_of(located, rows.start + int(found[0, 0]))
        return "no row"

    observed = vocabulary.observed(people.ids, None, DenseCells(codes, SCRATCH).compact(), place_of)
    return with_people(table, roles, people, observed, given, [])


def _row_of(located: Sequence[Origin], row: int) -> str:
    start, file, first = max(origin for origin in located if origin.start <= row)
    return f"row {first + row - start + 1} of {file}"


# ---- a row for each answer ---------------------------------------------------------------------------------------


def _long(folder: Folder, roles: Roles, settings: ReadSettings, given: GivenWeights) -> Contents:
    require_space(_BYTES_OF_ANSWER * folder.n_rows)
    keys = [column for column in (roles.id, roles.wave) if column is not None]
    special = [roles.unnamed_wave, roles.weights, roles.survey_weights, *roles.covariates]
    about_persons = [*keys, *(column for column in special if column is not None)]
    vocabulary, answers = _Vocabulary(), _Answers()
    vocabulary.places(pd.Index(roles.items))
    ids: list[pd.Index] = []
    about, varying, said, left_out = [], dict.fromkeys(roles.covariates, False), [], 0
    located: list[Origin] = []
    n_persons, name = 0, roles.item
    for batch in _whole_persons(folder.batches([*about_persons, roles.item, roles.response]), keys):
        frame = batch.frame()
        with batch.named():
            people = people_of_answers(frame, roles)
            _check_together(people)
            left_out += _observe(frame, roles, settings, people, vocabulary, answers)
        for column in varying:
            varying[column] |= varies(column_of(frame, column), people)
        for option, column in (("weights", roles.weights), ("survey_weights", roles.survey_weights)):
            if column is not None and varies(column_of(frame, column), people):
                _refuse_varying(option, column)
        about.append(frame[about_persons].iloc[people.first_row])
        located += [
            Origin(n_persons + int(np.searchsorted(people.first_row, o.start)), o.file, o.first) for o in batch.origins
        ]
        ids.append(people.ids)
        n_persons += len(people.ids)
    person_ids = ids[0].append(ids[1:])
    _check_once(person_ids, located)
    if roles.items:
        check_items(pd.Index(roles.items), pd.Index(answers.seen(vocabulary)), roles)
        said.append(said_of_left_out(left_out))
    if names := [column for column, differs in varying.items() if differs]:
        said.append(f"{some(names)} varies within persons; the first value of each person was taken.")
    table = pd.concat(about, ignore_index=True).set_axis(person_ids, axis=0)
    rows = np.arange(n_persons)
    cells = answers.cells(len(vocabulary.names)).compact()

    def place_of(item: int, code: int) -> str:
        for persons, part in cells.parts():
            who, what, given = part.pairs()
            found = torch.nonzero((what == item) & (given == code))
            if len(found):
                return f"person {shown(person_ids[persons.start + int(who[found[0, 0]])])}"
        return "no row"

    observed = vocabulary.observed(person_ids, name, cells, place_of)
    return with_people(table, roles, People(person_ids, rows, rows), observed, given, said)


def _observe(
    frame: pd.DataFrame,
    roles: Roles,
    settings: ReadSettings,
    people: People,
    vocabulary: _Vocabulary,
    answers: "_Answers",
) -> int:
    """Put the answers of a batch of whole persons with the others; how many rows were not asked for."""
    if roles.items:
        present = set(column_of(frame, roles.item).unique())
        here = [item for item in roles.items if item in present]
        if not here:
            answers.nothing(len(people.ids))
            return len(frame)
        roles = only_items(roles, here)
    observed, left_out = observe_answers(frame, roles, settings, people)
    places = vocabulary.places(observed.item_ids)
    answers.add(vocabulary.translated(observed, places).to_sparse(), torch.from_numpy(places))
    return left_out


class _Answers:
    """Lists of answers, person by person, in temporary files."""

    def __init__(self) -> None:
        self._counts: list[np.ndarray] = [np.zeros(1, np.int64)]
        self._items, self._codes = Growing(torch.int32), Growing(torch.int8)
        self._seen: set[int] = set()

    def nothing(self, n_persons: int) -> None:
        """Persons without an answer."""
        self._counts.append(np.zeros(n_persons, np.int64))

    def add(self, cells: SparseCells, places: torch.Tensor) -> None:
        """The answers of further persons, whose items stand at ``places`` among all."""
        persons, items, codes = cells.pairs()
        items = places[items]
        if bool((places.diff() < 0).any()):
            order = torch.argsort(persons * (int(places.max()) + 1) + items)
            items, codes = items[order], codes[order]
        self._seen.update(places.tolist())
        self._counts.append(cells.n_answered().numpy())
        self._items.append(items.int().numpy())
        self._codes.append(codes.to(torch.int8).numpy())

    def seen(self, vocabulary: _Vocabulary) -> list:
        """Items of which there were rows."""
        return [vocabulary.names[place] for place in sorted(self._seen)]

    def cells(self, n_items: int) -> SparseCells:
        """All of them."""
        offsets = torch.from_numpy(np.cumsum(np.concatenate(self._counts)))
        return SparseCells(offsets, self._items.finish(), self._codes.finish(), n_items, SCRATCH)


def _whole_persons(batches: Iterator[Batch], keys: Sequence) -> Iterator[Batch]:
    """Batches cut where a person ends, across files too."""
    held: Batch | None = None
    for batch in batches:
        batch = batch if held is None else held.then(batch)
        cut = _start_of_last(batch.table, keys)
        if cut:
            yield batch.part(0, cut)
        held = batch.part(cut, len(batch.table))
    if held is not None:
        yield held


def _start_of_last(table: pa.Table, keys: Sequence) -> int:
    """The row where the last person begins."""
    differs = np.zeros(len(table), bool)
    for key in keys:
        column = table[key]
        column = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        same = pc.equal(column, column[-1]).fill_null(False)  # pyright: ignore[reportAttributeAccessIssue]
        differs |= ~same.to_numpy()
    different = np.flatnonzero(differs)
    return int(different[-1]) + 1 if len(different) else 0


def _check_together(people: People) -> None:
    back = np.flatnonzero(np.diff(people.of_row) < 0)
    if len(back):
        row = int(back[0]) + 1
        raise _not_sorted(f"row {row + 1} is about person {shown(people.ids[people.of_row[row]])} again, after others")


def _check_once(ids: pd.Index, located: Sequence[Origin]) -> None:
    """Refuse a person in two places."""
    if all_different(ids):
        return
    again = pd.Index(ids.array)
    second = int(np.flatnonzero(again.duplicated())[0])
    first = int(np.flatnonzero(again == again[second])[0])
    there, here = (max(origin for origin in located if origin.start <= person) for person in (first, second))
    raise _not_sorted(
        f"person {shown(ids[second])} has rows in {there.file} (after row {there.first}) and again in {here.file} "
        f"(after row {here.first}), with others between"
    )


def _not_sorted(what: str) -> NotSortedError:
    return NotSortedError(
        f"{what}; in a long folder the rows of a person stand together, across files too: sort by the id column before "
        "writing, with frame.sort_values in pandas, or for what is larger than memory with ORDER BY in DuckDB or "
        "scan_parquet(..).sort(..).sink_parquet(..) in Polars"
    )


def _refuse_varying(option: str, column: object) -> None:
    raise WeightsError(f"{option}={column!r} differs between the rows of a person; a person has one weight")
