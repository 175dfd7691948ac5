"""Fits in the background: one queue for each session, few at once in the whole process.

Nothing here knows Streamlit: a page reads what a job says about itself, and a reloaded page finds the job again.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Literal
from uuid import uuid4

import irtvi
from irtvi.errors import IrtviError
from irtvi.inference.engines import ENGINES
from irtvi.inference.posterior import Step

State = Literal["queued", "running", "stopping", "done", "stopped", "failed"]
ALIVE: tuple[State, ...] = ("queued", "running", "stopping")

FITS_AT_ONCE = int(os.environ.get("IRTVI_APP_FITS", "0")) or max(1, (os.cpu_count() or 2) // 2)
_SLOTS = threading.BoundedSemaphore(FITS_AT_ONCE)
_LOG = logging.getLogger("irtvi.app")

_FIRST_GUESS = 1e-5
"""Seconds of a fit for each answer, before this process has seen one of the same model."""
_seconds_per_answer: dict[tuple[str, str], float] = {}


@dataclass(frozen=True)
class Request:
    """What is to be fitted.

    Parameters
    ----------
    label : how the fit is called on the pages
    model : a name of ITEM_MODELS, "auto", or a name for each item
    engine, seed : as `irtvi.fit` takes them
    priors : "default", or None for maximum likelihood
    """

    label: str
    model: str | Mapping[Hashable, str]
    engine: str = "auto"
    seed: int = 0
    priors: Literal["default"] | None = "default"

    @property
    def key(self) -> tuple[str, str]:
        """Fits that take about equally long for each answer."""
        return (self.model if isinstance(self.model, str) else "mixed", self.engine)


@dataclass(eq=False)
class Job:
    """One fit, from the queue to its result.

    Parameters
    ----------
    request : what is to be fitted
    responses : to which data
    data_key : which reading of which file they are
    """

    request: Request
    responses: irtvi.Responses
    data_key: str
    id: str = field(default_factory=lambda: uuid4().hex[:8])
    state: State = "queued"
    steps: list[Step] = field(default_factory=list)
    submitted: float = field(default_factory=time.monotonic)
    started: float | None = None
    ended: float | None = None
    result: irtvi.Result | None = None
    message: str = ""
    _cancel: threading.Event = field(default_factory=threading.Event)

    @property
    def alive(self) -> bool:
        """Whether it waits, runs, or is about to stop."""
        return self.state in ALIVE

    @property
    def elapsed(self) -> float:
        """Seconds since it started to run."""
        if self.started is None:
            return 0.0
        return (self.ended or time.monotonic()) - self.started

    @property
    def predicted(self) -> float:
        """Seconds that the whole fit will take, from its steps so far, else from earlier fits."""
        trend = _seconds_to_converge(self.steps, _tolerance(self.request.engine))
        if trend is not None:
            return max(trend, self.elapsed)
        pace = _seconds_per_answer.get(self.request.key, _FIRST_GUESS)
        return max(0.5 + pace * self.responses.n_responses, self.elapsed)

    @property
    def share(self) -> float:
        """How much of the predicted time has passed, from 0 to 1."""
        return 1.0 if not self.alive else min(0.99, self.elapsed / self.predicted)

    def cancel(self) -> None:
        """Ask it to stop; what was reached so far is kept."""
        self._cancel.set()
        if self.state == "queued":
            self.state, self.message = "stopped", "Cancelled before it started."
        elif self.state == "running":
            self.state = "stopping"

    def run(self) -> None:
        """Fit; called by the queue's thread."""
        while not _SLOTS.acquire(timeout=0.1):
            if self._cancel.is_set():
                return
        try:
            if not self._cancel.is_set():
                self._fit()
        finally:
            _SLOTS.release()

    def _fit(self) -> None:
        self.state, self.started = "running", time.monotonic()
        progress = irtvi.Progress(listener=self.steps.append, cancelled=self._cancel.is_set)
        request = self.request
        try:
            self.result = irtvi.fit(
                self.responses,
                model=request.model,  # pyright: ignore[reportArgumentType]
                engine=request.engine,
                seed=request.seed,
                priors=request.priors,
                progress=progress,
            )
            if not self._cancel.is_set():
                _prepare(self.result)
        except IrtviError as error:
            self._end("failed", str(error))
        except MemoryError:
            self._end("failed", "There is not enough memory for this model and these data. Use fewer items or people.")
        except Exception as error:
            _LOG.exception("fit of %s failed", request.label)
            self._end(
                "failed",
                f"The fit ended for an unforeseen reason ({type(error).__name__}). Try another model, or the other "
                "engine; the details stand in the log of the server.",
            )
        else:
            stopped = self.result.posterior.stopped
            if not stopped and self.responses.n_responses:
                _seconds_per_answer[request.key] = self.elapsed / self.responses.n_responses
            self._end("stopped" if stopped else "done", self.result.reason)

    def _end(self, state: State, message: str) -> None:
        self.ended = time.monotonic()
        self.message = message
        self.state = state


class Queue:
    """The fits of one session, worked off one after the other in the order in which they came."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self._lock = threading.Lock()
        self._worker: threading.Thread | None = None

    def submit(self, job: Job) -> Job:
        """Put a job at the end."""
        with self._lock:
            self.jobs.append(job)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name=f"fits-{job.id}", daemon=True)
                self._worker.start()
        return job

    def remove(self, job: Job) -> None:
        """Cancel a job and forget it."""
        job.cancel()
        with self._lock:
            self.jobs = [other for other in self.jobs if other is not job]

    def cancel(self) -> None:
        """Cancel all that wait or run."""
        for job in self.alive:
            job.cancel()

    def clear(self) -> None:
        """Cancel and forget all."""
        for job in list(self.jobs):
            self.remove(job)

    @property
    def alive(self) -> list[Job]:
        """Jobs that wait or run."""
        return [job for job in self.jobs if job.alive]

    def _work(self) -> None:
        while True:
            with self._lock:
                job = next((job for job in self.jobs if job.state == "queued"), None)
                if job is None:
                    self._worker = None
                    return
            job.run()


@cache
def warm_up() -> None:
    """Once, import in the background what the first fit would wait for."""
    threading.Thread(target=_import_late_parts, name="warm-up", daemon=True).start()


def _import_late_parts() -> None:
    """Torch imports its compiler when a derivative is first taken, which takes seconds."""
    import_module("torch._dynamo")


def _prepare(result: irtvi.Result) -> None:
    """Make the tables that every page shows, so that no page waits for them."""
    _ = (result.abilities, result.items, result.reliability, result.trace, result.data_digest)


def _tolerance(engine: str) -> float:
    settings = ENGINES.get(engine, ENGINES["quadrature"])()
    return getattr(settings, "tolerance", 1e-2)


def _seconds_to_converge(steps: list[Step], tolerance: float) -> float | None:
    """Time at which steps that shrink as the last few did are shorter than the tolerance."""
    recent = [step for step in steps[-6:] if step.step_se > 0 and math.isfinite(step.step_se)]
    if len(recent) < 3:
        return None
    first, last = recent[0], recent[-1]
    shrinking = math.log(first.step_se / last.step_se)
    if shrinking <= 0:
        return None
    ahead = max(0.0, math.log(last.step_se / tolerance)) / shrinking
    return last.seconds + ahead * (last.seconds - first.seconds)
