"""Abilities: everybody's score with its uncertainty, the cut score, and one person in detail."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from figures import show
from person_card import person_card
from scores import SCALES, cut_and_reference, scale_names, scores_of
from session import Workspace, current, keep, remember
from sidebar import words_of
from states import needs_fit
from words import Words

from irtvi import Result, plots
from irtvi.diagnostics.flags import person_flags
from irtvi.results.score_report import OPEN, around_cut

_SHOWN = ("theta", "sd", "sd_items", "lower", "upper", "percentile_population", "percentile_sample",
          "probability_above", "rank_lower", "rank_upper", "sum_score", "n_answered", "status")  # fmt: skip

# Rows that are sent at once; of longer tables the browser asks for what it shows.
MOST_SENT = 5_000

_DIGITS = {
    "n_answered": "%d", "rank_lower": "%d", "rank_upper": "%d", "sum_score": "%g", "t_score": "%.1f", "t_sd": "%.1f",
    "scale500": "%.0f", "scale500_sd": "%.0f",
}  # fmt: skip


def page() -> None:
    workspace = current()
    words = words_of(workspace)
    st.title(words["Abilities"])
    job = needs_fit(workspace, words)
    if job is None or job.result is None:
        return
    result = job.result
    cut, reference = cut_and_reference(workspace, job, words)
    table = scores_of(job, cut, reference)
    _summary(result, table, words)
    left, right = st.columns(2)
    with left:
        show(plots.abilities, result, words=words, key="abilities", cut=cut)
    with right:
        show(plots.caterpillar, result, words=words, key="caterpillar")
    _table(workspace, result, table, words)
    person_card(workspace, job, table, cut, words)


def _summary(result: Result, table: pd.DataFrame, words: Words) -> None:
    found = around_cut(table)
    cells = st.columns(3)
    cells[0].metric(
        f"Expected above the {words['cut'].partition(' (')[0]}",
        f"{found.expected_above:,.1f}",
        help=f"Sum of each {words['person']}'s chance.",
    )
    low, high = (f"{chance:.0%}" for chance in OPEN)
    cells[1].metric("Too close to call", f"{found.n_open:,}", help=f"Chance of being above between {low} and {high}.")
    cells[2].metric(f"{words['Persons']} to look at", f"{len(person_flags(result)):,}")


def _table(workspace: Workspace, result: Result, table: pd.DataFrame, words: Words) -> None:
    st.subheader("Table")
    key = remember(workspace, "scale", SCALES[0])
    names = scale_names(result, words)
    scale = st.radio("Scale", SCALES, key=key, format_func=names.__getitem__, horizontal=True)
    keep(workspace, "scale", scale)
    columns = [name for name in _SHOWN if words.shows(name)]
    if scale != "theta":
        spread = "t_sd" if scale == "t_score" else "scale500_sd"
        columns = [scale, spread, *[c for c in columns if c not in ("theta", "sd", "sd_items", "lower", "upper")]]
    shown = table[columns].copy()
    # The browser shows the sign of what rounds to zero.
    signed = [name for name in ("theta", "lower", "upper") if name in columns]
    shown[signed] = shown[signed].round(2) + 0.0
    shown.index = shown.index.astype(str)
    shown.index.name = words["person"].capitalize()
    st.dataframe(
        shown,
        width="stretch",
        height=min(420, 38 + 35 * max(2, len(shown))),
        lazy=len(shown) > MOST_SENT,
        placeholder="–",
        alt=f"{words['Abilities']}: one row for each {words['person']}.",
        column_config={name: _column(name, words) for name in columns},
    )


def _column(name: str, words: Words):
    label = words.column(name)
    if name == "probability_above":
        return st.column_config.ProgressColumn(label, min_value=0.0, max_value=1.0, format="percent")
    if name.startswith("percentile"):
        return st.column_config.NumberColumn(label, format="%.1f")
    if name == "status":
        return st.column_config.TextColumn(label)
    return st.column_config.NumberColumn(label, format=_DIGITS.get(name, "%.2f"))


page()
