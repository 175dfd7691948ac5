"""Time and judge one fit in this process. Every contestant's script ends by calling `main`.

Needs NumPy only, because it also runs in the environments of the other packages.
"""

import ctypes
import gc
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data import Size, load, simulate

MARK = "MEASURED "
WARM_UP = Size(500, 10)


class Estimates(NamedTuple):
    """Point estimates on the scale on which ability is N(0, 1)."""

    a: np.ndarray
    b: np.ndarray
    theta: np.ndarray
    sd: np.ndarray | None = None
    log_likelihood: float | None = None


def main(
    version: str, prepare: Callable[[np.ndarray], Any], fit: Callable[[Any], Estimates], warm_up: bool = True
) -> None:
    """Fit the data in the folder named on the command line and print the measurements as one line of JSON.

    `prepare` brings the array of responses into the program's own form and is not timed; `fit` is. A small
    fit goes first and is not counted, so that compilation and lazy imports are nobody's cost.
    """
    data = load(Path(sys.argv[1]))
    if warm_up:
        fit(prepare(simulate(WARM_UP, seed=0).responses))
    prepared = prepare(data.responses)

    resident = _start_of_peak()
    wall, cpu = time.perf_counter(), _cpu_seconds()
    estimates = fit(prepared)
    wall, cpu = time.perf_counter() - wall, _cpu_seconds() - cpu
    peak = _memory("VmHWM") - resident

    measured = {
        "version": version,
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "peak_mb": peak,
        "rmse_a": _rmse(estimates.a, data.a),
        "bias_a": float(np.mean(estimates.a - data.a)),
        "rmse_b": _rmse(estimates.b, data.b),
        "rmse_theta": _rmse(estimates.theta, data.theta),
    }
    print(MARK + json.dumps(measured), flush=True)


def _rmse(estimate: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean((np.asarray(estimate) - truth) ** 2)))


def _cpu_seconds() -> float:
    each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(spent.ru_utime + spent.ru_stime for spent in each)


def _memory(entry: str) -> float:
    """VmRSS or VmHWM of this process in MB (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(entry + ":"):
            return float(line.split()[1]) / 1024
    return float("nan")


def _start_of_peak() -> float:
    """Give freed memory back, set the kernel's high-water mark to now, and return what is in use in MB."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")
