"""What one browser session holds, kept in the process under a random token in the address.

A reload, or a network that blinks, loses nothing: the token finds the data, the fits and the choices again. Who does
not know a token sees none of them.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from jobs import Job
from predicting import HeldOut
from reading import Choices, Reading, Source
from tasks import Queue

TIME_TO_LIVE = 4 * 3600.0
"""Seconds for which an unused session is kept."""

MAX_SESSIONS = 200
PARAMETER = "session"


@dataclass(eq=False)
class Workspace:
    """Data, fits and choices of one session."""

    token: str
    seen: float = field(default_factory=time.monotonic)
    source: Source | None = None
    choices: Choices = field(default_factory=Choices)
    reading: Reading | None = None
    item_types: dict[Hashable, str] = field(default_factory=dict)
    queue: Queue = field(default_factory=Queue)
    active_id: str | None = None
    remembered: dict[str, Any] = field(default_factory=dict)
    computed: dict[Hashable, Any] = field(default_factory=dict)
    """Tables that pages asked for, under the fit and the settings that they came from."""

    @property
    def fits(self) -> list[Job]:
        """Fits of the present data that have a result."""
        jobs = [task for task in self.queue.tasks if isinstance(task, Job)]
        return [job for job in jobs if job.result is not None and job.data_key == self.data_key]

    @property
    def active(self) -> Job | None:
        """The fit that the pages show."""
        fits = self.fits
        return next((job for job in fits if job.id == self.active_id), fits[-1] if fits else None)

    def held_out(self, fits: Sequence[Job]) -> HeldOut | None:
        """The newest prediction of answers that were set aside by the models of these fits."""
        tasks = [task for task in self.queue.tasks if isinstance(task, HeldOut) and task.compares(fits)]
        return tasks[-1] if tasks else None

    @property
    def data_key(self) -> str:
        """Which reading of which file is in use."""
        return self.reading.key if self.reading else ""

    def open(self, source: Source) -> None:
        """Begin with new data; fits of the old are cancelled and forgotten."""
        self.queue.clear()
        self.computed.clear()
        self.item_types.clear()
        self.active_id = None
        self.source, self.choices, self.reading = source, Choices(), None

    def cached(self, key: Hashable, make: Any) -> Any:
        """The value under a key, made if it is not there."""
        if key not in self.computed:
            if len(self.computed) > 64:
                self.computed.pop(next(iter(self.computed)))
            self.computed[key] = make()
        return self.computed[key]


class Store:
    """All sessions of the process."""

    def __init__(self, time_to_live: float = TIME_TO_LIVE, max_sessions: int = MAX_SESSIONS) -> None:
        self._time_to_live, self._max_sessions = time_to_live, max_sessions
        self._workspaces: dict[str, Workspace] = {}
        self._lock = threading.Lock()

    def find(self, token: str | None) -> Workspace | None:
        """The session with this token, if there is one; it counts as used now."""
        with self._lock:
            self._sweep()
            workspace = self._workspaces.get(token or "")
            if workspace is not None:
                workspace.seen = time.monotonic()
            return workspace

    def new(self) -> Workspace:
        """A fresh session under a token that nobody can guess."""
        workspace = Workspace(secrets.token_urlsafe(24))
        with self._lock:
            self._workspaces[workspace.token] = workspace
        return workspace

    def _sweep(self) -> None:
        oldest = time.monotonic() - self._time_to_live
        idle = sorted((w for w in self._workspaces.values() if not w.queue.alive), key=lambda w: w.seen)
        surplus = max(0, len(self._workspaces) - self._max_sessions)
        for place, workspace in enumerate(idle):
            if workspace.seen < oldest or place < surplus:
                del self._workspaces[workspace.token]


STORE = Store()


def current() -> Workspace:
    """The workspace of the page that is being drawn."""
    workspace = STORE.find(st.session_state.get(PARAMETER)) or STORE.find(st.query_params.get(PARAMETER)) or STORE.new()
    st.session_state[PARAMETER] = workspace.token
    if st.query_params.get(PARAMETER) != workspace.token:
        st.query_params[PARAMETER] = workspace.token
    return workspace


def remember(workspace: Workspace, name: str, default: Any) -> str:
    """Key of a widget whose value outlives its page and a reload; `keep` stores what the widget gave."""
    key = f"kept-{name}"
    if key not in st.session_state:
        st.session_state[key] = workspace.remembered.get(name, default)
    return key


def keep(workspace: Workspace, name: str, value: Any) -> Any:
    """Store the value of a widget made with `remember`, and give it back."""
    workspace.remembered[name] = value
    return value
