"""Real files, from upload to exported scores, with the guesses that the page shows."""

import zipfile

import numpy as np
import pandas as pd
import pytest

import irtvi

pytestmark = pytest.mark.browser

FITTING = 180_000
"""Milliseconds that a fit may take."""
ROUNDING = 32 * np.finfo(np.float32).eps
"""The fit's last pass and a pass of its own sum the same nodes, in another order."""


KEY = "1 4 5 2 3 1 2 1 3 1 2 4 2 1 5 3 4 4 1 4 3 3 4 1 3 5 1 3 1 5 4 5"


class Journey:
    """One visitor with one file."""

    def __init__(self, visitor, folder):
        self.visitor, self.page, self.folder = visitor, visitor.page, folder

    def upload(self, path):
        self.visitor.open()
        self.visitor.upload(path)
        return self.visitor.text()

    def said(self):
        """What the page says, its numbers too: their code comes to the browser when the first of them is drawn."""
        self.page.get_by_test_id("stMetricValue").first.wait_for()
        return self.visitor.text()

    def mend(self, texts, chosen=()):
        """Say how the file is to be read: texts and choices by the labels of their widgets."""
        self.visitor.settle()
        form = self.page.locator("[data-testid=stForm]")
        expander = self.page.locator("[data-testid=stExpander] details", has_text="Say how to read it")
        if not expander.evaluate("e => e.open"):
            expander.locator("summary").click()
        for label, text in texts.items():
            box = form.get_by_role("textbox", name=label)
            box.fill(text)
            box.press("Tab")
        for label, option in dict(chosen).items():
            form.get_by_role("combobox", name=label).click()
            self.page.keyboard.type(option)
            self.page.get_by_role("option", name=option, exact=True).click()
        self.visitor.click("Read it this way")
        self.page.get_by_role("button", name="Analyse now").wait_for()
        self.visitor.settle()

    def export(self):
        """Fit with the model that suits the data and download everything; the table of scores."""
        self.visitor.click("Analyse now")
        self.page.get_by_role("button", name="See the scores").wait_for(timeout=FITTING)
        for page, figures in (("Scores", 2), ("Questions", 3), ("Overview", 2)):
            self.visitor.go(page)
            self.visitor.figures(figures)
        self.visitor.go("Export")
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name="Everything as one .zip").click()
        download.value.save_as(self.folder / "export.zip")
        with zipfile.ZipFile(self.folder / "export.zip") as files:
            files.extractall(self.folder)
        assert self.page.locator("[data-testid=stException]").count() == 0
        return pd.read_csv(self.folder / "scores.csv", dtype={"id": str})

    def scores_again(self, data):
        """Scores by the saved model, as `irtvi score` gives them."""
        return irtvi.load(self.folder / "model.irtvi").score(data)


@pytest.fixture
def journey(visit, tmp_path):
    return Journey(visit(viewport={"width": 1300, "height": 900}), tmp_path)


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "persons", "items", "missing"),
    [
        ("lsat7.csv", 1_000, 5, "0.0%"),
        ("icar16.csv", 1_525, 16, "4.7%"),
        ("pisa12_us_math.csv", 4_978, 76, "69.0%"),
    ],
)
def test_wide(journey, reference, name, persons, items, missing):
    path = reference / "data" / name
    journey.upload(path)
    said = journey.said()
    for shown in (f"{persons:,}", f"{items}", missing, "one row for each student", "column 'id'"):
        assert shown in said
    scores = journey.export()
    assert len(scores) == persons
    again = journey.scores_again(path)
    assert scores["id"].tolist() == again.index.astype(str).tolist()
    np.testing.assert_allclose(scores["theta"], again["theta"], rtol=0, atol=ROUNDING)


@pytest.mark.slow
@pytest.mark.reference
def test_parquet(journey, reference, tmp_path):
    table = pd.read_csv(reference / "data" / "msatb.csv")
    path = tmp_path / "msatb.parquet"
    table.to_parquet(path)
    journey.upload(path)
    scores = journey.export()
    np.testing.assert_allclose(scores["theta"], journey.scores_again(path)["theta"], rtol=0, atol=ROUNDING)


@pytest.mark.slow
@pytest.mark.reference
def test_multiple_choice_with_its_key(journey, reference):
    path = reference / "data" / "sat12_raw.csv"
    said = journey.upload(path)
    assert "Scoring: in steps, higher is more (no answer key)" in said
    # Figures come last: until then the page may be drawn anew, and what was typed or clicked meanwhile be lost.
    journey.visitor.figures(2)
    journey.mend({"Answer key for all, in this order": KEY, "Codes that mean missing": "8"})
    journey.page.get_by_text("Scoring: by the answer key").wait_for()
    scores = journey.export()
    keyed = {f"Item.{k}": int(answer) for k, answer in enumerate(KEY.split(), 1)}
    responses = irtvi.read(path, key=keyed, missing=[8])
    assert scores["sum_score"].tolist() == responses.sum_score().tolist()
    np.testing.assert_allclose(scores["theta"], irtvi.fit(responses).abilities["theta"], rtol=0, atol=ROUNDING)


@pytest.mark.slow
@pytest.mark.reference
def test_workbook(journey, reference, tmp_path):
    table = pd.read_csv(reference / "data" / "verbagg.csv")
    path = tmp_path / "verbagg.xlsx"
    table.to_excel(path, index=False)
    assert "Scoring: in steps" in journey.upload(path)
    scores = journey.export()
    assert scores["id"].tolist() == table["id"].astype(str).tolist()
    np.testing.assert_allclose(scores["theta"], journey.scores_again(path)["theta"], rtol=0, atol=ROUNDING)


@pytest.mark.slow
@pytest.mark.reference
def test_long_file_with_occasions(journey, reference):
    path = reference / "data" / "spatial_rotation_long.csv"
    assert "appear in several waves" in journey.upload(path)
    journey.mend({}, {"Column of occasions": "wave"})
    said = journey.said()
    for shown in ("1,750", "one row for each answer", "Occasions: column 'wave'", "80.0%"):
        assert shown in said
    scores = journey.export()
    assert scores["id"].head(2).tolist() == ["1:1", "1:2"]
    again = journey.scores_again(path)
    np.testing.assert_allclose(scores.set_index("id")["theta"], again["theta"], rtol=0, atol=ROUNDING)


@pytest.mark.slow
@pytest.mark.reference
def test_occasions_by_one_click(journey, reference):
    journey.upload(reference / "data" / "spatial_rotation_long.csv")
    journey.visitor.click("Take all occasions as one")
    journey.page.get_by_role("button", name="Analyse now").wait_for()
    journey.page.get_by_text("350", exact=True).wait_for()
    assert "Occasions" not in journey.visitor.text()
