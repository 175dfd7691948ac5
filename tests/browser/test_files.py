"""Real files, from upload to exported scores; every guess is seen on the page, and mended where it is wrong."""

import re
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
SAT12_KEY = "1 4 5 2 3 1 2 1 3 1 2 4 2 1 5 3 4 4 1 4 3 3 4 1 3 5 1 3 1 5 4 5"


class Journey:
    """One visitor with one file."""

    def __init__(self, visitor, folder):
        self.visitor, self.page, self.folder = visitor, visitor.page, folder

    def upload(self, path):
        self.visitor.open()
        self.visitor.upload(path)
        return self.visitor.text()

    def mend(self, fields=(), choices=()):
        """Say how to read the file: texts by label, choices of select boxes by label."""
        if not self.page.get_by_label("Codes that mean missing").is_visible():
            self.page.get_by_text("Something is wrong? Say how to read it").click()
        for label, text in fields:
            self.page.get_by_label(label).fill(text)
        for label, choice in choices:
            box = self.page.get_by_role("combobox", name=re.compile(label))
            box.click()
            box.fill(choice)
            self.page.get_by_role("option", name=choice, exact=True).click()
        self.visitor.click("Read it this way")
        return self.visitor.text()

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


def test_workbook(journey, tmp_path):
    table = irtvi.load_data("lsat7").drop(columns="id")
    table.index = pd.Index([f"00{k}" for k in range(len(table))], name="pupil")
    path = tmp_path / "class.xlsx"
    with pd.ExcelWriter(path) as book:
        table.reset_index().to_excel(book, sheet_name="answers", index=False)
        pd.DataFrame({"about": ["two sheets"]}).to_excel(book, sheet_name="notes")
    said = journey.upload(path)
    assert "Sheet 'answers' of 2 was read" in said
    assert "column 'pupil'" in said
    scores = journey.export()
    assert scores["id"].tolist() == table.index.tolist()
    np.testing.assert_allclose(scores["theta"], journey.scores_again(path)["theta"], rtol=0, atol=ROUNDING)


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "persons", "items", "missing"),
    [("lsat7.csv", 1_000, 5, "0.0%"), ("icar16.csv", 1_525, 16, "4.7%"), ("pisa12_us_math.csv", 4_978, 76, "69.0%")],
)
def test_wide(journey, reference, name, persons, items, missing):
    path = reference / "data" / name
    said = journey.upload(path)
    for shown in (f"{persons:,}", f"{items}", missing, "one row for each person", "column 'id'"):
        assert shown in said
    scores = journey.export()
    assert len(scores) == persons
    again = journey.scores_again(path)
    assert scores["id"].tolist() == again.index.astype(str).tolist()
    np.testing.assert_allclose(scores["theta"], again["theta"], rtol=0, atol=ROUNDING)


@pytest.mark.slow
@pytest.mark.reference
def test_options_with_a_key(journey, reference):
    path = reference / "data" / "sat12_raw.csv"
    journey.upload(path)
    said = journey.mend([("Codes that mean missing", "8"), ("Answer key for all, in this order", SAT12_KEY)])
    assert "8 was read as missing" in said
    scores = journey.export()
    assert scores["sum_score"].max() <= 32
    key = dict(zip(irtvi.read(path).item_ids, map(int, SAT12_KEY.split()), strict=True))
    expected = irtvi.fit(irtvi.read(path, key=key, missing=[8]))
    np.testing.assert_allclose(scores["theta"], expected.abilities["theta"], rtol=0, atol=ROUNDING)


@pytest.mark.slow
@pytest.mark.reference
def test_long_with_occasions(journey, reference):
    path = reference / "data" / "spatial_rotation_long.csv"
    said = journey.upload(path)
    assert "several waves" in said
    assert "Column of occasions" in said
    said = journey.mend(choices=[("Column of occasions", "wave")])
    assert "one row for each answer" in said
    assert "Occasions: column 'wave'" in said
    scores = journey.export()
    expected = irtvi.fit(irtvi.read(path, wave="wave"))
    assert scores["id"].tolist() == expected.abilities.index.tolist()
    np.testing.assert_allclose(scores["theta"], expected.abilities["theta"], rtol=0, atol=ROUNDING)


@pytest.mark.slow
@pytest.mark.reference
def test_parquet(journey, reference, tmp_path):
    table = pd.read_csv(reference / "data" / "msatb.csv")
    path = tmp_path / "msatb.parquet"
    table.to_parquet(path)
    journey.upload(path)
    scores = journey.export()
    np.testing.assert_allclose(scores["theta"], journey.scores_again(path)["theta"], rtol=0, atol=ROUNDING)
