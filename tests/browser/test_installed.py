"""The dashboard of the installed wheel, started by its command in a folder of its own."""

import os
import subprocess
import sys

import pytest

import irtvi

from .server import ROOT, Visitor, free_port, running

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_command_in_any_folder(chromium, tmp_path):
    pytest.importorskip("hatchling")
    installed, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    elsewhere.mkdir()
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    offline = ["--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, *offline, "--target", installed, ROOT], check=True)
    data = elsewhere / "class.csv"
    irtvi.load_data("lsat7").to_csv(data, index=False)
    port = free_port()
    command = [str(installed / "bin" / "irtvi"), "app", "--port", str(port), "--data", "class.csv"]
    variables = os.environ | {"PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    with running(command, port, elsewhere, variables):
        visitor = Visitor(chromium, f"http://127.0.0.1:{port}")
        visitor.open()
        assert "class.csv" in visitor.page.inner_text("[data-testid=stSidebar]")
        visitor.click("Analyse now")
        visitor.page.get_by_role("button", name="See the scores").click(timeout=120_000)
        visitor.figures(2)
        assert visitor.outside == []
        visitor.context.close()
    assert [path.name for path in elsewhere.iterdir() if path.suffix != ".log"] == ["class.csv"]
