"""Log-likelihoods beside those that other software or independent computations reached on the same data.

python benchmarks/agreement.py [--only SAT12]

Prints a Markdown table, and notes of what was left out. LSAT6 and LSAT7 are bundled; the other data are read
from the folder `data` of the one that the environment variable IRTVI_REFERENCE names, by default `../shared`.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import irtvi
from irtvi.errors import IrtviWarning
from tables import Table

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("IRTVI_REFERENCE", ROOT.parent / "shared")) / "data"
ENGINES = "amortized", "quadrature"

JSS = "Rizopoulos (2006)"
MIRT_TESTS = "tests of R mirt"
MIRT = "R mirt 1.45.1"
EM = "EM in NumPy, 121 to 401 nodes"
EXACT = "computed apart, fine grid"

SAT12_KEY = dict(
    zip(
        (f"Item.{j}" for j in range(1, 33)),
        (1, 4, 5, 2, 3, 1, 2, 1, 3, 1, 2, 4, 2, 1, 5, 3, 4, 4, 1, 4, 3, 3, 4, 1, 3, 5, 1, 3, 1, 5, 4, 5),
        strict=True,
    )
)
FIRST_FIVE = tuple(SAT12_KEY)[:5]
NESTED_LOGIT = {name: "nested_logit" if name in FIRST_FIVE else "2pl" for name in SAT12_KEY}


def bundled(name: str) -> Callable[[], irtvi.Responses]:
    """Data that come with irtvi."""
    return lambda: irtvi.read(irtvi.load_data(name))


def file(name: str, **options: Any) -> Callable[[], irtvi.Responses]:
    """A file of the reference folder, read with options."""
    return lambda: irtvi.read(DATA / name, **options)


@dataclass(frozen=True)
class Case:
    """One model for one data set, and the log-likelihood that others found.

    Parameters
    ----------
    label : str
    read : callable
    model : str or mapping by item
    reference : float
        Log marginal likelihood at the estimates, nats.
    source : str
    priors : mapping or None
        None is maximum likelihood.
    """

    label: str
    read: Callable[[], irtvi.Responses]
    model: Any
    reference: float
    source: str
    priors: Any = field(default=None)


GUESSING = {"a": None, "d": None, "c": irtvi.priors.Normal(-1.386294, 0.5)}
CASES = (
    Case("LSAT6, 1PL", bundled("lsat6"), "1pl", -2466.938, JSS),
    Case("LSAT6, 2PL", bundled("lsat6"), "2pl", -2466.653, JSS),
    Case("LSAT7, 1PL", bundled("lsat7"), "1pl", -2664.901, MIRT_TESTS),
    Case("LSAT7, 2PL", bundled("lsat7"), "2pl", -2658.805, MIRT_TESTS),
    Case("SAT12, 1PL", file("sat12.csv"), "1pl", -9643.469, MIRT),
    Case("SAT12, 2PL", file("sat12.csv"), "2pl", -9488.955, MIRT),
    Case("SAT12, 3PL, prior on c", file("sat12.csv"), "3pl", -9441.548, MIRT, GUESSING),
    Case(
        "SAT12, nested logit (5 items), 2PL (27)",
        file(
            "sat12_raw.csv",
            key=SAT12_KEY,
            missing=dict.fromkeys(FIRST_FIVE, 8),
            wrong={name: 8 for name in SAT12_KEY if name not in FIRST_FIVE},
        ),
        NESTED_LOGIT,
        -11626.064,
        MIRT,
    ),
    Case("Science, graded response", file("science4.csv"), "grm", -1608.869, MIRT),
    Case("Science, generalized partial credit", file("science4.csv"), "gpcm", -1612.682, MIRT),
    Case("Science, partial credit", file("science4.csv"), "pcm", -1619.274, MIRT),
    Case("Science, nominal", file("science4.csv"), "nominal", -1608.452, MIRT),
    Case("Science, sequential", file("science4.csv"), "sequential", -1609.768, MIRT_TESTS),
    Case("ICAR16, 2PL", file("icar16.csv"), "2pl", -12612.701, MIRT),
    Case("ICAR16, 3PL, prior on c", file("icar16.csv"), "3pl", -12543.557, MIRT, GUESSING),
    Case("MSAT-B, 2PL", file("msatb.csv"), "2pl", -15390.960, EM),
    Case("FIMS Australia and Japan, 2PL", file("fims_aus_jpn.csv"), "2pl", -46059.549, EM),
    Case("NPI-40, 2PL", file("npi40.csv"), "2pl", -235367.407, EM),
    Case("PISA 2012 US mathematics, 2PL", file("pisa12_us_math.csv"), "2pl", -58098.299, EM),
    Case("Fraction subtraction, 2PL", file("frac_sub.csv"), "2pl", -4640.141, EM),
    Case("metabench GSM8K, 2PL", file("metabench_gsm8k.csv.gz"), "2pl", -409792.24, EXACT),
    Case(
        "metabench TruthfulQA, 2PL",
        file("metabench_truthfulqa.csv.gz"),
        "2pl",
        -145406.28,
        EXACT,
    ),
)


def row(case: Case, responses: irtvi.Responses) -> tuple[str, ...]:
    """A case as a row of the table: both engines' difference from the reference, and their times."""
    cells = [case.label, f"{case.reference:.3f}".rstrip("0"), case.source]
    for engine in ENGINES:
        started = time.process_time()
        result = irtvi.fit(responses, model=case.model, priors=case.priors, engine=engine)
        seconds = time.process_time() - started
        mark = "" if result.converged else " (not converged)"
        cells += [
            f"{result.log_marginal:.3f}{mark}",
            f"{result.log_marginal - case.reference:+.3f}",
            f"{seconds:.1f}",
        ]
    return tuple(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="cases whose label contains this")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", IrtviWarning)
    row(CASES[0], CASES[0].read())  # Lazy imports and first calls are nobody's cost.
    rows, absent = [], []
    for case in CASES:
        if arguments.only not in case.label:
            continue
        try:
            responses = case.read()
        except irtvi.errors.FileMissingError:
            absent.append(case.label)
            continue
        rows.append(row(case, responses))
        print(*rows[-1], sep="  ", file=sys.stderr, flush=True)
    headings = (
        "data, model",
        "reference",
        "by",
        *(f"{engine}{what}" for engine in ENGINES for what in ("", ", difference", ", CPU s")),
    )
    notes = [
        "Log marginal likelihood in nats; maximum likelihood, except for the named prior on c "
        "(normal on the logit, mean -1.386, sd 0.5). A positive difference is a better fit than the reference.",
        "CPU seconds of the whole fit with standard errors, one thread.",
    ]
    if absent:
        notes.append(f"Left out because the data are not there: {', '.join(absent)}.")
    print(Table("Log-likelihoods", headings, rows, notes).markdown())


if __name__ == "__main__":
    main()
