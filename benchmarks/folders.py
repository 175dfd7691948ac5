"""Time and memory of a Parquet folder that is read, fitted and scored in blocks.

    python benchmarks/folders.py

Each row is a process of its own with one thread. Memory, the most in each step, is what the process itself holds
(RssAnon, sampled) beyond what it held after its imports: pages of files, which the system drops when it needs room, do
not count.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CHUNK = 250_000
"""Persons who are simulated at a time; a file holds a little less than their answers."""
STEPS = ("read", "fit", "abilities", "save", "score")
SLOPES, INTERCEPTS = (0.7, 1.8), (-1.5, 1.5)
COLUMNS = (*(f"{step}, {unit}" for step in STEPS for unit in ("CPU s", "MB")), "bytes a person", "RMSE a")


def slopes(n_items: int) -> np.ndarray:
    """The slopes behind the data."""
    return np.random.default_rng(n_items).uniform(*SLOPES, n_items)


def answers(n_persons: int, n_items: int, seed: int) -> np.ndarray:
    """Answers under a 2PL, int8 [n_persons, n_items]."""
    d = np.random.default_rng(n_items + 1).uniform(*INTERCEPTS, n_items)
    rng = np.random.default_rng(seed)
    theta = rng.standard_normal((n_persons, 1), dtype=np.float32)
    logit = theta * slopes(n_items).astype(np.float32) + d.astype(np.float32)
    return (rng.random(logit.shape, dtype=np.float32) < 1 / (1 + np.exp(-logit))).astype(np.int8)


def write(folder: Path, layout: str, n_persons: int, n_items: int) -> None:
    """Write a folder of files; in long layout persons go on from one file to the next."""
    folder.mkdir()
    names = [f"Q{j + 1}" for j in range(n_items)]
    left: pa.Table | None = None
    for k, start in enumerate(range(0, n_persons, CHUNK)):
        codes = answers(min(CHUNK, n_persons - start), n_items, seed=k)
        ids = np.arange(start, start + len(codes))
        if layout == "wide":
            table = pa.table({"id": ids} | {name: codes[:, j] for j, name in enumerate(names)})
        else:
            item = pa.DictionaryArray.from_arrays(np.tile(np.arange(n_items, dtype=np.int16), len(codes)), names)
            columns = {"id": np.repeat(ids, n_items), "item": item.cast(pa.string()), "resp": codes.reshape(-1)}
            table = pa.table(columns)
            if left is not None:
                table = pa.concat_tables([left, table])
            cut = len(table) - n_items // 2
            table, left = table.slice(0, cut), table.slice(cut)
        pq.write_table(table, folder / f"part-{k + 1}.parquet", row_group_size=500_000)
    if left is not None:
        pq.write_table(left, folder / "part-99999.parquet")


class Peak:
    """The most that the process holds, over what it held at the start, in bytes."""

    def __init__(self) -> None:
        self.start = self.most = _held()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.most = max(self.most, _held())
            time.sleep(0.005)

    def since(self) -> int:
        """The most since this was last asked."""
        most, self.most = max(self.most, _held()), 0
        return most - self.start


def _held() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return 1024 * int(line.split()[1])
    raise RuntimeError("the kernel does not say RssAnon")


def measure(folder: Path, source: str) -> dict[str, float]:
    """Read, fit and score in this process; ``source`` is "folder" or "frame"."""
    import torch

    import irtvi

    irtvi.fit(irtvi.load_data("lsat7"))
    torch.set_num_threads(1)
    found, peak, start = {}, Peak(), time.process_time()

    def done(step: str) -> None:
        nonlocal start
        now = time.process_time()
        found[f"{step}, CPU s"], found[f"{step}, MB"] = now - start, peak.since() / 2**20
        start = now
        print(f"{step}: {found[f'{step}, CPU s']:.1f} s, {found[f'{step}, MB']:.0f} MB", file=sys.stderr, flush=True)

    if source == "folder":
        responses = irtvi.read(folder)
    else:
        import pandas as pd

        responses = irtvi.read(pd.read_parquet(folder))
    done("read")
    n_persons, n_items = responses.n_persons, responses.n_items
    result = irtvi.fit(responses)
    done("fit")
    n_scored = len(result.abilities)
    done("abilities")
    rmse = float(np.sqrt(np.mean((result.items["a"].to_numpy() - slopes(n_items)) ** 2)))
    if source == "folder":
        del responses
        result = _without_data(result)
        done("save")
        assert len(result.score(folder)) == n_scored
        done("score")
    grown = max(found[f"{step}, MB"] for step in ("read", "fit", "abilities"))
    return found | {"bytes a person": grown * 2**20 / n_persons, "RMSE a": rmse}


def _without_data(result):
    """The result as a file keeps it, without the answers."""
    import irtvi

    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "model.irtvi"
        result.save(path)
        return irtvi.load(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", default="500000,2000000", help="how many, several with commas")
    parser.add_argument("--items", default="40", help="how many, several with commas")
    parser.add_argument("--layouts", default="wide,long")
    parser.add_argument("--sources", default="folder", help="folder, frame (the same data as one DataFrame), or both")
    parser.add_argument("--measure", nargs=2, metavar=("FOLDER", "SOURCE"), help=argparse.SUPPRESS)
    parser.add_argument("--write", nargs=4, metavar=("FOLDER", "LAYOUT", "PERSONS", "ITEMS"), help="only write data")
    chosen = parser.parse_args()
    if chosen.write:
        folder, layout, n_persons, n_items = chosen.write
        write(Path(folder), layout, int(n_persons), int(n_items))
        return
    if chosen.measure:
        print(json.dumps(measure(Path(chosen.measure[0]), chosen.measure[1])))
        return
    print("| layout | persons | items | source | " + " | ".join(COLUMNS) + " |")
    print("|" + " :-- |" + " --: |" * 2 + " :-- |" + " --: |" * len(COLUMNS), flush=True)
    for layout in chosen.layouts.split(","):
        for n_persons in map(int, chosen.persons.split(",")):
            for n_items in map(int, chosen.items.split(",")):
                _rows(layout, n_persons, n_items, chosen.sources.split(","))


def _rows(layout: str, n_persons: int, n_items: int, sources: list[str]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / layout
        write(folder, layout, n_persons, n_items)
        for source in sources:
            command = [sys.executable, __file__, "--measure", str(folder), source]
            threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
            done = subprocess.run(command, env=os.environ | threads, check=True, stdout=subprocess.PIPE, text=True)
            found = json.loads(done.stdout)
            shown = [_shown(name, found.get(name)) for name in COLUMNS]
            print(f"| {layout} | {n_persons:,} | {n_items} | {source} | " + " | ".join(shown) + " |", flush=True)


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if name.startswith("RMSE") else f"{value:,.0f}"


if __name__ == "__main__":
    main()
