"""The whole journey without a mouse."""

import zipfile

import pytest

pytestmark = pytest.mark.browser

FITTING = 60_000
MOST_STOPS = 120
"""Presses of the tab key within which everything on a page must be reached."""
FOCUSED = """() => {
    const e = document.activeElement;
    const label = e.matches('input') && e.closest('label');
    return (e.innerText || (label && label.innerText) || e.getAttribute('aria-label') || '').trim();
}"""


def reach(page, name):
    """Press Tab until what is called so has the focus."""
    seen = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(FOCUSED))
        if seen[-1] == name:
            return
    raise AssertionError(f"{name!r} is not reached by Tab; these are: {seen}")


def test_from_a_sample_to_scores_without_a_mouse(visit, tmp_path):
    visitor = visit(viewport={"width": 1300, "height": 900})
    page = visitor.page
    visitor.open()
    reach(page, "Sample lsat7")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Analyse now").wait_for()
    visitor.settle()
    reach(page, "Analyse now")
    page.keyboard.press("Space")
    page.get_by_role("button", name="See the scores").wait_for(timeout=FITTING)
    visitor.settle()
    reach(page, "See the scores")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Scores", exact=True).wait_for()
    visitor.figures(2)
    reach(page, "Export")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Everything as one .zip").wait_for()
    visitor.settle()
    reach(page, "Everything as one .zip")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    download.value.save_as(tmp_path / "export.zip")
    with zipfile.ZipFile(tmp_path / "export.zip") as files:
        assert "scores.csv" in files.namelist()


def test_audience_is_chosen_by_arrow_keys(visit):
    visitor = visit(viewport={"width": 1300, "height": 900})
    visitor.open()
    reach(visitor.page, "Teacher")
    visitor.page.keyboard.press("ArrowRight")
    visitor.page.locator("[data-testid=stSidebarNavLink]", has_text="Abilities").wait_for()
    visitor.settle()
    assert visitor.page.get_by_role("radio", name="Psychometrician").is_checked()
