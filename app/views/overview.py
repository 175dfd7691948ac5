"""Overview: what there is, how good it is, and what to look at."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st
from escaping import plain
from figures import kept, show_below
from links import link
from session import current
from sidebar import words_of
from states import needs_fit
from words import Words, count

from irtvi import Result, plots
from irtvi.diagnostics.flags import item_flags, person_flags
from irtvi.plots.difficulties import has_difficulties

EMPIRICAL = "Empirical: var(EAP) / (var(EAP) + mean posterior variance), over those who answered."


def page() -> None:
    workspace = current()
    words = words_of(workspace)
    st.title("Overview")
    job = needs_fit(workspace, words)
    if job is None or job.result is None:
        return
    result = job.result
    _cards(result, words)
    people_and_items = kept(workspace, ("map", job.id), plots.person_item_map)
    precision = kept(workspace, ("test-information", job.id), plots.test_information)
    left, right = st.columns(2)
    with left:
        if has_difficulties(result):
            show_below(words["map"], people_and_items, result, words=words, key="map")
        else:
            show_below(words["Abilities"], plots.abilities, result, words=words, key="map")
    with right:
        show_below(words["information"], precision, result, words=words, key="information")
    # Asked for, because the certificates of a hundred thousand people take seconds.
    if not words.plain and st.toggle("All facts about this fit", key="facts"):
        facts = workspace.cached(("facts", job.id), lambda: result.summary().facts)
        table = pd.DataFrame(facts, columns=["", "value"])
        st.dataframe(table, hide_index=True, width="stretch", alt="All facts about this fit.")


def _cards(result: Result, words: Words) -> None:
    items, persons = result.items, result.abilities
    answered = int(np.count_nonzero(persons["n_answered"] > 0))
    odd_items, odd_persons = item_flags(result), person_flags(result)
    reliability = float(result.reliability.to_dict()["empirical"])
    cards = st.columns(5)
    with cards[0].container(border=True, height="stretch"):
        st.metric(words["Persons"], f"{len(persons):,}")
        st.caption(f"{count(answered, words['person'], words['persons'])} answered something.")
        link("abilities", f"See all {words['abilities']}")
    with cards[1].container(border=True, height="stretch"):
        st.metric(words["Items"], f"{len(items):,}")
        st.caption(_about_answers(items, words))
        link("items", f"See all {words['items']}")
    with cards[2].container(border=True, height="stretch"):
        st.metric("Reliability", f"{reliability:.2f}", help=None if words.plain else EMPIRICAL)
        st.caption(_about_reliability(reliability, words))
    with cards[3].container(border=True, height="stretch"):
        st.metric(f"{words['Items']} to look at", f"{len(odd_items):,}")
        st.caption(_about(odd_items, words["item"], words["items"], words))
        if len(odd_items):
            link("items", "Look at them")
    with cards[4].container(border=True, height="stretch"):
        st.metric(f"{words['Persons']} to look at", f"{len(odd_persons):,}")
        st.caption(_about(odd_persons, words["person"], words["persons"], words))
        if len(odd_persons):
            link("abilities", "Look at them")


def _about_answers(items: pd.DataFrame, words: Words) -> str:
    n_answered = items["n_answered"].to_numpy()
    whose = "Each" if n_answered.min() == n_answered.max() else f"A typical {words['item']}"
    people = count(float(np.median(n_answered)), words["person"], words["persons"])
    return f"{whose} was answered by {people}" + ("." if words.plain or whose == "Each" else " (median).")


def _about_reliability(value: float, words: Words) -> str:
    if value >= 0.9:
        judged = f"enough to decide about a single {words['person']}"
    elif value >= 0.7:
        judged = "enough for groups, with care for a single " + words["person"]
    else:
        judged = f"too little to tell {words['persons']} apart one by one"
    return f"{value:.0%} of the differences between scores are real: {judged}."


def _about(flagged: pd.Series, one: str, many: str, words: Words) -> str:
    if flagged.empty:
        return "Nothing stands out."
    reason = plain(words.sentence(flagged.iloc[0]), 200)
    if len(flagged) == 1:
        return f"{one.capitalize()} {plain(flagged.index[0], 30)}: {reason}"
    return f"{count(len(flagged), one, many)}, such as {one} {plain(flagged.index[0], 30)}: {reason}"


page()
