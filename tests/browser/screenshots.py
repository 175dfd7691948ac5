"""Make the pictures of the README: ``python -m tests.browser.screenshots [folder]``."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.server import ARGUMENTS, CHROMIUM, ROOT, Visitor, serving

SIZE = {"width": 1280, "height": 1180}


def main(folder: Path) -> None:
    """Write dashboard-overview.png and dashboard-items.png, from the sample lsat7."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as logs,
        serving(Path(logs)) as address,
        sync_playwright() as tool,
    ):
        browser = tool.chromium.launch(executable_path=CHROMIUM, headless=True, chromium_sandbox=False, args=ARGUMENTS)
        visitor = Visitor(browser, address, viewport=SIZE)
        visitor.open()
        visitor.click("Sample lsat7")
        visitor.click("Analyse now")
        visitor.page.get_by_role("button", name="See the overview").wait_for(timeout=120_000)
        for title, name, figures in (("Overview", "overview", 2), ("Questions", "items", 3)):
            visitor.go(title)
            visitor.figures(figures)
            visitor.page.wait_for_timeout(1500)
            visitor.page.screenshot(path=str(folder / f"dashboard-{name}.png"))
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "figures")
