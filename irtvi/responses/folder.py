"""A folder of Parquet files that together are one table, read in batches of rows."""

import os
import re
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from irtvi.errors import ConflictingOptionsError, DataError, FileFormatError, LayoutError
from irtvi.responses.labels import some
from irtvi.responses.layout import ID_NAMES

BATCH_CELLS = 2**20
"""Rows times columns that are read at a time."""
_HEAD_ROWS = 10_000
"""Rows from which roles of columns are guessed."""
_BUFFER = 2**20
_UNNAMED_INDEX = "__index_level_"
_ENDINGS = (".parquet", ".parq", ".pq")


class Origin(NamedTuple):
    """From ``start`` on, the rows of a batch are those of a file from its row ``first`` on, counted from 0."""

    start: int
    file: str
    first: int


@dataclass(frozen=True)
class Batch:
    """Consecutive rows of a folder.

    Parameters
    ----------
    table : the rows
    origins : where they come from, in order; the first starts at 0
    """

    table: pa.Table
    origins: tuple[Origin, ...]

    def part(self, start: int, stop: int) -> "Batch":
        """Some of the rows."""
        inside = [o for o in self.origins if start < o.start < stop]
        before = max(o for o in self.origins if o.start <= start)
        first = Origin(0, before.file, before.first + start - before.start)
        moved = (Origin(o.start - start, o.file, o.first) for o in inside)
        return Batch(self.table.slice(start, stop - start), (first, *moved))

    def then(self, after: "Batch") -> "Batch":
        """These rows and those after them."""
        try:
            table = pa.concat_tables([self.table, after.table], promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise LayoutError(
                f"{after.origins[-1].file} has other types than {self.origins[0].file}: {error}; write all files of a "
                "folder with the same types"
            ) from None
        moved = (Origin(o.start + len(self.table), o.file, o.first) for o in after.origins)
        return Batch(table, (*self.origins, *moved))

    def frame(self) -> pd.DataFrame:
        """The rows as pandas has them, numbered from 0."""
        return self.table.to_pandas(ignore_metadata=True)

    @contextmanager
    def named(self) -> Iterator[None]:
        """Add to an error about these rows where they are."""
        try:
            yield
        except DataError as error:
            origin = self.origins[0]
            beyond = ", and on in the next file" if self.origins[-1].file != origin.file else ""
            where = f"{origin.file}, rows counted from row {origin.first + 1}{beyond}: {error}"
            raise type(error)(where, item=error.item, label=error.label) from None


@dataclass(frozen=True)
class Folder:
    """Parquet files with the same columns, in the order of their names (2 before 10).

    Parameters
    ----------
    path : the folder
    files : paths of its files
    columns : names of their columns
    n_rows : of all files
    notes : what there is to say
    """

    path: Path
    files: tuple[Path, ...]
    columns: tuple[str, ...]
    n_rows: int
    notes: tuple[str, ...]

    @cached_property
    def index_column(self) -> str | None:
        """The column in which pandas stored the index of a table."""
        metadata = pq.read_schema(self.files[0]).pandas_metadata or {}
        stored = [name for name in metadata.get("index_columns", []) if isinstance(name, str)]
        return stored[0] if len(stored) == 1 and stored[0] in self.columns else None

    def head(self) -> pd.DataFrame:
        """The first rows, to see what the columns are."""
        tables, n_rows = [], 0
        for batch in self.batches(self.columns):
            tables.append(batch.frame())
            n_rows += len(tables[-1])
            if n_rows >= _HEAD_ROWS:
                break
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(self.columns))

    def batches(self, columns: Sequence[Hashable]) -> Iterator[Batch]:
        """All rows of some columns, in order."""
        size = max(1, BATCH_CELLS // max(1, len(columns)))
        for path in self.files:
            first = 0
            try:
                with pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER) as file:
                    for rows in file.iter_batches(size, columns=[str(c) for c in columns], use_threads=False):
                        yield Batch(pa.Table.from_batches([rows]), (Origin(0, path.name, first),))
                        first += len(rows)
            except (pa.ArrowException, OSError) as error:
                raise _unreadable(path, error) from None


def folder_of(source: object, **options: object) -> Folder | None:
    """The folder that a source names, or None if it names no folder.

    Parameters
    ----------
    source : whatever `irtvi.read` takes
    options : those of text files and workbooks, which a folder has no use for

    Raises
    ------
    ConflictingOptionsError
        If one of the options is given.
    FileFormatError, LayoutError
        If the folder holds no Parquet file, or files that are not one table.
    """
    if not isinstance(source, str | os.PathLike) or not (path := Path(source)).is_dir():
        return None
    if given := [name for name, value in options.items() if value is not None]:
        raise ConflictingOptionsError(
            f"{given[0]}={options[given[0]]!r} says how a text or a workbook is read, but {path} is a folder of "
            f"Parquet files; leave it out"
        )
    entries = sorted((e for e in path.iterdir() if not e.name.startswith(("_", "."))), key=_natural)
    files = tuple(e for e in entries if e.is_file() and e.suffix.lower() in _ENDINGS)
    others = [e.name for e in entries if e not in files]
    if not files:
        held = f"it holds {some(others)}" if others else "it is empty"
        raise FileFormatError(
            f"{path} is a folder without a Parquet file ({held}); a folder is read from files that end in .parquet, "
            "which stand directly in it; give the path of a file for any other format"
        )
    if nested := [e.name for e in entries if e.is_dir() and any(e.rglob("*.parquet"))]:
        raise LayoutError(
            f"{path} has Parquet files also in the folder {nested[0]!r}; put all of them into one folder, with what "
            "the folders' names say as a column"
        )
    columns, n_rows = _checked(files)
    notes = [f"Read {n_rows} rows from {len(files)} Parquet file{'s' if len(files) > 1 else ''} in {path.name}/."]
    if others:
        notes.append(f"Not read in {path.name}/: {some(others)}.")
    return Folder(path, files, columns, n_rows, tuple(notes))


def _checked(files: tuple[Path, ...]) -> tuple[tuple[str, ...], int]:
    """Column names, which all files have in common, and the number of rows."""
    columns: tuple[str, ...] = ()
    n_rows = 0
    for path in files:
        try:
            with pq.ParquetFile(path) as file:
                names, rows = _without_row_numbers(file.schema_arrow.names), file.metadata.num_rows
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(path, error) from None
        columns = columns or names
        if len(set(names)) < len(names) or set(names) != set(columns):
            differing = sorted(set(names) ^ set(columns)) or [n for n in names if names.count(n) > 1]
            raise LayoutError(
                f"{path.name} has other columns than {files[0].name}: {some(differing)} is not in both, or twice; give "
                "all files of a folder the same columns (null where a file has no value)"
            )
        n_rows += rows
    return columns, n_rows


def _without_row_numbers(names: Sequence[str]) -> tuple[str, ...]:
    """The columns but for an index without a name that pandas stored, if ids have a column of their own."""
    has_ids = bool(ID_NAMES & {name.lower() for name in names})
    return tuple(name for name in names if not (has_ids and name.startswith(_UNNAMED_INDEX)))


def _unreadable(path: Path, error: Exception) -> FileFormatError:
    return FileFormatError(f"{path.name} cannot be read as Parquet: {error}; write it again, or take it out")


def _natural(path: Path) -> list[tuple[int, str]]:
    """A key that puts part-2 before part-10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", path.name)]
