import gzip
import io
import zipfile
from functools import partial

import pandas as pd
import pytest

from .conftest import APP  # noqa: F401


@pytest.fixture
def read():
    from reading import Choices, Source, read

    return lambda content, name="a.csv", **said: read(Source(name, content), Choices(**said))


def bomb():
    return gzip.compress(bytes(2**20) * 1100, 1, mtime=0)


def long_line(*, quoted=False, megabytes=8):
    """A line that is far longer than any line of a table, packed small."""
    line = b'1,"' + b"y\n" * 2**19 * megabytes if quoted else b"1," * 2**19 * megabytes
    return gzip.compress(b"id,a,b\n" + line + b"\n2,0,1\n", 1, mtime=0)


def zip_bomb():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<a/>")
        archive.writestr("xl/sheet1.xml", bytes(2**20) * 300)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", b"", "empty"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG"),
        ("nul.csv", b"id,a,b\n1,0\x00,1\n", "NUL"),
        ("line.csv", b"x" * 5_000_000, ""),
        ("line.csv.gz", long_line, "a line of more than 4 MB"),
        ("open-quote.csv.gz", partial(long_line, quoted=True), "a quotation mark left open"),
        pytest.param(
            "500MB.csv.gz", partial(long_line, megabytes=500), "a line of more than 4 MB", marks=pytest.mark.slow
        ),
        ("quotes.csv", b'id,a,b\n"1,"0","1\n' * 20, ""),
        ("bomb.csv.gz", bomb, "unpacks to more than"),
        ("bomb.xlsx", zip_bomb, "unpacks to"),
        ("cut.csv.gz", gzip.compress(b"id,a,b\n1,0,1\n" * 1000, mtime=0)[:40], "gzip"),
    ],
)
def test_hostile_file_is_told(read, name, content, said):
    content = content() if callable(content) else content
    from reading import plain_error

    reading = read(content, name)
    assert reading.responses is None
    assert reading.error is not None
    assert said in plain_error(reading.error)


def test_a_measured_column_is_asked_about_in_plain_words(read):
    from reading import plain_error

    said = plain_error(read(b"id,a,b\n" + b"".join(b"%d,%d.5,%d\n" % (k, k, k % 2) for k in range(200))).error)
    assert "“a” has more different values" in said
    assert "=" not in said


def test_names_of_files_stay_as_they_are(read):
    from reading import plain_error

    assert plain_error(read(b"", "empty.csv").error).startswith("empty.csv")


def test_layout_is_told_where_an_error_stands_in_the_way(read):
    rows = "\n".join(f"S{p},Frage {k},{(p + k) % 2}" for p in range(150) for k in range(4))
    content = f"Schueler,Frage,Antwort\n{rows}".encode()
    assert read(content).guesses()["Layout"] == "one row for each person"
    mended = read(content, layout="long", id="Schueler", item="Frage", response="Antwort")
    assert mended.guesses()["Layout"] == "one row for each answer"
    assert mended.responses.n_persons == 150


def test_ten_thousand_columns(read):
    header = ",".join(["id", *(f"Q{k}" for k in range(10_000))])
    rows = "\n".join(f"{p}," + ",".join(str((p + k) % 2) for k in range(10_000)) for p in range(12))
    reading = read(f"{header}\n{rows}\n".encode())
    assert reading.responses is not None
    assert reading.responses.n_items == 10_000


def test_guesses_are_shown_and_mended(read):
    content = "\ufeffName;a;b\nAnna B;1,5;0\nBen C;0,5;1\nEva D;1,5;1\n".encode()
    guessed = read(content).guesses()
    assert guessed["Separator"] == "semicolon"
    assert guessed["Decimal mark"] == "comma"
    assert guessed["Ids"] == "column 'Name'"
    assert read(content).remarks == []  # nothing is said twice
    mended = read(content, number_rows=True, items=("a", "b"))
    assert mended.guesses()["Ids"] == "rows are numbered"


def test_key_missing_reverse(read):
    rows = [b"%d,%d,%d,%d" % (k, k % 4 + 1, (k // 2) % 4 + 1, k % 3 + 1) for k in range(40)]
    content = b"id,q1,q2,q3\n" + b"\n".join(rows)
    reading = read(content, key={"q1": ("1",), "q2": ("2", "3")}, missing=("4",), reverse=("q3",))
    responses = reading.responses
    assert responses is not None
    assert responses.codings[0].key == 1
    assert responses.codings[2].reversed
    assert responses.n_responses < 120


def test_whole_key():
    from item_table import _whole_key

    assert _whole_key("A B/C", ["x", "y"], ["x", "y"]) == {"x": ("A",), "y": ("B", "C")}
    assert _whole_key("AB", ["x", "y"], ["x", "y"]) == {"x": ("A",), "y": ("B",)}
    with pytest.raises(ValueError, match="3 answers"):
        _whole_key("A B C", ["x", "y"], ["x", "y"])


def test_text_cells_are_no_formulas():
    from exporting import safe_csv

    columns = {"=sum": ["@a", "-b", "plain", "\tc"], "n": [-1.5, 2.0, 3.0, 0.0]}
    table = pd.DataFrame(columns, index=["=1", "+2", "x", "-3"])
    back = pd.read_csv(io.BytesIO(safe_csv(table, "id")))
    assert back["id"].tolist() == ["'=1", "'+2", "x", "'-3"]
    assert back["'=sum"].tolist() == ["'@a", "'-b", "plain", "'\tc"]
    assert back["n"].tolist() == [-1.5, 2.0, 3.0, 0.0]


def test_sessions_are_apart_and_expire():
    from session import Store

    store = Store(time_to_live=0.0)
    one, two = store.new(), store.new()
    assert one.token != two.token
    assert store.find("guess") is None
    assert store.find(one.token) is None  # older than the time to live
    store = Store(max_sessions=1)
    one, two = store.new(), store.new()
    assert store.find(two.token) is two
    assert store.find(one.token) is None


def test_weights_and_waves(read):
    patterns = b"q1,q2,q3,n\n0,0,1,5\n1,0,1,7\n1,1,0,4\n0,1,1,3\n"
    assert read(patterns).responses.n_items == 4  # nothing says that n is no item
    reading = read(patterns, weights="n", items=("q1", "q2", "q3", "n"))
    assert reading.all_items == ("q1", "q2", "q3")
    assert reading.responses.person_weights().sum() == 19
    assert reading.guesses()["Weights"] == "column 'n'"
    surveyed = read(patterns, survey_weights="n").responses
    assert float(surveyed.person_weights().mean()) == pytest.approx(1)

    twice = b"id,item,resp,wave\n" + b"".join(
        b"p%d,q%d,%d,%d\n" % (p, q, (p + q + w) % 2, w) for p in range(6) for q in range(3) for w in (1, 2)
    )
    from reading import plain_error
    from words import Words

    untold = read(twice)
    assert "“Column of occasions”" in Words("Teacher").sentence(plain_error(untold.error))
    assert read(twice, wave="wave").responses.n_persons == 12


def test_workbook_keeps_its_types(read):
    cells = pd.DataFrame({"id": ["007", "008", "009"], "q1": ["1", "0", None], "q2": [1, None, 0]})
    book = io.BytesIO()
    cells.to_excel(book, index=False)
    responses = read(book.getvalue(), "class.xlsx").responses
    assert responses.person_ids.tolist() == ["007", "008", "009"]
    assert [coding.categories for coding in responses.codings] == [(0, 1), (0, 1)]
    assert responses.n_responses == 4
