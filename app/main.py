"""The dashboard's frame: pages, audience, and what every page shows at its side.

Streamlit puts this folder on the import path, so that the pages find ``session``, ``jobs`` and the others from a
checkout and from an installed package alike.
"""

from __future__ import annotations

import streamlit as st
from sidebar import sidebar

PAGES = {
    "data": "Data",
    "fit": "Fit",
    "overview": "Overview",
    "abilities": "Abilities",
    "items": "Items",
    "compare": "Compare",
    "export": "Export",
    "learn": "Learn",
}

st.set_page_config(page_title="irtvi", layout="wide", initial_sidebar_state="expanded")
pages = [
    st.Page(f"views/{file}.py", title=title, default=file == "data", url_path=None if file == "data" else file)
    for file, title in PAGES.items()
]
page = st.navigation(pages)
sidebar()
page.run()
