"""What a bound does to the items, and what it does to the encoder's gradient.

python benchmarks/objectives.py [--sizes 10000x50,10000x100m80] [--sets 3] [--noise-only]

Writes `output/objectives.md`, with the error of the slopes by objective, and `output/signal_to_noise.html`
(and .png where kaleido is installed): the signal-to-noise ratio of the encoder's gradient by number of draws,
as in figure 1 of Rainforth et al. (2018).
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch

import irtvi
from data import MISSING, Simulated, Size, simulate
from irtvi.inference.answers import answers_of
from irtvi.inference.encoders import LearnedEncoder
from irtvi.inference.encoders.proposal import GaussianProposal
from irtvi.inference.engines import Amortized, Quadrature
from irtvi.inference.engines.engine import Data, Progress
from irtvi.inference.objectives import GRADIENTS, OBJECTIVES
from irtvi.inference.posterior import Posterior
from irtvi.inference.repair import repair
from irtvi.inference.stochastic import Batch, Bounding, StochasticSettings, fit_stochastic
from irtvi.models.model import Model
from irtvi.models.specification import Specification, build
from irtvi.responses.cells import DenseCells
from tables import Table

OUTPUT = Path(__file__).resolve().parent / "output"
SIZES = Size(10_000, 50), Size(10_000, 100, 0.8)
DRAWS = (1, 4, 16, 64, 256)
CURVES = (
    ("elbo", "standard"),
    ("iwae", "standard"),
    ("iwae", "dreg"),
    ("miwae", "standard"),
    ("ciwae", "standard"),
)
COPIES = 4000
PERSONS = 10

Fitter = Callable[[Model, Data, torch.Generator], Posterior]


@dataclass(frozen=True)
class Judged:
    """One fit against the truth."""

    rmse_a: float
    bias_a: float
    rmse_theta: float
    coverage: float
    item_coverage: float
    seconds: float
    slopes: np.ndarray


def problem(simulated: Simulated) -> tuple[Model, Data]:
    """The 2PL without priors, so that nothing but the bound makes a difference."""
    answers = np.where(simulated.responses == MISSING, np.nan, simulated.responses)
    responses = irtvi.read(pd.DataFrame(answers, columns=[f"item{j}" for j in range(answers.shape[1])]))
    built = build(Specification("2pl", None), responses)
    return built.model, Data(responses.scored(), None, torch.zeros(responses.n_persons, dtype=torch.long))


def judge(fitter: Fitter, model: Model, data: Data, truth: Simulated) -> Judged:
    """Fit, and compare slopes and abilities with those that made the data; intervals are of 90 %."""
    started = time.process_time()
    posterior = fitter(model, data, torch.Generator().manual_seed(0))
    seconds = time.process_time() - started
    place = model.components[0].slots.index[:, 0]
    assert posterior.curvature is not None
    slopes = posterior.free[place].numpy()
    sd = posterior.curvature.covariance_diagonal()[place].sqrt().numpy()
    mean, spread = posterior.persons.mean.numpy(), posterior.persons.sd.numpy()
    return Judged(
        rmse_a=float(np.sqrt(np.mean((slopes - truth.a) ** 2))),
        bias_a=float(np.mean(slopes - truth.a)),
        rmse_theta=float(np.sqrt(np.mean((mean - truth.theta) ** 2))),
        coverage=float(np.mean(np.abs(mean - truth.theta) < 1.645 * spread)),
        item_coverage=float(np.mean(np.abs(slopes - truth.a) < 1.645 * sd)),
        seconds=seconds,
        slopes=slopes,
    )


def exact(model: Model, data: Data, generator: torch.Generator) -> Posterior:
    """The quadrature engine."""
    return Quadrature().fit(model, data, generator, Progress())


def default(model: Model, data: Data, generator: torch.Generator) -> Posterior:
    """The amortized engine: no bound, but windows placed by the encoder."""
    return Amortized().fit(model, data, generator, Progress())


def climb(objective: str) -> Fitter:
    """The stochastic path with a named objective."""

    def fitter(model: Model, data: Data, generator: torch.Generator) -> Posterior:
        return fit_stochastic(model, data, StochasticSettings(objective=objective), generator, Progress())

    return fitter


def slopes_by_objective(size: Size, n_sets: int) -> Table:
    """Error of the slopes for every objective, averaged over simulated sets."""
    fitters = {"exact": exact, "none (default)": default} | {name: climb(name) for name in OBJECTIVES}
    runs: dict[str, list[Judged]] = {name: [] for name in fitters}
    for seed in range(1, n_sets + 1):
        truth = simulate(size, seed)
        model, data = problem(truth)
        for name, fitter in fitters.items():
            print(f"{size}, set {seed}: {name}", file=sys.stderr, flush=True)
            runs[name].append(judge(fitter, model, data, truth))
    rows = []
    for name, judged in runs.items():
        apart = [one.slopes - other.slopes for one, other in zip(judged, runs["exact"], strict=True)]
        rows.append(
            (
                name,
                f"{statistics.mean(j.rmse_a for j in judged):.4f}",
                f"{statistics.mean(j.bias_a for j in judged):+.4f}",
                f"{np.mean(apart):+.4f}",
                f"{np.sqrt(np.mean(np.square(apart))):.4f}",
                f"{statistics.mean(j.rmse_theta for j in judged):.4f}",
                f"{statistics.mean(j.coverage for j in judged):.3f}",
                f"{statistics.mean(j.item_coverage for j in judged):.3f}",
                f"{statistics.mean(j.seconds for j in judged):.0f}",
            )
        )
    headings = (
        "objective",
        "RMSE a",
        "bias a",
        "a - exact",
        "RMS a - exact",
        "RMSE theta",
        "cover theta",
        "cover a",
        "CPU s",
    )
    settings = StochasticSettings()
    notes = (
        f"{n_sets} sets. 2PL without priors; {settings.outer} x {settings.inner} draws a person, "
        "gradient='standard'; encoder: learned product of experts, not repaired.",
        "Coverage is of 90 % intervals; those of the slopes are mean-field except for the exact engine.",
    )
    return Table(f"Slopes by objective, {size}", headings, rows, notes)


class Given(LearnedEncoder):
    """A Gaussian for each row, as given, so that the gradient by its mean can be looked at."""

    name = "given"

    def __init__(self, proposal: GaussianProposal) -> None:
        super().__init__()
        self.mean, self.sd = torch.nn.Parameter(proposal.mean), proposal.sd

    def settings(self) -> dict[str, int]:
        return {}

    def encode(self, model, free, answers, persons, groups) -> GaussianProposal:
        return GaussianProposal(self.mean[persons], self.sd[persons])


def signal_to_noise(
    model: Model, free: torch.Tensor, codes: torch.Tensor, name: str, gradient: str, shape: tuple[int, int]
) -> float:
    """Of the gradient by a Gaussian's mean: median over persons, each copied many times.

    The Gaussian is .4 sd off the posterior's mode and 1.2 times as wide, so that weights are bounded.
    """
    ratios = []
    for row in codes:
        cells = DenseCells(row.expand(COPIES, -1).contiguous())
        everyone, groups = torch.arange(COPIES), torch.zeros(COPIES, dtype=torch.long)
        start = GaussianProposal(torch.zeros(1), torch.ones(1))
        mode = repair(model, free, cells, everyone[:1], groups[:1], start, n_steps=6)
        off = GaussianProposal((mode.mean - 0.4 * mode.sd).expand(COPIES), (1.2 * mode.sd).expand(COPIES))
        encoder = Given(off)
        bounding = Bounding(
            model, Data(cells, None, groups), answers_of(model, cells), encoder,
            OBJECTIVES[name], GRADIENTS[gradient], *shape, torch.Generator().manual_seed(0),
        )  # fmt: skip
        _, surrogate = bounding.persons(Batch(everyone, groups, 1.0), free)
        (by_mean,) = torch.autograd.grad(surrogate, encoder.mean)
        ratios.append(float(by_mean.mean().abs() / by_mean.std()))
    return statistics.median(ratios)


def noise_figure() -> go.Figure:
    """Signal-to-noise ratio by number of draws."""
    truth = simulate(Size(2000, 10), seed=1)
    model, data = problem(truth)
    place = model.components[0].slots.index
    free = model.start()
    free[place[:, 0]] = torch.as_tensor(truth.a)
    free[place[:, 1]] = torch.as_tensor(-truth.a * truth.b)
    codes = data.cells.to_dense().codes[:PERSONS]
    figure = go.Figure()
    for name, gradient in CURVES:
        shapes = [(max(1, k // 4), min(k, 4)) if name == "miwae" else (1, k) for k in DRAWS]
        ratio = [signal_to_noise(model, free, codes, name, gradient, shape) for shape in shapes]
        label = f"{name}, {gradient}" + (" (4 draws inside the log)" if name == "miwae" else "")
        print(label, [round(r, 3) for r in ratio], file=sys.stderr, flush=True)
        figure.add_scatter(x=DRAWS, y=ratio, mode="lines+markers", name=label)
    figure.update_layout(
        title="Signal-to-noise ratio of the encoder's gradient",
        xaxis={"title": "draws a person", "type": "log", "tickvals": DRAWS},
        yaxis={"title": "|mean| / sd of the gradient by the mean", "type": "log"},
        template="plotly_white",
    )
    return figure


def size_of(text: str) -> Size:
    """`10000x100m80` is 10,000 persons, 100 items, 80 % missing."""
    shape, _, missing = text.partition("m")
    n_persons, n_items = (int(number) for number in shape.split("x"))
    return Size(n_persons, n_items, int(missing or 0) / 100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=lambda text: tuple(map(size_of, text.split(","))), default=SIZES)
    parser.add_argument("--sets", type=int, default=3)
    parser.add_argument("--noise-only", action="store_true", help="only the figure")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    OUTPUT.mkdir(exist_ok=True)
    figure = noise_figure()
    figure.write_html(OUTPUT / "signal_to_noise.html", include_plotlyjs="cdn")
    if importlib.util.find_spec("kaleido"):
        figure.write_image(OUTPUT / "signal_to_noise.png", scale=2)
    if arguments.noise_only:
        return
    written = []
    for size in arguments.sizes:
        table = slopes_by_objective(size, arguments.sets)
        table.show()
        written.append(table.markdown())
        (OUTPUT / "objectives.md").write_text("\n".join(written))


if __name__ == "__main__":
    main()
