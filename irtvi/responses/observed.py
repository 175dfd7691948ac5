"""What stands in a table, before anything is said about what it means: local codes and their labels."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter

import numpy as np
import pandas as pd
import torch

from irtvi.errors import DuplicateResponsesError, UnparsableValueError
from irtvi.responses.cells import MAX_CATEGORIES, MISSING, SPARSE_BELOW, Cells, DenseCells, SparseCells
from irtvi.responses.item_coding import too_many
from irtvi.responses.labels import BLANK, Label, NotALabelError, label_of, shown
from irtvi.responses.measures import MEASURED, Measures
from irtvi.responses.quantities import Column, column_of_numbers
from irtvi.responses.settings import ItemRule

_ROWS = 4096
"""Rows that are converted at a time, so that a table of numbers needs little memory beside itself."""


@dataclass(frozen=True, eq=False)
class Observed:
    """Labels by person and item.

    Parameters
    ----------
    person_ids, item_ids : the user's labels
    cells : codes that count the labels of each item from 0; -1 where there is nothing
    labels : the labels behind the codes, by item (some may not occur)
    declared : categories that come with the data in their order, by item; empty where none do
    place_of : where an item's code occurs first, in words
    measures : numbers of the items that are measured, which have no labels and the code `MEASURED`; None without
    measured : positions of those items
    """

    person_ids: pd.Index
    item_ids: pd.Index
    cells: Cells
    labels: Sequence[tuple[Label, ...]]
    declared: Sequence[tuple[Label, ...]]
    place_of: Callable[[int, int], str]
    measures: Measures | None = None
    measured: tuple[int, ...] = ()

    @property
    def is_of_numbers(self) -> bool:
        """Whether the labels of all items are their codes: 0, 1, 2 and so on."""
        first = self.labels[0] if len(self.labels) else ()
        return first == tuple(range(len(first))) and self.labels.count(first) == len(self.labels)

    def ranges(self) -> dict[int, tuple[float, float]]:
        """Lowest and highest number of the measured items, by position; (0, 0) where there is none."""
        if self.measures is None:
            return {}
        found = {}
        for item in self.measured:
            values = self.measures.of_item(item)
            found[item] = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
        return found

    def counts(self) -> np.ndarray:
        """How often each label occurs, int [items, labels]."""
        most = max(map(len, self.labels), default=0)
        most = max(most, 1) if self.measured else most
        return self.cells.counts(most).numpy() if most else np.zeros((len(self.item_ids), 0), np.int64)

    def where(self, item: Hashable, label: Label) -> str:
        """The place of the first occurrence of a label, for a message."""
        column = self.item_ids.get_loc(item)
        assert isinstance(column, int)
        return f"first in {self.place_of(column, self.labels[column].index(label))}, column {item!r}"


def observe_wide(frame: pd.DataFrame, person_ids: pd.Index, columns: np.ndarray, rules: Sequence[ItemRule]) -> Observed:
    """Labels of a table with a row for each person.

    Parameters
    ----------
    frame : the table
    person_ids : one for each row
    columns : positions of the items
    rules : what was declared about each item; with `BLANK` among its wrong answers an empty cell has that label
    """
    everything = np.array_equal(columns, np.arange(frame.shape[1]))
    items = frame.columns if everything else frame.columns[columns]
    blank = [BLANK in rule.wrong for rule in rules]
    plain = not any(blank) and not any(map(attrgetter("continuous"), rules))
    codes = _small_numbers(frame, columns) if plain else None
    numbers: list[Column] = []
    if codes is not None:
        top = int(codes.max(initial=0))
        labels: list[tuple[Label, ...]] = [tuple(range(top + 1))] * len(columns)
        declared: list[tuple[Label, ...]] = [()] * len(columns)
    else:
        codes = np.full((len(frame), len(columns)), MISSING, np.int8)
        labels, declared = [], []
        for j, column in enumerate(columns):
            found, order, local = _column(frame.iloc[:, column], items[j])
            if rules[j].continuous:
                rows = np.flatnonzero(local >= 0)
                numbers.append(column_of_numbers(j, items[j], found, rules[j], rows, local[rows]))
                codes[numbers[-1].rows, j] = MEASURED
                labels.append(())
                declared.append(())
                continue
            if len(found) > MAX_CATEGORIES:
                raise _too_many_labels(items[j], found)
            codes[:, j] = local
            if blank[j]:
                found, codes[codes[:, j] < 0, j] = (*found, BLANK), len(found)
            labels.append(found)
            declared.append(order)

    def place_of(item: int, code: int) -> str:
        return f"row {int(np.argmax(codes[:, item] == code)) + 1}"

    cells = DenseCells(torch.from_numpy(codes)).compact()
    shape = len(frame), len(columns)
    return Observed(person_ids, items, cells, labels, declared, place_of, *_measures(numbers, *shape, None))


def _measures(
    columns: Sequence[Column], n_persons: int, n_items: int, persons: np.ndarray | None
) -> tuple[Measures | None, tuple[int, ...]]:
    """Numbers of the measured items, and which those are; ``persons`` of the rows, if rows are not persons."""
    if not columns:
        return None, ()
    rows = np.concatenate([column.rows for column in columns])
    items = np.repeat([column.item for column in columns], [len(column.rows) for column in columns])
    values = np.concatenate([column.values for column in columns])
    of_rows = rows if persons is None else persons[rows].astype(np.int64)
    measures = Measures.of(
        torch.from_numpy(of_rows), torch.from_numpy(items), torch.from_numpy(values), n_persons, n_items
    )
    return measures, tuple(column.item for column in columns)


def _small_numbers(frame: pd.DataFrame, columns: np.ndarray) -> np.ndarray | None:
    """Codes of columns that hold whole numbers from 0 up only, or None: the fast way, block by block."""
    if len(frame) <= _ROWS:
        values = (frame if np.array_equal(columns, np.arange(frame.shape[1])) else frame.iloc[:, columns]).to_numpy()
        codes = small_codes(values) if values.dtype.kind in "biuf" else None
        if codes is not None:
            return codes
    by_type: dict[np.dtype, list[int]] = {}
    for j, dtype in enumerate(frame.dtypes.iloc[columns]):
        if not isinstance(dtype, np.dtype) or dtype.kind not in "biuf":
            return None
        by_type.setdefault(dtype, []).append(j)
    codes = np.empty((len(frame), len(columns)), np.int8)
    for places in by_type.values():
        position = columns[places]
        together = bool((np.diff(position) == 1).all())
        source = frame.iloc[:, position[0] : position[-1] + 1] if together else frame.iloc[:, position]
        target = slice(places[0], places[-1] + 1) if len(places) == places[-1] - places[0] + 1 else places
        whole = source.to_numpy() if len(source) <= _ROWS or _is_one_block(source) else None
        for start in range(0, len(frame), _ROWS):
            rows = slice(start, start + _ROWS)
            block = source.iloc[rows].to_numpy() if whole is None else whole[rows]
            small = small_codes(block)
            if small is None:
                return None
            codes[rows, target] = small
    return codes


def _is_one_block(frame: pd.DataFrame) -> bool:
    """Whether the table is one array, so that looking at all of it copies nothing."""
    return np.shares_memory(frame.iloc[:1].to_numpy(), frame.iloc[:1].to_numpy())


def small_codes(values: np.ndarray) -> np.ndarray | None:
    """Numbers as int8 codes, NaN as -1; None unless all are whole numbers from 0 to 126."""
    if values.dtype.kind == "b":
        return values.view(np.int8)
    if values.dtype.kind in "iu":
        if values.size and (values.min() < 0 or values.max() >= MAX_CATEGORIES):
            return None
        return values.astype(np.int8)
    with np.errstate(invalid="ignore"):
        codes = values.astype(np.int8)
        same = codes == values
        if same.all() and codes.min(initial=0) >= 0 and codes.max(initial=0) < MAX_CATEGORIES:
            return codes
        nothing = np.isnan(values)
        if not (same | nothing).all():
            return None
    codes[nothing] = 0
    if codes.min(initial=0) < 0 or codes.max(initial=0) >= MAX_CATEGORIES:
        return None
    codes[nothing] = MISSING
    return codes


def _column(values: pd.Series, item: Hashable) -> tuple[tuple[Label, ...], tuple[Label, ...], np.ndarray]:
    """Labels, declared order and local codes of one column of a wide table."""
    labels, codes = factorize_labels(values, f"column {item!r}")
    return labels, declared_order(values, labels), codes


def _too_many_labels(item: Hashable, labels: Sequence[Label]) -> Exception:
    numbers = sorted(label for label in labels if not isinstance(label, str))
    first, last = (numbers[0], numbers[-1]) if numbers else (labels[0], labels[-1])
    return too_many(item, len(labels), first, last)


def factorize_labels(values: pd.Series, where: str) -> tuple[tuple[Label, ...], np.ndarray]:
    """The labels in a column and their positions, -1 where missing.

    Raises
    ------
    UnparsableValueError
        If a value is a date, a list or the like; ``where`` says in the message where.
    """
    try:
        codes, uniques = pd.factorize(values)
        seen = [label_of(value) for value in uniques.tolist()]
    except (TypeError, NotALabelError):
        raise _unparsable(values, where) from None
    labels = tuple(dict.fromkeys(label for label in seen if label is not None))
    if len(labels) == len(seen):
        return labels, codes
    place = {label: code for code, label in enumerate(labels)}
    merged = np.array([*(MISSING if label is None else place[label] for label in seen), MISSING])
    return labels, merged[codes]


def _unparsable(values: pd.Series, where: str) -> UnparsableValueError:
    for row, value in enumerate(values):
        try:
            label_of(value)
        except NotALabelError:
            return UnparsableValueError(
                f"row {row + 1}, {where}: {value!r} is a {type(value).__name__} and no answer; keep the "
                "column out "
                "by items=, or turn it into numbers or text"
            )
    return UnparsableValueError(f"{where} has type {values.dtype}, which holds no answers; keep it out by items=")


def declared_order(values: pd.Series, labels: Sequence[Label]) -> tuple[Label, ...]:
    """The categories of a categorical column; unordered numbers keep their own order."""
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return ()
    categories = [label_of(category) for category in values.cat.categories.tolist()]
    order = tuple(dict.fromkeys(label for label in categories if label is not None))
    numbers = all(not isinstance(label, str) for label in order)
    return () if numbers and not values.cat.ordered else order


def observe_long(
    person: tuple[np.ndarray, pd.Index],
    item: tuple[np.ndarray, pd.Index],
    response: pd.Series,
    rules: Sequence[ItemRule],
) -> Observed:
    """Labels of a table with a row for each answer, no person and item twice.

    Parameters
    ----------
    person, item : position of each row's id, and the ids
    response : the answers
    rules : what was declared about each item; with `BLANK` among its wrong answers a row without a response has that
        label
    """
    (persons, person_ids), (items, item_ids) = person, item
    blank = np.array([BLANK in rule.wrong for rule in rules], dtype=bool)
    labels, levels = _levels(response)
    numbers = _numbers_of_rows(items, item_ids, labels, levels, rules)
    for column in numbers:
        levels = np.where(items == column.item, MISSING, levels)
    if blank.any():
        empty = (levels < 0) & blank[items]
        levels = np.where(empty, len(labels), levels)
        labels = (*labels, BLANK)
    by_item: list[tuple[Label, ...]] = [labels] * len(item_ids)
    if len(labels) > MAX_CATEGORIES:
        by_item, levels = _local_codes(item_ids, items, labels, levels)
    codes = levels.astype(np.int8)
    for column in numbers:
        codes[column.rows], by_item[column.item] = MEASURED, ()
    cells = _cells(persons, items, codes, len(person_ids), len(item_ids))
    if cells is None:
        raise _duplicates(persons, items, person_ids, item_ids)
    order = declared_order(response, labels)
    kept = [order] * len(item_ids)
    if order and not response.cat.ordered:
        present = [{labels[k] for k in np.flatnonzero(row)} for row in cells.counts(len(labels)).numpy()]
        kept = [tuple(label for label in order if label in own) for own in present]

    def place_of(item: int, code: int) -> str:
        return f"row {int(np.argmax((items == item) & (codes == code))) + 1}"

    shape = len(person_ids), len(item_ids)
    return Observed(person_ids, item_ids, cells, by_item, kept, place_of, *_measures(numbers, *shape, persons))


def _numbers_of_rows(
    items: np.ndarray,
    item_ids: pd.Index,
    labels: tuple[Label, ...],
    levels: np.ndarray,
    rules: Sequence[ItemRule],
) -> list[Column]:
    """Numbers of the measured items of a long table; rows are those of the table."""
    columns = []
    for place, (item, rule) in enumerate(zip(item_ids, rules, strict=True)):
        if rule.continuous:
            rows = np.flatnonzero((items == place) & (levels >= 0))
            own, codes = np.unique(levels[rows], return_inverse=True)
            columns.append(column_of_numbers(place, item, [labels[k] for k in own], rule, rows, codes))
    return columns


def _levels(response: pd.Series) -> tuple[tuple[Label, ...], np.ndarray]:
    dtype = response.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
        small = small_codes(response.to_numpy())
        if small is not None:
            return tuple(range(int(small.max(initial=0)) + 1)), small
    return factorize_labels(response, f"column {response.name!r}")


def _local_codes(
    item_ids: pd.Index, items: np.ndarray, labels: tuple[Label, ...], levels: np.ndarray
) -> tuple[list[tuple[Label, ...]], np.ndarray]:
    """Codes that count each item's own labels, where all items together have too many."""
    present = levels >= 0
    flat = items[present].astype(np.int64) * len(labels) + levels[present]
    used, inverse = np.unique(flat, return_inverse=True)
    item_of, level_of = np.divmod(used, len(labels))
    starts = np.searchsorted(item_of, np.arange(len(item_ids) + 1))
    by_item = [tuple(labels[k] for k in level_of[a:b]) for a, b in pairwise(starts)]
    for item, own in zip(item_ids, by_item, strict=True):
        if len(own) > MAX_CATEGORIES:
            raise _too_many_labels(item, own)
    codes = np.full(len(levels), MISSING, np.int64)
    codes[present] = np.arange(len(used))[inverse] - starts[item_of[inverse]]
    return by_item, codes


def _cells(persons: np.ndarray, items: np.ndarray, codes: np.ndarray, n_persons: int, n_items: int) -> Cells | None:
    """Cells from rows in any order, or None if two rows have the same person and item."""
    if len(codes) >= SPARSE_BELOW * n_persons * n_items:
        flat = persons.astype(np.int64) * n_items + items
        taken = np.zeros(n_persons * n_items, bool)
        taken[flat] = True
        if np.count_nonzero(taken) < len(codes):
            return None
        dense = np.full((n_persons, n_items), MISSING, np.int8)
        dense.reshape(-1)[flat] = codes
        return DenseCells(torch.from_numpy(dense)).compact()
    from scipy.sparse import coo_array

    rows = coo_array((codes, (persons, items)), shape=(n_persons, n_items)).tocsr()
    if rows.nnz < len(codes):
        return None
    offsets = torch.from_numpy(rows.indptr.astype(np.int64))
    cells = SparseCells(offsets, torch.from_numpy(rows.indices.astype(np.int32)), torch.from_numpy(rows.data), n_items)
    return cells.without_missing()


def _duplicates(persons: np.ndarray, items: np.ndarray, person_ids: pd.Index, item_ids: pd.Index) -> Exception:
    rows = pd.DataFrame({"person": persons, "item": items})
    again = np.flatnonzero(rows.duplicated(keep="first").to_numpy())
    first = [
        f"row {row + 1} ({shown(person_ids[persons[row]])}, {shown(item_ids[items[row]])})"
        for row in again[:5].tolist()
    ]
    listed = ", ".join(first) + (", ..." if len(again) > 5 else "")
    return DuplicateResponsesError(
        f"{len(again)} row{'s repeat' if len(again) > 1 else ' repeats'} a person and item: {listed}; keep one "
        "answer to each item, or name in wave= the column that tells the occasions apart"
    )
