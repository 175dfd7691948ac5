"""Choose one person or item: from a list, or by its id where a list would be too long."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st
from session import Workspace, keep, remember

MOST_IN_LIST = 2_000


def choose_one(workspace: Workspace, ids: pd.Index, word: str, name: str, hint: str | None = None) -> int | None:
    """Place of the one that is chosen; None if none is.

    Parameters
    ----------
    word : what each of them is called
    name : under which the session remembers the choice
    hint : shown beside the label
    """
    label = f"Which {word}"
    if len(ids) <= MOST_IN_LIST:
        key = remember(workspace, name, 0)
        if not 0 <= st.session_state[key] < len(ids):
            st.session_state[key] = 0
        place = st.selectbox(label, range(len(ids)), key=key, format_func=lambda k: str(ids[k]), help=hint)
        return keep(workspace, name, place)
    key = remember(workspace, f"{name}-id", "")
    text = st.text_input(label, key=key, placeholder=f"an id, such as {ids[0]}", help=hint)
    keep(workspace, f"{name}-id", text)
    if not text:
        return None
    found = np.flatnonzero(ids.astype(str) == text.strip())
    if not len(found):
        st.warning(f"There is no {word} {text.strip()!r}.")
        return None
    return int(found[0])


def follow(workspace: Workspace, ids: pd.Index, name: str, clicks: tuple[str | None, ...]) -> None:
    """Let the newest click in tables or figures decide; to be called before `choose_one`.

    Parameters
    ----------
    clicks : the id that is chosen in each of them, as text
    """
    before = st.session_state.get(f"{name}-clicks", (None,) * len(clicks))
    st.session_state[f"{name}-clicks"] = clicks
    changed = [new for new, old in zip(clicks, before, strict=True) if new != old and new is not None]
    if not changed:
        return
    found = np.flatnonzero(ids.astype(str) == changed[0])
    if not len(found):
        return
    if len(ids) <= MOST_IN_LIST:
        workspace.remembered[name] = int(found[0])
        st.session_state.pop(f"kept-{name}", None)
    else:
        workspace.remembered[f"{name}-id"] = changed[0]
        st.session_state.pop(f"kept-{name}-id", None)
