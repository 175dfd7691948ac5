"""What scores refer to: the cut score, the scales, the people; chosen once for Abilities and Export."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from jobs import Job
from score_tables import FIRST_CUT, FIRST_REFERENCE, Reference
from session import Workspace, keep, remember
from words import Words, number

from irtvi import Result
from irtvi.results.score_report import reference_population

SCALES = ("theta", "t_score", "scale500")
REFERENCES = (FIRST_REFERENCE, "sample", "named")


def cut_and_reference(workspace: Workspace, job: Job, words: Words) -> tuple[float, Reference]:
    """Widgets for the cut score and for the people whom the scales refer to."""
    assert job.result is not None
    left, right = st.columns(2)
    key = remember(workspace, "cut", FIRST_CUT)
    cut = left.number_input(
        words["cut"].capitalize(), step=0.1, key=key, format="%.2f",
        help=f"On the scale where {_spread(job.result, words)}.",
    )  # fmt: skip
    keep(workspace, "cut", float(cut))
    key = remember(workspace, "reference", FIRST_REFERENCE)
    names = {"population": f"all such {words['persons']} (population of the model)",
             "sample": f"the {words['persons']} of these data",
             "named": "others, of whom average and spread are known"}  # fmt: skip
    if words.plain:
        names["population"] = f"all such {words['persons']}"
    chosen = right.selectbox("Scales and average refer to", REFERENCES, key=key, format_func=names.__getitem__)
    keep(workspace, "reference", chosen)
    reference: Reference = _named(workspace, words) if chosen == "named" else chosen
    whose = reference_population(job.result, reference)  # pyright: ignore[reportArgumentType]
    if not words.plain:
        right.caption(f"Mean {whose.mean:.3f}, sd {whose.sd:.3f} on the scale of theta.")
    return float(cut), reference


def scale_names(result: Result, words: Words) -> dict[str, str]:
    """What the scales are called; theta has the mean and sd that its model gives it."""
    mean, sd = ("average", "spread") if words.plain else ("mean", "sd")
    whose = reference_population(result, "population")
    own = f"{'standard' if words.plain else 'theta'} ({mean} {number(whose.mean)}, {sd} {whose.sd:.2f})"
    return {"theta": own, "t_score": f"T ({mean} 50, {sd} 10)", "scale500": f"500 ({mean} 500, {sd} 100)"}


def _spread(result: Result, words: Words) -> str:
    whose = reference_population(result, "population")
    spread = "spread" if words.plain else "spread (sd)"
    return f"{number(whose.mean)} is the average and {whose.sd:.2f} the {spread} of ability"


def _named(workspace: Workspace, words: Words) -> Reference:
    """Name, mean and sd of people who are not in the data, such as a norm sample."""
    name, mean, sd = st.columns(3)
    key = remember(workspace, "reference-name", "")
    said = keep(workspace, "reference-name", name.text_input("Who they are", key=key, placeholder="norm sample"))
    label = "Their average" if words.plain else "Their mean (theta)"
    key = remember(workspace, "reference-mean", 0.0)
    centre = keep(workspace, "reference-mean", mean.number_input(label, key=key, step=0.1, format="%.3f"))
    label = "Their spread" if words.plain else "Their sd (theta)"
    key = remember(workspace, "reference-sd", 1.0)
    spread = keep(workspace, "reference-sd", sd.number_input(label, key=key, min_value=0.001, step=0.1, format="%.3f"))
    return {"name": said.strip() or "named population", "mean": float(centre), "sd": float(spread)}


def scores_of(job: Job, cut: float, reference: Reference) -> pd.DataFrame:
    """One row for each person, the same for every page and file."""
    assert job.scores is not None
    return job.scores.of(cut, reference)
