"""Speed, memory and accuracy of irtvi beside a bare EM and other packages, on the same data in one run.

    python benchmarks/speed.py [--sizes 10000x50,10000x100m80,...] [--rounds 3] [--without-peers]

Every run is a process of its own with one BLAS thread. The contestants take turns; every round has data of its own,
because how often an EM has to iterate differs among data sets by a third. Each figure is the median over the rounds,
ratios are medians of the rounds' ratios, and a run of over two minutes is not repeated. Times are CPU seconds of the
whole fit.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from contestants import (
    AMORTIZED,
    AMORTIZED_FRAME,
    BARE_EM,
    EXACT,
    EXACT_FRAME,
    MIRT,
    ONE_THREAD,
    OURS,
    PEERS,
    PY_IRT,
    Contestant,
    Failed,
    run,
)
from data import Size, save, simulate, size_of
from tables import Table

HERE = Path(__file__).resolve().parent
SMALL, SPARSE, LARGE = Size(10_000, 50), Size(10_000, 100, 0.8), Size(100_000, 100)
# Who, from which size to which, and by how much the time for a response may grow.
SCALING = (
    (EXACT, Size(10_000, 100), Size(1_000_000, 100), 1.3),
    (AMORTIZED, Size(100_000, 100), Size(1_560_000, 100), 1.2),
)
LONG_RUN = 120.0
HEADINGS = (
    "program",
    "CPU s",
    "wall s",
    "CPU / bare EM",
    "peak MB",
    "RMSE a",
    "bias a",
    "RMSE b",
    "RMSE theta",
)

Measured = dict[Contestant, dict | Failed]


def measure(contestants: Sequence[Contestant], size: Size, rounds: int, limit: float, seed: int = 1) -> Measured:
    """The medians of runs on simulated data sets, a new one in every round."""
    taken: dict[Contestant, list[dict | Failed]] = {contestant: [] for contestant in contestants}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds):
            save(simulate(size, seed + turn), Path(folder))
            for contestant, runs in taken.items():
                if not runs or _worth_repeating(runs[-1]):
                    print(f"{size}, round {turn + 1}: {contestant.name}", file=sys.stderr, flush=True)
                    runs.append(run(contestant, size, Path(folder), limit))
    return {contestant: _median(runs) for contestant, runs in taken.items()}


def _worth_repeating(latest: dict | Failed) -> bool:
    return not isinstance(latest, Failed) and latest["wall_seconds"] < LONG_RUN


def _median(runs: list[dict | Failed]) -> dict | Failed:
    done = [taken for taken in runs if not isinstance(taken, Failed)]
    if len(done) < len(runs):
        return next(taken for taken in runs if isinstance(taken, Failed))
    numbers = [name for name in done[0] if name != "version"]
    medians = {name: statistics.median(taken[name] for taken in done) for name in numbers}
    by_round = [taken["cpu_seconds"] for taken in done]
    return medians | {"version": done[0]["version"], "runs": len(done), "cpu_by_round": by_round}


def ratio(measured: Measured, numerator: Contestant, denominator: Contestant) -> float:
    """CPU time of one as a multiple of the other's, the median over rounds; NaN where one is missing."""
    above, below = measured.get(numerator), measured.get(denominator)
    if not isinstance(above, dict) or not isinstance(below, dict):
        return float("nan")
    return statistics.median(a / b for a, b in zip(above["cpu_by_round"], below["cpu_by_round"], strict=False))


def table(size: Size, measured: Measured) -> Table:
    """One row for each contestant; a note says why one has no figures."""
    rows, notes = [], []
    for contestant, found in measured.items():
        if isinstance(found, Failed):
            rows.append([contestant.name] + ["-"] * (len(HEADINGS) - 1))
            notes.append(f"{contestant.name}: {found.reason}")
            continue
        version = "" if contestant in OURS else " " + found["version"].split()[-1]
        rows.append(
            [
                contestant.name + version,
                f"{found['cpu_seconds']:.2f}",
                f"{found['wall_seconds']:.2f}",
                f"{ratio(measured, contestant, BARE_EM):.2f}",
                f"{found['peak_mb']:.0f}",
                f"{found['rmse_a']:.4f}",
                f"{found['bias_a']:+.4f}",
                f"{found['rmse_b']:.4f}",
                f"{found['rmse_theta']:.4f}",
            ]
        )
    return Table(str(size), HEADINGS, rows, notes)


def growth(contestant: Contestant, small: Size, large: Size, rounds: int, limit: float) -> float:
    """Time per response at the larger size as a multiple of that at the smaller."""
    each = []
    for size in (small, large):
        found = measure([contestant], size, rounds, limit)[contestant]
        if isinstance(found, Failed):
            return float("nan")
        each.append(found["cpu_seconds"] / size.n_responses)
    return each[1] / each[0]


def import_seconds(statement: str) -> float:
    """Median CPU time of five fresh interpreters that import something."""
    code = f"import os, {statement}; print(sum(os.times()[:2]))"
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": str(HERE.parent)}
    spent = [
        float(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True).stdout or "nan")
        for _ in range(5)
    ]
    return statistics.median(spent)


def promises(found: dict[Size, Measured]) -> list[tuple[str, float, str, float]]:
    """What is promised: the words, what was measured, the direction, and the limit."""
    small, sparse, large = (found.get(size, {}) for size in (SMALL, SPARSE, LARGE))
    kept = []
    for contestant, limits, frame, frame_limit, memory in (
        (AMORTIZED, (1.0, 1.0, 0.25), AMORTIZED_FRAME, 0.7, 250),
        (EXACT, (1.2, 1.2, 0.45), EXACT_FRAME, 1.0, 400),
    ):
        for size, taken, limit in zip((SMALL, SPARSE, LARGE), (small, sparse, large), limits, strict=True):
            kept.append((f"{contestant.name} / bare EM, {size}", ratio(taken, contestant, BARE_EM), "at most", limit))
        kept.append((f"{frame.name} / bare EM, {LARGE}", ratio(large, frame, BARE_EM), "at most", frame_limit))
        at_large = large.get(contestant)
        peak = at_large["peak_mb"] if isinstance(at_large, dict) else float("nan")
        kept.append((f"peak memory of {contestant.name}, {LARGE}, MB", peak, "at most", memory))
        kept.append((f"py-irt / {contestant.name}, {SMALL}", ratio(small, PY_IRT, contestant), "at least", 50))
        kept.append((f"mirt (PyPI) / {contestant.name}, {LARGE}", ratio(large, MIRT, contestant), "at least", 10))
    return kept


def promises_table(kept: Sequence[tuple[str, float, str, float]]) -> Table:
    """One row for each promise, with a verdict."""
    rows = []
    for words, value, direction, limit in kept:
        holds = value <= limit if direction == "at most" else value >= limit
        verdict = "not measured" if value != value else "yes" if holds else "NO"
        rows.append([words, f"{value:.2f}", f"{direction} {limit:g}", verdict])
    return Table("Promises", ("what", "measured", "promised", "kept"), rows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000x50,10000x100m80,100000x100", help="separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=600, help="wall seconds for one run")
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--without-scaling", action="store_true", help="leave out a million persons")
    parser.add_argument("--out", type=Path, default=HERE / "output" / "speed.md")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    contestants = OURS if options.without_peers else OURS + PEERS
    found: dict[Size, Measured] = {}
    tables: list[Table] = []
    for size in map(size_of, options.sizes.split(",")):
        found[size] = measure(contestants, size, options.rounds, options.limit)
        tables.append(table(size, found[size]))
        tables[-1].show()
    kept = promises(found)
    if not options.without_scaling:
        for contestant, lower, upper, limit in SCALING:
            words = f"time per response of {contestant.name}, {upper} / {lower}"
            kept.append((words, growth(contestant, lower, upper, options.rounds, options.limit), "at most", limit))
    extra = import_seconds("torch, pandas, irtvi") - import_seconds("torch, pandas")
    # "Little" is read as half a second.
    kept.append(("import irtvi beyond torch and pandas, CPU s", extra, "at most", 0.5))
    tables.append(promises_table(kept))
    tables[-1].show()

    options.out.parent.mkdir(parents=True, exist_ok=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    command = f"`python benchmarks/speed.py {' '.join(sys.argv[1:])}`".replace(" `", "`")
    words = f"Made by {command} on {machine}; one BLAS thread, median of up to {options.rounds} runs."
    options.out.write_text("\n".join([words, "", *(made.markdown() for made in tables)]))
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
