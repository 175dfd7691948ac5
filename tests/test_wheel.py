"""What a user gets from `pip install`: the package, its data and its command, from any folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder into which the wheel was installed, built as from a fresh clone."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    offline = ["--no-deps", "--no-index", "--no-build-isolation"]
    answer = subprocess.run([*pip, *offline, "--target", folder, ROOT], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return folder


def run(installed: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the installed package first on the path, away from the checkout."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    return subprocess.run(command, cwd=installed, env=environment, capture_output=True, text=True)


def test_bundled_data_come_with_the_package(installed):
    code = "import irtvi; print(irtvi.__file__); print(len(irtvi.load_data('lsat7').columns))"
    answer = run(installed, sys.executable, "-c", code)
    assert answer.returncode == 0, answer.stderr
    file, n_columns = answer.stdout.splitlines()
    assert Path(file).is_relative_to(installed)
    assert int(n_columns) >= 5
    assert {path.suffix for path in (installed / "irtvi" / "_data").iterdir()} == {".csv", ".md"}


def test_command_works(installed):
    answer = run(installed, str(installed / "bin" / "irtvi"), "--help")
    assert answer.returncode == 0, answer.stderr
    assert "fit" in answer.stdout


def test_nothing_but_the_package_is_installed(installed):
    names = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert names == {"irtvi", "bin"}
