"""What commands write: whole or not at all, and never a formula."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from irtvi.errors import OutputExistsError

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
WIDE = 240
"""Columns of a table that goes into a pipe, where nothing should be cut off."""


def refuse_to_overwrite(paths: Sequence[Path], force: bool) -> None:
    """Ask for ``--force`` before anything is computed.

    Raises
    ------
    OutputExistsError
        A file is there already.
    """
    there = [path for path in paths if path.exists()]
    if there and not force:
        raise OutputExistsError(f"{there[0]} exists already; choose another place, or overwrite it with --force.")


@contextmanager
def output_folder(folder: Path, names: Sequence[str], force: bool) -> Iterator[Path]:
    """A folder to write files into, which appear at their place only when all of them are complete.

    Parameters
    ----------
    folder : where the files shall be; other files that are there stay
    names : the files
    force : whether files of these names may be replaced
    """
    refuse_to_overwrite([folder / name for name in names], force)
    folder.parent.mkdir(parents=True, exist_ok=True)
    working = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        yield working
        if folder.exists():
            for path in sorted(working.iterdir()):
                os.replace(path, folder / path.name)
        else:
            working.chmod(0o755)
            os.replace(working, folder)
    finally:
        shutil.rmtree(working, ignore_errors=True)


@contextmanager
def output_file(path: Path, force: bool) -> Iterator[Path]:
    """A place to write one file, which appears under its name only when it is complete."""
    refuse_to_overwrite([path], force)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    working = Path(name)
    try:
        yield working
        working.chmod(0o644)
        os.replace(working, path)
    finally:
        working.unlink(missing_ok=True)


def write_csv(table: pd.DataFrame, path: Path | None) -> str | None:
    """Write a table as CSV, or return it as text.

    Text that a spreadsheet would run as a formula gets a quote in front; numbers, also those in text, stay as they
    are.
    """
    safe = table.copy()
    for place, dtype in enumerate(safe.dtypes):
        if not pd.api.types.is_numeric_dtype(dtype):
            safe.isetitem(place, safe.iloc[:, place].map(without_formula))
    safe.columns = [without_formula(column) for column in safe.columns]
    name = without_formula(table.index.name or "id")
    if not pd.api.types.is_numeric_dtype(table.index.dtype):
        safe.index = pd.Index([without_formula(label) for label in table.index], dtype=object)
    return safe.to_csv(path, index_label=name)


def without_formula(value: Any) -> Any:
    """Text with a quote in front where a spreadsheet would take it for a formula."""
    if not isinstance(value, str) or not value.startswith(FORMULA_STARTS):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def show(table: pd.DataFrame, title: str, digits: int = 3) -> None:
    """Print a table on standard output."""
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=WIDE)
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, title_style="bold")
    shown.add_column(str(table.index.name or ""))
    for place, column in enumerate(table.columns):
        number = pd.api.types.is_numeric_dtype(table.dtypes.iloc[place])
        shown.add_column(str(column), justify="right" if number else "left")
    for label, *row in table.itertuples(name=None):
        shown.add_row(str(label), *(_text(value, digits) for value in row))
    console.print(shown)


def _text(value: Any, digits: int) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.{digits}f}"
    return "" if value is None else str(value)
