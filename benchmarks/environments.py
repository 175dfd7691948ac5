"""One virtual environment for each peer, so that no package's pins touch another's."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent / ".venv-peers"


class NotInstallable(Exception):
    """pip could not install a peer; the message is pip's last line."""


def python_of(peer: str, requirement: str) -> Path:
    """The interpreter of the peer's own environment, which is made on first use.

    `peers/<peer>.txt` holds the exact versions. An environment counts as made when its stamp is there.
    """
    environment = FOLDER / peer
    python, stamp = environment / "bin" / "python", environment / "installed"
    if stamp.exists():
        return python
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    constraints = str(HERE / "peers" / f"{peer}.txt")
    _checked([sys.executable, "-m", "venv", "--clear", str(environment)])
    _checked([*pip, "--constraint", constraints, requirement])
    stamp.touch()
    return python


def _checked(command: list[str]) -> None:
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode:
        lines = (answer.stderr or answer.stdout).strip().splitlines()
        raise NotInstallable(lines[-1] if lines else f"exit code {answer.returncode}")
