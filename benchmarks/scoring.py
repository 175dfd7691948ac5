"""How long scores of new people take, against one pass of the exact engine over the same answers.

    OMP_NUM_THREADS=1 python benchmarks/scoring.py [--size 100000x100] [--repeats 7]

The model is saved and loaded first, as a service would. Times are medians of CPU seconds.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

import irtvi
from data import simulate, size_of
from irtvi.inference.answers import answers_of
from irtvi.inference.engines.engine import Data
from irtvi.inference.expectation import PlacedAnswers, run_pass
from irtvi.inference.placing import GridPlacing
from irtvi.results.scoring import eap
from irtvi_2pl import frame, read
from tables import Table

SINGLE_PERSONS = 50


def seconds(job: Callable[[], object], repeats: int) -> float:
    """Median CPU time; the first run does not count."""
    job()
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        job()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def loaded(result: irtvi.Result) -> irtvi.Result:
    with tempfile.TemporaryDirectory() as folder:
        return irtvi.load(result.save(Path(folder) / "model.irtvi"))


def exact_pass(result: irtvi.Result, data: Data) -> Callable[[], object]:
    """A pass over the nodes that the exact engine settles on, expected counts included, from the codes."""
    model, free = result.model, result.posterior.free
    answers, everyone = answers_of(model, data.cells), torch.arange(data.cells.n_persons)
    placing = GridPlacing(answers, everyone, data.groups)
    while not placing.adequate(run_pass(model, placing.place(model, free), free, None).persons):
        pass
    placement = placing.place(model, free).placement
    return lambda: run_pass(model, PlacedAnswers(answers, placement), free, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="100000x100")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    size = size_of(options.size)
    result = loaded(irtvi.fit(read(simulate(size, seed=1).responses), model="2pl"))
    new = simulate(size, seed=2).responses
    encoded = result.coding.encode(frame(new))
    data = Data.of(encoded, result.item_models, torch.device("cpu"))
    people = [frame(new[k : k + 1]) for k in range(SINGLE_PERSONS)]

    one = seconds(lambda: [result.score(person) for person in people], options.repeats) / SINGLE_PERSONS
    unit = seconds(exact_pass(result, data), options.repeats)
    moments = seconds(
        lambda: eap(result.model, result.posterior.free, data.cells, data.groups, "amortized"), options.repeats
    )
    table = seconds(lambda: result.score(encoded), options.repeats)
    rows = [
        ["one person from a DataFrame, whole table", f"{1000 * one:.1f} ms", "-"],
        [f"one pass of the exact engine, {size}", f"{unit:.3f} s", "1"],
        [f"theta and sd, {size}", f"{moments:.3f} s", f"{moments / unit:.2f}"],
        [f"table with sd_items and what certifies each person, {size}", f"{table:.3f} s", f"{table / unit:.2f}"],
    ]
    shown = Table("Scores of new people", ("what", "CPU", "in passes"), rows)
    shown.show()
    print(shown.markdown())


if __name__ == "__main__":
    main()
