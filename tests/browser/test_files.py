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


class Journey:
    """One visitor with one file."""

    def __init__(self, visitor, folder):
        self.visitor, self.page, self.folder = visitor, visitor.page, folder

    def upload(self, path):
        self.visitor.open()
        self.visitor.upload(path)
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


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "persons", "items", "missing"),
    [("lsat7.csv", 1_000, 5, "0.0%"), ("icar16.csv", 1_525, 16, "4.7%")],
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
def test_parquet(journey, reference, tmp_path):
    table = pd.read_csv(reference / "data" / "msatb.csv")
    path = tmp_path / "msatb.parquet"
    table.to_parquet(path)
    journey.upload(path)
    scores = journey.export()
    np.testing.assert_allclose(scores["theta"], journey.scores_again(path)["theta"], rtol=0, atol=ROUNDING)
