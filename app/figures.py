"""Show a figure of `irtvi.plots` in the page's colours, with a description for screen readers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from words import Words

from irtvi.errors import IrtviError
from irtvi.plots.export import CONFIG

_TEACHER = (
    (re.compile(r"^Ability \(θ\)$"), "Ability"),
    (re.compile(r"^Ability \(θ\) and difficulty$"), "Ability and difficulty"),
    (re.compile(r"^Persons and items on one scale$"), "Students and questions on one scale"),
    (re.compile(r"^Abilities in order"), "Scores in order, with the likely range"),
    (re.compile(r"^Difficulty and discrimination"), "Questions: how hard, how well they tell apart"),
    (re.compile(r"^Item characteristic curve: "), "How the chance grows: "),
    (re.compile(r"( of [\d,]+) persons"), r"\1 students"),
    (re.compile(r" under (\d+) models$"), r" in \1 kinds of analysis"),
    (re.compile(r"<br>discrimination %"), "<br>tells apart %"),
    (re.compile(r": θ (?=about|%)"), ": ability "),
    (re.compile(r"^item from number (.*), person from"), r"question from number \1, student from"),
    (re.compile(r"^Persons$"), "Students"),
    (re.compile(r"^Items$"), "Questions"),
    (re.compile(r"^Number of items$"), "Number of questions"),
    (re.compile(r"^Item (?=\S)"), "Question "),
    (re.compile(r"^Information of ([\d,]+) items$"), r"Where the test measures well (\1 questions)"),
    (re.compile(r"^Information$"), "Precision"),
    (re.compile(r"^information$"), "precision"),
    (re.compile(r"^Standard error of θ$"), "Uncertainty of a score"),
    (re.compile(r"^standard error$"), "uncertainty"),
    (re.compile(r"^Difficulty( \(b\))?$"), "Difficulty"),
    (re.compile(r"^Discrimination( \(a\))?$"), "How well it tells students apart"),
    (re.compile(r"^point estimates$"), "scores"),
    (re.compile(r"^Abilities of ([\d,]+) persons"), r"Scores of \1 students"),
    (re.compile(r"^θ (?=about|%)"), "ability "),
    (re.compile(r"%\{y\} persons"), "%{y} students"),
    (re.compile(r"^Log marginal likelihood.*$"), "How well it describes the answers"),
    (re.compile(r"^cut (?=-?\d)"), "passing mark "),
    (re.compile(r" of the estimates above$"), " above"),
    (re.compile(r": information %"), ": precision %"),
    (re.compile(r": standard error %"), ": uncertainty %"),
    (re.compile(r"^θ$"), "Ability"),
    (re.compile(r"^model$"), "expected"),
    (re.compile(r"^band of the model$"), "likely range"),
)
_BENCHMARK = (
    (re.compile(r"^Ability \(θ\)$"), "Capability (θ)"),
    (re.compile(r"^Persons$"), "Models"),
    (re.compile(r"^Items$"), "Tasks"),
    (re.compile(r"^Item (?=\S)"), "Task "),
    (re.compile(r"%\{y\} persons"), "%{y} models"),
)
LONGEST_TITLE = 44

_RULES = {"Teacher": _TEACHER, "Benchmark": _BENCHMARK, "Psychometrician": ()}


def is_dark() -> bool:
    """Whether the browser shows the dark theme."""
    return st.context.theme.type == "dark"


def show(make: Callable[..., go.Figure], *arguments: Any, words: Words, key: str, **options: Any) -> None:
    """Draw a figure; one that cannot be drawn is replaced by the reason."""
    drawn = _drawn(make, arguments, options, words)
    if drawn is not None:
        figure, alt = drawn
        st.plotly_chart(figure, key=key, width="stretch", theme=None, config=CONFIG, alt=alt)


def show_below(heading: str, make: Callable[..., go.Figure], *arguments: Any, words: Words, key: str) -> None:
    """Draw a figure below a heading that takes the place of its title."""
    st.subheader(heading)
    drawn = _drawn(make, arguments, {}, words)
    if drawn is not None:
        figure, alt = drawn
        figure.update_layout(title_text="", margin_t=16, legend_y=1)
        st.plotly_chart(figure, key=key, width="stretch", theme=None, config=CONFIG, alt=alt)


def pick(make: Callable[..., go.Figure], *arguments: Any, words: Words, key: str, **options: Any) -> str | None:
    """Draw a figure as `show` does; the id that stands behind the point that was clicked, as text."""
    drawn = _drawn(make, arguments, options, words)
    if drawn is None:
        return None
    figure, alt = drawn
    event = st.plotly_chart(
        figure, key=key, width="stretch", theme=None, config=CONFIG, alt=alt, on_select="rerun", selection_mode="points"
    )
    return _chosen(event)


def _drawn(
    make: Callable[..., go.Figure], arguments: tuple, options: dict[str, Any], words: Words
) -> tuple[go.Figure, str] | None:
    try:
        figure = make(*arguments, dark=is_dark(), **options)
    except IrtviError as error:
        st.info(words.sentence(str(error)))
        return None
    layout: Any = figure.layout
    alt = (layout.meta or {}).get("alt") or str(layout.title.text or "figure")
    return _spoken(figure, words.audience), words.sentence(alt)


def _chosen(event: Any) -> str | None:
    for point in event.selection.points:
        data = point.get("customdata")
        if isinstance(data, dict):
            data = list(data.values())
        if data is not None and not isinstance(data, str):
            return str(data[0])
        if data is not None:
            return data
    return None


def _wrapped(title: str) -> str:
    """A long title in two lines, so that it stays inside a column of the page."""
    head, colon, rest = title.partition(": ")
    return f"{head}<br><sub>{rest}</sub>" if colon and len(title) > LONGEST_TITLE else title


def _spoken(figure: go.Figure, audience: str) -> go.Figure:
    rules = _RULES[audience]

    def say(text: str | None) -> str | None:
        if text:
            for pattern, word in rules:
                text = pattern.sub(word, text)
        return text

    layout: Any = figure.layout
    if layout.title.text:
        layout.title.text = _wrapped(say(layout.title.text) or "")
    axes: list[Any] = [*figure.select_xaxes(), *figure.select_yaxes()]
    for axis in axes:
        if axis.title.text:
            axis.title.text = say(axis.title.text)
    for annotation in layout.annotations:
        annotation.text = say(annotation.text)
    traces: list[Any] = list(figure.data)
    for trace in traces:
        trace.name = say(trace.name)
        if getattr(trace, "hovertemplate", None):
            trace.hovertemplate = say(trace.hovertemplate)
    return figure
