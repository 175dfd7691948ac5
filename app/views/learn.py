"""Learn: what a, b, c and u do to a curve."""

from __future__ import annotations

import streamlit as st
from figures import show
from session import current
from sidebar import words_of
from words import Words

from irtvi.plots.formula import formula
from irtvi.results.formula import formula_table

REFERENCE = {"a": 1.0, "b": 0.0, "c": 0.0, "u": 1.0}


def page() -> None:
    words = words_of(current())
    st.title("Learn")
    one = f"{'an' if words['item'] == 'item' else 'a'} {words['item']}"
    st.markdown(
        f"A {words['person']} answers {one} rightly with a chance that grows with {words['ability']}. "
        "Move the sliders and see how."
    )
    left, right = st.columns([1, 2], gap="large")
    with left:
        chosen = _sliders(words)
        if chosen["c"] >= chosen["u"]:
            st.warning("The lower end must lie below the upper one.")
            return
        name = "yours" if words.plain else ", ".join(f"{k} = {v:g}" for k, v in chosen.items())
        at_zero = formula_table("4pl", chosen).set_index("theta")["probability"].loc[0.0]
        st.metric("Chance of somebody average", f"{at_zero:.0%}")
    tables = {name: formula_table("4pl", chosen), "comparison": formula_table("4pl", REFERENCE)}
    with right:
        show(formula, tables, words=words, key="learn")
        show(formula, tables, words=words, key="learn-information", what="information")
        if words.plain:
            st.caption(
                "The lower figure shows where the question measures: it says most about students whose ability is near "
                "its difficulty."
            )
        else:
            st.latex(r"P = c + (u - c)\,\frac{1}{1 + e^{-a(\theta - b)}}")


def _sliders(words: Words) -> dict[str, float]:
    plain = words.plain
    return {
        "a": st.slider("How well it tells apart" if plain else "a: discrimination", -1.0, 4.0, 1.0, 0.1, key="learn-a"),
        "b": st.slider("Difficulty" if plain else "b: difficulty", -3.0, 3.0, 0.0, 0.1, key="learn-b"),
        "c": st.slider("Guessing" if plain else "c: lower asymptote", 0.0, 0.9, 0.0, 0.01, key="learn-c"),
        "u": st.slider("Best reachable chance" if plain else "u: upper asymptote", 0.1, 1.0, 1.0, 0.01, key="learn-u"),
    }


page()
