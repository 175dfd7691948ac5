"""Signal and noise of the encoder's gradient by number of draws, as in figure 1 of Rainforth et al. (2018)."""

import statistics
import sys
from dataclasses import dataclass

import plotly.graph_objects as go
import torch
from torch import Tensor

import irtvi
from irtvi.inference.answers import answers_of
from irtvi.inference.encoders import LearnedEncoder
from irtvi.inference.encoders.proposal import GaussianProposal
from irtvi.inference.engines.engine import Data
from irtvi.inference.objectives import GRADIENTS, OBJECTIVES
from irtvi.inference.repair import repair
from irtvi.inference.stochastic import Batch, Bounding
from irtvi.models.model import Model
from irtvi.plots.theme import look, styled
from irtvi.responses.cells import Cells, DenseCells

DRAWS = 1, 4, 16, 64
COPIES, CHUNK = 20_000, 4_000
PERSONS = 5
INSIDE = 4
"""Draws within the logarithm of miwae, of which more and more means are taken."""


@dataclass(frozen=True)
class Curve:
    """A bound and a gradient, and how its draws are split into outer and inner ones."""

    objective: str
    gradient: str
    label: str
    dash: str = "solid"

    def shape(self, draws: int) -> tuple[int, int]:
        if self.objective == "miwae":
            return max(1, draws // INSIDE), min(draws, INSIDE)
        return 1, draws


CURVES = (
    Curve("iwae", "standard", "iwae, standard"),
    Curve("iwae", "dreg", "iwae, dreg"),
    Curve("miwae", "standard", f"miwae, standard ({INSIDE} inside, more outside)"),
    Curve("elbo", "standard", "elbo, standard", "dash"),
    Curve("ciwae", "standard", "ciwae, standard", "dash"),
)


class Given(LearnedEncoder):
    """A Gaussian for each row, as given, so that the gradient by its mean can be looked at."""

    name = "given"

    def __init__(self, mean: Tensor, sd: Tensor) -> None:
        super().__init__()
        self.mean, self.sd = torch.nn.Parameter(mean), sd

    def settings(self) -> dict[str, int]:
        return {}

    def encode(self, model, free, answers, persons, groups) -> GaussianProposal:
        return GaussianProposal(self.mean[persons], self.sd[persons])


def signal_to_noise(
    model: Model, free: Tensor, cells: Cells, person: int, curve: Curve, draws: int, generator: torch.Generator
) -> float:
    """Size of the mean gradient by the mean of a person's Gaussian, divided by its sd from one sample of draws.

    The Gaussian lies .4 sd off the posterior's mode and is 1.2 times as wide, so that weights are bounded.
    """
    one, group = torch.tensor([person]), torch.zeros(1, dtype=torch.long)
    mode = repair(model, free, cells, one, group, GaussianProposal(torch.zeros(1), torch.ones(1)), n_steps=6)
    copies = DenseCells(cells.take(one).to_dense().codes.expand(CHUNK, -1).contiguous())
    everyone, groups = torch.arange(CHUNK), group.expand(CHUNK)
    encoder = Given((mode.mean - 0.4 * mode.sd).expand(CHUNK).clone(), (1.2 * mode.sd).expand(CHUNK))
    bounding = Bounding(
        model, Data(copies, None, groups), answers_of(model, copies), encoder,
        OBJECTIVES[curve.objective], GRADIENTS[curve.gradient], *curve.shape(draws), generator,
    )  # fmt: skip
    gradients = []
    for _ in range(COPIES // CHUNK):
        _, surrogate = bounding.persons(Batch(everyone, groups, 1.0), free)
        gradients.append(torch.autograd.grad(surrogate, encoder.mean)[0])
    gradient = torch.cat(gradients)
    return float(gradient.mean().abs() / gradient.std())


def signal_to_noise_figure() -> go.Figure:
    """Ratio by number of draws; also printed, as the rows of a table."""
    truth = irtvi.simulate("2pl", 500, 10, seed=1)
    held = irtvi.fit(truth.responses, model="2pl", fixed=truth.items, engine="quadrature")
    model, free = held.model, held.posterior.free
    cells = Data.of(held.responses, held.item_models, torch.device("cpu")).cells
    colours = look(False)
    figure = go.Figure()
    for curve, colour in zip(CURVES, colours.series, strict=False):
        ratios = [
            statistics.median(
                signal_to_noise(model, free, cells, person, curve, draws, torch.Generator().manual_seed(person))
                for person in range(PERSONS)
            )
            for draws in DRAWS
        ]
        print(f"| {curve.label} | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |", file=sys.stderr)
        figure.add_scatter(
            x=DRAWS, y=ratios, mode="lines+markers", name=curve.label,
            line={"color": colour, "width": 2.2, "dash": curve.dash}, marker={"size": 7},
        )  # fmt: skip
    title = "Signal-to-noise ratio of the encoder's gradient"
    styled(figure, False, title=title, height=460)
    figure.update_layout(margin={"t": 118})
    figure.update_xaxes(title="Draws a person", type="log", tickvals=DRAWS, ticktext=[str(draws) for draws in DRAWS])
    figure.update_yaxes(title="|mean| / sd of the gradient", type="log", tickvals=[0.03, 0.1, 0.3, 1, 3, 10])
    return figure
