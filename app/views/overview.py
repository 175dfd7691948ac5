"""Overview: what there is, how good it is, and what to look at."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st
from figures import show_below
from flags import item_flags, person_flags
from session import current
from sidebar import words_of
from states import needs_fit
from words import Words, count

from irtvi import Result, plots


def page() -> None:
    workspace = current()
    words = words_of(workspace)
    st.title("Overview")
    job = needs_fit(workspace, words)
    if job is None or job.result is None:
        return
    result = job.result
    _cards(result, words)
    left, right = st.columns(2)
    with left:
        show_below(words["map"], plots.person_item_map, result, words=words, key="map")
    with right:
        show_below(words["information"], plots.test_information, result, words=words, key="information")
    if not words.plain:
        with st.expander("All facts about this fit"):
            facts = pd.DataFrame(result.summary().facts, columns=["", "value"])
            st.dataframe(facts, hide_index=True, width="stretch")


def _cards(result: Result, words: Words) -> None:
    items, persons = result.items, result.abilities
    answered = int(np.count_nonzero(persons["n_answered"] > 0))
    odd_items, odd_persons = item_flags(result), person_flags(result)
    reliability = float(result.reliability.to_dict()["empirical"])
    cards = st.columns(5)
    with cards[0].container(border=True):
        st.metric(words["Persons"], f"{len(persons):,}")
        st.caption(f"{count(answered, words['person'], words['persons'])} answered something.")
        st.page_link("views/abilities.py", label=f"See all {words['abilities']}")
    with cards[1].container(border=True):
        st.metric(words["Items"], f"{len(items):,}")
        st.caption(f"Each was answered by {items['n_answered'].median():,.0f} {words['persons']} (median).")
        st.page_link("views/items.py", label=f"See all {words['items']}")
    with cards[2].container(border=True):
        st.metric(words["reliability"].capitalize(), f"{reliability:.2f}")
        st.caption(_about_reliability(reliability, words))
    with cards[3].container(border=True):
        st.metric(f"{words['Items']} to look at", f"{len(odd_items):,}")
        st.caption(_about(odd_items, words["item"], words["items"]))
        if len(odd_items):
            st.page_link("views/items.py", label="Look at them")
    with cards[4].container(border=True):
        st.metric(f"{words['Persons']} to look at", f"{len(odd_persons):,}")
        st.caption(_about(odd_persons, words["person"], words["persons"]))
        if len(odd_persons):
            st.page_link("views/abilities.py", label="Look at them")


def _about_reliability(value: float, words: Words) -> str:
    if value >= 0.9:
        judged = f"enough to decide about a single {words['person']}"
    elif value >= 0.7:
        judged = "enough for groups, with care for a single " + words["person"]
    else:
        judged = f"too little to tell {words['persons']} apart one by one"
    return f"{value:.0%} of the differences between scores are real: {judged}."


def _about(flagged: pd.Series, one: str, many: str) -> str:
    if flagged.empty:
        return "Nothing stands out."
    return f"{count(len(flagged), one, many)}, such as {str(flagged.index[0])[:30]}: {flagged.iloc[0]}"


page()
