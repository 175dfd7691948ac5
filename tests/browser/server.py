"""The dashboard as a server of its own, and a browser that must not leave the machine."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[2]
MAIN = ROOT / "app" / "main.py"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
STARTING = 120.0
PATIENCE = 120_000
"""Milliseconds that anything on a page may take, on a machine with other work."""


def environment(**more: str) -> dict[str, str]:
    """Variables with which another Python finds this checkout and keeps to one thread."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"} | more


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def serving(cwd: Path, **variables: str) -> Iterator[str]:
    """Run the dashboard of the checkout on a free port; its address."""
    port = free_port()
    with running(streamlit(port), port, cwd, environment(**variables)):
        yield f"http://127.0.0.1:{port}"


def streamlit(port: int) -> list[str]:
    """The command that serves the dashboard of the checkout at a port."""
    return [sys.executable, "-m", "streamlit", "run", str(MAIN), f"--server.port={port}", "--server.headless=true"]


@contextmanager
def running(command: list[str], port: int, cwd: Path, variables: dict[str, str]) -> Iterator[subprocess.Popen]:
    """Run a command that serves the dashboard at a port, from when it answers."""
    with (cwd / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=cwd, env=variables, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait(f"http://127.0.0.1:{port}/_stcore/health", process, cwd / "server.log")
            yield process
        finally:
            process.terminate()
            process.wait(20)


def _wait(health: str, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + STARTING
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with urlopen(health, timeout=2) as answer:
                if answer.read() == b"ok":
                    return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the server did not start:\n{log.read_text()}")


class Visitor:
    """A page in a browser context of its own; requests to other hosts are stopped and noted."""

    def __init__(self, browser, address: str, **context) -> None:
        self.address = address
        self.outside: list[str] = []
        self.context = browser.new_context(accept_downloads=True, **context)
        self.context.route("**/*", self._only_local)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)

    def _only_local(self, route) -> None:
        url = route.request.url
        if url.startswith((self.address, "data:", "blob:")):
            route.continue_()
        else:
            self.outside.append(url)
            route.abort()

    def open(self, path: str = "") -> None:
        self.page.goto(f"{self.address}/{path}")
        self.settle()

    def settle(self) -> None:
        """Wait until the page has been drawn."""
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        self.page.wait_for_selector("[data-testid=stMain] h1")

    def go(self, title: str) -> None:
        """Follow the navigation, and wait until the page is the other one: its address changes when it is drawn."""
        link = self.page.locator("[data-testid=stSidebarNavLink]", has_text=title).first
        path = urlsplit(link.get_attribute("href") or "").path
        link.click()
        self.page.wait_for_function("path => location.pathname === path", arg=path)
        self.settle()

    def click(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).first.click()
        self.settle()

    def upload(self, path: Path) -> None:
        self.page.set_input_files("[data-testid=stFileUploader] input[type=file]", str(path))
        self.page.wait_for_function(
            "name => document.querySelector('[data-testid=stSidebar]').innerText.includes(name)", arg=path.name
        )
        self.page.get_by_role("heading", name="How the file was read").wait_for()
        self.settle()

    def choose_model(self, name: str) -> None:
        """Add a model to those that are to be fitted."""
        models = self.page.locator("[data-testid=stMultiSelect] input")
        models.type(name)
        self.page.get_by_role("option", name=name, exact=True).click()
        models.press("Escape")
        self.settle()

    def figures(self, number: int = 1) -> None:
        self.page.wait_for_function(
            "n => document.querySelectorAll('.js-plotly-plot .main-svg').length >= n", arg=number
        )

    def text(self) -> str:
        return self.page.inner_text("[data-testid=stMain]")
