"""What stands at the side of every page: audience, data, active fit, and the running fit with Cancel."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st
from fit_choices import name_fits
from reading import Source, read
from session import Workspace, current, keep, remember
from words import AUDIENCES, Words, count

DATA_VARIABLE = "IRTVI_APP_DATA"
"""Environment variable with the path of a file that new sessions open."""


def sidebar(shows_jobs: bool) -> None:
    """Draw it; ``shows_jobs`` is False where the page itself follows the queue: two clocks would race."""
    workspace = current()
    _open_given_file(workspace)
    with st.sidebar:
        st.markdown("### irtvi")
        key = remember(workspace, "audience", AUDIENCES[0])
        keep(workspace, "audience", st.radio("Words for", AUDIENCES, key=key, horizontal=True))
        words = words_of(workspace)
        name_fits(workspace, words)
        _data(workspace, words)
        _active_fit(workspace, words)
        if shows_jobs and workspace.queue.alive:
            st.fragment(_tasks, run_every=1.0)(workspace, [task.id for task in workspace.queue.alive])


def words_of(workspace: Workspace) -> Words:
    """Words of the audience that the session chose, also before the side has been drawn anew."""
    return Words(st.session_state.get("kept-audience") or workspace.remembered.get("audience", AUDIENCES[0]))


def _open_given_file(workspace: Workspace) -> None:
    path = os.environ.get(DATA_VARIABLE)
    if path and workspace.source is None and "given" not in workspace.remembered:
        workspace.remembered["given"] = path
        if Path(path).is_file():
            workspace.open(Source.from_path(path))
            assert workspace.source is not None
            workspace.reading = read(workspace.source, workspace.choices)


def _data(workspace: Workspace, words: Words) -> None:
    reading = workspace.reading
    if workspace.source is None or reading is None:
        st.caption("No data yet.")
    elif reading.responses is None:
        st.caption(f"**{_plain(workspace.source.name)}** could not be read yet.")
    else:
        responses = reading.responses
        people = count(responses.n_persons, words["person"], words["persons"])
        st.caption(
            f"**{_plain(workspace.source.name)}**  \n{people}, "
            f"{count(responses.n_items, words['item'], words['items'])}"
        )


def _active_fit(workspace: Workspace, words: Words) -> None:
    fits = workspace.fits
    if not fits:
        return
    active = workspace.active
    assert active is not None
    by_id = {job.id: job for job in fits}
    key = "active-fit"
    if st.session_state.get(key) not in by_id or st.session_state.get("active-fit-of") != active.id:
        st.session_state[key] = active.id
    chosen = st.selectbox(
        f"Shown {words['fit']}",
        list(by_id),
        format_func=lambda identity: by_id[identity].label,
        key=key,
    )
    workspace.active_id = st.session_state["active-fit-of"] = chosen


def _tasks(workspace: Workspace, shown: list[str]) -> None:
    alive = workspace.queue.alive
    if [task.id for task in alive] != shown:
        st.rerun()
    task = alive[0]
    doing = {"queued": "Waiting", "running": "Running", "stopping": "Stopping"}.get(task.state, task.state)
    st.progress(task.share, text=f"{doing}: {task.label} ({task.elapsed:.0f} of about {task.predicted:.0f} s)")
    if len(alive) > 1:
        st.caption(f"{len(alive) - 1} more waiting")
    st.button(
        "Cancel",
        key="cancel-side",
        disabled=task.state == "stopping",
        width="stretch",
        on_click=workspace.queue.cancel,
    )


def _plain(name: str) -> str:
    return "".join("\\" + c if c in "\\`*_{}[]()#+-.!<>|$:~" else c for c in name)
