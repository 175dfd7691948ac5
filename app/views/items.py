"""Items: the table, the scatter, and one item in detail; a click in one selects in all."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from choosing import choose_one, follow
from figures import kept, pick, show
from jobs import Job
from session import Workspace, current
from sidebar import words_of
from states import needs_fit
from words import Words, count, number

from irtvi import Result, plots
from irtvi.diagnostics.flags import item_flags
from irtvi.plots.difficulties import has_difficulties
from irtvi.plots.item_curves import is_binary, is_ordered
from irtvi.results.formula import intercepts

MOST_OVERLAID, FIRST_OVERLAID = 7, 2
MOST_SPARKLINES = 1_000
SPARKLINE = np.linspace(-4, 4, 17)


def page() -> None:
    workspace = current()
    words = words_of(workspace)
    st.title(words["Items"])
    job = needs_fit(workspace, words)
    if job is None or job.result is None:
        return
    result = job.result
    flags = item_flags(result)
    if flags.empty:
        st.success(f"No {words['item']} stands out.")
    else:
        deserve = "deserves" if len(flags) == 1 else "deserve"
        st.warning(f"{count(len(flags), words['item'], words['items'])} {deserve} a look; the table says why.")
    from_scatter = None
    if has_difficulties(result):
        left, right = st.columns([3, 2])
        with left:
            from_table = _table(workspace, job, flags, words)
        with right:
            drawn = kept(workspace, ("scatter", job.id), plots.discrimination_difficulty)
            from_scatter = pick(drawn, result, words=words, key=f"scatter-{job.id}")
    else:
        from_table = _table(workspace, job, flags, words)
    ids = result.coding.item_ids
    follow(workspace, ids, "item", (from_table, from_scatter))
    st.subheader(f"One {words['item']}")
    hint = "Or click a row of the table, or a point of the figure."
    place = choose_one(workspace, ids, words["item"], "item", hint)
    if place is not None:
        _panel(workspace, job, ids[place], words)


def _table(workspace: Workspace, job: Job, flags: pd.Series, words: Words) -> str | None:
    assert job.result is not None
    table = job.result.items
    shown: pd.DataFrame = table.reindex(
        columns=[n for n in table.columns if words.shows(n) and n != "status" and not _is_certain(table, n)]
    )
    if words.plain:
        steps = [c for c in shown.columns if c[:1] in "bt" and c[1:].isdigit()]
        order = ["b", "difficulty", *steps, "a", "slope", "c", "u", "mean", "item_rest", "n_answered"]
        shown = shown.reindex(columns=[c for c in order if c in shown.columns])
    elif len(table) <= MOST_SPARKLINES:
        shown["information"] = _sparklines(workspace, job)
    shown["why"] = flags.map(words.sentence).reindex(table.index).fillna("")
    shown.index = shown.index.astype(str)
    shown.index.name = words["item"].capitalize()
    event: Any = st.dataframe(
        shown,
        key=f"item-table-{job.id}",
        on_select="rerun",
        selection_mode="single-row",
        width="stretch",
        height=min(480, 38 + 35 * max(2, len(shown))),
        alt=f"{words['Items']}: one row for each {words['item']}; a row that is chosen is shown below.",
        column_config={name: _column(name, pd.Series(shown[name]), words) for name in shown.columns},
    )
    rows = event.selection.rows
    return str(shown.index[rows[0]]) if rows else None


def _is_certain(table: pd.DataFrame, name: str) -> bool:
    """Whether a column has the sds of a parameter that was not estimated."""
    return name.endswith("_sd") and bool((table[name] == 0).all())


def _sparklines(workspace: Workspace, job: Job) -> pd.Series:
    """Information of each item over ability, as a list."""
    result = job.result
    assert result is not None

    def make() -> pd.Series:
        table = result.curves(theta=SPARKLINE, what="information")
        return pd.Series(table.groupby("item", sort=False)["value"].agg(list))

    return workspace.cached(("sparklines", job.id), make).reindex(result.items.index)


def _column(name: str, values: pd.Series, words: Words) -> Any:
    if name == "information":
        return st.column_config.LineChartColumn("Information", help="Over ability from -4 to 4.", y_min=0.0)
    label = "Why to look" if name == "why" else words.column(name)
    if not pd.api.types.is_numeric_dtype(values):
        return st.column_config.TextColumn(label)
    return st.column_config.NumberColumn(label, format="%d" if name == "n_answered" else "%.3f")


def _panel(workspace: Workspace, job: Job, item: Hashable, words: Words) -> None:
    result = job.result
    assert result is not None
    _facts(result, item, words)
    ordered = is_ordered(result, item)
    others = {
        other.label: other.result
        for other in workspace.fits
        if other is not job and other.result is not None and is_ordered(other.result, item)
    }
    chosen: list[str] = []
    if others and ordered:
        chosen = st.multiselect(
            "Beside it", list(others), default=list(others)[:FIRST_OVERLAID], max_selections=MOST_OVERLAID - 1,
            key=f"overlay-{job.id}-{words.audience}", help=f"Curves of other {words['fits']} of the same data.",
        )  # fmt: skip
    left, right = st.columns(2)
    with left:
        if not ordered:
            st.info("The answers to this " + words["item"] + " have no order; the figure shows each of them.")
        elif chosen:
            together = {job.label: result} | {name: others[name] for name in chosen}
            show(plots.icc_overlay, together, item, words=words, key="overlay")
        else:
            show(plots.icc, result, item, words=words, key="icc")
    # With two categories the curves of both say the same as the one.
    is_measured = bool(result.model.measured[result.coding.item_ids.get_loc(item)])  # pyright: ignore
    both = is_binary(result, item) and ordered and not is_measured
    with right:
        if both:
            show(plots.information, result, item, words=words, key="item-information")
        elif is_measured:
            scatter = "." if words.plain else ", and the table how far they scatter."
            st.info(f"Answers are measured: the figure shows what is expected{scatter}")
        else:
            show(plots.category_curves, result, item, words=words, key="categories")
    if not both and not words.plain:
        show(plots.information, result, item, words=words, key="item-information")


def _facts(result: Result, item: Hashable, words: Words) -> None:
    row = result.items.loc[item]
    facts = []
    for name in row.index:
        value = row[name]
        if name.endswith("_sd") or name in ("model", "status") or not isinstance(value, int | float) or pd.isna(value):
            continue
        spread = row.get(f"{name}_sd")
        sure = f" ± {spread:.2f}" if spread is not None and spread > 0 else ""
        if words.shows(name):
            facts.append(f"{words.column(name).strip()}: **{value:,.0f}**" if name == "n_answered" else
                         f"{words.column(name).strip()}: **{number(value)}**{sure}")  # fmt: skip
    intercept = intercepts(result.items).loc[item]
    if not words.plain and pd.notna(intercept):
        facts.append(f"intercept d = −a b: **{number(intercept)}**")
    st.markdown("  ·  ".join(facts))
    reason = item_flags(result).get(item, "")
    if reason:
        st.warning(words.sentence(str(reason)))


page()
