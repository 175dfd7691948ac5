"""From an uploaded file and what the user chose to responses, with everything that was guessed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Hashable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas as pd

import irtvi
from irtvi.errors import DataError, FileFormatError, IrtviWarning, TooManyCategoriesError
from irtvi.responses.checks import Finding, check
from irtvi.responses.coding import ItemCoding
from irtvi.responses.files import load_table
from irtvi.responses.item_coding import MAX_CATEGORIES
from irtvi.responses.layout import find_roles
from irtvi.responses.samples import bundled_files
from irtvi.responses.settings import ReadSettings

MAX_UNPACKED = 2**30
"""Largest size of an unpacked upload: a workbook's cells and a text's columns need several times as much."""

MAX_WORKBOOK = 2**28
PREVIEW_ROWS = 8
PREVIEW_COLUMNS = 30


@dataclass(frozen=True, eq=False)
class Source:
    """A file as it came.

    Parameters
    ----------
    name : of the file, or of the bundled data set
    content : its bytes
    sample : whether it is a data set that comes with irtvi
    """

    name: str
    content: bytes
    sample: bool = False

    @cached_property
    def sha256(self) -> str:
        """Hash of the bytes."""
        return hashlib.sha256(self.content).hexdigest()

    @classmethod
    def bundled(cls, name: str) -> Source:
        """A data set that comes with irtvi."""
        return cls(name, bundled_files()[name].read_bytes(), sample=True)

    @classmethod
    def from_path(cls, path: str | Path) -> Source:
        """A file of this machine."""
        path = Path(path)
        return cls(path.name, path.read_bytes())

    def opened(self) -> io.BytesIO:
        """The bytes as a file that knows its name."""
        file = io.BytesIO(self.content)
        file.name = self.name
        return file


@dataclass(frozen=True)
class Choices:
    """What the user said about a file; None is what irtvi finds by itself.

    The fields are options of `irtvi.read`, but for ``number_rows``: no column holds ids. ``wave`` may be False: a
    column of that name means nothing.
    """

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    layout: Literal["wide", "long"] | None = None
    id: Hashable | None = None
    number_rows: bool = False
    item: Hashable | None = None
    response: Hashable | None = None
    wave: Hashable | None = None
    weights: Hashable | None = None
    survey_weights: Hashable | None = None
    missing: tuple[str, ...] = ()
    blank_is_wrong: bool = False
    items: tuple[Hashable, ...] | None = None
    key: dict[Hashable, tuple[str, ...]] = field(default_factory=dict)
    reverse: tuple[Hashable, ...] = ()
    categories: dict[Hashable, tuple[str, ...]] = field(default_factory=dict)
    continuous: tuple[Hashable, ...] = ()

    def file_options(self) -> dict[str, Any]:
        """Options about the text or workbook, those that were chosen."""
        return _chosen({name: getattr(self, name) for name in ("delimiter", "decimal", "encoding", "sheet")})

    def table_options(self) -> dict[str, Any]:
        """Options about the table, those that were chosen."""
        special = {self.id, self.wave, self.weights, self.survey_weights}
        used = None if self.items is None else [item for item in self.items if item not in special]
        items = None if used is None else set(used)
        wanted = lambda named: {i: v for i, v in named.items() if items is None or i in items}  # noqa: E731
        return _chosen(
            {
                "layout": self.layout,
                "id": False if self.number_rows else self.id,
                "item": self.item,
                "response": self.response,
                "wave": self.wave,
                "weights": self.weights,
                "survey_weights": self.survey_weights,
                "items": used,
                "key": {i: v[0] if len(v) == 1 else list(v) for i, v in wanted(self.key).items()},
                "reverse": [i for i in self.reverse if items is None or i in items],
                "missing": list(self.missing),
                "wrong": "blank" if self.blank_is_wrong else None,
                "categories": {i: list(v) for i, v in wanted(self.categories).items()},
                "continuous": [i for i in self.continuous if items is None or i in items],
            }
        )

    def options(self) -> dict[str, Any]:
        """All options of `irtvi.read` that were chosen."""
        return self.file_options() | self.table_options()


@dataclass(frozen=True, eq=False)
class Reading:
    """What came of a file.

    Parameters
    ----------
    key : of the bytes and the choices together
    columns : of the table
    preview : its first rows
    all_items : also those that were left out
    notes : what was guessed
    responses : None where an error stands in the way
    error : what was wrong
    findings : what is worth knowing about the data
    layout : of the table, also where an error stands in the way
    """

    key: str
    columns: tuple[Hashable, ...] = ()
    preview: pd.DataFrame | None = None
    all_items: tuple[Hashable, ...] = ()
    notes: tuple[str, ...] = ()
    responses: irtvi.Responses | None = None
    error: Exception | None = None
    findings: tuple[Finding, ...] = ()
    layout: Literal["wide", "long"] | None = None

    @property
    def remarks(self) -> list[str]:
        """The notes about what `guesses` does not tell."""
        return [note for note in self.notes if not note.startswith(_TOLD)]

    def guesses(self) -> dict[str, str]:
        """How the file was read, in the words of the page's select boxes."""
        found = {"Separator": "comma", "Decimal mark": "point"}
        for note in self.notes:
            if note.startswith("The delimiter is "):
                found["Separator"] = _MARKS.get(note.removeprefix("The delimiter is ").rstrip(".").strip("'"), note)
            if note.startswith("Numbers have a decimal comma"):
                found["Decimal mark"] = "comma"
        if self.layout is not None:
            found["Layout"] = LAYOUTS[self.layout]
        if self.responses is not None:
            settings = self.responses.settings
            found["Scoring"] = _scoring(self.responses)
            found["Ids"] = "rows are numbered" if settings.id is None else f"column {settings.id!r}"
            if self.responses.layout == "long":
                found["Items"] = f"column {settings.item!r}"
                found["Answers"] = f"column {settings.response!r}"
            named = {"Occasions": settings.wave, "Weights": settings.weights, "Survey weights": settings.survey_weights}
            found |= {name: f"column {column!r}" for name, column in named.items() if column not in (None, False)}
        return found


def _scoring(responses: irtvi.Responses) -> str:
    """How answers become points, of how many items."""
    kinds = Counter(_kind_of_scoring(coding) for coding in responses.codings)
    return ", ".join(kind if len(kinds) == 1 else f"{n} {kind}" for kind, n in kinds.items())


def _kind_of_scoring(coding: ItemCoding) -> str:
    if coding.measured is not None:
        return "measured"
    if coding.key is not None:
        return "by the answer key"
    return "right or wrong" if len(coding.categories) <= 2 else "in steps, higher is more (no answer key)"


LAYOUTS = {"wide": "one row for each person", "long": "one row for each answer"}
_TOLD = (
    "The delimiter is ",
    "Numbers have a decimal comma",
    "Read as wide: ",
    "Read as long: ",
    "Person ids are in column ",
)
_MARKS = {";": "semicolon", "\\t": "tab", "|": "vertical bar", ",": "comma"}


def key_of(source: Source, choices: Choices) -> str:
    """Hash of a file and of what was chosen about it."""
    said = json.dumps({k: repr(v) for k, v in asdict(choices).items()}, sort_keys=True)
    return hashlib.sha256(f"{source.sha256}{source.name}{said}".encode()).hexdigest()


def read(source: Source, choices: Choices) -> Reading:
    """Read a file; whatever stands in the way is told in the reading, never raised."""
    key = key_of(source, choices)
    columns: tuple[Hashable, ...] = ()
    preview, items, notes, layout = None, (), (), None
    try:
        _check_size(source)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", IrtviWarning)
            frame, said = load_table(source.opened(), **choices.file_options())
            columns, notes = tuple(frame.columns), tuple(said)
            preview = frame.iloc[:PREVIEW_ROWS, :PREVIEW_COLUMNS].copy()
            layout, items = _layout_and_items(frame, choices)
            responses = irtvi.read(frame, **choices.table_options())
        notes += responses.notes
        return Reading(
            key, columns, preview, items, notes, responses, findings=tuple(check(responses)), layout=layout
        )
    except Exception as error:  # whatever a hostile file brings about is told on the page
        return Reading(key, columns, preview, items, notes, error=error, layout=layout)


def plain_error(error: Exception) -> str:
    """What was wrong, in a sentence."""
    if isinstance(error, TooManyCategoriesError):
        return (
            f"The column “{error.item}” has more different values than answers in categories have; there is room for "
            f"{MAX_CATEGORIES}. Does it hold measured numbers, such as seconds or shares? Is it no item at all? Or do "
            "some of its values mean missing?"
        )
    if isinstance(error, DataError):
        said = str(error)
        return f"Item{said[4:]}" if said.startswith("item ") else said
    if isinstance(error, MemoryError):
        return "The file is too large for the memory of this machine."
    return f"The file could not be read ({type(error).__name__}). Save it anew as CSV, with one line of column names."


def _layout_and_items(
    frame: pd.DataFrame, choices: Choices
) -> tuple[Literal["wide", "long"], tuple[Hashable, ...]]:
    settings = ReadSettings(
        layout=choices.layout,
        id=choices.id,
        item=choices.item,
        response=choices.response,
        wave=choices.wave,
        weights=choices.weights,
        survey_weights=choices.survey_weights,
    )
    roles = find_roles(frame, settings, number_rows=choices.number_rows)
    if roles.layout == "wide":
        return "wide", roles.items
    items = pd.unique(frame[roles.item].dropna())  # pyright: ignore[reportArgumentType, reportCallIssue]
    return "long", tuple(items.tolist())


def _check_size(source: Source) -> None:
    """Refuse what is small as a file and huge when unpacked."""
    if source.content[:2] == b"\x1f\x8b":
        size = 0
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(source.content)) as file:
                while part := file.read(2**22):
                    size += len(part)
                    if size > MAX_UNPACKED:
                        raise FileFormatError(
                            f"{source.name} unpacks to more than {MAX_UNPACKED >> 20} MB, which the dashboard does not "
                            "read; use irtvi.read in a script"
                        )
        except (OSError, EOFError, zlib.error) as error:
            raise FileFormatError(f"{source.name} is damaged gzip: {error}") from None
    elif source.content[:4] == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(io.BytesIO(source.content)) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
        except (zipfile.BadZipFile, OSError) as error:
            raise FileFormatError(f"{source.name} is no sound workbook: {error}") from None
        if size > MAX_WORKBOOK:
            raise FileFormatError(
                f"{source.name} unpacks to {size >> 20} MB, more than the {MAX_WORKBOOK >> 20} MB that the dashboard "
                "reads of a workbook; save it as CSV"
            )


def _chosen(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is False or value not in (None, [], {})}
