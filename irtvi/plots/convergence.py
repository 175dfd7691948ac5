"""How far a fit can be trusted: gaps of the encoder before and after repair, and the integral's own warning."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from irtvi.diagnostics.convergence import LIMITS, Convergence
from irtvi.diagnostics.convergence import convergence as certificate
from irtvi.plots.theme import ABILITY, LEGEND_ABOVE, Look, look, styled
from irtvi.results.result import Result

MOST_POINTS = 1_500
"""Persons drawn, evenly spaced over the data."""
CURVE_POINTS = 200
GUTTER = 0.13
HEAD, HEAD_WITHOUT_LEGEND, ROW = 132, 88, 330
"""Pixels above the panels, and of a row of them."""
SMALLEST = 1e-9
"""What is smaller is drawn here on logarithmic axes."""


def convergence(result: Result, responses: Any = None, *, dark: bool = False) -> go.Figure:
    """The certificate of a result in four panels: the search, gaps, who has them, and the warning of the integral.

    Parameters
    ----------
    result : Result
    responses : DataFrame, path or Responses, optional
        New people; by default those of the fit.
    dark : bool

    Returns
    -------
    plotly.graph_objects.Figure
        Of an engine without an encoder only the last panel, beside the search.

    Raises
    ------
    irtvi.errors.ResponsesNeededError
        The result was loaded from a file without responses, and none were given.
    """
    found = certificate(result, responses)
    colours = look(dark)
    panels = [_search(found, colours), _warning(found, colours)]
    if _known(found.people, "gap_amortization"):
        panels[1:1] = [_gaps(found, colours), _people(found, colours)]
    n_rows = len(panels) // 2
    figure = make_subplots(rows=n_rows, cols=2, horizontal_spacing=GUTTER, vertical_spacing=0.2)
    for k, panel in enumerate(panels):
        row, column = k // 2 + 1, k % 2 + 1
        for trace in panel.traces:
            figure.add_trace(trace, row=row, col=column)
        figure.update_xaxes(panel.x, row=row, col=column)
        figure.update_yaxes(panel.y, row=row, col=column)
        axis = "" if k == 0 else str(k + 1)
        figure.add_annotation(
            text=panel.title, x=0, xref=f"x{axis} domain", xanchor="left", y=1, yref=f"y{axis} domain",
            yanchor="bottom", yshift=6, showarrow=False, font={"size": 13, "color": colours.ink},
        )  # fmt: skip
        if panel.limit is not None:
            figure.add_shape(
                type="line", x0=panel.limit, x1=panel.limit, xref=f"x{axis}", y0=0, y1=1, yref=f"y{axis} domain",
                line={"color": colours.faint, "dash": "dot", "width": 1.4},
            )  # fmt: skip
    title, head = "How far the fit can be trusted", HEAD if n_rows > 1 else HEAD_WITHOUT_LEGEND
    alt = f"{title}, in shares of persons: {found.said()}."
    styled(figure, dark, title=title, alt=alt, height=head + ROW * n_rows)
    legend = {"y": 1 + 34 / (ROW * n_rows - 56), "itemsizing": "constant", **LEGEND_ABOVE}
    figure.update_layout(margin={"l": 76, "t": head}, legend=legend)
    return figure


@dataclass(frozen=True)
class _Panel:
    title: str
    traces: list[Any]
    x: dict[str, Any]
    y: dict[str, Any]
    limit: float | None = None


def _search(found: Convergence, colours: Look) -> _Panel:
    """The encoder's gaps along the search; without an encoder, how long its steps were."""
    trace = found.trace
    names = [name for name in ("gap_approximation", "gap_amortization") if _known(trace, name)] or ["step_se"]
    steps = names == ["step_se"]
    traces = []
    for name in names:
        colour = COLOURS[name](colours)
        traces.append(
            go.Scatter(
                x=np.arange(1, len(trace) + 1), y=trace[name], mode="lines+markers", name=NAMES[name],
                legendgroup=name, showlegend=False, connectgaps=True,
                line={"color": colour, "width": 1.8}, marker={"color": colour, "size": 6},
                hovertemplate="pass %{x}: %{y:.3g}<extra>" + NAMES[name] + "</extra>",
            )
        )  # fmt: skip
    title = "Length of the next step, pass by pass" if steps else "Mean gap of the encoder, pass by pass"
    x = {"title": {"text": "Pass"}, "tickformat": "d", **({"dtick": 1} if len(trace) < 10 else {})}
    y = {"title": {"text": "Step (SE)"}, **LOG} if steps else {"title": {"text": "Gap (nats)"}, "rangemode": "tozero"}
    return _Panel(title, traces, x, y)


def _gaps(found: Convergence, colours: Look) -> _Panel:
    names = ("gap_approximation", "gap_amortization", "gap_repaired")
    traces = [_cumulative(found.people, name, colours) for name in names]
    x = {"title": {"text": "Gap (nats)"}, **ACROSS}
    return _Panel("Gaps before and after repair", traces, x, SHARE, LIMITS["gap_amortization"])


def _people(found: Convergence, colours: Look) -> _Panel:
    places = np.unique(np.linspace(0, len(found.people) - 1, min(MOST_POINTS, len(found.people))).round().astype(int))
    people = found.people.iloc[places]
    reliable, repaired = people["reliable"].to_numpy(dtype=bool), people["repaired"].to_numpy(dtype=bool)
    kinds = {
        "not reliable": (~reliable, colours.series[3]),
        "repaired": (repaired & reliable, colours.accent),
        "served by the encoder": (~repaired & reliable, colours.main),
    }
    traces = []
    for name, (which, colour) in kinds.items():
        own = people.loc[which]
        traces.append(
            go.Scatter(
                x=own["theta"], y=own["gap_amortization"].clip(lower=SMALLEST), mode="markers", name=name,
                marker={"color": colour, "size": 5, "opacity": 0.6}, showlegend=len(own) > 0,
                customdata=np.array([[str(person)] for person in own.index], dtype=object).reshape(-1, 1),
                hovertemplate="%{customdata[0]}: ability %{x:.2f}, gap %{y:.2g} nats<extra></extra>",
            )
        )  # fmt: skip
    return _Panel(
        "Amortization gap by person", traces, {"title": {"text": ABILITY}}, {"title": {"text": "Gap (nats)"}, **LOG}
    )


def _warning(found: Convergence, colours: Look) -> _Panel:
    """Pareto k of draws, or the difference of the integral from its half."""
    name = "pareto_k" if _known(found.people, "pareto_k") else "delta"
    title = "Tail of the weights of draws" if name == "pareto_k" else "Integral on all against half the nodes"
    x = {"title": {"text": "Pareto k"}} if name == "pareto_k" else {"title": {"text": "Relative difference"}, **ACROSS}
    trace = _cumulative(found.people, name, colours).update(showlegend=False)
    return _Panel(title, [trace], x, SHARE, LIMITS[name])


NAMES = {
    "gap_approximation": "approximation gap",
    "gap_amortization": "amortization gap, before repair",
    "gap_repaired": "amortization gap, after repair",
    "pareto_k": "Pareto k",
    "delta": "halving error",
    "step_se": "next step",
}
COLOURS: dict[str, Callable[[Look], str]] = {
    "gap_approximation": lambda colours: colours.series[2],
    "gap_amortization": lambda colours: colours.accent,
    "gap_repaired": lambda colours: colours.main,
    "pareto_k": lambda colours: colours.series[4],
    "delta": lambda colours: colours.series[4],
    "step_se": lambda colours: colours.main,
}
LOG = {"type": "log", "exponentformat": "power", "dtick": 1}
ACROSS = {**LOG, "dtick": 2, "tickangle": 0}
"""Room for nine powers of ten side by side."""
SHARE = {"title": {"text": "Share of persons"}, "tickformat": ".0%", "range": [0, 1.02]}


def _known(table: pd.DataFrame, name: str) -> bool:
    return bool(np.isfinite(table[name].to_numpy(dtype=float)).any())


def _cumulative(people: pd.DataFrame, name: str, colours: Look) -> go.Scatter:
    """Share of persons at or below each value."""
    values = people[name].to_numpy(dtype=float)
    values = values[np.isfinite(values)]
    shares = np.linspace(0, 1, CURVE_POINTS)
    at = np.quantile(values if name == "pareto_k" else np.maximum(values, SMALLEST), shares)
    return go.Scatter(
        x=at, y=shares, mode="lines", name=NAMES[name], legendgroup=name,
        line={"color": COLOURS[name](colours), "width": 2.2},
        hovertemplate="%{y:.0%} of persons: %{x:.2g} or less<extra>" + NAMES[name] + "</extra>",
    )  # fmt: skip
