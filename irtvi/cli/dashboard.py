"""Start the dashboard, which lies beside the package in a checkout and inside it when installed."""

import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from irtvi.errors import IrtviError, MissingExtraError

_PACKAGE = Path(__file__).resolve().parent.parent
_FOLDERS = (_PACKAGE / "_app", _PACKAGE.parent / "app")
DATA_VARIABLE = "IRTVI_APP_DATA"
"""The dashboard begins with the file that this environment variable names."""
OPTIONS = {
    "server.address": "127.0.0.1",
    "server.showEmailPrompt": "false",
    "browser.gatherUsageStats": "false",
}
"""Nothing leaves the machine, even where an older Streamlit does not read the settings beside the page."""


def start(port: int, data: Path | None) -> int:
    """Run the dashboard until it is stopped; its exit code.

    Raises
    ------
    MissingExtraError
        Streamlit is not installed.
    IrtviError
        The dashboard's files are not there, or there is no such file of data.
    """
    command = launch_command(port)
    environment = dict(os.environ)
    if data is not None:
        if not data.is_file():
            raise IrtviError(f"There is no file {data}.")
        environment[DATA_VARIABLE] = str(data.resolve())
    print(f"The dashboard is at http://127.0.0.1:{port} (stop it with Ctrl-C).", file=sys.stderr)
    server = subprocess.Popen(command, env=environment)
    # Who ends this process, as service managers do, means the server.
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        return server.wait()
    except KeyboardInterrupt:
        server.wait()
        return 0


def launch_command(port: int) -> list[str]:
    """The command that serves the dashboard."""
    if find_spec("streamlit") is None:
        raise MissingExtraError("The dashboard", "streamlit", "app")
    page = next((folder / "main.py" for folder in _FOLDERS if (folder / "main.py").is_file()), None)
    if page is None:
        raise IrtviError(f"The dashboard's files are not installed; looked in {' and '.join(map(str, _FOLDERS))}.")
    options = [f"--{name}={value}" for name, value in (OPTIONS | {"server.port": str(port)}).items()]
    return [sys.executable, "-m", "streamlit", "run", str(page), *options]
