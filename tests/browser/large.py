"""Time and memory of the dashboard on large data: ``python -m tests.browser.large 100000x100 FILE ..``.

For each data set, a table with a row for each page: seconds from the click to the drawn page with its figures, seconds
of computing of the server meanwhile, its resident memory afterwards. Simulated data are 2PL, written as Parquet.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from playwright.sync_api import sync_playwright

from tests.browser.server import ARGUMENTS, CHROMIUM, MAIN, Visitor, environment, free_port, running

PAGES = {"Overview": 2, "Abilities": 2, "Items": 3, "Compare": 0, "Export": 0, "Learn": 2, "Fit": 1, "Data": 2}
"""Pages and how many figures each has, for the psychometrician."""
PATIENCE = 3_000_000


def main(wanted: list[str]) -> None:
    """Measure each data set with a server of its own."""
    with sync_playwright() as tool, tempfile.TemporaryDirectory() as folder:
        browser = tool.chromium.launch(executable_path=CHROMIUM, headless=True, chromium_sandbox=False, args=ARGUMENTS)
        for name in wanted:
            measure(browser, name, data_of(name, Path(folder)), Path(folder))
        browser.close()


def data_of(name: str, folder: Path) -> Path:
    """The file, made first if the name says how large it shall be."""
    if Path(name).exists():
        return Path(name).resolve()
    n_persons, n_items = map(int, name.split("x"))
    rng = np.random.default_rng(0)
    logits = rng.lognormal(0, 0.3, n_items) * (rng.normal(size=(n_persons, 1)) - rng.normal(size=n_items))
    answers = (logits + rng.logistic(size=logits.shape) > 0).astype(np.int8)
    path = folder / f"{name}.parquet"
    pd.DataFrame(answers, columns=[f"Q{k}" for k in range(n_items)]).to_parquet(path)
    return path


def measure(browser, name: str, data: Path, folder: Path) -> None:
    """Print the table of one data set."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(MAIN), f"--server.port={port}", "--server.headless=true"]
    with running(command, port, folder, environment(IRTVI_APP_DATA=str(data))) as server:
        visitor = Visitor(browser, f"http://127.0.0.1:{port}", viewport={"width": 1400, "height": 1000})
        visitor.page.set_default_timeout(PATIENCE)
        print(f"{name}\n{'':12}{'page, s':>10}{'server, s':>11}{'memory, MB':>12}", flush=True)

        def timed(label, act):
            since, used = time.perf_counter(), computing(server.pid)
            act()
            passed, used = time.perf_counter() - since, computing(server.pid) - used
            print(f"{label:12}{passed:10.1f}{used:11.1f}{resident(server.pid):12.0f}", flush=True)

        timed("(read)", visitor.open)
        visitor.page.get_by_text("Psychometrician", exact=True).click()
        visitor.settle()

        def fit():
            visitor.click("Fit now")
            visitor.page.get_by_role("button", name="See the overview").wait_for()

        timed("(fit)", fit)
        for page, figures in PAGES.items():

            def show(page=page, figures=figures):
                visitor.go(page)
                visitor.figures(figures)

            timed(page, show)
        visitor.context.close()


def computing(pid: int) -> float:
    """Seconds of computing of a process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Memory of a process in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main(sys.argv[1:])
