"""Odd and hostile inputs: each row of a table ends in the stated error, warning or result."""

import datetime
import gzip
import io
import math
import warnings
import zipfile
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from irtvi import errors
from irtvi.responses import Responses, files, read

WIDE = "id,Q1,Q2,Q3\na,1,0,1\nb,0,1,1\nc,1,1,0\nd,0,0,1\n"
NAN = math.nan


class Row(NamedTuple):
    """An input and what it ends in."""

    name: str
    source: object  # a table, or the content of a file
    options: dict
    outcome: object  # an error or warning class, or a check of the responses
    says: tuple[str, ...] = ()  # what the message says
    file: str = "answers.csv"


def wide(**columns) -> pd.DataFrame:
    """A small sound table, with some columns replaced or added (None: taken out)."""
    sound = {"Q1": [1, 0, 1, 0], "Q2": [0, 1, 1, 0], "Q3": [1, 1, 0, 1]} | columns
    return pd.DataFrame({name: values for name, values in sound.items() if values is not None})


def long(*rows, **columns) -> pd.DataFrame:
    """A small sound long table with more rows and columns."""
    sound = [(p, i, (p + i) % 2) for p in range(3) for i in range(3)]
    return pd.DataFrame([*sound, *rows], columns=["id", "item", "resp"]).assign(**columns)


def workbook(frame: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.to_excel(file, index=False)
    return file.getvalue()


def parquet(frame: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.to_parquet(file, index=False)
    return file.getvalue()


def archive(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return file.getvalue()


def codes(expected: list[list[int]]) -> Callable[[Responses], None]:
    """Check the scored codes, -1 where missing."""

    def check(responses: Responses) -> None:
        assert responses.scored().to_dense().codes.tolist() == expected

    return check


SOUND = codes([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 1]])


def persons(*ids) -> Callable[[Responses], None]:
    def check(responses: Responses) -> None:
        assert responses.person_ids.tolist() == list(ids)

    return check


def categories(item: str, *expected) -> Callable[[Responses], None]:
    def check(responses: Responses) -> None:
        assert responses.codings[responses.item_ids.get_loc(item)].categories == expected

    return check


FILES = [
    Row("plain", WIDE, {}, SOUND),
    Row("semicolons and a byte-order mark", "\ufeff" + WIDE.replace(",", ";"), {}, SOUND),
    Row("tabs", WIDE.replace(",", "\t"), {}, SOUND, file="answers.tsv"),
    Row("bars and Windows line ends", WIDE.replace(",", "|").replace("\n", "\r\n"), {}, SOUND),
    Row("UTF-16", WIDE.replace(",", "\t").encode("utf-16"), {}, SOUND),
    Row("Windows-1252", WIDE.replace("a,", "é,").encode("cp1252"), {}, persons("é", "b", "c", "d")),
    Row("a strange delimiter, named", WIDE.replace(",", "^"), {"delimiter": "^"}, SOUND),
    Row("a strange delimiter", WIDE.replace(",", "^"), {}, errors.NoItemsError, ("id^Q1^Q2^Q3",
        "delimiter=")),
    Row(
        "decimal commas",
        "id;Q1;Q2\na;0,5;1\nb;1,5;0\nc;0,5;1\n",
        {},
        categories("Q1", 0.5, 1.5),
    ),
    Row("no line end at the end, blank lines", "\n" + WIDE.strip().replace("\nb", "\n\nb"), {}, SOUND),
    Row("quoted fields with line breaks", '"id","Q\n1","Q2"\n"a","1","0"\n"b","0","1"\n', {},
        codes([[1, 0], [0, 1]])),
    Row("R's row names without a name", '"Q1","Q2"\n"1",1,0\n"2",0,1\n', {}, codes([[1, 0], [0, 1]])),
    Row("R's NA", WIDE.replace("b,0", "b,NA"), {}, codes([[1, 0, 1], [-1, 1, 1], [1, 1, 0], [0, 0, 1]])),
    Row("ids with leading zeros", WIDE.replace("a,", "007,"), {}, persons("007", "b", "c", "d")),
    Row("ids longer than a number", "id,Q1,Q2\n12345678901234567890,1,0\n12345678901234567891,0,1\n", {},
        persons("12345678901234567890", "12345678901234567891")),
    Row("a person called NA", WIDE.replace("b,", "NA,"), {}, persons("a", "NA", "c", "d")),
    Row("a trailing delimiter", WIDE.replace("\n", ",\n"), {}, SOUND),
    Row("gzip", gzip.compress(WIDE.encode()), {}, SOUND, file="answers.csv.gz"),
    Row("gzip without saying so", gzip.compress(WIDE.encode()), {}, SOUND),
    Row("gzip cut off", gzip.compress(WIDE.encode() * 50)[:-20], {}, errors.FileFormatError, ("cut off",)),
    Row("gzip damaged", gzip.compress(WIDE.encode())[:12] + b"\xff" * 40, {}, errors.FileFormatError,
        ("damaged",)),
    Row("a bomb", gzip.compress(b"1,0\n" * 2**20), {}, errors.FileFormatError, ("unpacks to more than",)),
    Row("an image", b"\x89PNG\r\n\x1a\n" + bytes(50), {}, errors.FileFormatError, ("PNG image", ".csv")),
    Row("a PDF", b"%PDF-1.7 ...", {}, errors.FileFormatError, ("PDF",)),
    Row("NUL bytes", WIDE.replace("b", "b\0"), {}, errors.FileFormatError, ("NUL byte", "byte 21")),
    Row("empty", b"", {}, errors.FileFormatError, ("is empty",)),
    Row("empty gzip", gzip.compress(b""), {}, errors.FileFormatError, ("is empty",)),
    Row("white space", " \n \n", {}, errors.FileFormatError, ("no text",)),
    Row("names only", "id,Q1,Q2\n", {}, errors.NoPersonsError, ("no row", "Q1")),
    Row("no line of names", "5,1,0,1\n6,0,1,1\n", {}, errors.DuplicateIdsError, ("'1'", "line of names")),
    Row("a row that is too short", WIDE.replace("c,1,1,0", "c,1"), {}, errors.FileFormatError, ("c,1",
        "4 columns")),
    Row("two columns of one name", WIDE.replace("Q3", "Q1"), {}, errors.DuplicateIdsError, ("'Q1'",)),
    Row("a wrong encoding", WIDE.replace("a,", "é,"), {"encoding": "ascii"}, errors.FileFormatError,
        ("ascii",)),
    Row("a delimiter of two characters", WIDE, {"delimiter": "::"}, errors.ConflictingOptionsError,
        ("'::'",)),
    Row("Excel", workbook(pd.read_csv(io.StringIO(WIDE))), {}, SOUND, file="answers.xlsx"),
    Row("Excel, no such sheet", workbook(wide()), {"sheet": "x"}, errors.FileFormatError, ("'x'", "Sheet1"),
        "answers.xlsx"),
    Row("Excel damaged", workbook(wide())[:-300], {}, errors.FileFormatError, ("Excel",), "answers.xlsx"),
    Row("a zip archive", archive(a=b"1"), {}, errors.FileFormatError, ("zip archive",), "answers.xlsx"),
    Row("a zip bomb", archive(**{"[Content_Types].xml": bytes(2**21)}), {}, errors.FileFormatError,
        ("unpacks to",),
        "answers.xlsx"),
    Row("Parquet", parquet(pd.read_csv(io.StringIO(WIDE))), {}, SOUND, file="answers.parquet"),
    Row("Parquet cut off", parquet(wide())[:-50], {}, errors.FileFormatError, ("Parquet",),
        "answers.parquet"),
    Row("numbers, and a letter far below",
        "id,Q1,Q2\n" + "".join(f"{i},{i % 2},1\n" for i in range(700_000)) + "x,B,0\n",
        {}, errors.UnparsableValueError, ("'B'", "row 700001", "'Q1'")),
]  # fmt: skip


TABLES = [
    Row("booleans", wide(Q1=[True, False, True, False]), {}, SOUND),
    Row("nullable integers", wide().astype("Int64"), {}, SOUND),
    Row("nullable booleans", wide().astype("boolean"), {}, SOUND),
    Row("texts of numbers", wide().astype(str), {}, SOUND),
    Row("texts, floats and booleans mixed", wide(Q1=["1", 0.0, True, "0.0 "]), {}, SOUND),
    Row("an array", wide().to_numpy(), {}, SOUND),
    Row("a dict of columns", wide().to_dict("list"), {}, SOUND),
    Row("columns called 0, 1, 2", wide().set_axis(range(3), axis=1), {}, SOUND),
    Row("ids in column 0", wide().set_axis([1, 2, 3], axis=1).assign().rename(columns={1: 0}), {"id": 0},
        errors.DuplicateIdsError, ("column 0",)),
    Row("an index of ids", wide().set_axis(list("wxyz")), {}, persons("w", "x", "y", "z")),
    Row("an index that repeats", wide().set_axis(list("wwyz")), {}, errors.DuplicateIdsError, ("'w'",
        "index")),
    Row("ids with a gap", wide(id=["a", None, "c", "d"]), {}, errors.MissingIdsError, ("'id'", "row 2")),
    Row("ids that are blank", wide(id=["a", "b", "", "d"]), {}, errors.MissingIdsError, ("row 3",)),
    Row("ids that repeat", wide(id=[1, 2, 2, 3]), {}, errors.DuplicateIdsError, ("1 rows", "2", "'id'")),
    Row("ids that repeat, rows numbered", wide(person=[1, 2, 2, 3]), {"id": False, "items": ["Q1", "Q2",
        "Q3"]},
        persons(0, 1, 2, 3)),
    Row("ids that repeat in waves", wide(id=[1, 1, 2, 2], wave=[1, 2, 1, 2]), {}, errors.WavesError,
        ("wave='wave'",)),
    Row("waves", wide(id=[1, 1, 2, 2], wave=[1, 2, 1, 2]), {"wave": "wave"}, persons("1:1", "1:2", "2:1",
        "2:2")),
    Row("no column", pd.DataFrame(index=[1, 2]), {}, errors.NoItemsError, ("no column",)),
    Row("no item", pd.DataFrame({"id": [1, 2], "cov_age": [5, 6]}), {}, errors.NoItemsError, ("cov_age",
        "items=")),
    Row("no row", wide().iloc[:0], {}, errors.NoPersonsError, ("no row",)),
    Row("one item", wide()[["Q1"]], {}, errors.OneItemError, ("'Q1'",)),
    Row("a Series", wide()["Q1"], {}, errors.LayoutError, ("Series",)),
    Row("columns of several levels", pd.concat({"t": wide()}, axis=1), {}, errors.LayoutError, ("levels",)),
    Row("infinite", wide(Q2=[0, 1, math.inf, 0]), {}, errors.InfiniteValueError, ("inf", "row 3", "'Q2'")),
    Row("infinite as text", wide(Q2=["0", "1", "-inf", "0"]), {}, errors.InfiniteValueError, ("-inf",
        "row 3")),
    Row("infinite, declared missing", wide(Q2=[0, 1, math.inf, 0]), {"missing": math.inf},
        codes([[1, 0, 1], [0, 1, 1], [1, -1, 0], [0, 0, 1]])),
    Row("a word among numbers", wide(Q2=["0", "1", "yes", "0"]), {}, errors.UnparsableValueError,
        ("'yes'", "row 3", "'Q2'", "missing=")),
    Row("a date", wide(Q2=pd.to_datetime(["2020-01-01"] * 4)), {}, errors.UnparsableValueError, ("row 1",
        "'Q2'")),
    Row("a date among numbers", wide(Q2=[0, 1, datetime.date(2020, 1, 1), 0]), {},
        errors.UnparsableValueError,
        ("row 3", "date")),
    Row("a list", wide(Q2=[0, [1], 1, 0]), {}, errors.UnparsableValueError, ("row 2", "[1]")),
    Row("complex numbers", wide(Q2=np.array([0, 1j, 1, 0])), {}, errors.UnparsableValueError, ("complex",)),
    Row("continuous", pd.DataFrame(np.random.default_rng(0).normal(size=(200, 3))).add_prefix("Q"), {},
        errors.TooManyCategoriesError, ("'Q0'", "200 categories")),
    Row("a code for missing far off", wide(Q2=[0, 1, 999, 0]), {}, errors.TooManyCategoriesError, ("999",
        "missing=")),
    Row("a code for missing, undeclared", wide(Q2=[0, 1, 99, 0]), {}, errors.ManyCategoriesWarning, ("100",
        "'Q2'")),
    Row("a code for missing, declared", wide(Q2=[0, 1, 99, 0]), {"missing": {"Q2": [99, -9]}},
        codes([[1, 0, 1], [0, 1, 1], [1, -1, 0], [0, 0, 1]])),
    Row("a code for wrong", wide(Q2=[0, 1, 9, 0]), {"wrong": "9"}, codes([[1, 0, 1], [0, 1, 1], [1, 0, 0], [0,
        0, 1]])),
    Row("blank is missing", wide(Q2=[0, 1, NAN, 0]), {"wrong": 9},
        codes([[1, 0, 1], [0, 1, 1], [1, -1, 0], [0, 0, 1]])),
    Row("blank declared wrong", wide(Q2=[0, 1, NAN, 0]), {"wrong": {"Q2": "blank"}},
        codes([[1, 0, 1], [0, 1, 1], [1, 0, 0], [0, 0, 1]])),
    Row("missing and wrong at once", wide(), {"missing": 9, "wrong": [9, 8]}, errors.ConflictingOptionsError,
        ("9",)),
    Row("an item that is not there", wide(), {"missing": {"Q9": 9}}, errors.UnknownItemError, ("'Q9'",
        "'Q1'")),
    Row("items= names nothing", wide(), {"items": ["Q1", "Q9"]}, errors.UnknownItemError, ("'Q9'",)),
    Row("items= is a text", wide(), {"items": "Q1"}, errors.ConflictingOptionsError, ("'Q1'",)),
    Row("items= in another order", wide(), {"items": ["Q3", "Q1"]}, codes([[1, 1], [1, 0], [0, 1], [1, 0]])),
    Row("id= names nothing", wide(), {"id": "pupil"}, errors.LayoutError, ("'pupil'", "Q1")),
    Row("letters with a key", wide(Q2=list("ABCA")), {"key": {"Q2": "B"}},
        codes([[1, 0, 1], [0, 1, 1], [1, 0, 0], [0, 0, 1]])),
    Row("letters with two right answers", wide(Q2=list("ABCA")), {"key": {"Q2": ["B", "C"]}}, SOUND),
    Row("a key that nobody chose", wide(Q2=list("ABBA")), {"key": {"Q2": "D"}}, errors.KeyCategoryError,
        ("'D'", "'A'", "categories=")),
    Row("a key in another case", wide(Q2=list("ABBA")), {"key": {"Q2": "b"}}, errors.KeyCategoryError,
        ("did you mean 'B'",)),
    Row("a key that is a list", wide(), {"key": [1, 0, 1]}, errors.ConflictingOptionsError, ("dict(zip(",)),
    Row("a number among letters with a key", wide(Q2=["A", "B", "8", "A"]), {"key": {"Q2": "B"}},
        errors.UnparsableValueError, ("8", "row 3", "text")),
    Row("key and reverse", wide(), {"key": {"Q1": 1}, "reverse": ["Q1"]}, errors.ConflictingOptionsError,
        ("'Q1'",)),
    Row("reversed", wide(), {"reverse": "Q1"}, codes([[0, 0, 1], [1, 1, 1], [0, 1, 0], [1, 0, 1]])),
    Row("letters without a key", wide(Q2=list("ABCA")), {}, errors.TextOrderWarning, ("'Q2'", "key=")),
    Row("no and yes", wide(Q2=["No", "Yes", "Yes", "No"]), {}, SOUND),
    Row("a declared order", wide(Q2=["low", "high", "high", "low"]), {"categories": {"Q2": ["low", "high"]}},
        SOUND),
    Row("a word outside the declared order", wide(Q2=["low", "high", "mid", "low"]),
        {"categories": {"Q2": ["low", "high"]}}, errors.UnseenCategoryError, ("'mid'", "row 3")),
    Row("categories= is a number", wide(), {"categories": 2}, errors.ConflictingOptionsError, ("2",)),
    Row("a categorical's order", wide(Q2=pd.Categorical(list("xyyx"), ["z", "x", "y"], ordered=True)), {},
        categories("Q2", "z", "x", "y")),
    Row("an inner gap", wide(Q2=[1, 2, 4, 1]), {}, categories("Q2", 1, 2, 3, 4)),
    Row("a constant item", wide(Q2=[1, 1, 1, 1]), {}, errors.ConstantItemWarning, ("'Q2'",)),
    Row("an empty person", wide(Q1=[NAN, 1, 0, 0], Q2=[NAN, 1, 1, 0], Q3=[NAN, 1, 0, 1]), {},
        errors.EmptyPersonWarning, ("1 person",)),
    Row("an item that nobody answered", wide(Q2=[NAN] * 4), {}, errors.FewAnswersWarning, ("'Q2'",)),
    Row("booklets without a link", wide(Q1=[1, 0, NAN, NAN], Q2=[1, 1, NAN, NAN], Q3=[NAN, NAN, 0, 1],
        Q4=[NAN, NAN, 1, 0]), {}, errors.DisconnectedWarning, ("2 groups",)),
    Row("negative weights", wide(), {"weights": [1, 2, -1, 1]}, errors.WeightsError, ("-1.0", "2")),
    Row("a weight is missing", wide(), {"weights": [1, 2, NAN, 1]}, errors.WeightsError, ("nan",)),
    Row("too few weights", wide(), {"weights": [1, 2]}, errors.WeightsError, ("(2,)", "4 persons")),
    Row("weights that are words", wide(n=list("abcd")), {"weights": "n"}, errors.WeightsError,
        ("no number",)),
    Row("all weights zero", wide(), {"survey_weights": [0, 0, 0, 0]}, errors.WeightsError,
        ("zero for everybody",)),
    Row("both weights", wide(n=[1, 2, 3, 4]), {"weights": "n", "survey_weights": "n"},
        errors.ConflictingOptionsError,
        ("one of them",)),
    Row("a weight for somebody is lacking", wide(id=list("wxyz")), {"weights": pd.Series({"w": 1, "x": 2,
        "y": 1})},
        errors.WeightsError, ("'z'",)),
    Row("a layout that does not exist", wide(), {"layout": "tall"}, errors.ConflictingOptionsError,
        ("'tall'",)),
    Row("wide, with a column of items", long(), {"layout": "wide", "item": "item"},
        errors.ConflictingOptionsError,
        ("item=",)),
    Row("long, without a column of items", wide(), {"layout": "long"}, errors.LayoutError,
        ("id=, item=, response=",)),
    Row("long", long(), {}, codes([[0, 1, 0], [1, 0, 1], [0, 1, 0]])),
    Row("long, read as wide", long(), {"layout": "wide", "id": False}, lambda r: r.item_ids.tolist() == ["id",
        "item", "resp"]),
    Row("long, other names", long().set_axis(["wer", "was", "wie"], axis=1),
        {"id": "wer", "item": "was", "response": "wie"}, codes([[0, 1, 0], [1, 0, 1], [0, 1, 0]])),
    Row("long, rows that repeat", long(*[(p, 0, 1) for p in range(3)], *[(p, 1, 1) for p in range(3)]), {},
        errors.DuplicateResponsesError, ("6 rows", "row 10 (0, 0)", "row 14 (1, 1), ...")),
    Row("long, an empty response", long((3, 0, NAN)), {}, errors.EmptyPersonWarning, ("3",)),
    Row("long, an empty response declared wrong", long((3, 0, NAN)), {"wrong": "blank"},
        codes([[0, 1, 0], [1, 0, 1], [0, 1, 0], [0, -1, -1]])),
    Row("long, an id is missing", long((NAN, 0, 1)), {}, errors.MissingIdsError, ("'id'", "row 10")),
    Row("long, an item is missing", long((3, NAN, 1)), {}, errors.MissingIdsError, ("'item'", "row 10")),
    Row("long, a word among numbers", long((3, 0, "x")), {}, errors.UnparsableValueError, ("'x'", "row 10")),
    Row("long, several waves", long((0, 4, 1), wave=[1] * 9 + [2]), {}, errors.WavesError, ("0",
        "wave='wave'")),
    Row("long, waves taken as one", long((0, 4, 1), wave=[1] * 9 + [2]), {"wave": False},
        codes([[0, 1, 0, 1], [1, 0, 1, -1], [0, 1, 0, -1]])),
    Row("long, each person in a wave", long(wave=[1] * 6 + [2] * 3), {}, persons(0, 1, 2)),
    Row("long, weights that differ", long(n=range(9)), {"weights": "n"}, errors.WeightsError, ("differs",)),
    Row("long, some items", long(), {"items": [2, 0]}, codes([[0, 0], [1, 1], [0, 0]])),
]  # fmt: skip


def assert_outcome(row: Row, read_it: Callable[[], Responses]) -> None:
    """Read and compare with what the row says."""
    if isinstance(row.outcome, type) and issubclass(row.outcome, Warning):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            read_it()
        assert row.outcome in [warning.category for warning in caught]
        text = " ".join(str(warning.message) for warning in caught if warning.category is row.outcome)
    elif isinstance(row.outcome, type):
        with pytest.raises(errors.IrtviError) as failed:
            read_it()
        assert type(failed.value) is row.outcome, failed.value
        text = str(failed.value)
    else:
        # Some outcomes assert themselves and say nothing; NumPy's False is not Python's.
        held = row.outcome(read_it())  # pyright: ignore
        assert held is None or bool(held)
        return
    for words in row.says:
        assert words in text


@pytest.mark.filterwarnings("ignore::irtvi.errors.IrtviWarning")
@pytest.mark.parametrize("row", FILES, ids=lambda row: row.name)
def test_file(row, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 2**21 if row.name == "a bomb" else files.MAX_BYTES)
    monkeypatch.setattr(files, "MAX_WORKBOOK_BYTES", 2**20)
    path = tmp_path / row.file
    path.write_bytes(row.source.encode() if isinstance(row.source, str) else row.source)
    assert_outcome(row, lambda: read(path, **row.options))
    assert_outcome(row, lambda: read(io.BytesIO(path.read_bytes()), **row.options))


@pytest.mark.filterwarnings("ignore::irtvi.errors.IrtviWarning")
@pytest.mark.parametrize("row", TABLES, ids=lambda row: row.name)
def test_table(row):
    before = row.source.copy()
    assert_outcome(row, lambda: read(row.source, **row.options))
    pd.testing.assert_frame_equal(pd.DataFrame(row.source), pd.DataFrame(before))


def test_no_such_file(tmp_path):
    with pytest.raises(errors.FileMissingError, match=r"nothing\.csv"):
        read(tmp_path / "nothing.csv")
    with pytest.raises(errors.FileFormatError, match="folder"):
        read(tmp_path)
