"""How a fit went."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from irtvi.plots.theme import look, styled
from irtvi.results.result import Result


def training(result: Result, *, dark: bool = False) -> go.Figure:
    """The objective of a fit and the length of its steps, pass by pass.

    Parameters
    ----------
    result : Result
    dark : bool

    Returns
    -------
    plotly.graph_objects.Figure
        Above, what was climbed (log marginal likelihood plus log prior, or a bound) in nats; below, the longest
        component of the next step in standard errors, on a logarithmic axis. Colours are the phases of the search.
    """
    colours = look(dark)
    trace = result.trace
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08, row_heights=[0.6, 0.4])
    if len(trace):
        trace = trace.assign(number=np.arange(1, len(trace) + 1))
        for k, (phase, own) in enumerate(trace.groupby("phase", sort=False)):
            colour = colours.series[k % len(colours.series)]
            marker = {"color": colour, "size": 6 if len(trace) <= 200 else 3}
            for row, column in ((1, "objective"), (2, "step_se")):
                figure.add_trace(
                    go.Scatter(
                        x=own["number"], y=own[column], mode="lines+markers", line={"color": colour, "width": 1.6},
                        marker=marker, name=str(phase), legendgroup=str(phase), showlegend=row == 1,
                        customdata=own[["seconds"]],
                        hovertemplate="pass %{x}: %{y:.6g}, after %{customdata[0]:.2f} s<extra></extra>",
                    ),
                    row=row, col=1,
                )  # fmt: skip
    figure.update_yaxes(title_text="Objective (nats)", tickformat=",.6~r", row=1, col=1)
    figure.update_yaxes(
        title_text="Step (SE)", type="log", exponentformat="power", dtick=_powers(result.trace["step_se"].to_numpy()),
        row=2, col=1,
    )  # fmt: skip
    figure.update_yaxes(automargin=True, title_standoff=10)
    figure.update_xaxes(title_text="Pass", dtick=1 if len(trace) < 10 else None, row=2, col=1)
    title = "How the fit went"
    alt = f"{title}: {len(trace)} passes in {result.posterior.seconds:.1f} seconds. {result.reason}"
    styled(figure, dark, title=title, alt=alt, height=480)
    return figure


def _powers(steps: np.ndarray) -> int:
    """Powers of ten from tick to tick, so that there are five at most."""
    seen = steps[np.isfinite(steps) & (steps > 0)]
    return max(1, int(np.ceil(np.ptp(np.log10(seen)) / 5))) if seen.size else 1
