"""Learn: what a, b, c, u and thresholds do to curves."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from figures import show
from session import current
from sidebar import words_of
from words import Words

from irtvi.errors import SpecificationError
from irtvi.models.items import ITEM_MODELS
from irtvi.plots.formula import formula, formula_categories
from irtvi.results.formula import category_table, formula_table, models_of_thresholds

RIGHT_OR_WRONG = "4pl"
REFERENCE = {"a": 1.0, "b": 0.0, "c": 0.0, "u": 1.0}
# Answers of an item with steps, and the distance of neighbouring thresholds before they are moved.
FEWEST, MOST = 3, 7
SPREAD = 1.0


def page() -> None:
    words = words_of(current())
    st.title("Learn")
    kinds = [RIGHT_OR_WRONG, *models_of_thresholds(FEWEST)]
    kind = st.selectbox(
        f"Kind of {words['item']}", kinds, key="learn-kind", format_func=lambda name: _kind(name, words)
    ) or RIGHT_OR_WRONG  # fmt: skip
    if kind == RIGHT_OR_WRONG:
        _right_or_wrong(words)
    else:
        _steps(kind, words)


def _kind(name: str, words: Words) -> str:
    if name == RIGHT_OR_WRONG:
        return "Right or wrong" if words.plain else "Right or wrong (4PL: a, b, c, u)"
    return words.model(name)


def _right_or_wrong(words: Words) -> None:
    one = f"{'an' if words['item'] == 'item' else 'a'} {words['item']}"
    st.markdown(
        f"A {words['person']} answers {one} correctly with a chance that grows with {words['ability']}. "
        "Move the sliders and see how."
    )
    left, right = st.columns([1, 2], gap="large")
    with left:
        chosen = _sliders(words)
        if chosen["c"] >= chosen["u"]:
            lower, upper = ("“Guessing”", "“Best reachable chance”") if words.plain else ("c", "u")
            right.warning(f"{lower} must be smaller than {upper}: move one of the two.")
            return
        name = "yours" if words.plain else ", ".join(f"{k} = {v:g}" for k, v in chosen.items())
        at_zero = formula_table(RIGHT_OR_WRONG, chosen).set_index("theta")["probability"].loc[0.0]
        st.metric(f"Chance of an average {words['person']}", f"{at_zero:.0%}")
    tables = {name: formula_table(RIGHT_OR_WRONG, chosen), "comparison": formula_table(RIGHT_OR_WRONG, REFERENCE)}
    with right:
        show(formula, tables, words=words, key="learn")
        _precision(tables, "its difficulty", words)
        if not words.plain:
            st.latex(r"P = c + (u - c)\,\frac{1}{1 + e^{-a(\theta - b)}}")


def _steps(model: str, words: Words) -> None:
    st.markdown(
        f"Each answer stands for more than the one before. The more {words['ability']} a {words['person']} has, the "
        "higher the answer that is likely. Move the sliders and see how."
    )
    left, right = st.columns([1, 2], gap="large")
    with left:
        chosen, n_answers = _threshold_sliders(model, words)
    try:
        table = category_table(model, chosen, n_answers)
    except SpecificationError as error:
        right.warning("Each step must be harder than the one before." if words.plain else words.sentence(str(error)))
        return
    average = table.loc[table["theta"] == 0.0]
    expected = (average["category"] * average["probability"]).sum()
    left.metric(f"Average answer of an average {words['person']}", f"{expected:.2f}")
    total = table.groupby("theta", as_index=False).agg({"information": "sum"})
    name = "yours" if words.plain else ", ".join(f"{k} = {v:g}" for k, v in chosen.items())
    with right:
        show(formula_categories, table, words=words, key="learn")
        _precision({name: total}, "the difficulty of one of its steps", words)


def _precision(tables: dict[str, pd.DataFrame], place: str, words: Words) -> None:
    show(formula, tables, words=words, key="learn-information", what="information")
    if words.plain:
        st.caption(
            "The lower figure shows where the question measures: it says most about students whose ability is close to "
            f"{place}."
        )


def _threshold_sliders(model: str, words: Words) -> tuple[dict[str, float], int]:
    plain = words.plain
    n_answers = st.slider("Number of answers", FEWEST, MOST, 4, key="learn-answers")
    chosen = {"a": 1.0}
    if any(spec.name == "a" for spec in ITEM_MODELS[model].parameters):
        label = "How well it tells apart" if plain else "a: discrimination"
        chosen["a"] = st.slider(label, 0.1, 4.0, 1.0, 0.1, key="learn-steps-a")
    middle = (n_answers - 2) / 2
    for k in range(n_answers - 1):
        label = f"Difficulty of step {k + 1}" if plain else f"b{k + 1}: threshold of answer {k + 1}"
        chosen[f"b{k + 1}"] = st.slider(
            label, -4.0, 4.0, SPREAD * (k - middle), 0.1, key=f"learn-b{k + 1}-of-{n_answers}"
        )
    return chosen, n_answers


def _sliders(words: Words) -> dict[str, float]:
    plain = words.plain
    return {
        "a": st.slider("How well it tells apart" if plain else "a: discrimination", -1.0, 4.0, 1.0, 0.1, key="learn-a"),
        "b": st.slider("Difficulty" if plain else "b: difficulty", -3.0, 3.0, 0.0, 0.1, key="learn-b"),
        "c": st.slider("Guessing" if plain else "c: lower asymptote", 0.0, 0.9, 0.0, 0.01, key="learn-c"),
        "u": st.slider("Best reachable chance" if plain else "u: upper asymptote", 0.1, 1.0, 1.0, 0.01, key="learn-u"),
    }


page()
