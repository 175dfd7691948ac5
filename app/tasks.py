"""Long work in the background: one queue for each session, few pieces at once in the whole process.

Nothing here knows Streamlit: a page reads what a task says about itself, and a reloaded page finds it again.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from abc import ABC, abstractmethod
from typing import Literal, final
from uuid import uuid4

from irtvi.errors import IrtviError

State = Literal["queued", "running", "stopping", "done", "stopped", "failed"]
ALIVE: tuple[State, ...] = ("queued", "running", "stopping")

AT_ONCE = int(os.environ.get("IRTVI_APP_FITS", "0")) or max(1, (os.cpu_count() or 2) // 2)
_SLOTS = threading.BoundedSemaphore(AT_ONCE)
_LOG = logging.getLogger("irtvi.app")


class Task(ABC):
    """One piece of work, from the queue to its end.

    Parameters
    ----------
    label : how it is called on the pages
    data_key : which reading of which file it works on
    """

    def __init__(self, label: str, data_key: str) -> None:
        self.label, self.data_key = label, data_key
        self.id = uuid4().hex[:8]
        self.state: State = "queued"
        self.started: float | None = None
        self.ended: float | None = None
        self.message = ""
        self._cancel = threading.Event()

    @abstractmethod
    def work(self) -> tuple[State, str]:
        """Do it, asking `cancelled` often; whether it was done or stopped, and what there is to say."""

    @abstractmethod
    def expected(self) -> float:
        """Seconds that the whole will take, from what is known now."""

    @final
    @property
    def alive(self) -> bool:
        """Whether it waits, runs, or is about to stop."""
        return self.state in ALIVE

    @final
    @property
    def elapsed(self) -> float:
        """Seconds since it started to run."""
        if self.started is None:
            return 0.0
        return (self.ended or time.monotonic()) - self.started

    @final
    @property
    def predicted(self) -> float:
        """Seconds that the whole will take, at least those that have passed."""
        return max(self.expected(), self.elapsed)

    @final
    @property
    def share(self) -> float:
        """How much of the predicted time has passed, from 0 to 1."""
        return 1.0 if not self.alive else min(0.99, self.elapsed / max(self.predicted, 1e-9))

    @final
    def cancelled(self) -> bool:
        """Whether it was asked to stop."""
        return self._cancel.is_set()

    @final
    def cancel(self) -> None:
        """Ask it to stop; what was reached so far is kept."""
        self._cancel.set()
        if self.state == "queued":
            self.state, self.message = "stopped", "Cancelled before it started."
        elif self.state == "running":
            self.state = "stopping"

    @final
    def run(self) -> None:
        """Work; called by the queue's thread."""
        while not _SLOTS.acquire(timeout=0.1):
            if self.cancelled():
                return
        try:
            if not self.cancelled():
                self.state, self.started = "running", time.monotonic()
                self._end(*self._outcome())
        finally:
            _SLOTS.release()

    def _outcome(self) -> tuple[State, str]:
        try:
            return self.work()
        except KeyboardInterrupt:
            return "stopped", "Cancelled before there was anything to keep."
        except IrtviError as error:
            return "failed", str(error)
        except MemoryError:
            return "failed", "There is not enough memory for this model and these data. Use fewer items or people."
        except Exception as error:
            _LOG.exception("%s failed", self.label)
            return "failed", (
                f"It ended for an unforeseen reason ({type(error).__name__}). Try another model, or the other engine; "
                "the details stand in the log of the server."
            )

    def _end(self, state: State, message: str) -> None:
        self.ended = time.monotonic()
        self.message = message
        self.state = state


class Queue:
    """The tasks of one session, worked off one after the other in the order in which they came."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self._lock = threading.Lock()
        self._worker: threading.Thread | None = None

    def submit(self, task: Task) -> None:
        """Put a task at the end."""
        with self._lock:
            self.tasks.append(task)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name=f"queue-{task.id}", daemon=True)
                self._worker.start()

    def remove(self, task: Task) -> None:
        """Cancel a task and forget it."""
        task.cancel()
        with self._lock:
            self.tasks = [other for other in self.tasks if other is not task]

    def cancel(self) -> None:
        """Cancel all that wait or run."""
        for task in self.alive:
            task.cancel()

    def clear(self) -> None:
        """Cancel and forget all."""
        for task in list(self.tasks):
            self.remove(task)

    @property
    def alive(self) -> list[Task]:
        """Tasks that wait or run."""
        return [task for task in self.tasks if task.alive]

    def _work(self) -> None:
        while True:
            with self._lock:
                task = next((task for task in self.tasks if task.state == "queued"), None)
                if task is None:
                    self._worker = None
                    return
            task.run()
