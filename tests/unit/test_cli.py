"""The command line: what it writes, what it says, and what it refuses."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import irtvi
from irtvi.cli import dashboard, main
from irtvi.cli.application import application
from irtvi.cli.data_options import answer_key
from irtvi.cli.fitted import FILES
from irtvi.cli.output import output_folder, without_formula, write_csv
from irtvi.errors import ConflictingOptionsError, MissingExtraError

ROOT = Path(__file__).resolve().parents[2]
LSAT7 = ROOT / "data" / "lsat7.csv"


def run(*arguments: object) -> str:
    answer = CliRunner().invoke(application, [str(a) for a in arguments], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.output


def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, *arguments: object) -> str:
    """What the command says on standard error when it ends with an error."""
    monkeypatch.setattr(sys, "argv", ["irtvi", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code not in (0, None)
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return said.err


@pytest.fixture(scope="module")
def fitted(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "out"
    run("fit", LSAT7, "--model", "2pl", "--out", folder)
    return folder


def test_fit_writes_everything(fitted):
    assert sorted(path.name for path in fitted.iterdir()) == sorted(FILES)
    result = irtvi.fit(str(LSAT7), model="2pl")
    written = pd.read_csv(fitted / "abilities.csv", index_col="id", keep_default_na=False)
    pd.testing.assert_frame_equal(written, result.abilities, check_names=False)
    assert pd.read_csv(fitted / "items.csv", index_col=0).index.tolist() == list(result.items.index)
    assert "showSendToCloud\": false" in (fitted / "icc.html").read_text(encoding="utf-8")
    assert f"{result.log_marginal:.3f}" in (fitted / "summary.txt").read_text(encoding="utf-8")
    assert (fitted.stat().st_mode & 0o777) == 0o755


def test_existing_output_is_kept_unless_forced(fitted, monkeypatch, capsys):
    before = (fitted / "summary.txt").read_text(encoding="utf-8")
    said = fails(monkeypatch, capsys, "fit", LSAT7, "--model", "1pl", "--out", fitted)
    assert "--force" in said
    assert (fitted / "summary.txt").read_text(encoding="utf-8") == before


def test_force_replaces_its_own_files_and_no_others(tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "summary.txt").write_text("old", encoding="utf-8")
    run("fit", LSAT7, "--model", "1pl", "--out", tmp_path, "--force")
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert "1pl" in (tmp_path / "summary.txt").read_text(encoding="utf-8")
    assert not [path for path in tmp_path.parent.iterdir() if path.name.startswith(f".{tmp_path.name}.")]


def test_output_appears_whole_or_not_at_all(tmp_path):
    def write_half() -> None:
        with output_folder(tmp_path / "out", ["a"], force=False) as folder:
            (folder / "a").write_text("half", encoding="utf-8")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_score_gives_the_scores_of_the_result(fitted, tmp_path):
    expected = irtvi.load(fitted / "model.irtvi").score(str(LSAT7), method="wle", level=0.9)
    run("score", fitted / "model.irtvi", LSAT7, "--method", "wle", "--level", "0.9", "--out", tmp_path / "s.csv")
    found = pd.read_csv(tmp_path / "s.csv", index_col="id", keep_default_na=False)
    pd.testing.assert_series_equal(found["theta"], expected["theta"], check_names=False)
    assert run("score", fitted / "model.irtvi", LSAT7).splitlines()[0].startswith("id,theta,sd,")


def test_compare_sets_models_side_by_side(tmp_path):
    options = ["--models", "1pl,2pl", "--priors", "none", "--holdout", ".1"]
    said = run("compare", LSAT7, *options, "--out", tmp_path / "c.csv")
    assert "Likelihood-ratio" in said
    table = pd.read_csv(tmp_path / "c.csv", index_col=0)
    assert list(table.index) == ["1pl", "2pl"]
    assert table.loc["2pl", "df"] == 4
    assert "best" in set(table["verdict"])


def test_simulate_and_read_back(tmp_path):
    run("simulate", "--model", "3pl", "--persons", "50", "--items", "4", "--missing", ".2", "--out", tmp_path / "s")
    responses = irtvi.read(str(tmp_path / "s" / "responses.csv"))
    assert (responses.n_persons, responses.n_items) == (50, 4)
    assert list(pd.read_csv(tmp_path / "s" / "items.csv", index_col=0).columns) == ["model", "a", "b", "c"]
    run("simulate", "--item-file", tmp_path / "s" / "items.csv", "--persons", "9", "--out", tmp_path / "again")
    pd.testing.assert_frame_equal(
        *(pd.read_csv(tmp_path / name / "items.csv", index_col=0) for name in ("s", "again"))
    )


def test_data_options_reach_the_reader(tmp_path):
    table = pd.DataFrame({"pupil": list("pqrstu"), "Q1": list("AABBA9"), "Q2": list("CDCCDC"), "Q3": list("BBAABA")})
    table = pd.concat([table.assign(pupil=table["pupil"] + str(k)) for k in range(4)])
    table.to_csv(tmp_path / "letters.csv", index=False, sep=";")
    run(
        "fit", tmp_path / "letters.csv", "--out", tmp_path / "o", "--id", "pupil", "--key", "Q1=A,Q2=C,Q3=B",
        "--missing", "9", "--delimiter", ";",
    )  # fmt: skip
    abilities = pd.read_csv(tmp_path / "o" / "abilities.csv", index_col=0)
    assert abilities["n_answered"].tolist() == [3, 3, 3, 3, 3, 2] * 4
    assert abilities["sum_score"].tolist() == [3, 2, 1, 1, 2, 1] * 4


def test_answer_keys(tmp_path):
    (tmp_path / "key.csv").write_text("item,key\nQ1,3\n", encoding="utf-8")
    assert answer_key("Q1=A, Q2=B") == {"Q1": "A", "Q2": "B"}
    assert answer_key(str(tmp_path / "key.csv")) == {"Q1": "3"}
    assert answer_key("1") == "1"
    with pytest.raises(ConflictingOptionsError, match="Q2"):
        answer_key("Q1=A,Q2")


def test_demo_says_what_to_do_next(tmp_path):
    said = run("demo", "--out", tmp_path / "demo")
    assert "What to do next" in said
    assert "indistinguishable" in said
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == sorted(FILES)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fit", "nowhere.csv", "--out", "o"], "nowhere.csv"),
        (["fit", LSAT7, "--out", "o", "--model", "9pl"], "9pl"),
        (["fit", LSAT7, "--out", "o", "--engine", "steam"], "steam"),
        (["fit", LSAT7, "--out", "o", "--id", "pupil"], "pupil"),
        (["score", LSAT7, LSAT7], "lsat7"),
        (["compare", LSAT7, "--holdout", "2"], "between 0 and 1"),
        (["simulate", "--out", "o", "--missing", "1.5"], "share"),
        (["app", "--data", "nowhere.csv"], "nowhere.csv"),
        (["fit", LSAT7], "--out"),
        (["dance"], "dance"),
    ],
)
def test_an_error_is_one_message(arguments, said, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert said in fails(monkeypatch, capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_the_dashboard_is_found_and_its_extra_named(monkeypatch):
    pytest.importorskip("streamlit")
    command = dashboard.launch_command(8600)
    assert Path(next(part for part in command if part.endswith("main.py"))).is_file()
    assert "--server.port=8600" in command
    monkeypatch.setattr(dashboard, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"irtvi\[app\]"):
        dashboard.launch_command(8600)


def test_text_cells_are_no_formulas(tmp_path):
    table = pd.DataFrame({"=cmd": ["@x", "plain"], "value": [-1.5, 2.0]}, index=pd.Index(["=1+1", "-3"], name="id"))
    write_csv(table, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text().splitlines() == ["id,'=cmd,value", "'=1+1,'@x,-1.5", "-3,plain,2.0"]
    assert [without_formula(v) for v in ("+1", "\t1=", -1)] == ["+1", "'\t1=", -1]


def test_quiet_in_a_pipe_and_cheap_to_import(tmp_path):
    """A fit writes nothing to a standard error that is no terminal; plotly and typer wait until they are needed.

    Forward-mode derivatives would import torch's compiler, for two seconds.
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    code = """if True:
        import atexit, sys
        from irtvi.cli import main
        atexit.register(lambda: print("compiler:", "torch._dynamo" in sys.modules))
        sys.argv[1:] = ["fit", sys.argv[1], "--model", "monotone", "--out", sys.argv[2]]
        main()
    """
    fit = subprocess.run(
        [sys.executable, "-c", code, LSAT7, tmp_path / "o"], env=environment, capture_output=True, text=True
    )
    assert (fit.returncode, fit.stderr) == (0, "")
    assert fit.stdout.endswith("compiler: False\n")
    code = "import irtvi, sys; print({'plotly', 'rich', 'scipy', 'streamlit', 'typer'} & set(sys.modules))"
    bare = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert bare.stdout.strip() == "set()"


def test_a_folder_is_fitted_and_scored_from_the_command_line(tmp_path, monkeypatch, capsys):
    table = pd.read_csv(LSAT7)
    folder = tmp_path / "answers"
    folder.mkdir()
    for k, part in enumerate((table.iloc[:300], table.iloc[300:])):
        part.to_parquet(folder / f"part-{k}.parquet", index=False)
    assert "Read 1000 rows from 2 Parquet files" in run("fit", folder, "--out", tmp_path / "out", "--id", "id")
    run("score", tmp_path / "out" / "model.irtvi", folder, "--out", tmp_path / "scores.csv")
    one, other = (pd.read_csv(tmp_path / name, index_col=0) for name in ("out/abilities.csv", "scores.csv"))
    assert one.index.equals(other.index)
    assert (one["theta"] - other["theta"]).abs().max() < 0.002
    refused = fails(monkeypatch, capsys, "fit", folder, "--out", tmp_path / "other", "--delimiter", ";")
    assert "folder of Parquet files" in refused
    assert not (tmp_path / "other").exists()
