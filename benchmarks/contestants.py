"""Who takes part, at which sizes, and one run of one of them in a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from data import Size
from environments import NotInstallable, python_of
from measure import MARK

HERE = Path(__file__).resolve().parent
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"),
    "1",
)


@dataclass(frozen=True)
class Contestant:
    """A script that ends in `measure.main`, and where it can be run.

    Parameters
    ----------
    peer, requirement
        The environment under `.venv-peers` and what pip installs there; without them, this interpreter.
    most_responses
        Above this number of responses it is not tried, for the reason in `why_not_more`.
    """

    name: str
    script: str
    arguments: tuple[str, ...] = ()
    peer: str | None = None
    requirement: str = ""
    most_responses: int | None = None
    why_not_more: str = ""


@dataclass(frozen=True)
class Failed:
    """No measurement, and the reason in words."""

    reason: str


BARE_EM = Contestant("bare EM", "bare_em.py")
AMORTIZED = Contestant("irtvi.fit(responses)", "irtvi_2pl.py", ("responses", "amortized"))
AMORTIZED_FRAME = Contestant("irtvi.fit(df)", "irtvi_2pl.py", ("frame", "amortized"))
EXACT = Contestant("irtvi.fit(responses, engine='quadrature')", "irtvi_2pl.py", ("responses", "quadrature"))
EXACT_FRAME = Contestant("irtvi.fit(df, engine='quadrature')", "irtvi_2pl.py", ("frame", "quadrature"))
GIRTH = Contestant("girth", "peers/girth_2pl.py", peer="girth", requirement="girth")
PY_IRT = Contestant(
    "py-irt",
    "peers/py_irt_2pl.py",
    peer="py_irt",
    requirement="py-irt",
    most_responses=500_000,
    why_not_more="time grows with the responses: hours",
)
MIRT = Contestant("mirt (PyPI)", "peers/mirt_2pl.py", peer="mirt", requirement="mirt")
OURS = (BARE_EM, AMORTIZED, AMORTIZED_FRAME, EXACT, EXACT_FRAME)
PEERS = (GIRTH, PY_IRT, MIRT)


def run(contestant: Contestant, size: Size, folder: Path, limit: float) -> dict | Failed:
    """Fit the data in `folder` once, within `limit` seconds of wall time."""
    if contestant.most_responses is not None and size.n_responses > contestant.most_responses:
        return Failed(f"not tried: {contestant.why_not_more}")
    try:
        python = python_of(contestant.peer, contestant.requirement) if contestant.peer else sys.executable
    except NotInstallable as reason:
        return Failed(f"cannot be installed: {reason}")
    path = [str(HERE)] if contestant.peer else [str(HERE), str(HERE.parent)]
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(path)}
    command = [str(python), str(HERE / contestant.script), str(folder), *contestant.arguments]
    try:
        answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return Failed(f"not done after {limit:.0f} s")
    marked = [line for line in answer.stdout.splitlines() if line.startswith(MARK)]
    if answer.returncode or not marked:
        lines = (answer.stderr or answer.stdout).strip().splitlines()
        return Failed(f"failed: {lines[-1] if lines else f'exit code {answer.returncode}'}")
    return json.loads(marked[-1].removeprefix(MARK))
