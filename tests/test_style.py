"""The tools that judge the code, run as tests: lint, types, and which stage may import which."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# pyright asks for its newest version unless told not to; a test reaches no network.
OFFLINE = os.environ | {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}

TOOLS = {
    "ruff": [sys.executable, "-m", "ruff", "check", "--no-cache", "."],
    "pyright": [sys.executable, "-m", "pyright", "--pythonpath", sys.executable],
    "import contract": [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command; lint_imports_command()",
        "--no-cache",
    ],
}


@pytest.mark.parametrize("tool", TOOLS)
def test_tool_is_content(tool):
    answer = subprocess.run(TOOLS[tool], cwd=ROOT, env=OFFLINE, capture_output=True, text=True, timeout=300)
    assert answer.returncode == 0, f"{tool}:\n{answer.stdout}\n{answer.stderr}"
