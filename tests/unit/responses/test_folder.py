"""A folder of Parquet files is read, fitted and scored as the same table in memory is, with blocks made small."""

import gc
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import irtvi
from irtvi import errors
from irtvi.inference import windows
from irtvi.responses import cells, folder, room
from irtvi.responses.cells import DenseCells, SparseCells


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(folder, "BATCH_CELLS", 900)
    monkeypatch.setattr(cells, "_PART", 500)
    monkeypatch.setattr(windows, "CHUNK", 250)


def answers(n_persons: int = 600, n_items: int = 9, missing: float = 0.2) -> pd.DataFrame:
    """Wide answers with a column of ids and one of covariates."""
    frame = irtvi.simulate("2pl", n_persons, n_items, missing=missing, seed=3).responses
    frame.index = pd.Index([f"p{k:05d}" for k in np.random.default_rng(0).permutation(n_persons)], name="id")
    frame = frame.reset_index()
    frame["cov_school"] = np.arange(n_persons) % 7
    return frame


def long_of(wide: pd.DataFrame) -> pd.DataFrame:
    """A row for each answer, each person's rows together, in the order of the wide table."""
    rows = wide.melt(["id", "cov_school"], var_name="item", value_name="resp").dropna()
    place = pd.Series(np.arange(len(wide)), index=wide["id"])
    return rows.iloc[np.argsort(place[rows["id"]].to_numpy(), kind="stable")].reset_index(drop=True)


def write(path: Path, frame: pd.DataFrame, cuts: list[int]) -> Path:
    """Files part-1, part-2, ... of the rows between cuts, so that part-10 comes after part-9."""
    path.mkdir()
    for k, (start, stop) in enumerate(zip([0, *cuts], [*cuts, len(frame)], strict=True)):
        frame.iloc[start:stop].to_parquet(path / f"part-{k + 1}.parquet", index=False)
    return path


def long_folder(path: Path, frame: pd.DataFrame) -> Path:
    """Eleven files; a person spans three of them, and one file is empty."""
    middle = len(frame) // 2
    cuts = [*np.linspace(500, middle, 5).astype(int), middle + 1, middle + 2, middle + 2, middle + 900, middle + 2000]
    return write(path, frame, cuts)


def same(one: irtvi.Responses, other: irtvi.Responses) -> None:
    assert one.digest() == other.digest()
    pd.testing.assert_index_equal(one.person_ids, other.person_ids)
    pd.testing.assert_index_equal(one.item_ids, other.item_ids)
    pd.testing.assert_frame_equal(one.covariates, other.covariates)
    assert one.layout == other.layout
    assert [c.state() for c in one.codings] == [c.state() for c in other.codings]
    for weights in ("weights", "survey_weights"):
        mine, theirs = getattr(one, weights), getattr(other, weights)
        assert (mine is None) == (theirs is None)
        assert mine is None or mine.tolist() == theirs.tolist()


@pytest.mark.parametrize("layout", ["wide", "long"])
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_a_folder_is_fitted_and_scored_as_the_table_is(tmp_path, layout, missing):
    wide = answers(missing=missing)
    frame = wide if layout == "wide" else long_of(wide)
    path = write(tmp_path / "f", wide, [1, 200, 450]) if layout == "wide" else long_folder(tmp_path / "f", frame)
    from_folder, in_memory = irtvi.read(path), irtvi.read(frame)
    same(from_folder, in_memory)
    assert from_folder.cells.room is room.SCRATCH
    fitted, expected = irtvi.fit(from_folder), irtvi.fit(in_memory)
    pd.testing.assert_frame_equal(fitted.abilities, expected.abilities)
    pd.testing.assert_frame_equal(fitted.items, expected.items)
    pd.testing.assert_frame_equal(fitted.score(path), expected.score(frame))
    pd.testing.assert_frame_equal(fitted.certificates, expected.certificates)
    assert fitted.reliability.to_dict() == expected.reliability.to_dict()
    same(in_memory.encode(path), in_memory.encode(frame))


def test_what_does_not_fit_into_one_block_gives_the_same_scores(tmp_path, monkeypatch):
    wide = answers()
    in_blocks = irtvi.fit(irtvi.read(write(tmp_path / "f", wide, [350])))
    monkeypatch.undo()
    at_once = irtvi.fit(wide)
    # Each search may end .02 standard errors from the maximum.
    assert ((in_blocks.items["a"] - at_once.items["a"]).abs() < 0.04 * at_once.items["a_sd"]).all()
    # The tolerance of an amortized EAP.
    np.testing.assert_allclose(in_blocks.abilities["theta"], at_once.abilities["theta"], rtol=0, atol=2e-3)


@pytest.mark.parametrize("layout", ["wide", "long"])
def test_sparse_answers_stay_lists_on_disk(tmp_path, layout):
    wide = answers(400, 60, missing=0.93)
    frame = wide if layout == "wide" else long_of(wide)
    path = write(tmp_path / "f", frame, [30, 333])
    with pytest.warns(errors.IrtviWarning):
        from_folder, in_memory = irtvi.read(path), irtvi.read(frame)
    assert isinstance(from_folder.cells, SparseCells)
    assert from_folder.cells.room is room.SCRATCH
    same(from_folder, in_memory)
    fitted, expected = irtvi.fit(from_folder), irtvi.fit(in_memory)
    pd.testing.assert_frame_equal(fitted.abilities, expected.abilities)
    pd.testing.assert_frame_equal(fitted.items, expected.items)


def raw_answers(n_persons: int = 300) -> pd.DataFrame:
    """Letters, codes for missing and wrong, a scale with a gap at first, words, occasions and weights."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"pupil": np.repeat(np.arange(n_persons // 2), 2), "wave": np.tile([1, 2], n_persons // 2)})
    frame["L1"] = rng.choice(list("ABCDX"), n_persons)
    frame["L2"] = np.where(np.arange(n_persons) < 200, "B", rng.choice(list("CAB"), n_persons))
    frame["N1"] = np.where(np.arange(n_persons) < 150, 1, rng.choice([1, 4, -9, 8], n_persons))
    frame["W1"] = rng.choice(["never", "often", "sometimes"], n_persons)
    frame["n"] = rng.integers(1, 5, n_persons)
    return frame


OPTIONS: dict = {
    "id": "pupil", "wave": "wave", "key": {"L1": "A", "L2": ["A", "B"]}, "missing": {"N1": -9, "L1": "X"},
    "wrong": {"N1": 8}, "reverse": ["W1"], "categories": {"W1": ["never", "sometimes", "often"]}, "weights": "n",
}  # fmt: skip


def test_options_mean_in_a_folder_what_they_mean_in_a_table(tmp_path):
    frame = raw_answers()
    same(irtvi.read(write(tmp_path / "wide", frame, [7, 250]), **OPTIONS), irtvi.read(frame, **OPTIONS))
    rows = frame.melt(["pupil", "wave", "n"], var_name="question", value_name="answer")
    rows = rows.sort_values(["pupil", "wave"], kind="stable", ignore_index=True)
    rows["answer"] = rows["answer"].astype(str)
    options = OPTIONS | {"item": "question", "response": "answer"}
    path = write(tmp_path / "long", rows, [6, 7, 11, 600])
    read = irtvi.read(path, **options)
    same(read, irtvi.read(rows, **options))
    assert any("-9 was read as missing" in note for note in read.notes)
    some_items = options | {"items": ["W1", "L1"], "key": {"L1": "A"}, "missing": "X", "wrong": None}
    chosen = irtvi.read(path, **some_items)
    same(chosen, irtvi.read(rows, **some_items))
    assert f"{len(rows) // 2} rows belong to items that are not in items=." in chosen.notes


def test_categories_that_a_file_declares_keep_their_order(tmp_path):
    words = ["never", "sometimes", "often"]
    frame = pd.DataFrame({"id": range(90), "q1": np.tile(words, 30), "q2": np.repeat(words, 30)})
    for column in ("q1", "q2"):
        frame[column] = pd.Categorical(frame[column], words, ordered=True)
    read = irtvi.read(write(tmp_path / "f", frame, [40, 80]))
    same(read, irtvi.read(frame))
    assert [coding.categories for coding in read.codings] == [tuple(words)] * 2


@pytest.mark.parametrize("layout", ["wide", "long"])
def test_row_numbers_that_pandas_stored_are_nobodys_ids(tmp_path, layout):
    frame = answers(200)
    rows = frame if layout == "wide" else long_of(frame)
    tmp_path.joinpath("folder").mkdir()
    half = len(rows) // 2
    for k, part in enumerate((rows.iloc[:half], rows.iloc[half:])):
        moved = part.set_axis(np.random.default_rng(k).permutation(len(part)), axis=0)
        moved.to_parquet(tmp_path / "folder" / f"part-{k}.parquet")
    assert "__index_level_0__" in pq.read_schema(tmp_path / "folder" / "part-0.parquet").names
    same(irtvi.read(tmp_path / "folder"), irtvi.read(rows))


def test_ids_from_the_index_of_a_table_and_rows_that_are_numbered(tmp_path):
    frame = answers().drop(columns="cov_school")
    indexed = frame.set_index("id")
    path = tmp_path / "indexed"
    path.mkdir()
    for k in range(3):
        indexed.iloc[200 * k : 200 * (k + 1)].to_parquet(path / f"{k}.parquet")
    assert irtvi.read(path).person_ids.tolist() == frame["id"].tolist()
    assert irtvi.read(path).n_items == 9
    bare = write(tmp_path / "bare", frame.drop(columns="id"), [11])
    assert irtvi.read(bare).person_ids.tolist() == list(range(600))
    assert irtvi.read(path, id=False, items=list(indexed.columns)).person_ids.tolist() == list(range(600))


def test_persons_whose_rows_are_apart_are_named(tmp_path):
    frame = long_of(answers(200))
    apart = pd.concat([frame.iloc[5:40], frame.iloc[:5], frame.iloc[40:]], ignore_index=True)
    with pytest.raises(errors.NotSortedError, match=r"part-1.parquet.*row \d+ is about person 'p\d+' again.*sort by"):
        irtvi.read(write(tmp_path / "within", apart, [900]))
    across = pd.concat([frame.iloc[5:], frame.iloc[:5]], ignore_index=True)
    message = r"has rows in part-1.parquet .* again in part-2.parquet .*ORDER BY"
    with pytest.raises(errors.NotSortedError, match=message):
        irtvi.read(write(tmp_path / "across", across, [1000]))
    same(irtvi.read(write(tmp_path / "sorted", frame, [900])), irtvi.read(frame))


def two_items(**columns) -> pd.DataFrame:
    return pd.DataFrame({"id": range(4), "Q1": [0, 1, 1, 0], "Q2": [1, 1, 0, 0]} | columns)


def test_folders_that_are_no_table_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.FileFormatError, match=r"without a Parquet file .it is empty"):
        irtvi.read(tmp_path / "empty")
    (tmp_path / "empty" / "a.csv").write_text("id,Q1\n1,0\n")
    with pytest.raises(errors.FileFormatError, match=r"holds 'a.csv'.*end in .parquet"):
        irtvi.read(tmp_path / "empty")
    path = write(tmp_path / "other", two_items(), [])
    (path / "README.md").write_text("what this is")
    (path / "_SUCCESS").write_text("")
    assert any("Not read in other/: 'README.md'" in note for note in irtvi.read(path).notes)
    with pytest.raises(errors.ConflictingOptionsError, match="decimal=','"):
        irtvi.read(path, decimal=",")
    two_items(Q3=1).to_parquet(path / "part-2.parquet", index=False)
    with pytest.raises(errors.LayoutError, match=r"part-2.parquet has other columns than part-1.parquet: 'Q3'"):
        irtvi.read(path)
    (path / "part-2.parquet").write_bytes((path / "part-1.parquet").read_bytes()[:-30])
    with pytest.raises(errors.FileFormatError, match=r"part-2.parquet cannot be read as Parquet"):
        irtvi.read(path)
    (path / "part-2.parquet").unlink()
    (path / "year=2020").mkdir()
    two_items().to_parquet(path / "year=2020" / "part-1.parquet")
    with pytest.raises(errors.LayoutError, match="also in the folder 'year=2020'"):
        irtvi.read(path)
    nobody = write(tmp_path / "nobody", two_items().iloc[:0], [])
    with pytest.raises(errors.NoPersonsError):
        irtvi.read(nobody)


def test_a_bad_value_is_found_in_its_file(tmp_path):
    wide = pd.concat([two_items(), two_items(id=[4, 5, 6, 7], Q2=["1", "1", "0", "oops"])], ignore_index=True)
    wide["Q2"] = wide["Q2"].astype(str)
    path = write(tmp_path / "wide", wide, [4])
    with pytest.raises(errors.UnparsableValueError, match=r"'oops'.*first in row 4 of part-2.parquet, column 'Q2'"):
        irtvi.read(path)
    rows = wide.melt("id", var_name="item", value_name="resp").sort_values("id", kind="stable")
    rows["resp"] = rows["resp"].astype(str)
    with pytest.raises(errors.UnparsableValueError, match=r"'oops'.*first in person 7, column 'Q2'"):
        irtvi.read(write(tmp_path / "long", rows, [5]))
    again = pd.concat([rows, rows.iloc[-1:]])
    with pytest.raises(errors.DuplicateResponsesError, match=r"part-2.parquet, rows counted from row 9: .*'Q2'"):
        irtvi.read(write(tmp_path / "again", again, [6]))
    twice = pd.concat([two_items(), two_items()])
    with pytest.raises(errors.DuplicateIdsError, match="4 rows repeat an id"):
        irtvi.read(write(tmp_path / "twice", twice, [4]))
    text = two_items(id=["4", "5", "6", "7"])
    mixed = write(tmp_path / "mixed", two_items().melt("id", var_name="item", value_name="resp").sort_values("id"), [])
    text.melt("id", var_name="item", value_name="resp").to_parquet(mixed / "part-2.parquet", index=False)
    with pytest.raises(errors.LayoutError, match=r"part-2.parquet has other types than part-1.parquet"):
        irtvi.read(mixed)
    responses = irtvi.read(two_items())
    with pytest.raises(errors.UnseenCategoryError, match=r"row 2 of part-1.parquet"):
        responses.encode(write(tmp_path / "unseen", two_items(Q1=[0, 5, 1, 0]), [3]))
    with pytest.raises(errors.UnknownItemError, match="'Q9'"):
        responses.encode(write(tmp_path / "unknown", two_items(Q9=1), [3]))


def mapped_files() -> int:
    """Mappings of files that have no name any more."""
    return sum("(deleted)" in line for line in Path("/proc/self/maps").read_text().splitlines())


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="what a process maps is asked of Linux")
def test_the_temporary_file_has_no_name_and_goes_with_the_responses(tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    path = write(tmp_path / "f", answers(), [333])
    gc.collect()
    before = mapped_files()
    responses = irtvi.read(path)
    assert mapped_files() == before + 1
    assert not list(scratch.iterdir())
    part = responses.cells.take(torch.arange(3))
    del responses
    gc.collect()
    assert mapped_files() == before
    assert part.n_persons == 3


def test_a_full_disk_is_an_error_before_anything_is_written(tmp_path, monkeypatch):
    path = write(tmp_path / "f", answers(), [333])
    usage = shutil.disk_usage(tmp_path)._replace(free=room.RESERVE + 1000)
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(errors.DiskSpaceError, match="TMPDIR"):
        irtvi.read(path)
    rows = write(tmp_path / "long", long_of(answers()), [333])
    with pytest.raises(errors.DiskSpaceError, match="TMPDIR"):
        irtvi.read(rows)


def test_cells_on_disk_say_what_cells_in_memory_say():
    rng = np.random.default_rng(1)
    matrix = torch.from_numpy(rng.integers(-1, 4, (400, 11)).astype(np.int8))
    lookup = torch.from_numpy(rng.integers(-1, 3, (11, 4)).astype(np.int8))
    for on_disk, in_memory in (
        (DenseCells(matrix.clone(), room.SCRATCH), DenseCells(matrix)),
        (DenseCells(matrix.clone(), room.SCRATCH).to_sparse(), DenseCells(matrix).to_sparse()),
    ):
        for change in (
            lambda c: c.recode(lookup),
            lambda c: c.take_items(torch.tensor([3, 0, 9])),
            lambda c: c.spread(torch.tensor([11, 3, 0, 1, 2, 10, 9, 8, 7, 6, 5]), 12),
            lambda c: c.to_sparse(),
            lambda c: c.to_dense(),
        ):
            changed = change(on_disk)
            assert changed.room is room.SCRATCH
            assert torch.equal(changed.to_dense().codes, change(in_memory).to_dense().codes)


def test_tables_of_strings_are_read_from_large_types_too(tmp_path):
    frame = long_of(answers(100))
    items = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema([("id", pa.large_string()), ("item", items), ("resp", pa.int8())])
    path = tmp_path / "f"
    path.mkdir()
    for k, part in enumerate((frame.iloc[:333], frame.iloc[333:])):
        table = pa.table({"id": part["id"], "item": part["item"], "resp": part["resp"].astype("int8")})
        pq.write_table(table.cast(schema), path / f"{k}.parquet")
    read = irtvi.read(path)
    same(read, irtvi.read(frame.drop(columns="cov_school")))
    assert read.n_responses == int(frame["resp"].notna().sum()) > 0
