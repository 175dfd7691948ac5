"""Draw the figures of README.md: `python docs/figures/make_figures.py` (needs Chromium on the path)."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import irtvi

HERE = Path(__file__).resolve().parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH, MARGIN = 900, 32


def main() -> None:
    """Write icc.png beside this file."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        sys.exit(f"No browser: install one of {', '.join(BROWSERS)}.")
    result = irtvi.fit(irtvi.load_data("lsat7"), model="2pl")
    figure = irtvi.plots.icc(result, item=["Item.1", "Item.2", "Item.3", "Item.4"])
    with tempfile.TemporaryDirectory() as folder:
        page = irtvi.plots.write_html(figure, Path(folder) / "figure.html")
        height = figure.layout.height + MARGIN
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=4000"]
        picture = HERE / "icc.png"
        subprocess.run(
            [browser, *options, f"--window-size={WIDTH},{height}", f"--screenshot={picture}", page.as_uri()],
            check=True,
            capture_output=True,
        )
    print(f"wrote {picture}")


if __name__ == "__main__":
    main()
