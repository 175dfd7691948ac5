"""Two million persons from a folder, under a limit of memory that the same table in memory does not keep to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
N_PERSONS, N_ITEMS = 2_000_000, 40
LIMIT_MB = 1000
"""Beyond what Python holds after its imports; the long table itself takes over 1,200 MB in pandas.

RLIMIT_DATA counts all private memory that is asked for, used or not, but no pages of files.
"""

UNDER_LIMIT = """
import resource, sys
from pathlib import Path
import pandas as pd
import torch
import irtvi
torch.set_num_threads(1)
irtvi.fit(irtvi.load_data("lsat7")).abilities
held = next(int(l.split()[1]) for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (1024 * held + {limit} * 2**20,) * 2)
source, folder = sys.argv[1:]
responses = irtvi.read(folder if source == "folder" else pd.read_parquet(folder))
result = irtvi.fit(responses)
table = result.abilities
scores = result.score(folder)
assert len(table) == len(scores) == responses.n_persons
assert (table["theta"] - scores["theta"]).abs().max() < .002
print("DONE", responses.n_persons, result.converged, (result.items["a"] > .5).all())
"""


def run(source: str, folder: Path) -> subprocess.CompletedProcess[str]:
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, "-c", UNDER_LIMIT.format(limit=LIMIT_MB), source, str(folder)]
    return subprocess.run(command, env=os.environ | one | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts private memory on Linux only")
def test_two_million_persons_fit_into_little_memory(tmp_path):
    make = [sys.executable, str(ROOT / "benchmarks" / "folders.py"), "--write", str(tmp_path / "long"), "long"]
    subprocess.run([*make, str(N_PERSONS), str(N_ITEMS)], check=True)
    done = run("folder", tmp_path / "long")
    assert done.stdout.strip() == f"DONE {N_PERSONS} True True", done.stderr[-2000:]
    in_memory = run("frame", tmp_path / "long")
    assert in_memory.returncode != 0, "the limit is so wide that a table in memory keeps to it"
    assert any(word in in_memory.stderr for word in ("MemoryError", "Memory", "malloc", "allocate")), in_memory.stderr
