"""Compare: several fits of the same data side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st
from figures import show
from jobs import Job
from links import link
from predicting import HeldOut
from session import Workspace, current
from sidebar import words_of
from states import needs_fit
from words import Words, count

import irtvi
from irtvi import Result, plots
from irtvi.errors import IrtviError
from irtvi.plots.agreement import agreement
from irtvi.results.score_report import score_changes

_LABELS = {
    "log_marginal": "Log marginal", "n_parameters": "Free parameters", "aic": "AIC", "bic": "BIC", "sabic": "SABIC",
    "penalised": "Priors took part", "converged": "Converged", "seconds": "Seconds", "lr_against": "Tested against",
    "lr": "LR", "df": "df", "p": "p", "lr_note": "About the test", "held_out": "Held-out log-likelihood",
    "held_out_difference": "Difference from the best", "held_out_se": "its se", "verdict": "Verdict",
}  # fmt: skip
_FORMATS = {"n_parameters": "%d", "df": "%d", "seconds": "%.1f"}
_PLAIN = {"converged": "Complete", "seconds": "Seconds", "held_out_difference": "Against the best",
          "held_out_se": "give or take", "verdict": "Verdict"}  # fmt: skip


def page() -> None:
    workspace = current()
    words = words_of(workspace)
    st.title("Compare")
    job = needs_fit(workspace, words)
    if job is None:
        return
    fits = {fit.label: fit for fit in workspace.fits}
    if len(fits) < 2:
        st.info(f"Two {words['fits']} or more can be compared; so far there is one.")
        link("fit", f"Go to {words['Fit']} and choose several {words['models']}")
        return
    key = f"compared-{words.audience}"
    chosen = st.multiselect(f"Which {words['fits']}", list(fits), default=list(fits)[:7], key=key)
    results = {name: fits[name].result for name in chosen if fits[name].result is not None}
    if len(results) < 2:
        st.info("Choose two at least.")
        return
    _side_by_side(workspace, {name: fits[name] for name in results}, words)
    _changes(results, words)  # pyright: ignore[reportArgumentType]


def _side_by_side(workspace: Workspace, fits: dict[str, Job], words: Words) -> None:
    results = {name: job.result for name, job in fits.items() if job.result is not None}
    task = workspace.held_out(list(fits.values()))
    key = ("compared", tuple((name, job.id) for name, job in fits.items()))
    try:
        table = workspace.cached(key, lambda: irtvi.compare(results))
    except IrtviError as error:
        st.error(words.sentence(str(error)))
        return
    if task is not None and task.table is not None:
        table = table.join(task.table.rename(index={job.id: name for name, job in fits.items()}))
    if "held_out" in table.columns or not words.plain:
        show(plots.comparison, table, words=words, key="comparison")
    labels = _PLAIN if words.plain else _LABELS
    shown: pd.DataFrame = table.reindex(columns=[name for name in labels if name in table.columns])
    shown.index = shown.index.astype(str)
    shown.index.name = words["fit"].capitalize()
    numbers = {
        name: st.column_config.NumberColumn(labels[name], format=_FORMATS.get(name, "%.3f"))
        for name in shown.columns
        if pd.api.types.is_numeric_dtype(shown[name]) and not pd.api.types.is_bool_dtype(shown[name])
    }
    st.dataframe(shown, width="stretch", column_config={name: labels[name] for name in shown.columns} | numbers)
    if "held_out" in table.columns:
        _verdict(table)
        return
    answers = f"a tenth of the answers, chosen at random, is set aside, every {words['model']} sees the others only"
    st.caption(f"Which one predicts answers best? {answers[0].upper()}{answers[1:]}, and has to predict those.")
    if task is not None and task.alive:
        st.info(f"This is being done, in about {task.predicted:.0f} s; how far it is stands at the side.")
        return
    if task is not None and task.message:
        (st.error if task.state == "failed" else st.info)(words.sentence(task.message))
    if st.button("Predict answers that were set aside", key="hold-out", type="primary"):
        workspace.queue.submit(HeldOut("Predict answers that were set aside", list(fits.values())))
        st.rerun()


def _verdict(table: pd.DataFrame) -> None:
    best = table["held_out"].idxmax()
    verdicts = table["verdict"].to_dict()
    alike = [str(name) for name, verdict in verdicts.items() if verdict == "indistinguishable"]
    text = f"**{best}** predicts best"
    st.success(f"{text}; indistinguishable from it: {', '.join(alike)}." if alike else f"{text}, clearly.")


def _changes(results: dict[str, Result], words: Words) -> None:
    st.subheader(f"Do the {words['abilities']} change?")
    names = list(results)
    one, two = st.columns(2)
    first = one.selectbox("From", names, index=0, key=f"change-from-{words.audience}")
    second = two.selectbox("To", names, index=1, key=f"change-to-{words.audience}")
    if first == second:
        st.info("Choose two different ones.")
        return
    try:
        table = score_changes(results[first], results[second])
    except IrtviError as error:
        st.error(words.sentence(str(error)))
        return
    left, right = st.columns(2)
    with left:
        show(agreement, table, first, second, words=words, key="agreement")
    with right:
        moved = int(np.count_nonzero(table["shift"].abs() >= 1))
        st.markdown(
            f"**{count(moved, words['person'], words['persons'])}** of {len(table):,} change places; the largest "
            f"change of a score is **{table['difference'].abs().max():.2f}**."
        )
        most = table.sort_values("shift", key=np.abs, ascending=False, kind="stable").head(50)
        most.index = most.index.astype(str)
        most.index.name = words["person"].capitalize()
        st.dataframe(
            most,
            width="stretch",
            height=360,
            column_config={
                "theta_first": st.column_config.NumberColumn("Score before", format="%.2f"),
                "theta_second": st.column_config.NumberColumn("Score after", format="%.2f"),
                "difference": st.column_config.NumberColumn("Change", format="%+.2f"),
                "rank_first": st.column_config.NumberColumn("Place before", format="%.0f"),
                "rank_second": st.column_config.NumberColumn("Place after", format="%.0f"),
                "shift": st.column_config.NumberColumn("Places up", format="%+.0f"),
            },
        )


page()
