"""One person: the score, where it stands, and the answers that surprise."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import streamlit as st
from jobs import Job
from session import Workspace, keep, remember
from words import Words

from irtvi import Responses, Result

MOST_IN_LIST = 2_000
SURPRISING = 0.2
"""Answers to which the model gives less than this chance are marked."""


def person_card(workspace: Workspace, job: Job, table: pd.DataFrame, words: Words) -> None:
    """Choose a person and show the card."""
    result = job.result
    assert result is not None
    st.subheader(f"One {words['person']}")
    place = _choose(workspace, table.index, words)
    if place is None:
        return
    row = table.iloc[place]
    cells = st.columns(4)
    cells[0].metric(words["Ability"], f"{row['theta']:.2f}", help=f"± {row['sd']:.2f}")
    cells[1].metric(words["interval"].capitalize(), f"{row['lower']:.2f} to {row['upper']:.2f}")
    cells[2].metric(words["P(cut)"], f"{row['probability_above']:.0%}")
    cells[3].metric("Better than", "–" if np.isnan(row["percentile_sample"]) else f"{row['percentile_sample']:.0f} %",
                    help=f"of the {words['persons']} of these data")  # fmt: skip
    if row["status"]:
        st.info(words.sentence(str(row["status"])))
    answers = workspace.cached(("answers", job.id, place), lambda: answers_of(result, place, float(row["theta"])))
    if answers.empty:
        return
    odd = answers[answers["chance"] < SURPRISING]
    st.caption(
        f"{len(answers)} answers, {len(odd)} of them surprising: less than {SURPRISING:.0%} likely for "
        f"somebody with this {words['ability']}."
    )
    st.dataframe(
        answers,
        hide_index=True,
        width="stretch",
        height=min(320, 38 + 35 * max(2, len(answers))),
        column_config={
            "item": words["item"].capitalize(),
            "answer": "Answer",
            "points": st.column_config.NumberColumn("Points", format="%g"),
            "chance": st.column_config.NumberColumn("How likely", format="percent"),
        },
    )


def answers_of(result: Result, place: int, theta: float) -> pd.DataFrame:
    """A person's answers, the least expected first.

    Columns: item, answer (as in the data), points, chance (the model's probability of this answer at the person's
    point estimate; of a measured answer that of one at least as far from the expected, by its mean and sd).
    """
    responses = result.responses_of(None)
    own = responses.subset(persons=np.array([place]))
    _, items, raw = (part.cpu().numpy() for part in own.raw().pairs())
    if not len(items):
        return pd.DataFrame(columns=["item", "answer", "points", "chance"])
    ids = own.item_ids[items]
    measured = result.model.measured.cpu().numpy()
    rows = _measured_rows(result, own, theta)
    coded = [item for item, j in zip(ids, items, strict=True) if not measured[j]]
    curves = result.curves(coded, theta=[theta], what="probability") if coded else pd.DataFrame({"item": []})
    chances = {item: own["value"].to_numpy() for item, own in curves.groupby("item", sort=False)}
    for item, j, code in zip(ids, items, raw, strict=True):
        if measured[j]:
            continue
        coding = responses.codings[j]
        score = coding.scores[code]
        row = code if result.item_models[j].uses == "raw" else score
        rows.append((str(item), str(coding.categories[code]), coding.values[score], float(chances[item][row])))
    table = pd.DataFrame(rows, columns=["item", "answer", "points", "chance"])
    return table.sort_values("chance", kind="stable", ignore_index=True)


def _measured_rows(result: Result, own: Responses, theta: float) -> list[tuple[str, str, float, float]]:
    numbers = own.numbers(np.flatnonzero(result.model.measured.cpu().numpy()).tolist())
    rows = []
    for j, value in zip(numbers.items.tolist(), numbers.values.tolist(), strict=True):
        item = own.item_ids[j]
        mean, sd = (result.curves(item, theta=[theta], what=what)["value"].iloc[0] for what in ("expected", "sd"))
        rows.append((str(item), f"{value:g}", value, math.erfc(abs(value - mean) / sd / math.sqrt(2))))
    return rows


def _choose(workspace: Workspace, ids: pd.Index, words: Words) -> int | None:
    label = f"Which {words['person']}"
    if len(ids) <= MOST_IN_LIST:
        key = remember(workspace, "person", 0)
        if not 0 <= st.session_state[key] < len(ids):
            st.session_state[key] = 0
        place = st.selectbox(label, range(len(ids)), key=key, format_func=lambda k: str(ids[k]))
        return keep(workspace, "person", place)
    key = remember(workspace, "person-id", "")
    text = keep(workspace, "person-id", st.text_input(label, key=key, placeholder=f"an id, such as {ids[0]}"))
    if not text:
        return None
    found = np.flatnonzero(ids.astype(str) == text.strip())
    if not len(found):
        st.warning(f"There is no {words['person']} {text.strip()!r}.")
        return None
    return int(found[0])
