"""CPU time of fits with flexible curves, as ratios to a bare EM of the 2PL on the same data in the same process.

python benchmarks/curve_costs.py --sizes 10000x50,100000x100 --models 2pl,monotone,link,residual,deep
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import bare_em
import irtvi
from data import Size, simulate
from irtvi_2pl import read

MODELS = "2pl,monotone,link,residual,deep"
SMALL = Size(1_000, 10)


def seconds(action) -> float:
    """CPU seconds of the whole process."""
    started = time.process_time()
    action()
    return time.process_time() - started


def fit(responses: irtvi.Responses, model: str) -> None:
    """Items with standard errors, and abilities, as the bare EM has them."""
    result = irtvi.fit(responses, model=model)
    result.items  # noqa: B018 (the table is made when it is asked for)
    result.abilities  # noqa: B018


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000x50,100000x100")
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    models = chosen.models.split(",")
    warm = simulate(SMALL, seed=0).responses
    for model in models:
        fit(read(warm), model)
    print("| size | bare EM, CPU s | " + " | ".join(models) + " |")
    print("|" + " --- |" * (2 + len(models)), flush=True)
    for size in chosen.sizes.split(","):
        n_persons, n_items = map(int, size.split("x"))
        em, ratios = [], {model: [] for model in models}
        for seed in range(chosen.rounds):
            answers = simulate(Size(n_persons, n_items), seed).responses
            responses = read(answers)
            em.append(seconds(lambda answers=answers: bare_em.fit(answers)))
            for model in models:
                spent = seconds(lambda model=model, responses=responses: fit(responses, model))
                ratios[model].append(spent / em[-1])
                print(f"<!-- {size} {seed} {model} {spent:.2f} {ratios[model][-1]:.2f} -->", flush=True)
        cells = [f"{np.median(em):.1f}", *(f"{np.median(ratios[model]):.2f}" for model in models)]
        print(f"| {Size(n_persons, n_items)} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
