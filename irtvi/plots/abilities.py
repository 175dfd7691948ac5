"""The distribution of abilities."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from irtvi.plots.theme import ABILITY, look, styled, translucent
from irtvi.results.result import Result

MOST_BINS = 60
MOST_CURVES = 20_000
N_POINTS = 161


def abilities(result: Result, *, cut: float | None = None, dark: bool = False) -> go.Figure:
    """Histogram of the point estimates, and the density of ability with everybody's uncertainty in it.

    Parameters
    ----------
    result : Result
    cut : float, optional
        A cut score, drawn as a line.
    dark : bool

    Notes
    -----
    Point estimates are drawn towards the mean, so that they spread less than ability does; the curve, the mean of all
    posteriors (taken as normal), does not suffer from that. Binned here: a figure of a million people stays small.
    """
    colours = look(dark)
    table = result.abilities.loc[result.abilities["n_answered"] > 0]
    theta = table["theta"].to_numpy(dtype=float)
    edges = bin_edges(theta)
    counts, _ = np.histogram(theta, edges)
    width = edges[1] - edges[0]
    middle = (edges[:-1] + edges[1:]) / 2
    figure = go.Figure()
    figure.add_trace(
        go.Bar(
            x=middle, y=counts, width=width * 0.96, name="point estimates",
            marker={"color": translucent(colours.main, 0.55), "line": {"width": 0}},
            hovertemplate="θ about %{x:.2f}: %{y} persons<extra></extra>",
        )
    )  # fmt: skip
    place, density = posterior_density(table)
    figure.add_trace(
        go.Scatter(
            x=place, y=density * len(theta) * width, mode="lines", name="with uncertainty",
            line={"color": colours.accent, "width": 2}, hoverinfo="skip",
        )
    )  # fmt: skip
    ends = [float(min(place[0], edges[0])), float(max(place[-1], edges[-1]))]
    if cut is not None:
        ends = [min(ends[0], cut), max(ends[1], cut)]
        side = "right" if cut <= (ends[0] + ends[1]) / 2 else "left"
        figure.add_vline(
            x=cut, line={"color": colours.ink, "dash": "dash", "width": 1.4}, annotation_position=f"top {side}",
            annotation={"text": f"cut {cut:g}", "font": {"color": colours.ink}, "xshift": 4 if side == "right" else -4},
        )  # fmt: skip
    # A fixed range: the text at the cut would widen an automatic one.
    figure.update_xaxes(title_text=ABILITY, range=ends)
    figure.update_yaxes(range=[0, 1.12 * max(float(counts.max()), float(density.max()) * len(theta) * width)])
    figure.update_yaxes(title_text="Persons")
    figure.update_layout(bargap=0)
    title = f"Abilities of {len(theta):,} persons"
    alt = f"Histogram of the abilities of {len(theta)} persons, mean {theta.mean():.2f}, sd {theta.std():.2f}"
    alt += "." if cut is None else f"; a line stands at the cut {cut:g}."
    return styled(figure, dark, title=title, alt=alt, height=420)


def bin_edges(theta: np.ndarray) -> np.ndarray:
    """Edges of equal bins, multiples of a round width.

    About as many as the root of the number of people, and on short tests no more than half the number of different
    values.
    """
    low, high = float(theta.min()), float(theta.max())
    n_different = len(np.unique(theta.round(6)))
    wanted = int(np.clip(min(np.sqrt(len(theta)), n_different / 2), 8, MOST_BINS))
    rough = max(high - low, 1e-3) / wanted
    width = next((w for w in (0.05, 0.1, 0.2, 0.25, 0.5, 1.0) if w >= rough), float(np.ceil(rough)))
    first, last = np.floor(low / width), np.floor(high / width) + 1
    return width * np.arange(first, last + 1)


def posterior_density(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the normal densities of people, from their ``theta`` and ``sd``: abilities and density.

    No density is narrower than Silverman's (1986) bandwidth for as many people.
    """
    step = max(1, len(table) // MOST_CURVES)
    theta = table["theta"].to_numpy(dtype=float)[::step]
    smoothing = 0.9 * float(theta.std()) * len(theta) ** -0.2
    sd = np.maximum(table["sd"].to_numpy(dtype=float)[::step], max(smoothing, 1e-3))
    place = np.linspace((theta - 2.5 * sd).min(), (theta + 2.5 * sd).max(), N_POINTS)
    density = np.zeros(N_POINTS)
    for part in np.array_split(np.arange(len(theta)), max(1, len(theta) // 2000)):
        z = (place[:, None] - theta[part]) / sd[part]
        density += (np.exp(-0.5 * z**2) / sd[part]).sum(1)
    return place, density / (len(theta) * np.sqrt(2 * np.pi))
