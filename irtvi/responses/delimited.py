"""Text files with a delimiter: encoding, delimiter and decimal mark are recognised, damage is named."""

import codecs
import csv
import gzip
import io
import itertools
import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
from pyarrow import csv as pa_csv

from irtvi.errors import ConflictingOptionsError, DuplicateIdsError, FileFormatError
from irtvi.responses.labels import MISSING_TEXT, some
from irtvi.responses.layout import column_of

Opener = Callable[[], AbstractContextManager[BinaryIO]]
"""Opens a source of bytes, again each time."""

_CHUNK = 2**20
_SAMPLE = 2**16
_DELIMITERS = (",", ";", "\t", "|")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_NUMBER = {mark: re.compile(rf"\s*[+-]?\d+\{mark}\d+\s*") for mark in ".,"}
_WHOLE = re.compile(r"\d+")
_ID_CODE = re.compile(r"0\d+|\d{16,}")
_NAMELESS = "Unnamed:"
"""What pandas calls a column without a name."""

_MISSING = sorted(MISSING_TEXT)
_BLOCK = 2**22
_BAD_COLUMN = re.compile(r"In CSV column #(\d+)")


@dataclass(frozen=True)
class Dialect:
    """How a text file is written."""

    encoding: str
    delimiter: str
    decimal: str


def load_delimited(
    opener: Opener,
    name: str,
    delimiter: str | None,
    decimal: str | None,
    encoding: str | None,
    max_bytes: int,
) -> tuple[pd.DataFrame, list[str]]:
    """A delimited text as a table, and what was guessed."""
    for option, given, allowed in (("delimiter", delimiter, None), ("decimal", decimal, ".,")):
        if given is not None and (len(given) != 1 or (allowed and given not in allowed)):
            raise ConflictingOptionsError(f"{option}={given!r}; it is one character{': . or ,' if allowed else ''}")
    if delimiter is not None and delimiter == decimal:
        raise ConflictingOptionsError(f"delimiter and decimal are both {delimiter!r}")
    sample, bom, utf8 = _scan(opener, name, max_bytes)
    used = encoding or bom or ("utf-8" if utf8 else "cp1252")
    try:
        text = codecs.getincrementaldecoder(used)().decode(sample).lstrip("\ufeff")
    except (LookupError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{name} cannot be read with encoding={used!r}: {error}") from None
    if not text.strip():
        raise FileFormatError(f"{name} holds no text")
    mark = delimiter or _delimiter_of(text)
    head = _head(text, mark, name)
    dialect = Dialect(used, mark, decimal or _decimal_of(head.rows, mark))
    notes = [] if utf8 or bom or encoding else ["The file is no UTF-8 and was read as Windows-1252 (encoding=)."]
    if mark != "," and delimiter is None:
        notes.append(f"The delimiter is {mark!r}.")
    if dialect.decimal == "," and decimal is None:
        notes.append("Numbers have a decimal comma.")
    table = _parse(opener, name, dialect, head)
    for column in table.columns[[str(column).lower().startswith("cov_") for column in table.columns]]:
        table[column] = table[column].mask(table[column].isin(_MISSING))
    empty = [c for c in head.names if c.startswith(_NAMELESS) and _is_empty(column_of(table, c))]
    if empty:
        notes.append(f"{len(empty)} columns without a name and without a value were left out.")
    return table.drop(columns=empty), notes


@dataclass(frozen=True)
class Head:
    """The first lines of a file: names of the columns, rows after them, and where these start."""

    names: list[str]
    rows: list[list[str]]
    skip: int


def _scan(opener: Opener, name: str, max_bytes: int) -> tuple[bytes, str | None, bool]:
    """The first part of a file, the encoding that its mark names, and whether all of it is UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    sample, size, bom, utf8 = b"", 0, None, True
    try:
        with opener() as file:
            while chunk := file.read(_CHUNK):
                if not size:
                    sample = chunk[:_SAMPLE]
                    bom = next((encoding for mark, encoding in _BOMS if chunk.startswith(mark)), None)
                size += len(chunk)
                if size > max_bytes:
                    raise FileFormatError(f"{name} unpacks to more than {max_bytes} bytes and is not read")
                if bom != "utf-16" and b"\0" in chunk:
                    at = size - len(chunk) + chunk.index(b"\0")
                    raise FileFormatError(f"{name} holds a NUL byte (at byte {at}): it is damaged, or no text")
                try:
                    if utf8:
                        decoder.decode(chunk)
                except UnicodeDecodeError:
                    utf8 = False
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FileFormatError(f"{name} is damaged or cut off after {size} bytes: {error}") from None
    return sample, bom, utf8


def _rows(text: str, delimiter: str, most: int) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return [row for row in itertools.islice(reader, most) if row]
    except csv.Error:
        return []


def _delimiter_of(text: str) -> str:
    """The character that splits the first lines most evenly into most fields."""

    def rank(mark: str) -> tuple[float, int]:
        widths = Counter(len(row) for row in _rows(text, mark, 50))
        width, count = widths.most_common(1)[0] if widths else (0, 0)
        return (count / sum(widths.values()) if width > 1 else 0.0, width)

    return max(_DELIMITERS, key=rank)


def _decimal_of(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    if delimiter == ",":
        return "."
    comma = any(_NUMBER[","].fullmatch(field) for row in rows for field in row)
    return "," if comma and not any(_NUMBER["."].fullmatch(field) for row in rows for field in row) else "."


def _head(text: str, delimiter: str, name: str) -> Head:
    """The first lines; where names are one short, as R writes them, that of the row names is lacking."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        first = next(row for row in reader if any(field.strip() for field in row))
        skip = reader.line_num
        rows = [row for row in itertools.islice(reader, 200) if row]
    except csv.Error as error:
        raise FileFormatError(f"{name} cannot be read: {error}") from None
    names = [field.strip() for field in first]
    if len(rows) > 1 and len(rows[0]) == len(names) + 1 == len(rows[1]):
        names.insert(0, "")
    named = [field for field in names if field]
    if again := [field for field, times in Counter(named).items() if times > 1]:
        numbers = all(_WHOLE.fullmatch(field) for field in named)
        hint = "the first line holds no names but numbers; add a line of names" if numbers else "rename one of them"
        raise DuplicateIdsError(f"{name}: the columns {some(again)} appear more than once; {hint}")
    names = [field or f"{_NAMELESS} {place}" for place, field in enumerate(names)]
    return Head(names, rows[: len(rows) - 1] or rows, skip)


def _parse(opener: Opener, name: str, dialect: Dialect, head: Head) -> pd.DataFrame:
    """The rows, with the types that their values have.

    Types are guessed from the first block of the file; a column that later breaks its type is read as text.
    Numbers that would lose digits, such as the id 007, are text from the start.
    """
    types: dict[str, pa.DataType] = {}
    for row in head.rows:
        types |= {c: pa.string() for c, field in zip(head.names, row, strict=False) if _ID_CODE.fullmatch(field)}
    while True:
        try:
            with opener() as file:
                table = pa_csv.read_csv(
                    file,
                    read_options=pa_csv.ReadOptions(
                        column_names=head.names,
                        skip_rows=head.skip,
                        encoding=dialect.encoding,
                        block_size=_BLOCK,
                    ),
                    parse_options=pa_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
                    convert_options=pa_csv.ConvertOptions(
                        column_types=types, null_values=_MISSING, decimal_point=dialect.decimal
                    ),
                )
            return table.to_pandas()
        except pa.ArrowInvalid as error:
            if "block" in str(error):
                raise FileFormatError(
                    f"{name} has a line of more than {_BLOCK >> 20} MB, which is no table: is a quotation mark left "
                    "open, or are the ends of lines lost?"
                ) from None
            match = _BAD_COLUMN.search(str(error))
            if match is None or (column := head.names[int(match[1])]) in types:
                raise FileFormatError(f"{name} is no regular table: {error}") from None
            types[column] = pa.string()
        except UnicodeDecodeError as error:
            raise FileFormatError(f"{name} cannot be read with encoding={dialect.encoding!r}: {error}") from None


def _is_empty(column: pd.Series) -> bool:
    return bool((column.isna() | column.isin(_MISSING)).all())
