"""Export: scores, items, the saved model, and all that is needed to get the same numbers again."""

from __future__ import annotations

from functools import partial

import streamlit as st
from exporting import everything, manifest, safe_csv, saved_model, script
from jobs import Job
from scores import Reference, cut_and_reference, scores_of
from session import Workspace, current
from sidebar import words_of
from states import needs_fit
from words import Words

MANIFEST = ("Manifest", "Hash of the data, settings, versions, seed.")
DIGITS = 4


def page() -> None:
    workspace = current()
    words = words_of(workspace)
    st.title("Export")
    job = needs_fit(workspace, words)
    if job is None or job.result is None or workspace.source is None:
        return
    cut, reference = cut_and_reference(workspace, job, words)
    _files(workspace, job, cut, reference, words)
    with st.expander("The first rows of the scores", expanded=True):
        table = scores_of(job, cut, reference).head(10).copy()
        numbers = table.select_dtypes("float").columns
        # The browser would show -1e-9 with all its digits, and -0.0 with its sign.
        table[numbers] = table[numbers].round(DIGITS) + 0.0
        table.index = table.index.astype(str)
        if words.plain:
            table = table.rename(columns=words.column)
        st.dataframe(table, width="stretch", placeholder="–", alt=f"The first rows of the {words['abilities']}.")
        same = "In the file the columns stand in this order, under their technical names."
        st.caption(same if words.plain else _legend(words))
    with st.expander("The script"):
        st.code(script(workspace.source, workspace.choices, job, cut, reference), language="python")


def _files(workspace: Workspace, job: Job, cut: float, reference: Reference, words: Words) -> None:
    source, choices = workspace.source, workspace.choices
    assert source is not None
    assert job.result is not None
    result = job.result
    make = {
        "scores.csv": lambda: safe_csv(scores_of(job, cut, reference), "id"),
        "items.csv": lambda: safe_csv(result.items, "item"),
        "model.irtvi": partial(saved_model, job),
        "manifest.json": partial(manifest, source, choices, job, cut, reference),
        "reproduce.py": lambda: script(source, choices, job, cut, reference).encode(),
    }
    tools = "" if words.plain else ": irtvi score, or irtvi.load"
    said = {
        "scores.csv": (words["abilities"].capitalize(), f"One row for each {words['person']}, with your own ids."),
        "items.csv": (words["Items"], f"One row for each {words['item']}."),
        "model.irtvi": (f"Saved {words['fit']}", f"To score new {words['persons']} later{tools}."),
        "manifest.json": ("What was done", "File, settings and versions.") if words.plain else MANIFEST,
        "reproduce.py": ("Python script", "Gives the same numbers from the same file."),
    }
    st.download_button(
        "Everything as one .zip", lambda: everything({name: build() for name, build in make.items()}),
        file_name="irtvi-export.zip", mime="application/zip", type="primary", on_click="ignore", key="download-all",
    )  # fmt: skip
    columns = st.columns(len(make))
    for column, (name, build) in zip(columns, make.items(), strict=True):
        with column.container(border=True, height="stretch", vertical_alignment="distribute"):
            st.markdown(f"**{said[name][0]}**")
            st.caption(said[name][1])
            st.download_button(
                name, build, file_name=name, on_click="ignore", key=f"download-{name}", width="stretch",
            )  # fmt: skip
    st.caption(
        "In the CSV files, text that a spreadsheet would take for a formula begins with an apostrophe. "
        "Numbers are untouched."
    )


def _legend(words: Words) -> str:
    names = ("theta", "sd", "percentile_population", "percentile_sample", "probability_above", "t_score", "scale500",
             "rank")  # fmt: skip
    return "; ".join(f"{name}: {words.column(name)}" for name in names) + "."


page()
