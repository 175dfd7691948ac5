"""`irtvi app` from an installed wheel, in a folder that knows nothing of the checkout."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .server import ROOT, Visitor, free_port, running

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder into which the wheel was installed, and nothing else."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    offline = ["--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, *offline, "--target", folder, ROOT], check=True, capture_output=True)
    return folder


def test_dashboard_of_the_wheel(chromium, installed, tmp_path):
    data = tmp_path / "class.csv"
    data.write_text("pupil,q1,q2,q3\n" + "".join(f"p{k},{k % 2},{k // 2 % 2},{k // 4 % 2}\n" for k in range(24)))
    port = free_port()
    command = [str(installed / "bin" / "irtvi"), "app", "--port", str(port), "--data", data.name]
    variables = os.environ | {"PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    with running(command, port, tmp_path, variables) as process:
        visitor = Visitor(chromium, f"http://127.0.0.1:{port}")
        visitor.open()
        visitor.figures(2)
        assert "24 students, 3 questions" in visitor.page.inner_text("[data-testid=stSidebar]")
        visitor.click("Analyse now")
        visitor.page.get_by_role("button", name="See the scores").wait_for(timeout=60_000)
        visitor.go("Scores")
        visitor.figures(3)
        assert visitor.page.locator("[data-testid=stException]").count() == 0
        visitor.context.close()
        assert visitor.outside == []
        assert str(installed / "irtvi" / "_app") in _served(process.pid)


def _served(process):
    """Command lines of a process and its children (Linux)."""
    tasks = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return " ".join(Path(f"/proc/{one}/cmdline").read_text().replace("\0", " ") for one in [process, *tasks])
