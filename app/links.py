"""Links to other pages, in the colour of links: Streamlit's own look like plain text."""

from __future__ import annotations

import streamlit as st


def link(page: str, label: str) -> None:
    """Lead to a page of `app/views`."""
    st.page_link(f"views/{page}.py", label=f":blue[{label}]")
