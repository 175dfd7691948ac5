"""Ids and names that look like HTML, Markdown or formulas are text on every page."""

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.browser

FITTING = 60_000
NAMES = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(2)</script>",
    "![p](http://example.invalid/p.png)",
    "[l](javascript:alert(3))",
    '=HYPERLINK("http://example.invalid")',
    "$\\alpha$",
)
PAGES = (("Fit", 1), ("Overview", 2), ("Abilities", 3), ("Items", 3), ("Export", 0), ("Data", 2))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    rng = np.random.default_rng(3)
    theta = rng.normal(size=30)
    right = theta[:, None] + rng.logistic(size=(30, len(NAMES))) > np.linspace(-1, 1, len(NAMES))
    frame = pd.DataFrame(right.astype(int), columns=list(NAMES))
    # The last runs against the others, so that sentences about flagged items hold its name.
    frame[NAMES[0]] = (theta < rng.normal(size=30)).astype(int)
    frame.insert(0, "id", [f"{NAMES[k % len(NAMES)]} {k}" for k in range(30)])
    path = tmp_path_factory.mktemp("data") / "<b>names.csv"
    frame.to_csv(path, index=False)
    return path


def test_names_are_text(visit, hostile):
    visitor = visit(viewport={"width": 1300, "height": 900})
    page, dialogs = visitor.page, []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    visitor.open()
    page.locator("[data-testid=stRadio] label", has_text="Psychometrician").click()
    page.locator("[data-testid=stSidebarNavLink]", has_text="Abilities").wait_for()
    visitor.settle()
    visitor.upload(hostile)
    visitor.click("Fit now")
    page.get_by_role("button", name="See the abilities").wait_for(timeout=FITTING)
    for title, figures in PAGES:
        visitor.go(title)
        visitor.figures(figures)
        said = page.evaluate(
            "[...document.querySelectorAll('[data-testid=stMain] img')].map(e => e.src)"
            ".concat([...document.querySelectorAll('[data-testid=stMain] a')].map(e => e.href))"
        )
        assert not [address for address in said if "example.invalid" in address or "javascript" in address], title
        assert page.locator("[data-testid=stMain] img[src='x']").count() == 0, title
        assert page.locator("[data-testid=stMain] .katex").count() == 0, title
        assert page.locator("[data-testid=stException]").count() == 0, title
        if title == "Items":
            assert _drawn(page, "<img src=x")  # the outermost has a name; not all find room
        if title == "Overview":
            assert _drawn(page, "<img src=x")
    assert dialogs == []
    assert page.locator("[data-testid=stSidebar] b").count() == 0


def _drawn(page, text):
    """Whether a figure has a text that begins so."""
    return page.evaluate(
        "text => [...document.querySelectorAll('.js-plotly-plot text')]"
        ".some(e => e.textContent.trim().startsWith(text))",
        text,
    )
