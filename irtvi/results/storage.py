"""One file for plain state: a zip of a manifest, arrays and tables, read without executing anything from it.

Nothing inside is compressed, so no file unpacks to more than its own size. The manifest names the format's
version and the SHA-256 of every member; the archive's comment holds the SHA-256 of the manifest.
"""

import hashlib
import io
import json
import math
import os
import secrets
import zipfile
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from irtvi.errors import (
    DamagedFileError,
    FileMissingError,
    ForeignFileError,
    NewerFormatError,
    UnstorableError,
)

FORMAT = "irtvi"
VERSION = 1
MANIFEST = "manifest.json"
COMMENT = b"sha256:"
PLAIN_KINDS = "biuf"
NULLABLE = [f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)]
ROUND_TRIP_DTYPES = frozenset(["str", "string", "boolean", "Float32", "Float64", *NULLABLE])
PANDAS_HAS_STR = str(pd.Series(["a"]).dtype) == "str"
VALUES_AT_ONCE = 100_000
"""Values of a column that are turned into text together."""
Piece = bytes | memoryview
EPOCH = (1980, 1, 1, 0, 0, 0)
UNREADABLE = (
    zipfile.BadZipFile, EOFError, OSError, KeyError, NotImplementedError, RuntimeError, ValueError,
)  # fmt: skip
NONSENSE = (
    KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError, SyntaxError,
    OverflowError,
)  # fmt: skip

State = Mapping[str, Any]


def write_state(path: str | Path, state: State) -> Path:
    """Write nested plain state to one file, whole or not at all.

    Parameters
    ----------
    path : str or Path
        An existing file is replaced once the new one is complete.
    state : mapping
        Of str to str, int, float, bool, None, lists and mappings of these, NumPy arrays and torch tensors of
        numbers or bools, and DataFrames. Tuples come back as lists, tensors on the CPU.

    Raises
    ------
    UnstorableError
        Something is none of these; the message says where it stands.
    FileMissingError
        There is no such folder.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileMissingError(f"There is no folder {str(path.parent)!r} to write {path.name!r} into; make it first.")
    writer = _Writer()
    tree = writer.encode(state, "state")
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "irtvi": _version(),
        "members": {name: _digest(pieces) for name, pieces in writer.members.items()},
        "state": tree,
    }
    text = json.dumps(manifest, allow_nan=False).encode()
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with open(unfinished, "xb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                archive.comment = COMMENT + hashlib.sha256(text).hexdigest().encode()
                for name, pieces in ((MANIFEST, [text]), *writer.members.items()):
                    with archive.open(zipfile.ZipInfo(name, EPOCH), "w", force_zip64=_is_large(pieces)) as member:
                        for piece in pieces:
                            member.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def read_state(path: str | Path) -> dict[str, Any]:
    """Read what :func:`write_state` wrote.

    Raises
    ------
    FileMissingError
        There is no such file.
    ForeignFileError
        It is no file of irtvi.
    NewerFormatError
        A newer irtvi wrote it.
    DamagedFileError
        It is truncated or was changed.
    """
    path = Path(path)
    if not path.is_file():
        raise FileMissingError(f"There is no file {str(path)!r}.")
    try:
        archive = zipfile.ZipFile(path)
    except UNREADABLE as cause:
        raise _unreadable(path) from cause
    with archive:
        text = _manifest_text(archive, path)
        manifest = _parsed(text, path)
        if archive.comment != COMMENT + hashlib.sha256(text).hexdigest().encode():
            raise DamagedFileError(f"{str(path)!r} is damaged: its manifest does not match its checksum.")
        _check_members(archive, manifest["members"], path)
        try:
            state = _Reader(lambda name: _read(archive, name, path)).decode(manifest["state"])
        except NONSENSE as cause:
            raise DamagedFileError(f"{str(path)!r} is damaged: its content makes no sense ({cause}).") from cause
    if not isinstance(state, dict):
        raise DamagedFileError(f"{str(path)!r} is damaged: it holds {type(state).__name__}, not a mapping.")
    return state


def _version() -> str:
    try:
        return version("irtvi")
    except PackageNotFoundError:
        return "unknown"


def _unreadable(path: Path) -> ForeignFileError | DamagedFileError:
    with open(path, "rb") as file:
        start = file.read(64)
    if start.startswith(b"PK\x03\x04") and MANIFEST.encode() in start:
        return DamagedFileError(f"{str(path)!r} is damaged: its end is missing or was changed. Copy it again.")
    return ForeignFileError(f"{str(path)!r} is no file that irtvi saved.")


def _manifest_text(archive: zipfile.ZipFile, path: Path) -> bytes:
    entries = archive.infolist()
    if not any(entry.filename == MANIFEST for entry in entries):
        raise ForeignFileError(f"{str(path)!r} is no file that irtvi saved: it has no {MANIFEST}.")
    names = [entry.filename for entry in entries]
    stored = all(entry.compress_type == zipfile.ZIP_STORED and not entry.flag_bits & 1 for entry in entries)
    if not stored or len(set(names)) < len(names) or sum(e.file_size for e in entries) > path.stat().st_size:
        raise DamagedFileError(f"{str(path)!r} is damaged: its members are not stored as irtvi stores them.")
    return _read(archive, MANIFEST, path)


def _read(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    try:
        return archive.read(name)
    except UNREADABLE as cause:
        raise DamagedFileError(f"{str(path)!r} is damaged: {name} cannot be read ({cause}).") from cause


def _parsed(text: bytes, path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise DamagedFileError(f"{str(path)!r} is damaged: its manifest cannot be read ({cause}).") from cause
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ForeignFileError(f"{str(path)!r} is no file that irtvi saved.")
    number = manifest.get("version")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise DamagedFileError(f"{str(path)!r} is damaged: its format has version {number!r}.")
    if number > VERSION:
        raise NewerFormatError(
            f"{str(path)!r} has format {number}, written by irtvi {manifest.get('irtvi')}; this irtvi reads "
            f"formats up to {VERSION}. Update irtvi to read it."
        )
    if not isinstance(manifest.get("members"), dict) or "state" not in manifest:
        raise DamagedFileError(f"{str(path)!r} is damaged: its manifest is incomplete.")
    return manifest


def _check_members(archive: zipfile.ZipFile, digests: Mapping[str, str], path: Path) -> None:
    """All members are there and whole, before anything is made of them; none of them is kept."""
    present = set(archive.namelist()) - {MANIFEST}
    if present != set(digests):
        name = sorted(present ^ set(digests))[0]
        raise DamagedFileError(f"{str(path)!r} is damaged: {name} is missing or does not belong there.")
    for name, digest in digests.items():
        try:
            with archive.open(name) as member:
                found = hashlib.file_digest(member, "sha256").hexdigest()  # pyright: ignore[reportArgumentType]
        except UNREADABLE as cause:
            raise DamagedFileError(f"{str(path)!r} is damaged: {name} cannot be read ({cause}).") from cause
        if found != digest:
            raise DamagedFileError(f"{str(path)!r} is damaged: {name} does not match its checksum.")


def _digest(pieces: Sequence[Piece]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _is_large(pieces: Sequence[Piece]) -> bool:
    return sum(len(piece) for piece in pieces) >= 2**31 - 1


class _Writer:
    """Turns state into a JSON tree and binary members, each in pieces; arrays are looked at, not copied."""

    def __init__(self) -> None:
        self.members: dict[str, list[Piece]] = {}

    def encode(self, value: Any, where: str) -> Any:
        """Plain values as they are; everything else as a mapping from its kind to its content."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, str, int)):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, Mapping):
            if wrong := [key for key in value if not isinstance(key, str)]:
                raise UnstorableError(f"{where} has the key {wrong[0]!r}; only text can be a key in a file.")
            return {"dict": {key: self.encode(item, f"{where}[{key!r}]") for key, item in value.items()}}
        if isinstance(value, (list, tuple)):
            return {"list": [self.encode(item, f"{where}[{k}]") for k, item in enumerate(value)]}
        if isinstance(value, torch.Tensor):
            return {"tensor": self._array(value, where)}
        if isinstance(value, np.ndarray):
            return {"array": self._array(value, where)}
        if isinstance(value, pd.DataFrame):
            return {"table": self._table(value, where)}
        raise UnstorableError(f"{where} is a {type(value).__name__}, which cannot be stored in a file.")

    def _add(self, pieces: list[Piece], suffix: str) -> str:
        name = f"{len(self.members)}.{suffix}"
        self.members[name] = pieces
        return name

    def _array(self, value: np.ndarray | torch.Tensor, where: str) -> str:
        try:
            array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value
        except TypeError as cause:
            raise UnstorableError(f"{where} is a tensor of {value.dtype}, which no file can hold.") from cause
        if array.dtype.kind not in PLAIN_KINDS:
            raise UnstorableError(f"{where} is an array of {array.dtype}; a file holds numbers and bools.")
        array, header = np.asarray(array, order="C"), io.BytesIO()
        np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
        return self._add([header.getvalue(), array.reshape(-1).view(np.uint8).data], "npy")

    def _table(self, frame: pd.DataFrame, where: str) -> dict[str, Any]:
        levels = [frame.index.get_level_values(k) for k in range(frame.index.nlevels)]
        return {
            "levels": [self._column(pd.Series(level.array), f"{where}, index") for level in levels],
            "level_names": self.encode(list(frame.index.names), where),
            "columns": [
                self._column(pd.Series(frame.iloc[:, k].array), f"{where}, column {label!r}")
                for k, label in enumerate(frame.columns)
            ],
            "labels": self.encode(list(frame.columns), where),
            "label_names": self.encode(list(frame.columns.names), where),
        }

    def _column(self, values: pd.Series, where: str) -> Any:
        dtype = values.dtype
        if isinstance(dtype, np.dtype) and dtype.kind in PLAIN_KINDS:
            return {"array": self._array(values.to_numpy(), where)}
        if isinstance(dtype, np.dtype) and dtype.kind in "mM":
            return {"time": self._array(values.to_numpy().view("i8"), where), "dtype": str(dtype)}
        if isinstance(dtype, pd.CategoricalDtype):
            return {
                "codes": self._array(values.cat.codes.to_numpy(), where),
                "categories": self._column(pd.Series(dtype.categories.array), where),
                "ordered": bool(dtype.ordered),
            }
        known = isinstance(dtype, pd.StringDtype) or (
            not isinstance(dtype, np.dtype) and pd.api.types.is_numeric_dtype(dtype)
        )
        if known:
            pieces = self._texts(values, lambda part: [None if v is pd.NA or v != v else v for v in part], where)
        elif isinstance(dtype, np.dtype) and dtype.kind == "O":
            pieces = self._texts(values, list, where)
        else:
            raise UnstorableError(f"{where} holds {dtype} values, which cannot be stored in a file.")
        return {"items": self._add(pieces, "json"), "dtype": str(dtype)}

    def _texts(self, values: pd.Series, plain: Callable[[pd.Series], list], where: str) -> list[Piece]:
        """Values one by one as a JSON list, some at a time."""
        pieces: list[Piece] = []
        for start in range(0, len(values), VALUES_AT_ONCE):
            inner = _Writer()
            part = [inner.encode(value, where) for value in plain(values.iloc[start : start + VALUES_AT_ONCE])]
            if inner.members:
                raise UnstorableError(f"{where} holds arrays or tables, which cannot be stored in a column.")
            pieces += [b", " if pieces else b"[", json.dumps(part, allow_nan=False).encode()[1:-1]]
        return [*pieces, b"]"] if pieces else [b"[]"]


class _Reader:
    """Turns a JSON tree and binary members back into state."""

    def __init__(self, member: Callable[[str], bytes]) -> None:
        self.member = member

    def decode(self, node: Any) -> Any:
        if node is None or isinstance(node, (bool, str, int, float)):
            return node
        ((kind, content),) = node.items()
        if kind == "dict":
            return {key: self.decode(item) for key, item in content.items()}
        if kind == "list":
            return [self.decode(item) for item in content]
        if kind == "float":
            return float(content)
        if kind == "array":
            return _array(self.member(content))
        if kind == "tensor":
            return torch.from_numpy(_array(self.member(content)))
        if kind == "table":
            return self._table(content)
        raise ValueError(f"unknown kind {kind!r}")

    def _table(self, described: Mapping[str, Any]) -> pd.DataFrame:
        levels = [self._column(node) for node in described["levels"]]
        names = [_label(name) for name in self.decode(described["level_names"])]
        if len(levels) == 1:
            index = pd.Index(levels[0], name=names[0], tupleize_cols=False)
        else:
            index = pd.MultiIndex.from_arrays([level.array for level in levels], names=names)
        data = {k: self._column(node).array for k, node in enumerate(described["columns"])}
        frame = pd.DataFrame(data, index=index)
        labels = [_label(label) for label in self.decode(described["labels"])]
        label_names = self.decode(described["label_names"])
        if len(label_names) > 1:
            frame.columns = pd.MultiIndex.from_tuples(labels, names=label_names)
        else:
            frame.columns = pd.Index(labels, name=_label(label_names[0]), tupleize_cols=False)
        return frame

    def _column(self, node: Mapping[str, Any]) -> pd.Series:
        if "array" in node:
            return pd.Series(_array(self.member(node["array"])))
        if "time" in node:
            if not node["dtype"].startswith(("datetime64[", "timedelta64[")):
                raise ValueError(f"times of kind {node['dtype']!r}")
            return pd.Series(_array(self.member(node["time"])).view(node["dtype"]))
        if "codes" in node:
            categories = pd.Index(self._column(node["categories"]), tupleize_cols=False)
            codes = _array(self.member(node["codes"]))
            return pd.Series(pd.Categorical.from_codes(codes, categories, ordered=bool(node["ordered"])))
        items = [self.decode(item) for item in json.loads(self.member(node["items"]))]
        dtype = node["dtype"]
        if dtype == "object" or (dtype == "str" and not PANDAS_HAS_STR):
            return pd.Series(items, dtype=object)
        if dtype not in ROUND_TRIP_DTYPES:
            raise ValueError(f"a column of kind {dtype!r}")
        return pd.Series(items, dtype=dtype)


def _label(label: Any) -> Any:
    """Labels of columns and levels are tuples where the file has lists."""
    return tuple(label) if isinstance(label, list) else label


def _array(data: bytes) -> np.ndarray:
    """A .npy member, its header checked against the bytes that are there before anything is allocated."""
    buffer = io.BytesIO(data)
    major, minor = np.lib.format.read_magic(buffer)
    if (major, minor) == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(buffer)
    else:
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(buffer)
    start = buffer.tell()
    if dtype.kind not in PLAIN_KINDS or any(n < 0 for n in shape):
        raise ValueError(f"an array of {dtype}")
    if math.prod(shape) * dtype.itemsize != len(data) - start:
        raise ValueError("an array whose size does not match its shape")
    flat = np.frombuffer(data, dtype, offset=start).copy()
    return flat.reshape(shape, order="F" if fortran else "C")
