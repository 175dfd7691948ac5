"""How a file is to be read, as options that several commands have in common."""

import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import pandas as pd
import typer

from irtvi.errors import ConflictingOptionsError
from irtvi.responses.read import read
from irtvi.responses.responses import Responses

PANEL = "How the file is read"


def _option(name: str, text: str) -> Any:
    return typer.Option(name, help=text, rich_help_panel=PANEL)


@dataclass(frozen=True)
class DataOptions:
    """Options of :func:`irtvi.read` that make sense on a command line."""

    layout: Annotated[str | None, _option("--layout", "wide (a row for each person) or long; detected")] = None
    id: Annotated[str | None, _option("--id", "column of person ids; detected")] = None
    item: Annotated[str | None, _option("--item", "column of items (long)")] = None
    response: Annotated[str | None, _option("--response", "column of answers (long)")] = None
    wave: Annotated[str | None, _option("--wave", "column of occasions (long)")] = None
    items: Annotated[str | None, _option("--items", "which items to read: Q1,Q2,Q3")] = None
    key: Annotated[
        str | None, _option("--key", "right answers: Q1=C,Q2=A, one for all items, or a CSV with item,key")
    ] = None
    reverse: Annotated[str | None, _option("--reverse", "items to reverse: Q2,Q5, or all")] = None
    missing: Annotated[list[str] | None, _option("--missing", "a value that stands for missing; may be repeated")] = (
        None
    )
    wrong: Annotated[
        list[str] | None,
        _option("--wrong", "a value scored as wrong ('blank': empty cells); may be repeated"),
    ] = None
    continuous: Annotated[
        str | None, _option("--continuous", "items that are measured, numbers on a continuous scale: Q2,Q5, or all")
    ] = None
    weights: Annotated[str | None, _option("--weights", "column: how many persons a row stands for")] = None
    survey_weights: Annotated[str | None, _option("--survey-weights", "column of survey weights")] = None
    delimiter: Annotated[str | None, _option("--delimiter", "between columns; detected")] = None
    decimal: Annotated[str | None, _option("--decimal", "decimal sign; detected")] = None
    encoding: Annotated[str | None, _option("--encoding", "of the text; detected")] = None
    sheet: Annotated[str | None, _option("--sheet", "of a workbook; default: the first")] = None

    def read(self, path: Path, measured: bool = False) -> Responses:
        """Read a file; all items as numbers where a model is about these, whatever the options say."""
        given = {name: value for name, value in asdict(self).items() if value}
        if "items" in given:
            given["items"] = _names(given["items"])
        for name in ("reverse", "continuous"):
            if name in given:
                given[name] = True if given[name] == "all" else _names(given[name])
        if measured:
            given["continuous"] = True
        if "key" in given:
            given["key"] = answer_key(given["key"])
        for name in ("missing", "wrong"):
            if name in given and len(given[name]) == 1:
                (given[name],) = given[name]
        return read(str(path), **given)


def takes_data_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose argument ``data`` is made from the options of :class:`DataOptions`."""
    signature = inspect.signature(command)
    hints = get_type_hints(DataOptions, include_extras=True)
    own = [p for name, p in signature.parameters.items() if name != "data"]
    options = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hints[f.name])
        for f in fields(DataOptions)
    ]

    @wraps(command)
    def wrapped(**given: Any) -> None:
        data = DataOptions(**{f.name: given.pop(f.name) for f in fields(DataOptions)})
        command(data=data, **given)

    keyword_only = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    wrapped.__signature__ = signature.replace(parameters=[*keyword_only, *options])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {p.name: p.annotation for p in [*own, *options]}
    return wrapped


def answer_key(text: str) -> Any:
    """The key from ``Q1=C,Q2=A``, from a CSV file with the columns item and key, or one answer for all items."""
    if "=" in text:
        pairs = [part.partition("=") for part in _names(text)]
        broken = [item for item, sign, answer in pairs if not (sign and item and answer)]
        if broken:
            raise ConflictingOptionsError(f"--key takes Q1=C,Q2=A and so on; {broken[0]!r} has no answer.")
        return {item.strip(): answer.strip() for item, _, answer in pairs}
    if text.lower().endswith(".csv"):
        table = pd.read_csv(text, dtype=str)
        if not {"item", "key"} <= set(table.columns):
            raise ConflictingOptionsError(
                f"--key {text}: the file needs the columns item and key, it has {', '.join(table.columns)}."
            )
        return dict(zip(table["item"], table["key"], strict=True))
    return text


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
