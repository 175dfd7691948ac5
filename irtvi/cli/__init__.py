"""The command line."""

import sys
import warnings

from irtvi.errors import IrtviError, IrtviWarning

STOPPED = 130
"""Exit code after Ctrl-C, as shells have it."""


def main() -> None:
    """Run the command that the user typed; an error is one message on standard error and a non-zero exit code."""
    from irtvi.cli.application import application

    warnings.showwarning = _say
    try:
        application()
    except (IrtviError, OSError) as error:
        print(f"irtvi: {_message(error)}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("irtvi: stopped; nothing was written.", file=sys.stderr)
        raise SystemExit(STOPPED) from None


def _say(message: Warning | str, category: type[Warning], *_: object) -> None:
    """Tell the user what irtvi warns of; what other libraries tell programmers stays unsaid."""
    if not issubclass(category, IrtviWarning):
        return
    print(f"Note: {message}", file=sys.stderr)


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)
