"""How well models recover item characteristic curves, and how well they predict answers that were set aside.

python benchmarks/curves.py --kinds 2pl,power --persons 500,2000 --sets 20 --models 2pl,monotone,known

The model "known" is told the true curves, and learns abilities only: nothing can predict better.
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

import irtvi
from true_curves import KINDS, Known, probability

N_ITEMS = 30
LEVEL = 0.9
KNOWN = "known"
GRID = np.linspace(-1.96, 1.96, 41)
WEIGHT = np.exp(-0.5 * GRID**2) / np.exp(-0.5 * GRID**2).sum()


def judge(kind: str, n_persons: int, seed: int, models: list[str]) -> list[dict]:
    """One simulated set: curve RMSE, coverage of bands, held-out log-loss under the true probabilities."""
    rng = np.random.default_rng(seed)
    parameters = KINDS[kind](rng, rng.normal(size=N_ITEMS))
    theta = rng.normal(size=n_persons)
    truth = probability(theta, parameters)
    items = parameters.index
    frame = pd.DataFrame((rng.random(truth.shape) < truth).astype(int), columns=items)
    responses = irtvi.read(frame.rename_axis("id").reset_index(), id="id")
    train, test = irtvi.holdout(responses, share=0.1, seed=seed)
    right = probability(GRID, parameters).T
    rows = []
    for model in models:
        how = {"model": Known(), "fixed": parameters} if model == KNOWN else {"model": model}
        whole = irtvi.fit(responses, **how)
        table = whole.curves(theta=GRID, what="probability", level=LEVEL)
        table = table[table.category == 1]
        shape = (N_ITEMS, len(GRID))
        value, lower, upper = (table[c].to_numpy().reshape(shape) for c in ("value", "lower", "upper"))
        cells = irtvi.fit(train, **how).predict(test)
        expected = truth[cells.id.to_numpy(), items.get_indexer(cells.item)]
        loss = -(expected * np.log(cells.p1) + (1 - expected) * np.log(cells.p0))
        rows.append(
            {
                "kind": kind, "persons": n_persons, "seed": seed, "model": model, "loss": loss.mean(),
                "rmse": np.sqrt((((value - right) ** 2) * WEIGHT).sum(1).mean()),
                "cover": np.nan if model == KNOWN else (((right >= lower) & (right <= upper)) @ WEIGHT).mean(),
                "converged": whole.converged,
            }
        )  # fmt: skip
    return rows


def summary(rows: list[dict]) -> pd.DataFrame:
    """Means over sets; the held-out loss as the paired difference from the 2PL's, in units of .001."""
    table = pd.DataFrame(rows)
    base = table[table.model == "2pl"].set_index(["kind", "persons", "seed"]).loss
    table["difference"] = 1e3 * (
        table.loss.to_numpy() - base.loc[list(zip(table.kind, table.persons, table.seed, strict=True))].to_numpy()
    )
    groups = table.groupby(["kind", "persons", "model"], sort=False)
    out = groups[["difference", "rmse", "cover", "converged"]].mean()
    out.insert(1, "se", groups.difference.sem())
    return out.assign(sets=groups.size()).round({"difference": 2, "se": 2, "rmse": 4, "cover": 3}).reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--persons", default="500,2000")
    parser.add_argument("--sets", type=int, default=20)
    parser.add_argument("--models", default="2pl,3pl,monotone,known")
    chosen = parser.parse_args()
    for kind in chosen.kinds.split(","):
        for n_persons in map(int, chosen.persons.split(",")):
            rows = []
            for seed in range(chosen.sets):
                rows += judge(kind, n_persons, seed, chosen.models.split(","))
            print(summary(rows).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
