"""A fit that was asked to stop does so between two short pieces of work, however deep in the search it is.

Whoever computes for long calls `may_stop` in its loops. Outside of `interruptible` that does nothing, so the same
functions serve a search and a table that is asked for afterwards.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_cancelled: ContextVar[Callable[[], bool]] = ContextVar("cancelled", default=lambda: False)


@contextmanager
def interruptible(cancelled: Callable[[], bool]) -> Iterator[None]:
    """Within it, `may_stop` asks ``cancelled``."""
    token = _cancelled.set(cancelled)
    try:
        yield
    finally:
        _cancelled.reset(token)


def may_stop() -> None:
    """Stop here if that was asked for.

    Raises
    ------
    KeyboardInterrupt
        As Ctrl-C does, so that both end a search in the same way.
    """
    if _cancelled.get()():
        raise KeyboardInterrupt
