"""What people do with the dashboard, in Chromium."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

import irtvi

from .server import environment

pytestmark = pytest.mark.browser

FITTING = 120_000
"""Milliseconds that a small fit may take, the first use of torch included."""


@pytest.fixture(scope="module")
def semicolons(tmp_path_factory):
    """A file as a German spreadsheet writes it: mark of UTF-8, semicolons, decimal commas, odd names."""
    rng = np.random.default_rng(1)
    theta = rng.normal(size=300)
    answers = (theta[:, None] + rng.logistic(size=(300, 6)) > rng.normal(size=6)).astype(float)
    frame = pd.DataFrame(answers, columns=["=1+1", "<b>Q2</b>", "Q3", "Q4", "Q5", "Q6"])
    frame.insert(0, "Schüler", [f"@person {k}" for k in range(300)])
    frame.insert(1, "cov_alter", rng.normal(12, 1, 300).round(1))
    path = tmp_path_factory.mktemp("data") / "klasse.csv"
    frame.to_csv(path, index=False, sep=";", decimal=",", encoding="utf-8-sig")
    return path


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A file whose fit takes long enough to be cancelled."""
    rng = np.random.default_rng(2)
    theta = rng.normal(size=40_000)
    answers = (theta[:, None] + rng.logistic(size=(40_000, 200)) > rng.normal(size=200)).astype(np.int8)
    path = tmp_path_factory.mktemp("data") / "large.parquet"
    pd.DataFrame(answers, columns=[f"Q{k}" for k in range(200)]).to_parquet(path)
    return path


def test_from_upload_to_export(visit, semicolons, tmp_path):
    visitor = visit(viewport={"width": 1300, "height": 900})
    visitor.open()
    visitor.upload(semicolons)
    said = visitor.text()
    assert "semicolon" in said, said
    assert "column 'Schüler'" in said
    visitor.page.get_by_text("300").first.wait_for()
    visitor.figures(2)
    visitor.click("Analyse now")
    visitor.page.get_by_role("button", name="See the scores").wait_for(timeout=FITTING)
    visitor.click("See the scores")
    visitor.figures(2)
    for page, figures in (("Overview", 2), ("Questions", 3), ("Compare", 0), ("Learn", 2)):
        visitor.go(page)
        visitor.figures(figures)
        assert visitor.page.locator("[data-testid=stException]").count() == 0
    visitor.go("Export")
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name="Everything as one .zip").click()
    archive = tmp_path / "export.zip"
    download.value.save_as(archive)
    with zipfile.ZipFile(archive) as files:
        files.extractall(tmp_path)
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert scores["id"].str.startswith("'@person").all()
    assert pd.read_csv(tmp_path / "items.csv")["item"][0] == "'=1+1"
    assert json.loads((tmp_path / "manifest.json").read_text())["data"]["persons"] == 300
    _script_gives_the_same(tmp_path, semicolons, scores)
    again = irtvi.load(tmp_path / "model.irtvi").score(semicolons)
    # The nodes of the fit and of a score lie elsewhere; on small data either integral is exact to 1e-8.
    np.testing.assert_allclose(again["theta"], scores["theta"], rtol=0, atol=1e-7)


def _script_gives_the_same(folder, data, scores):
    (folder / data.name).write_bytes(data.read_bytes())
    (folder / "scores.csv").unlink()
    subprocess.run([sys.executable, "reproduce.py"], cwd=folder, env=environment(), check=True, timeout=120)
    script = pd.read_csv(folder / "scores.csv")
    for column in ("theta", "sd", "probability_above", "percentile_sample", "t_score"):
        np.testing.assert_array_equal(script[column], scores[column])


def test_three_clicks_from_the_start_to_abilities(visit):
    visitor = visit()
    visitor.open()
    visitor.click("Sample lsat7")
    visitor.click("Analyse now")
    visitor.page.get_by_role("button", name="See the scores").click(timeout=FITTING)
    visitor.page.get_by_role("heading", name="Scores", exact=True).wait_for()
    visitor.figures(2)
    assert visitor.page.locator(".js-plotly-plot").first.is_visible()


def test_cancel_reload_and_two_sessions(visit, large):
    one, two = visit(), visit()
    one.open()
    one.upload(large)
    one.go("Analyse")
    one.choose_model("Free curves of any shape")
    one.choose_model("Free curves close to the usual ones")
    one.click("Analyse")
    # The automatic fit before them is soon done; the slow ones are left.
    one.page.get_by_text("▶ running").first.wait_for()
    one.page.get_by_text("✔ done").first.wait_for(timeout=FITTING)
    one.page.get_by_text("▶ running").first.wait_for()
    # At once: curves are fast, and what follows may take as long as they do.
    one.page.locator("[data-testid=stMain]").get_by_role("button", name="Cancel").first.click()
    one.page.get_by_text("■").first.wait_for()
    # How soon the fit itself stops is held in tests/app/test_tasks.py, whatever else the machine does.
    one.page.get_by_text("stopped early").first.wait_for(timeout=FITTING)
    assert one.page.locator("[data-testid=stException]").count() == 0
    token = one.page.url.split("session=")[1]
    one.page.reload()
    one.settle()
    assert one.page.url.split("session=")[1] == token
    assert "large.parquet" in one.page.inner_text("[data-testid=stSidebar]")
    two.open()
    assert "large.parquet" not in two.page.inner_text("body")
    assert token not in two.page.url


def test_dark_narrow_and_hostile(visit, tmp_path):
    visitor = visit(color_scheme="dark", viewport={"width": 420, "height": 800})
    visitor.open()
    fake = tmp_path / "picture.csv"
    fake.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1000))
    visitor.page.set_input_files("[data-testid=stFileUploader] input[type=file]", str(fake))
    visitor.page.get_by_text("PNG image").wait_for()
    visitor.click("Sample lsat6")
    visitor.figures(2)
    paper = visitor.page.locator(".js-plotly-plot .main-svg").first.evaluate("e => e.style.background")
    page = visitor.page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    assert paper.replace(" ", "") == page.replace(" ", "") == "rgb(14,17,23)"
    wide = visitor.page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    assert wide <= 420


def test_figures_speak(visit):
    visitor = visit()
    visitor.open()
    visitor.click("Sample lsat6")
    visitor.figures(2)
    assert visitor.page.locator("[aria-label*='of the answers are missing']").count() > 0
