"""Variational IRT as it was published, beside irtvi's bounds and its default.

python benchmarks/vibo.py [--size 10000x50] [--epochs 100] [--sets 1]

VIBO is rebuilt here from Wu, Davis, Domingue, Piech & Goodman (2020, Variational item response theory:
fast, accurate, and expressive) with the settings of its public code: Gaussian ELBO, one draw a person,
batches of 16, Adam with a step of .005, 100 epochs, standard normal priors for slopes and intercepts,
mean-field items. An expert is a network of the answer, and in the paper also of the item's embedding; experts
multiply. Also as in that code: the items' divergence is subtracted in full from every batch, a missing answer
contributes a standard normal expert, the sign is not fixed (it is turned round here before anything is
compared), and scores come from one draw of the items.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from data import Simulated, Size, simulate, size_of
from objectives import Judged, climb, default, exact, judge, problem
from tables import Table

OUTPUT = Path(__file__).resolve().parent / "output"
BATCH, STEP, HIDDEN, EPOCHS = 16, 5e-3, 64, 100


@dataclass(frozen=True)
class Draw:
    """Slopes and intercepts of all items."""

    slope: Tensor
    intercept: Tensor


class Vibo(nn.Module):
    """The published model.

    Parameters
    ----------
    n_items : int
    sees_item : bool
        Whether experts know the item, as in the paper; in the code's default they do not.
    """

    def __init__(self, n_items: int, sees_item: bool) -> None:
        super().__init__()
        self.sees_item = sees_item
        self.item_mean = nn.Parameter(torch.randn(n_items, 2))
        self.item_log_variance = nn.Parameter(torch.randn(n_items, 2))
        self.expert = nn.Sequential(
            nn.Linear(3 if sees_item else 1, HIDDEN), nn.ELU(), nn.Linear(HIDDEN, HIDDEN), nn.ELU(),
            nn.Linear(HIDDEN, 2),
        )  # fmt: skip

    def items(self) -> Draw:
        """One draw of the items."""
        noise = torch.randn_like(self.item_mean)
        return Draw(*(self.item_mean + (0.5 * self.item_log_variance).exp() * noise).unbind(1))

    def abilities(self, answers: Tensor, items: Draw) -> tuple[Tensor, Tensor]:
        """Mean and sd of the product of experts, one for each item whether answered or not."""
        seen = answers.clamp(min=0)[..., None]
        if self.sees_item:
            embedding = torch.stack([items.slope, items.intercept], 1).expand(len(answers), -1, -1)
            seen = torch.cat([embedding, seen], -1)
        mean, log_variance = self.expert(seen).unbind(-1)
        answered = answers >= 0
        mean, log_variance = torch.where(answered, mean, 0.0), torch.where(answered, log_variance, 0.0)
        precision = (-log_variance).exp()
        total = precision.sum(1)
        return (mean * precision).sum(1) / total, total.rsqrt()

    def loss(self, answers: Tensor) -> Tensor:
        """Minus the evidence lower bound of a batch, with the items' divergence in full."""
        items = self.items()
        mean, sd = self.abilities(answers, items)
        theta = mean + sd * torch.randn_like(mean)
        logit = items.slope * theta[:, None] + items.intercept
        answered = (answers >= 0).float()
        misfit = binary_cross_entropy_with_logits(logit, answers.clamp(min=0), answered, reduction="sum")
        of_persons = _divergence(mean, 2 * sd.log())
        return misfit + of_persons + _divergence(self.item_mean, self.item_log_variance)


def _divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence of Gaussians from the standard normal, summed."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()


def train(simulated: Simulated, sees_item: bool, epochs: int) -> Judged:
    """Fit as published and judge as :func:`objectives.judge` does."""
    started = time.process_time()
    torch.manual_seed(0)
    answers = torch.from_numpy(simulated.responses).float()
    vibo = Vibo(answers.shape[1], sees_item)
    optimiser = torch.optim.Adam(vibo.parameters(), lr=STEP, fused=True)  # the same steps in less time
    for _ in range(epochs):
        for rows in torch.randperm(len(answers)).split(BATCH):
            loss = vibo.loss(answers[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    with torch.no_grad():
        mean, sd = (part.numpy() for part in vibo.abilities(answers, vibo.items()))
        slopes, item_sd = vibo.item_mean[:, 0].numpy(), (0.5 * vibo.item_log_variance[:, 0]).exp().numpy()
    sign = np.sign(slopes.mean())
    theta, slopes = sign * mean, sign * slopes
    return Judged(
        rmse_a=float(np.sqrt(np.mean((slopes - simulated.a) ** 2))),
        bias_a=float(np.mean(slopes - simulated.a)),
        rmse_theta=float(np.sqrt(np.mean((theta - simulated.theta) ** 2))),
        coverage=float(np.mean(np.abs(theta - simulated.theta) < 1.645 * sd)),
        item_coverage=float(np.mean(np.abs(slopes - simulated.a) < 1.645 * item_sd)),
        seconds=time.process_time() - started,
        slopes=slopes,
    )


FITTED = {
    "irtvi, default": partial(judge, default),
    "irtvi, exact": partial(judge, exact),
    'irtvi, objective="elbo"': partial(judge, climb("elbo")),
    'irtvi, objective="iwae"': partial(judge, climb("iwae")),
}
PUBLISHED = {"VIBO, as in the paper": True, "VIBO, encoder without items": False}


def compare(size: Size, epochs: int, sets: int) -> Iterator[Table]:
    """One row a method, averaged over simulated sets, the same for all; a table after each set."""
    runs: dict[str, list[Judged]] = {name: [] for name in (*FITTED, *PUBLISHED)}
    for seed in range(1, sets + 1):
        truth = simulate(size, seed)
        model, data = problem(truth)
        for name, judged in runs.items():
            print(f"{size}, set {seed}: {name}", file=sys.stderr, flush=True)
            judged.append(FITTED[name](model, data, truth) if name in FITTED else train(truth, PUBLISHED[name], epochs))
        yield table_of(size, epochs, runs)


def table_of(size: Size, epochs: int, runs: dict[str, list[Judged]]) -> Table:
    """One row a method."""
    rows = []
    for name, judged in runs.items():
        columns = ("rmse_a", "bias_a", "rmse_theta", "coverage", "item_coverage", "seconds")
        a, bias, theta, cover, cover_a, seconds = (np.mean([getattr(j, c) for j in judged]) for c in columns)
        rows.append(
            (name, f"{a:.4f}", f"{bias:+.4f}", f"{theta:.4f}", f"{cover:.1%}", f"{cover_a:.1%}", f"{seconds:.0f}")
        )
    headings = ("method", "RMSE a", "bias a", "RMSE theta", "cover theta", "cover a", "CPU s")
    number = len(next(iter(runs.values())))
    notes = (
        f"{number} simulated set{'s' * (number > 1)}, the same for all rows. Coverage is of 90 % intervals. irtvi "
        f"without priors; VIBO: {epochs} epochs, batches of {BATCH}, standard normal priors.",
    )
    return Table(f"Published variational IRT, {size}", headings, rows, notes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=size_of, default=Size(10_000, 50))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--sets", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    OUTPUT.mkdir(exist_ok=True)
    size = arguments.size
    for table in compare(size, arguments.epochs, arguments.sets):
        table.show()
        name = f"vibo-{size.n_persons}x{size.n_items}m{size.missing * 100:.0f}.md"
        (OUTPUT / name).write_text(table.markdown())


if __name__ == "__main__":
    main()
