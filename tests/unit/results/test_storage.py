"""Files of plain state: what goes in comes out, and nothing else ever does."""

import hashlib
import io
import json
import os
import pickle
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch

from irtvi.errors import (
    DamagedFileError,
    FileMissingError,
    ForeignFileError,
    NewerFormatError,
    StorageError,
    UnstorableError,
)
from irtvi.results.storage import COMMENT, MANIFEST, read_state, write_state


def some_state():
    table = pd.DataFrame(
        {
            "float": [1.5, np.nan],
            "nullable": pd.array([7, None], dtype="Int64"),
            "text": ["a", None],
            "mixed": [1, "b"],
            ("two", 1): [True, False],
            "category": pd.Categorical(["low", "high"], ["low", "high"], ordered=True),
            "time": pd.to_datetime(["2020-01-01", None]),
        },
        index=pd.Index([3, "q"], name="id"),
    )
    return {
        "text": "Müller",
        "numbers": [1, -2.5, float("nan"), float("inf"), 2**70],
        "nothing": None,
        "yes": True,
        "nested": {"list": [[], {}, {"a": [None]}], "dict": {"list": "a name that is also a kind"}},
        "matrix": np.arange(6, dtype=np.int8).reshape(2, 3),
        "by column": np.asfortranarray(np.random.default_rng(1).random((3, 2))),
        "empty": np.zeros((0, 4), dtype=np.float32),
        "scalar": np.array(2.5),
        "tensor": torch.arange(4, dtype=torch.float64)[::2],
        "flags": torch.tensor([True, False]),
        "table": table,
        "levels": pd.DataFrame(
            {"x": [1.0, 2.0]}, index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["item", "step"])
        ),
        "crossed": pd.DataFrame(
            np.eye(2),
            columns=pd.MultiIndex.from_tuples([("a", "d"), ("b", "d")], names=["item", "parameter"]),
        ),
        "no rows": pd.DataFrame({"x": np.zeros(0)}),
    }


def assert_same(found, wanted):
    assert type(found) is type(wanted)
    if isinstance(wanted, dict):
        assert list(found) == list(wanted)
        for key in wanted:
            assert_same(found[key], wanted[key])
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_same(one, other)
    elif isinstance(wanted, pd.DataFrame):
        pd.testing.assert_frame_equal(found, wanted, check_exact=True)
    elif isinstance(wanted, torch.Tensor):
        assert found.dtype == wanted.dtype
        assert torch.equal(found, wanted)
    else:
        np.testing.assert_equal(found, wanted)
        if isinstance(wanted, np.ndarray):
            assert found.dtype == wanted.dtype


@pytest.fixture
def saved(tmp_path):
    return write_state(tmp_path / "some.irtvi", some_state())


def rewritten(path, change, seal=True):
    """The file with its manifest and members changed, checksums made to match unless `seal` is False."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members.pop(MANIFEST))
    compression = change(manifest, members) or zipfile.ZIP_STORED
    if seal:
        manifest["members"] = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    text = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.comment = COMMENT + hashlib.sha256(text).hexdigest().encode()
        for name, data in ((MANIFEST, text), *members.items()):
            archive.writestr(name, data)
    return path


def test_round_trip(saved):
    assert_same(read_state(saved), some_state())


def test_the_same_state_gives_the_same_bytes(tmp_path):
    first, second = (write_state(tmp_path / name, some_state()).read_bytes() for name in "ab")
    assert first == second


def test_tuples_numpy_numbers_and_read_arrays(tmp_path):
    found = read_state(write_state(tmp_path / "x", {"t": (1, (2,)), "n": np.float64(0.1), "k": np.int64(3)}))
    assert found == {"t": [1, [2]], "n": 0.1, "k": 3}
    array = read_state(write_state(tmp_path / "y", {"a": np.arange(3)}))["a"]
    array[0] = 7
    assert array.tolist() == [7, 1, 2]


def test_every_changed_byte_is_noticed_or_does_not_matter(saved):
    whole = saved.read_bytes()
    wanted = some_state()
    noticed = 0
    for place in range(0, len(whole), 23):
        changed = bytearray(whole)
        changed[place] ^= 0x55
        saved.write_bytes(bytes(changed))
        try:
            found = read_state(saved)
        except StorageError:
            noticed += 1
        else:
            assert_same(found, wanted)
    # What may change unnoticed are dates and the like in the zip's own headers.
    assert noticed > 0.7 * len(range(0, len(whole), 23))


def test_every_truncation_is_noticed(saved):
    whole = saved.read_bytes()
    for length in [*range(0, len(whole), 101), len(whole) - 1]:
        saved.write_bytes(whole[:length])
        with pytest.raises(StorageError):
            read_state(saved)
    saved.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedFileError, match="is damaged"):
        read_state(saved)


def test_foreign_files(tmp_path):
    text = tmp_path / "a.csv"
    text.write_text("id,item,resp\n1,2,3\n")
    empty = tmp_path / "empty"
    empty.touch()
    other = tmp_path / "b.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("x.txt", "hello")
    wrong = tmp_path / "c.zip"
    with zipfile.ZipFile(wrong, "w") as archive:
        archive.writestr(MANIFEST, '{"format": "something else"}')
    for path in (text, empty, other, wrong):
        with pytest.raises(ForeignFileError, match="no file that irtvi saved"):
            read_state(path)
    with pytest.raises(FileMissingError, match="There is no file"):
        read_state(tmp_path / "none")
    with pytest.raises(FileMissingError):
        read_state(tmp_path)


def test_a_newer_format(saved):
    def change(manifest, members):
        manifest |= {"version": 2, "irtvi": "9.1", "state": {"a kind of the future": 1}}

    with pytest.raises(NewerFormatError, match=r"format 2, written by irtvi 9\.1.*Update irtvi"):
        read_state(rewritten(saved, change))


def test_members_that_are_missing_added_or_exchanged(saved):
    original = saved.read_bytes()

    def drop(manifest, members):
        members.pop("0.npy")

    def add(manifest, members):
        members["extra.npy"] = b"x"

    def exchange(manifest, members):
        members["0.npy"] = members["1.npy"]

    for change, words in ((drop, "0.npy is missing"), (add, "extra.npy"), (exchange, "0.npy does not match")):
        saved.write_bytes(original)
        with pytest.raises(DamagedFileError, match=words):
            read_state(rewritten(saved, change, seal=False))


def npy(header, data=b""):
    text = repr(header).encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


class Trap:
    """Unpickling it would make a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_forged_array_allocates_and_executes_nothing(saved, tmp_path):
    original = saved.read_bytes()
    trap = tmp_path / "trap"
    objects = npy({"descr": "|O", "fortran_order": False, "shape": (1,)}, pickle.dumps([Trap(trap)]))
    huge = npy({"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    negative = npy({"descr": "<f8", "fortran_order": False, "shape": (-1,)}, b"\0" * 8)
    code = npy("__import__('os').mkdir('trap')")
    buffer = io.BytesIO()
    np.save(buffer, np.array([Trap(trap)], dtype=object), allow_pickle=True)
    for forged in (objects, huge, negative, code, buffer.getvalue(), b"", b"\x93NUMPY\x09\x00"):
        saved.write_bytes(original)

        def change(manifest, members, forged=forged):
            members["0.npy"] = forged

        with pytest.raises(DamagedFileError, match="makes no sense"):
            read_state(rewritten(saved, change))
    assert not trap.exists()


@pytest.mark.parametrize(
    "tree",
    [
        {"dict": {"a": {"object": "os.system"}}},
        {"list": [1]},
        {"dict": {"a": {"array": "none.npy"}}},
        {"dict": {"a": {}}},
        {"dict": {"a": {"list": [1], "dict": {}}}},
        {"dict": {"a": {"table": {"levels": []}}}},
        {"dict": [1]},
        [1],
        None,
    ],
)
def test_a_forged_tree(saved, tree):
    def change(manifest, members):
        manifest["state"] = tree

    with pytest.raises(DamagedFileError):
        read_state(rewritten(saved, change))


def test_deep_nesting_is_an_error_not_a_crash(saved):
    text = '{"format": "irtvi", "version": 1, "state": ' + "[" * 100_000 + "]" * 100_000 + "}"
    with zipfile.ZipFile(saved, "w") as archive:
        archive.writestr(MANIFEST, text)
    with pytest.raises(DamagedFileError):
        read_state(saved)


def test_compressed_members_are_refused(saved):
    """Nothing irtvi writes is compressed, so nothing can unpack to more than the file's size."""

    def change(manifest, members):
        members["0.npy"] = b"\0" * 10_000_000
        return zipfile.ZIP_DEFLATED

    rewritten(saved, change)
    assert saved.stat().st_size < 100_000
    with pytest.raises(DamagedFileError, match="not stored as irtvi stores"):
        read_state(saved)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (object(), r"state\['a'\]\[1\] is a object"),
        ({1: 2}, r"state\['a'\]\[1\] has the key 1"),
        (np.array([object()]), "array of object"),
        (np.array(["text"]), "array of <U4"),
        (torch.zeros(2, dtype=torch.bfloat16), "bfloat16"),
        (1j, "complex"),
        (b"bytes", "bytes"),
        (pd.DataFrame({"x": [object()]}), "column 'x'"),
        (pd.DataFrame({"x": pd.period_range("2020", periods=1)}), "column 'x' holds period"),
    ],
)
def test_what_cannot_be_stored_is_named_and_nothing_is_written(tmp_path, value, words):
    path = tmp_path / "some.irtvi"
    path.write_text("before")
    with pytest.raises(UnstorableError, match=words):
        write_state(path, {"a": [0, value]})
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["some.irtvi"]


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    path = write_state(tmp_path / "some.irtvi", {"a": 1})

    def full(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_state(path, {"a": 2})
    monkeypatch.undo()
    assert read_state(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["some.irtvi"]


def test_permissions_are_those_of_any_new_file(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    assert write_state(tmp_path / "some.irtvi", {}).stat().st_mode == plain.stat().st_mode
