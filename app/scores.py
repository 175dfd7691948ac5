"""The score table that Abilities shows and Export writes: one function, so that both hold the same numbers."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from jobs import Job
from session import Workspace, keep, remember
from words import Words

from irtvi.results.score_report import reference_population, score_report

SCALES = ("theta", "t_score", "scale500")
SCALE_NAMES = {"theta": "theta (mean 0, sd 1)", "t_score": "T (mean 50, sd 10)", "scale500": "500 (mean 500, sd 100)"}
REFERENCES = ("population", "sample")


def cut_and_reference(workspace: Workspace, job: Job, words: Words) -> tuple[float, str]:
    """Widgets for the cut score and for the people whom the scales refer to."""
    assert job.result is not None
    left, right = st.columns(2)
    key = remember(workspace, "cut", 0.0)
    cut = left.number_input(
        words["cut"].capitalize(), step=0.1, key=key, format="%.2f",
        help="On the scale where 0 is the average and 1 the spread (sd) of ability.",
    )  # fmt: skip
    keep(workspace, "cut", float(cut))
    key = remember(workspace, "reference", REFERENCES[0])
    names = {"population": f"all such {words['persons']} (population of the model)",
             "sample": f"the {words['persons']} of these data"}  # fmt: skip
    if words.plain:
        names["population"] = f"all such {words['persons']}"
    reference = right.selectbox("Scales and average refer to", REFERENCES, key=key, format_func=names.__getitem__)
    keep(workspace, "reference", reference)
    whose = reference_population(job.result, reference)
    if not words.plain:
        right.caption(f"Mean {whose.mean:.3f}, sd {whose.sd:.3f} on the scale of theta.")
    return float(cut), reference


def scores_of(workspace: Workspace, job: Job, cut: float, reference: str) -> pd.DataFrame:
    """The table of `irtvi.results.score_report`."""
    assert job.result is not None
    result = job.result
    return workspace.cached(
        ("scores", job.id, cut, reference),
        lambda: score_report(result, cut, reference=reference),  # pyright: ignore[reportArgumentType]
    )
