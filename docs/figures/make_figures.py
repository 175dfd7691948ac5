"""Draw the pictures of README.md and docs/ (needs Chromium on the path).

python docs/figures/make_figures.py [icc] [signal_to_noise] [certificate] [asymmetric_curves]

The last one reads TIMSS from the folder "data" in the one that IRTVI_REFERENCE names (default ../shared).
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import plotly.graph_objects as go

import irtvi
from asymmetric_figure import asymmetric_figure
from certificate_figure import certificate_figure
from noise_figure import signal_to_noise_figure

HERE = Path(__file__).resolve().parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH, MARGIN = 900, 32


def icc_figure() -> go.Figure:
    """Curves of four items of the LSAT, section 7."""
    result = irtvi.fit(irtvi.load_data("lsat7"), model="2pl")
    return irtvi.plots.icc(result, item=["Item.1", "Item.2", "Item.3", "Item.4"])


FIGURES: dict[str, Callable[[], go.Figure]] = {
    "icc": icc_figure,
    "signal_to_noise": signal_to_noise_figure,
    "certificate": certificate_figure,
    "asymmetric_curves": asymmetric_figure,
}


def main() -> None:
    """Write the figures named on the command line, or all, beside this file."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        sys.exit(f"No browser: install one of {', '.join(BROWSERS)}.")
    names = sys.argv[1:] or list(FIGURES)
    if unknown := set(names) - set(FIGURES):
        sys.exit(f"No figure {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}.")
    for name in names:
        photograph(FIGURES[name](), HERE / f"{name}.png", browser)


def photograph(figure: go.Figure, picture: Path, browser: str) -> None:
    """The figure as a browser shows it, without the buttons."""
    figure.update_layout(modebar={"color": "rgba(0,0,0,0)", "activecolor": "rgba(0,0,0,0)"})
    with tempfile.TemporaryDirectory() as folder:
        page = irtvi.plots.write_html(figure, Path(folder) / "figure.html")
        height = figure.layout.height + MARGIN
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=4000"]
        subprocess.run(
            [browser, *options, f"--window-size={WIDTH},{height}", f"--screenshot={picture}", page.as_uri()],
            check=True,
            capture_output=True,
        )
    print(f"wrote {picture}")


if __name__ == "__main__":
    main()
