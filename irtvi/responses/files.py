"""Files and other sources, as a pandas table."""

import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from irtvi.errors import DuplicateIdsError, FileFormatError, FileMissingError, LayoutError
from irtvi.responses.delimited import Opener, load_delimited
from irtvi.responses.labels import some

MAX_BYTES = 4 * 2**30
"""Largest size of a text when unpacked."""

MAX_WORKBOOK_BYTES = 2**30
"""Largest size of a workbook when unpacked; Excel's million rows fit."""

MAX_CELLS = 4 * 10**9
"""Largest table in a Parquet file, which may be tiny on disk."""

_NOT_TABLES = {
    b"\x89PNG": "a PNG image", b"\xff\xd8\xff": "a JPEG image", b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"\xd0\xcf\x11\xe0": "an old Excel file (.xls); save it as .xlsx or .csv",
    b"$FL2": "an SPSS file (.sav); read it with pandas.read_spss and hand over the table",
    b"<stata_dta>": "a Stata file; read it with pandas.read_stata and hand over the table",
    b"RDX": "an R data file; save the table from R as .csv", b"7z\xbc\xaf": "a 7z archive; unpack it first",
    b"Rar!": "a RAR archive; unpack it first", b"BZh": "a bzip2 archive; unpack it first",
    b"<!DO": "a web page", b"<html": "a web page", b"{": "a JSON file; read it with pandas.read_json",
}  # fmt: skip


def load_table(
    source: object,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    sheet: str | int | None = None,
) -> tuple[pd.DataFrame, list[str]]:
    """A source as a table, and what was guessed.

    Parameters
    ----------
    source : DataFrame (or anything with ``to_pandas``), 2-d array, dict of columns, path, or binary file
    delimiter, decimal, encoding : of a text file; None to detect them
    sheet : of a workbook

    Raises
    ------
    FileFormatError
        If a file is empty, damaged, too large when unpacked, or no table.
    FileMissingError
        If there is no such file.
    """
    if isinstance(source, pd.DataFrame):
        return source, []
    if hasattr(source, "to_pandas"):
        return source.to_pandas(), []  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(source, Mapping):
        scalar = all(np.ndim(value) == 0 for value in source.values())  # pyright: ignore
        return pd.DataFrame([source] if scalar else source), []  # pyright: ignore[reportArgumentType]
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        _check_path(path)
        return _load(lambda: path.open("rb"), path.name, delimiter, decimal, encoding, sheet)
    if hasattr(source, "read"):
        content = source.read()  # pyright: ignore[reportAttributeAccessIssue]
        content = content.encode() if isinstance(content, str) else content
        name = str(getattr(source, "name", "the file"))
        return _load(lambda: io.BytesIO(content), name, delimiter, decimal, encoding, sheet)
    return _array(source), []


def _array(source: object) -> pd.DataFrame:
    values = np.asarray(source)
    if values.ndim != 2 or isinstance(source, pd.Series):
        raise LayoutError(
            f"{type(source).__name__} is no table; irtvi reads a DataFrame, a path, a binary file, or an "
            "array with a "
            "row for each person and a column for each item"
        )
    return pd.DataFrame(values, columns=[f"item{j + 1}" for j in range(values.shape[1])])


def _check_path(path: Path) -> None:
    if path.is_dir():
        raise FileFormatError(f"{path} is a folder; give the path of a file")
    if not path.exists():
        raise FileMissingError(f"there is no file {path} (looked from {Path.cwd()})")


def _load(
    opener: Opener,
    name: str,
    delimiter: str | None,
    decimal: str | None,
    encoding: str | None,
    sheet: str | int | None,
) -> tuple[pd.DataFrame, list[str]]:
    with opener() as file:
        head = file.read(16)
    if not head:
        raise FileFormatError(f"{name} is empty")
    if head[:4] == b"PAR1":
        return _parquet(opener, name)
    if head[:4] == b"PK\x03\x04":
        return _workbook(opener, name, sheet)
    unpacked = opener
    if head[:2] == b"\x1f\x8b":
        unpacked = _unpacking(opener)
        head = _first_unpacked(unpacked, name)
    for magic, what in _NOT_TABLES.items():
        if head.lstrip().startswith(magic):
            raise FileFormatError(f"{name} is {what}; irtvi reads .csv, .tsv, .parquet and .xlsx")
    return load_delimited(unpacked, name, delimiter, decimal, encoding, MAX_BYTES)


def _unpacking(opener: Opener) -> Opener:
    @contextmanager
    def unpacked() -> Iterator[BinaryIO]:
        with opener() as packed, gzip.GzipFile(fileobj=packed) as file:
            yield file  # pyright: ignore[reportReturnType]

    return unpacked


def _sheet(table: object) -> pd.DataFrame:
    assert isinstance(table, pd.DataFrame)
    return table


def _first_unpacked(unpacked: Opener, name: str) -> bytes:
    try:
        with unpacked() as file:
            head = file.read(16)
    except (OSError, EOFError, zlib.error) as error:
        raise FileFormatError(f"{name} is damaged gzip: {error}") from None
    if not head:
        raise FileFormatError(f"{name} is empty")
    return head


def _parquet(opener: Opener, name: str) -> tuple[pd.DataFrame, list[str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with opener() as file:
            content = pq.ParquetFile(file)
            size = content.metadata.num_rows * content.metadata.num_columns
            if size > MAX_CELLS:
                raise FileFormatError(f"{name} holds {size} cells, more than the {MAX_CELLS} that are read")
            return content.read().to_pandas(), []
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{name} cannot be read as Parquet: {error}") from None


def _workbook(opener: Opener, name: str, sheet: str | int | None) -> tuple[pd.DataFrame, list[str]]:
    try:
        with opener() as file, zipfile.ZipFile(file) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            if "[Content_Types].xml" not in archive.namelist():
                raise FileFormatError(f"{name} is a zip archive, no Excel workbook; unpack it first")
        if size > MAX_WORKBOOK_BYTES:
            raise FileFormatError(
                f"{name} unpacks to {size} bytes, more than the {MAX_WORKBOOK_BYTES} that are read; save it as .csv"
            )
        with opener() as file, pd.ExcelFile(file, engine="openpyxl") as book:
            names = book.sheet_names
            chosen = 0 if sheet is None else sheet
            missing = chosen not in names if isinstance(chosen, str) else not 0 <= chosen < len(names)
            if missing:
                raise FileFormatError(f"{name} has no sheet {sheet!r}; it has {names}")
            header = _sheet(pd.read_excel(book, sheet_name=chosen, header=None, nrows=1))
            # Cells keep their type: the text 007 is an id of three characters.
            cells = pd.read_excel(book, sheet_name=chosen, keep_default_na=False, na_values=[""], dtype=object)
            table = _sheet(cells).infer_objects()
    except FileFormatError:
        raise
    except Exception as error:  # openpyxl raises whatever it stumbles over
        raise FileFormatError(f"{name} cannot be read as an Excel workbook: {error}") from None
    names_in_header = header.iloc[0].dropna() if len(header) else header
    if (again := names_in_header[names_in_header.duplicated()]).size:
        raise DuplicateIdsError(f"{name}: the columns {some(again)} appear more than once; give each its own name")
    used = chosen if isinstance(chosen, str) else names[chosen]
    return table, [f"Sheet {used!r} of {len(names)} was read."] if len(names) > 1 else []
