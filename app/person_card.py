"""One person: the score, where it stands, and the answers that surprise."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
from choosing import choose_one
from figures import kept, show
from jobs import Job
from session import Workspace
from words import Words, chance, count, number

from irtvi import plots
from irtvi.diagnostics.person_answers import person_answers

SURPRISING = 0.2
"""Answers count as surprising where the model gives less than this chance to one that is no likelier."""


def person_card(workspace: Workspace, job: Job, table: pd.DataFrame, cut: float, words: Words) -> None:
    """Choose a person and show the card; ``cut`` is the cut score of the page."""
    result = job.result
    assert result is not None
    st.subheader(f"One {words['person']}")
    place = choose_one(workspace, table.index, words["person"], "person")
    if place is None:
        return
    row = table.iloc[place]
    cells = [*st.columns(3), *st.columns(3)]
    cells[0].metric(words["Ability"], number(row["theta"]), help=f"± {row['sd']:.2f}")
    cells[1].metric(words["interval"].capitalize(), f"{number(row['lower'])} to {number(row['upper'])}")
    cells[2].metric(words["P(cut)"], chance(row["probability_above"]))
    cells[3].metric("Better than", "–" if np.isnan(row["percentile_sample"]) else f"{row['percentile_sample']:.0f}%",
                    help=f"of the {words['persons']} of these data")  # fmt: skip
    ranked = pd.notna(row["rank"])
    cells[4].metric(
        words["place"], f"{row['rank_lower']:,.0f} to {row['rank_upper']:,.0f}" if ranked else "–",
        help=f"1 is the highest of {table['rank'].count():,}; 95 % likely to lie between these.",
    )  # fmt: skip
    if row["status"]:
        st.info(words.sentence(str(row["status"])))
    person = table.index[place]
    drawn = kept(workspace, ("posterior", job.id, place, cut), partial(plots.person_posterior, cut=cut))
    show(drawn, result, person, words=words, key="person-posterior")
    answers = workspace.cached(("answers", job.id, place), lambda: person_answers(result, person)).astype({"item": str})
    if answers.empty:
        return
    same = (pd.to_numeric(answers["answer"], errors="coerce") == answers["points"]).all()
    odd = answers[answers["as_unlikely"] < SURPRISING]
    st.caption(
        f"{count(len(answers), 'answer', 'answers')}, {len(odd)} of them surprising: so unlikely for somebody with "
        f"this {words['ability']} that such answers come up less than {SURPRISING:.0%} of the time."
    )
    st.dataframe(
        answers.drop(columns=["as_unlikely", "points"] if same else "as_unlikely"),
        hide_index=True,
        width="stretch",
        height=min(320, 38 + 35 * max(2, len(answers))),
        alt=f"Answers of one {words['person']}, the least expected first.",
        column_config={
            "item": words["item"].capitalize(),
            "answer": "Answer",
            "points": st.column_config.NumberColumn("Points", format="%g"),
            "chance": st.column_config.NumberColumn("How likely", format="percent"),
        },
    )
