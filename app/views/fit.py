"""Fit: which models, what the queue does at this moment, and how each fit ended."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from figures import show
from fit_choices import AUTOMATIC, suitable, with_item_types
from jobs import Job, Request
from links import link
from predicting import HeldOut
from session import Workspace, current, keep, remember
from sidebar import words_of
from states import needs_data
from tasks import Task
from words import Words

from irtvi import plots
from irtvi.inference.engines import ENGINES

WEAKLY, NONE = "weak (recommended)", "none: maximum likelihood"
_STATES = {
    "queued": "⏳ waiting",
    "running": "▶ running",
    "stopping": "■ stopping",
    "done": "✔ done",
    "stopped": "■ stopped",
    "failed": "✖ failed",
}


def page() -> None:
    workspace = current()
    words = words_of(workspace)
    st.title(words["Fit"])
    if not needs_data(workspace, words):
        return
    _choose(workspace, words)
    if not workspace.queue.tasks:
        st.info(f"No {words['fit']} yet.")
        return
    if workspace.queue.alive:
        st.fragment(_live_queue, run_every=0.5)(workspace, words)
    else:
        _queue(workspace, words, f"{words['fits'].capitalize()} so far")
        _ended(workspace, words)


def _choose(workspace: Workspace, words: Words) -> None:
    assert workspace.reading is not None
    responses = workspace.reading.responses
    assert responses is not None
    fitting, reasons = suitable(responses)
    options = [AUTOMATIC, *fitting]
    key = remember(workspace, "models", [AUTOMATIC])
    st.session_state[key] = [name for name in st.session_state[key] if name in options] or [AUTOMATIC]
    # Above the list: one that is open covers what lies below it, in a narrow window also what stands beside it.
    about, start = st.columns([5, 1], vertical_alignment="bottom")
    about.markdown(f"Choose one of the {words['models']}, or several to be compared.")
    chosen = st.multiselect(words["models"].capitalize(), options, key=key, format_func=words.model)
    keep(workspace, "models", chosen)
    if reasons and not words.plain:
        st.caption("Not for these data: " + "; ".join(f"{words.model(n)} ({why})" for n, why in reasons.items()) + ".")
    engine, seed, priors = _settings(workspace, words)
    if start.button(words["Fit"], type="primary", key="start", width="stretch", disabled=not chosen):
        for name in chosen:
            model = with_item_types(workspace, name)
            request = Request(name, model, engine, seed, "default" if priors == WEAKLY else None)
            workspace.queue.submit(Job(request, responses, workspace.data_key))
        workspace.active_id = None
        st.rerun()


def _settings(workspace: Workspace, words: Words) -> tuple[str, int, str]:
    engines = ["auto", *ENGINES]
    with st.expander("Settings", expanded=False):
        one, two, three = st.columns(3)
        key = remember(workspace, "engine", "auto")
        engine = one.selectbox(words["engine"].capitalize(), engines, key=key, format_func=words.engine)
        key = remember(workspace, "seed", 0)
        seed = two.number_input(
            words["seed"].capitalize(), min_value=0, max_value=2**31 - 1, step=1, key=key,
            help="The same data, settings and number give the same results.",
        )  # fmt: skip
        key = remember(workspace, "priors", WEAKLY)
        label = "Caution with little data" if words.plain else "Prior distributions"
        names = {WEAKLY: "cautious (recommended)", NONE: "none"} if words.plain else {WEAKLY: WEAKLY, NONE: NONE}
        priors = three.selectbox(label, [WEAKLY, NONE], key=key, format_func=names.__getitem__)
    keep(workspace, "engine", engine)
    keep(workspace, "seed", int(seed))
    keep(workspace, "priors", priors)
    return engine, int(seed), priors


def _live_queue(workspace: Workspace, words: Words) -> None:
    if not workspace.queue.alive:
        st.rerun()
    _queue(workspace, words, "Queue")


def _queue(workspace: Workspace, words: Words, title: str) -> None:
    st.subheader(title)
    for task in list(workspace.queue.tasks):
        with st.container(border=True):
            _task(workspace, task, words)


def _task(workspace: Workspace, task: Task, words: Words) -> None:
    name, state, action = st.columns([4, 2, 1.3], vertical_alignment="center")
    name.markdown(f"**{task.label}**")
    state.markdown(_STATES[task.state])
    if task.alive:
        action.button(
            "Cancel",
            key=f"cancel-{task.id}",
            disabled=task.state == "stopping",
            width="stretch",
            on_click=task.cancel,
        )
        _live(task, words)
        return
    if action.button("Remove", key=f"remove-{task.id}", width="stretch"):
        workspace.queue.remove(task)
        st.rerun()
    if task.state == "failed":
        st.error(words.sentence(task.message))
    elif isinstance(task, Job) and task.result is not None:
        _verdict(task, words)
    elif isinstance(task, HeldOut) and task.table is not None:
        link("compare", "See the comparison")
    else:
        st.caption(words.sentence(task.message))


def _live(task: Task, words: Words) -> None:
    if task.state == "queued":
        st.caption(f"Will take about {task.predicted:.0f} s.")
        return
    st.progress(task.share, text=f"{task.elapsed:.1f} s of about {task.predicted:.0f} s")
    if isinstance(task, Job):
        _search(task, words)


def _search(job: Job, words: Words) -> None:
    steps = list(job.steps)
    if not steps:
        st.caption("First pass over the answers.")
        return
    if job.searched:
        st.caption(f"The search is over; tables of {words['persons']} and {words['items']} are being made.")
    last = steps[-1]
    climbed = job.climbed
    left, right = st.columns(2)
    left.metric(
        words["loglik"].capitalize() + ("" if words.plain else " + log prior"),
        f"{last.objective:,.3f}",
        delta=f"{climbed[-1] - climbed[-2]:+,.3f}" if len(climbed) > 1 else None,
        chart_data=climbed[-60:],
        chart_type="line",
    )
    right.metric(
        "Still moving by" if words.plain else "Longest next step (standard errors)",
        f"{last.step_se:.2g}",
        help=f"Pass {len(steps)}, {last.phase}.",
    )


def _verdict(job: Job, words: Words) -> None:
    result = job.result
    assert result is not None
    if result.converged:
        st.success("All went well: the results can be used." if words.plain else result.reason)
    else:
        text = (
            "It was stopped early; the numbers are the best so far."
            if job.state == "stopped"
            else "The search did not come to its end; treat the numbers with care."
        )
        st.warning(text if words.plain else f"{text} {result.reason}")
    if not words.plain:
        st.caption(
            f"Log marginal {result.log_marginal:,.3f} · {result.n_parameters} free parameters · {result.engine} engine "
            f"· {job.elapsed:.1f} s"
        )


def _ended(workspace: Workspace, words: Words) -> None:
    active = workspace.active
    if active is None or active.result is None or workspace.queue.alive:
        return
    result = active.result
    one, two, three = st.columns(3)
    if one.button(f"See the {words['abilities']}", type="primary", key="to-abilities", width="stretch"):
        st.switch_page("views/abilities.py")
    if two.button(f"See the {words['items']}", key="to-items", width="stretch"):
        st.switch_page("views/items.py")
    if three.button("See the overview", key="to-overview", width="stretch"):
        st.switch_page("views/overview.py")
    if words.plain:
        return
    st.subheader(f"How “{active.label}” went")
    show(plots.training, result, words=words, key="training")
    facts = pd.DataFrame(result.summary().facts, columns=["", "value"])
    st.dataframe(facts, hide_index=True, width="stretch")


page()
