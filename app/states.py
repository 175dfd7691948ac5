"""What a page says when what it needs is not there yet."""

from __future__ import annotations

import streamlit as st
from jobs import Job
from links import link
from session import Workspace
from words import Words


def needs_data(workspace: Workspace, words: Words) -> bool:
    """Whether there are data; otherwise the page says where they come from."""
    if workspace.reading is not None and workspace.reading.responses is not None:
        return True
    st.info("There are no data yet.")
    link("data", "Go to Data: try a sample or bring a file")
    return False


def needs_fit(workspace: Workspace, words: Words) -> Job | None:
    """The active fit; otherwise the page says how to get one."""
    if not needs_data(workspace, words):
        return None
    active = workspace.active
    if active is not None:
        if active.result is not None and not active.result.converged:
            st.warning("This " + words["fit"] + " did not come to its end; the numbers are the best that were reached.")
        return active
    if workspace.queue.alive:
        st.info(f"The {words['fit']} is still running; this page fills when it is done.")
    else:
        st.info(f"There is no {words['fit']} of these data yet.")
    link("fit", f"Go to {words['Fit']}")
    return None
