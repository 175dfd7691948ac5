"""Show a figure of `irtvi.plots` in the page's colours, with a description for screen readers."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from figure_words import said, said_aloud
from session import Workspace
from words import Words

from irtvi.errors import IrtviError
from irtvi.plots.export import CONFIG

LONGEST_TITLE = 32
SECOND_LINE = 14
"""Pixels by which the second line of a title pushes down what lies below."""


def is_dark() -> bool:
    """Whether the browser shows the dark theme."""
    return st.context.theme.type == "dark"


def kept(workspace: Workspace, key: Hashable, make: Callable[..., go.Figure]) -> Callable[..., go.Figure]:
    """The function, which draws once what the key stands for; every later page gets a copy."""

    def drawn(*arguments: Any, dark: bool) -> go.Figure:
        return go.Figure(workspace.cached((key, dark), lambda: make(*arguments, dark=dark)))

    return drawn


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
    return _spoken(figure, words.audience), said_aloud(words.sentence(alt), words.audience)


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
    def say(text: str | None) -> str | None:
        return said(text, audience) if text else text

    layout: Any = figure.layout
    if layout.title.text:
        layout.title.text = _wrapped(say(layout.title.text) or "")
        if "<br>" in layout.title.text and layout.height:
            lower = layout.legend.y - SECOND_LINE / layout.height
            figure.update_layout(margin_t=layout.margin.t + SECOND_LINE, legend_y=lower)
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
