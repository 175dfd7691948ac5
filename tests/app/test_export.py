"""What is exported: the same numbers as the script and the command line give, and no formulas."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from ..browser.server import environment
from . import conftest  # noqa: F401 (puts app/ on the path)

CUT = 0.25
REFERENCE = {"name": "norm sample", "mean": 0.2, "sd": 1.1}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The files of the page Export of a fit to a file with formulas in its names."""
    from exporting import manifest, safe_csv, saved_model, script
    from jobs import Job, Request
    from reading import Source, read
    from scores import scores_of
    from session import Workspace

    folder = tmp_path_factory.mktemp("export")
    rng = np.random.default_rng(4)
    right = rng.normal(size=(150, 1)) + rng.logistic(size=(150, 8)) > np.linspace(-1, 1, 8)
    answers = pd.DataFrame(right.astype(float), columns=["+1+1", *[f"Q{k}" for k in range(2, 9)]])
    answers = answers.mask(rng.random(answers.shape) < 0.1)
    answers.index = [f"=cmd|{k}" for k in range(len(answers))]
    answers.to_csv(folder / "class.csv", index_label="pupil")
    workspace = Workspace("token")
    workspace.open(Source.from_path(folder / "class.csv"))
    workspace.reading = read(workspace.source, workspace.choices)
    job = Job(Request("2PL", "2pl", seed=3), workspace.reading.responses, workspace.data_key)
    job.run()
    assert job.state == "done", job.message
    told = workspace.source, workspace.choices, job, CUT, REFERENCE
    (folder / "scores.csv").write_bytes(safe_csv(scores_of(job, CUT, REFERENCE), "id"))
    (folder / "items.csv").write_bytes(safe_csv(job.result.items, "item"))
    (folder / "model.irtvi").write_bytes(saved_model(job))
    (folder / "manifest.json").write_bytes(manifest(*told))
    (folder / "reproduce.py").write_text(script(*told), encoding="utf-8")
    return folder


def test_script_gives_the_same_numbers(exported, tmp_path):
    for name in ("class.csv", "reproduce.py"):
        (tmp_path / name).write_bytes((exported / name).read_bytes())
    subprocess.run([sys.executable, "reproduce.py"], cwd=tmp_path, env=environment(), check=True, timeout=300)
    for name in ("scores.csv", "items.csv"):
        mine, theirs = (pd.read_csv(folder / name, index_col=0) for folder in (exported, tmp_path))
        assert list(mine.columns) == list(theirs.columns)
        numbers = mine.select_dtypes("number").columns
        assert len(numbers) > 5
        np.testing.assert_array_equal(mine[numbers], theirs[numbers])


def test_scores_are_those_of_irtvi_score(exported, tmp_path):
    command = ["-m", "irtvi.cli", "score", "model.irtvi", "class.csv", "--out", str(tmp_path / "again.csv")]
    subprocess.run([sys.executable, *command], cwd=exported, env=environment(), check=True, timeout=300)
    page = pd.read_csv(exported / "scores.csv", index_col=0)
    again = pd.read_csv(tmp_path / "again.csv", index_col=0)
    # The nodes of the fit and of a score lie elsewhere; on small data either integral is exact to 1e-8.
    for column in ("theta", "sd", "lower", "upper"):
        np.testing.assert_allclose(page[column], again[column], rtol=0, atol=1e-7)
    np.testing.assert_array_equal(page["sum_score"], again["sum_score"])


def test_no_cell_is_a_formula(exported):
    for name in ("scores.csv", "items.csv"):
        raw = pd.read_csv(exported / name, dtype=str, keep_default_na=False)
        texts = raw.iloc[:, 0].tolist() + raw.columns.tolist() + raw.get("status", pd.Series(dtype=str)).tolist()
        assert not [text for text in texts if text.startswith(("=", "+", "-", "@", "\t"))]
    assert pd.read_csv(exported / "scores.csv")["id"].str.startswith("'=cmd|").all()


def test_manifest_says_what_the_numbers_came_from(exported):
    facts = json.loads((exported / "manifest.json").read_text())
    assert facts["data"]["persons"] == 150
    assert facts["fit"]["seed"] == 3
    assert facts["scores"] == {"cut": CUT, "reference": REFERENCE}
    assert facts["versions"]["torch"]
