"""What a bound does to the items: slopes by objective on the same simulated data.

python benchmarks/objectives.py [--sizes 10000x50,10000x100m80] [--seeds 1,2,3,4]
                                [--objectives elbo,iwae]

Writes `output/objectives.md` after every simulated set, so that a run that is stopped leaves what it has.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import irtvi
from data import MISSING, Simulated, Size, simulate, size_of
from irtvi.inference.engines import Amortized, Quadrature
from irtvi.inference.engines.engine import Data, Progress
from irtvi.inference.objectives import OBJECTIVES
from irtvi.inference.posterior import Posterior
from irtvi.inference.stochastic import StochasticSettings, fit_stochastic
from irtvi.models.model import Model
from irtvi.models.specification import Specification, build
from tables import Table

OUTPUT = Path(__file__).resolve().parent / "output"
SIZES = Size(10_000, 50), Size(10_000, 100, 0.8)
HEADINGS = (
    "objective",
    "RMSE a",
    "bias a (SE)",
    "a - exact (SE)",
    "RMS a - exact",
    "RMSE theta",
    "cover theta",
    "cover a",
    "CPU s",
)
TIGHT = "exact", "none (default)"

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


def fitter_of(name: str) -> Fitter:
    """How the row of this name is fitted."""
    return {"exact": exact, "none (default)": default}.get(name) or climb(name)


def slopes_by_objective(size: Size, seeds: Sequence[int], objectives: Sequence[str]) -> Iterator[Table]:
    """Error of the slopes for every objective, averaged over simulated sets; a table after each set."""
    runs: dict[str, list[Judged]] = {name: [] for name in (*TIGHT, *objectives)}
    for seed in seeds:
        truth = simulate(size, seed)
        model, data = problem(truth)
        for name, judged in runs.items():
            print(f"{size}, set {seed}: {name}", file=sys.stderr, flush=True)
            judged.append(judge(fitter_of(name), model, data, truth))
        yield table_of(size, runs)


def table_of(size: Size, runs: dict[str, list[Judged]]) -> Table:
    """One row an objective."""
    rows = []
    for name, judged in runs.items():
        apart = [one.slopes - other.slopes for one, other in zip(judged, runs["exact"], strict=True)]

        def mean(attribute: str, judged: list[Judged] = judged) -> float:
            return float(np.mean([getattr(one, attribute) for one in judged]))

        rows.append(
            (
                name,
                f"{mean('rmse_a'):.4f}",
                with_error([one.bias_a for one in judged]),
                with_error(np.concatenate(apart)),
                f"{np.sqrt(np.mean(np.square(apart))):.4f}",
                f"{mean('rmse_theta'):.4f}",
                f"{mean('coverage'):.3f}",
                f"{mean('item_coverage'):.3f}",
                f"{mean('seconds'):.0f}",
            )
        )
    settings, n_sets = StochasticSettings(), len(runs["exact"])
    notes = (
        f"{n_sets} simulated set{'s' * (n_sets > 1)}, the same for all rows. 2PL without priors.",
        "SE of the bias: over sets, whose items share the error of the scale. SE of the difference from the exact "
        "engine's slopes, on the same data: over the items of all sets.",
        f"Named objectives: {settings.outer} x {settings.inner} draws a person, batches of {settings.batch_size}, "
        "gradient='standard'; encoder: learned product of experts, not repaired.",
        "Coverage is of 90 % intervals; those of the slopes are mean-field except for the first two rows.",
    )
    return Table(f"Slopes by objective, {size}", HEADINGS, rows, notes)


def with_error(values: Sequence[float] | np.ndarray) -> str:
    """Mean and its standard error, which a single value does not have."""
    error = f"{np.std(values, ddof=1) / len(values) ** 0.5:.4f}" if len(values) > 1 else "-"
    return f"{np.mean(values):+.4f} ({error})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=lambda text: tuple(map(size_of, text.split(","))), default=SIZES)
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[1, 2, 3, 4])
    parser.add_argument("--objectives", type=lambda text: text.split(","), default=list(OBJECTIVES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    OUTPUT.mkdir(exist_ok=True)
    of_sizes = [slopes_by_objective(size, arguments.seeds, arguments.objectives) for size in arguments.sizes]
    for tables in zip(*of_sizes, strict=True):
        for table in tables:
            table.show()
        (OUTPUT / "objectives.md").write_text("\n".join(table.markdown() for table in tables))


if __name__ == "__main__":
    main()
