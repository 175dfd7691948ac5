"""The dashboard's frame: pages, audience, and what every page shows at its side.

Streamlit puts this folder on the import path, so that the pages find ``session``, ``jobs`` and the others from a
checkout and from an installed package alike.
"""

from __future__ import annotations

import streamlit as st
from session import current
from sidebar import sidebar, words_of

PAGES = ("data", "fit", "overview", "abilities", "items", "compare", "export", "learn")

st.set_page_config(page_title="irtvi", layout="wide", initial_sidebar_state="auto")
words = words_of(current())
pages = {
    name: st.Page(
        f"views/{name}.py",
        title=words.page(name),
        default=name == PAGES[0],
        url_path=None if name == PAGES[0] else name,
    )
    for name in PAGES
}
page = st.navigation(list(pages.values()))
sidebar(shows_jobs=page is not pages["fit"])
page.run()
