"""Models side by side."""

import pandas as pd
import plotly.graph_objects as go

from irtvi.errors import SpecificationError
from irtvi.plots.labels import lines_of, name_of
from irtvi.plots.theme import look, styled

CRITERIA = ("aic", "bic", "sabic")
MARKS = (("circle", 17), ("diamond", 13), ("square", 7))
ROW, NAME_SHIFT = 52, 19
"""Pixels from row to row, and from a row to its name above it."""
WITHIN = 2.0
"""Standard errors that the bars reach."""


def comparison(table: pd.DataFrame, *, dark: bool = False) -> go.Figure:
    """What :func:`irtvi.compare` says, the best model farthest to the right.

    Parameters
    ----------
    table : DataFrame
        From :func:`irtvi.compare`. With held-out answers: differences from the best model in held-out
        log-likelihood, with two standard errors to either side. Without: differences in AIC, BIC and SABIC from the
        lowest, with the sign turned, so that 0 is the best.
    dark : bool
    """
    colours = look(dark)
    names = [name_of(name) for name in table.index]
    figure = go.Figure()
    if "held_out_difference" in table:
        hues = {"worse": colours.accent, "best": colours.series[2]}
        figure.add_trace(
            go.Scatter(
                x=table["held_out_difference"], y=names, mode="markers",
                marker={"size": 10, "color": [hues.get(v, colours.main) for v in table["verdict"]]},
                error_x={"array": WITHIN * table["held_out_se"], "color": colours.faint, "thickness": 1.4},
                customdata=table[["verdict", "held_out", "held_out_se"]],
                hovertemplate=(
                    "%{y}: %{x:.2f} nats (se %{customdata[2]:.2f}), %{customdata[0]}"
                    "<br>held-out log-likelihood %{customdata[1]:.2f}<extra></extra>"
                ),
                showlegend=False,
            )
        )  # fmt: skip
        what = "Held-out log-likelihood, difference from the best (nats)"
        axis = "Held-out log-likelihood, against the best"
        verdicts = ", ".join(f"{n}: {v}" for n, v in zip(names, table["verdict"], strict=True))
        alt = f"{what}. {verdicts}."
    else:
        known = [name for name in CRITERIA if name in table and bool(table[name].notna().any())]
        if not known:
            raise SpecificationError("The table has neither held-out answers nor AIC, BIC or SABIC to draw.")
        # The later ones are smaller: the best models of several criteria lie on one point.
        for colour, (symbol, size), name in zip(colours.series, MARKS, known, strict=False):
            figure.add_trace(
                go.Scatter(
                    x=table[name].min() - table[name], y=names, mode="markers", name=name.upper(),
                    marker={"size": size, "color": colour, "symbol": symbol}, customdata=table[[name]],
                    hovertemplate="%{y}: %{customdata[0]:.2f}, %{x:.2f} from the best<extra>%{fullData.name}</extra>",
                )
            )  # fmt: skip
        what = axis = "Criterion, difference from the best (0)"
        best = "; ".join(f"{name.upper()} prefers {table[name].idxmin()}" for name in known)
        alt = f"{what}. {best}."
    figure.add_vline(x=0, line={"color": colours.faint, "width": 1})
    figure.update_xaxes(title_text=axis)
    # Names stand above their rows: beside them, long ones would leave a narrow window no room for the panel.
    figure.update_yaxes(range=[len(table) - 0.5, -0.75], type="category", showticklabels=False)
    for name, text in zip(names, table.index, strict=True):
        figure.add_annotation(
            text="<br>".join(lines_of(text)), align="left",
            x=0, xref="paper", xanchor="left", y=name, yshift=NAME_SHIFT, showarrow=False,
            font={"size": 12, "color": colours.ink},
        )  # fmt: skip
    styled(figure, dark, title="Models side by side", alt=alt, height=190 + ROW * len(table))
    figure.update_layout(margin_l=24)
    return figure
