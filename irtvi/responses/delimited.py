"""Text files with a delimiter: encoding, delimiter and decimal mark are recognised, damage is named."""

import codecs
import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
from pyarrow import csv as pa_csv

from irtvi.errors import ConflictingOptionsError, DuplicateIdsError, FileFormatError
from irtvi.responses.labels import MISSING_TEXT, some
from irtvi.responses.layout import ID_NAMES

_CHUNK = 2**20
_SAMPLE = 2**16
_DELIMITERS = (",", ";", "\t", "|")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_NUMBER = {mark: re.compile(rf"\s*[+-]?\d+\{mark}\d+\s*") for mark in ".,"}
_BAD_COLUMN = re.compile(r"In CSV column #(\d+)")


@dataclass(frozen=True)
class Dialect:
    """How a text file is written."""

    encoding: str
    delimiter: str
    decimal: str


def load_delimited(
    opener: Callable[[], BinaryIO],
    name: str,
    delimiter: str | None,
    decimal: str | None,
    encoding: str | None,
    id_columns: Sequence[Hashable],
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
        codecs.lookup(used)
        text = sample.decode(used, errors="ignore" if encoding is None else "strict")
    except (LookupError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{name} cannot be read with encoding={used!r}: {error}") from None
    lines = [line for line in text.lstrip("\ufeff").splitlines() if line.strip()]
    if not lines:
        raise FileFormatError(f"{name} holds no text")
    mark = delimiter or _delimiter_of(lines)
    dialect = Dialect(used, mark, decimal or _decimal_of(lines, mark))
    notes = [] if utf8 or bom or encoding else ["The file is no UTF-8 and was read as Windows-1252 (encoding=)."]
    if mark != "," and delimiter is None:
        notes.append(f"The delimiter is {mark!r}.")
    if dialect.decimal == "," and decimal is None:
        notes.append("Numbers have a decimal comma.")
    return _parse(opener, name, dialect, _header(lines[0], mark, name), id_columns), notes


def _scan(opener: Callable[[], BinaryIO], name: str, max_bytes: int) -> tuple[bytes, str | None, bool]:
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
                    utf8 and decoder.decode(chunk)
                except UnicodeDecodeError:
                    utf8 = False
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FileFormatError(f"{name} is damaged or cut off after {size} bytes: {error}") from None
    return sample, bom, utf8


def _delimiter_of(lines: Sequence[str]) -> str:
    """The character that splits the first lines most evenly into most fields."""

    def rank(mark: str) -> tuple[float, int]:
        widths = Counter(len(row) for row in csv.reader(lines[:50], delimiter=mark))
        width, count = widths.most_common(1)[0]
        return (count / sum(widths.values()) if width > 1 else 0.0, width)

    return max(_DELIMITERS, key=rank)


def _decimal_of(lines: Sequence[str], delimiter: str) -> str:
    if delimiter == ",":
        return "."
    fields = [field for row in csv.reader(lines[1:200], delimiter=delimiter) for field in row]
    comma = any(_NUMBER[","].fullmatch(field) for field in fields)
    return "," if comma and not any(_NUMBER["."].fullmatch(field) for field in fields) else "."


def _header(line: str, delimiter: str, name: str) -> list[str]:
    names = [field.strip() for field in next(csv.reader([line], delimiter=delimiter))]
    if again := [field for field, times in Counter(names).items() if times > 1]:
        raise DuplicateIdsError(f"{name}: the columns {some(again)} appear more than once; give each its own name")
    return names


def _parse(
    opener: Callable[[], BinaryIO], name: str, dialect: Dialect, header: Sequence[str], id_columns: Sequence[Hashable]
) -> pd.DataFrame:
    """The rows, with the types that their values have.

    Types are guessed from the first block of the file; a column that later breaks its type is read as text.
    """
    text = {h for h in (*id_columns, header[0], *header) if h in id_columns}
    types: dict[str, pa.DataType] = dict.fromkeys(map(str, text), pa.string()) if False else {}
    while True:
        try:
            with opener() as file:
                table = pa_csv.read_csv(
                    file,
                    read_options=pa_csv.ReadOptions(
                        column_names=header, skip_rows=1, encoding=dialect.encoding, block_size=2**22
                    ),
                    parse_options=pa_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
                    convert_options=pa_csv.ConvertOptions(
                        column_types=types,
                        null_values=sorted(MISSING_TEXT),
                        strings_can_be_null=True,
                        decimal_point=dialect.decimal,
                    ),
                )
            return table.to_pandas()
        except pa.ArrowInvalid as error:
            match = _BAD_COLUMN.search(str(error))
            if match is None or (column := header[int(match[1])]) in types:
                raise FileFormatError(f"{name}: {error}") from None
            types[column] = pa.string()
