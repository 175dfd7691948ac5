"""Seconds to the first paint of every page, and the memory of the server.

By hand: ``python -m tests.browser.first_paint FILE ...``.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from playwright.sync_api import sync_playwright

from tests.browser.server import ARGUMENTS, CHROMIUM, Visitor, environment, free_port, running, streamlit

FITTING = 1_200_000
"""Milliseconds that a fit may take."""
PAGES = (
    ("Data", "Data", 2),
    ("Analyse", "Analyse", 0),
    ("Overview", "Overview", 2),
    ("Scores", "Scores", 2),
    ("Questions", "Questions", 3),
    ("Compare", "Compare", 1),
    ("Export", "Export", 0),
    ("Learn", "Learn", 2),
)
"""Link, heading and number of figures of each page, in the order in which they are visited."""


class Paint(NamedTuple):
    """Seconds after the click on a page's link.

    Attributes
    ----------
    first : until its heading and its first figure, or without figures its first button, are on the screen
    whole : until the script has ended and every figure is drawn
    """

    page: str
    first: float
    whole: float


class Measured(NamedTuple):
    """What one file took.

    Attributes
    ----------
    reading, fitting : seconds from the upload to its page, and of two fits until the buttons below them
    paints : of each page after the fit
    memory : peak resident memory of the server in MB
    """

    reading: float
    fitting: float
    paints: list[Paint]
    memory: int


def measure(chromium, path: Path, logs: Path) -> Measured:
    """Upload, fit the model that suits the data and one to compare, visit every page; in a server of its own."""
    port = free_port()
    with running(streamlit(port), port, logs, environment()) as server:
        visitor = Visitor(chromium, f"http://127.0.0.1:{port}", viewport={"width": 1300, "height": 900})
        visitor.open()
        began = time.monotonic()
        visitor.upload(path)
        visitor.figures(2)
        read = time.monotonic()
        visitor.go("Analyse")
        visitor.choose_model("Questions differ in difficulty only")
        visitor.page.locator("[data-testid=stMain]").get_by_role("button", name="Analyse", exact=True).click()
        visitor.page.get_by_role("button", name="See the scores").wait_for(timeout=FITTING)
        fitted = time.monotonic()
        visitor.settle()
        paints = [paint(visitor, *page) for page in PAGES]
        assert visitor.page.locator("[data-testid=stException]").count() == 0
        visitor.context.close()
        return Measured(read - began, fitted - read, paints, peak_memory(server.pid))


def paint(visitor: Visitor, link: str, heading: str, figures: int) -> Paint:
    """Follow a link and wait for its page."""
    began = time.monotonic()
    visitor.page.locator("[data-testid=stSidebarNavLink]", has_text=link).first.click()
    visitor.page.wait_for_function(
        """([heading, figures]) => {
            const main = document.querySelector('[data-testid=stMain]');
            const fresh = selector => [...main.querySelectorAll(selector)].filter(e => !e.closest('[data-stale=true]'));
            const content = figures ? '.js-plotly-plot .main-svg' : '[data-testid=stAlert], button';
            return fresh('h1').some(e => e.innerText === heading) && fresh(content).length > 0;
        }""",
        arg=[heading, figures],
    )
    first = time.monotonic()
    visitor.settle()
    visitor.figures(figures)
    return Paint(link, first - began, time.monotonic() - began)


def peak_memory(process: int) -> int:
    """Largest resident memory that a process ever had, in MB (Linux)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) // 1024


def main(paths: list[Path]) -> None:
    """Print a table for each file."""
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, headless=True, chromium_sandbox=False, args=ARGUMENTS)
        for path in paths:
            with tempfile.TemporaryDirectory() as logs:
                found = measure(browser, path, Path(logs))
            print(f"{path.name}: read {found.reading:.1f} s, fit {found.fitting:.1f} s, server {found.memory:,} MB")
            print(pd.DataFrame(found.paints).round(2).to_string(index=False), flush=True)
        browser.close()


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
