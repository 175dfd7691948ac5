import gzip
import io
import zipfile

import pandas as pd
import pytest

from .conftest import APP  # noqa: F401


@pytest.fixture
def read():
    from reading import Choices, Source, read

    return lambda content, name="a.csv", **said: read(Source(name, content), Choices(**said))


def bomb():
    return gzip.compress(bytes(2**20) * 1100, 1)


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
        ("quotes.csv", b'id,a,b\n"1,"0","1\n' * 20, ""),
        ("bomb.csv.gz", bomb(), "unpacks to more than"),
        ("bomb.xlsx", zip_bomb(), "unpacks to"),
        ("cut.csv.gz", gzip.compress(b"id,a,b\n1,0,1\n" * 1000)[:40], "gzip"),
    ],
)
def test_hostile_file_is_told(read, name, content, said):
    from reading import plain_error

    reading = read(content, name)
    assert reading.responses is None
    assert reading.error is not None
    assert said in plain_error(reading.error)


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


def test_cancelled_job_keeps_the_best_state():
    import threading

    from jobs import Job, Queue, Request

    import irtvi

    job = Job(Request("m", "monotone"), irtvi.read(irtvi.load_data("lsat7")), "key")
    passed = threading.Event()
    job.steps = _Telling(passed)
    queue = Queue()
    queue.submit(job)
    waiting = queue.submit(Job(Request("later", "2pl"), job.responses, "key"))
    assert passed.wait(60)
    queue.cancel()
    assert job.state in ("stopping", "stopped")
    assert waiting.state == "stopped"
    worker = queue._worker
    if worker is not None:
        worker.join(60)
    assert job.state == "stopped"
    assert job.result is not None
    assert len(job.result.abilities) == 1000
    assert not job.result.converged


class _Telling(list):
    """A list that tells when the first step came, and waits until the fit has been cancelled."""

    def __init__(self, passed):
        super().__init__()
        self.passed = passed

    def append(self, step):
        import time

        super().append(step)
        self.passed.set()
        time.sleep(0.2)
