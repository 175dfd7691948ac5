"""How well models predict real answers that were set aside, beside the share of right answers of each item.

python benchmarks/heldout.py --data npi40,pisa12_us_math --models 2pl,3pl,monotone --seeds 3

Every fit adds a row to output/heldout.csv, and what stands there is not fitted again: delete the file to start
afresh. The table is made of all rows and ends up in output/heldout.md. The data are read from the folder "data"
in the one that IRTVI_REFERENCE names (default ../shared).
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from scipy.stats import rankdata

import irtvi

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("IRTVI_REFERENCE", ROOT.parent / "shared")) / "data"
OUTPUT = ROOT / "benchmarks" / "output"
ROWS = OUTPUT / "heldout.csv"
SETS = {
    "timss07_g8_rus_math (two categories)": "timss07_g8_rus_math.csv",
    "timss07_g8_rus_math": "timss07_g8_rus_math.csv",
    "pisa12_us_math": "pisa12_us_math.csv",
    "wordbank_danish (every seventh item)": "wordbank_danish.csv.gz",
    "wordbank_danish": "wordbank_danish.csv.gz",
    "npi40": "npi40.csv",
    "metabench_gsm8k": "metabench_gsm8k.csv.gz",
    "swebench_verified": "swebench_verified.csv",
}
MODELS = ("rasch", "2pl", "3pl", "link", "deep", "residual", "monotone")
FOR_MORE_CATEGORIES = {"rasch": "pcm", "residual": "residual", "monotone": "monotone"}
BASELINE = "item means"
SMALLEST = 1e-9


def read(name: str) -> irtvi.Responses:
    """A data set; items that everybody answered alike are left out."""
    frame = pd.read_csv(DATA / SETS[name])
    items = frame.drop(columns="id").filter(regex="^(?!cov_)")
    items = items.loc[:, items.nunique() > 1]
    if "two categories" in name:
        items = items.loc[:, items.nunique() == 2]
    if "seventh" in name:
        items = items.iloc[:, ::7]
    return irtvi.read(pd.concat([frame["id"], items], axis=1), id="id")


def choice(model: str, responses: irtvi.Responses) -> dict:
    """The model of each item: one for more categories where this one is for two."""
    more = FOR_MORE_CATEGORIES.get(model, "grm")
    counts = responses.n_categories("scored")
    return {i: model if n == 2 else more for i, n in zip(responses.item_ids, counts, strict=True)}


def baseline(train: irtvi.Responses, cells: pd.DataFrame) -> pd.DataFrame:
    """The same cells, predicted by the share of each category among an item's other answers."""
    n_categories = train.n_categories("scored")
    counts = train.scored().counts(int(max(n_categories))).double().numpy() + 0.5
    counts[np.arange(counts.shape[1]) >= np.asarray(n_categories)[:, None]] = 0.0
    share = counts / counts.sum(1, keepdims=True)
    rows = share[train.item_ids.get_indexer(cells["item"])]
    chosen = rows[np.arange(len(cells)), cells["response"].to_numpy().astype(int)]
    return cells.assign(log_prob=np.log(chosen), **{f"p{k}": rows[:, k] for k in range(rows.shape[1])})


def auc(score: np.ndarray, right: np.ndarray) -> float:
    """Area under the receiver operating characteristic."""
    n_right = right.sum()
    n_wrong = len(right) - n_right
    return float((rankdata(score)[right].sum() - n_right * (n_right + 1) / 2) / (n_right * n_wrong))


def scores(cells: pd.DataFrame, two: set) -> dict[str, float]:
    """Accuracy, log-loss and Brier score over all cells, AUC over those of items with two categories."""
    probabilities = cells.filter(regex=r"^p\d+$").fillna(0.0).to_numpy()
    response = cells["response"].to_numpy().astype(int)
    answered = np.eye(probabilities.shape[1])[response]
    of_two = cells["item"].isin(two).to_numpy()
    return {
        "accuracy": float((probabilities.argmax(1) == response).mean()),
        "log_loss": float(-cells["log_prob"].clip(lower=np.log(SMALLEST)).mean()),
        "auc": auc(probabilities[of_two, 1], response[of_two] == 1),
        "brier": float(((probabilities - answered) ** 2).sum(1).mean() / 2),
    }


def clustered(difference: pd.Series, persons: pd.Series) -> float:
    """Standard error of a mean, clustered by person."""
    sums = (difference - difference.mean()).groupby(persons.to_numpy()).sum()
    return float(np.sqrt((sums**2).sum()) / len(difference))


def judge(name: str, models: list[str], seed: int, rows: list[dict]) -> None:
    """Add a row for each model that has none; the loss (x .001) also as the difference from the 2PL's."""
    done = {row["model"] for row in rows if (row["data"], row["seed"]) == (name, seed)}
    if done >= set(models):
        return
    responses = read(name)
    two = {i for i, n in zip(responses.item_ids, responses.n_categories("scored"), strict=True) if n == 2}
    train, test = irtvi.holdout(responses, share=0.1, seed=seed)
    reference = None
    for model in ["2pl", *(m for m in models if m not in done | {"2pl"})]:
        started = time.process_time()
        result = irtvi.fit(train, model=choice(model, train))
        cells, seconds = result.predict(test), time.process_time() - started
        if reference is None:
            reference = cells
        where = {"data": name, "seed": seed, "model": model}
        if model == "2pl" and model not in done:
            keep(rows, where | {"model": BASELINE} | scores(baseline(train, cells), two))
        difference = 1e3 * (reference["log_prob"] - cells["log_prob"])
        found = {"difference": difference.mean(), "se": clustered(difference, cells["id"])}
        if model not in done:
            keep(rows, where | scores(cells, two) | found | {"seconds": seconds, "converged": result.converged})


def keep(rows: list[dict], row: dict) -> None:
    """Remember a row, in the file too."""
    rows.append(row)
    pd.DataFrame(rows).to_csv(ROWS, index=False)
    print(row, flush=True)


def table_of(rows: list[dict], name: str) -> pd.DataFrame:
    """Means over seeds, a row for each model."""
    table = pd.DataFrame(rows)
    table = table[table["data"] == name].drop(columns="data")
    table["converged"] = table["converged"].astype(float)
    groups = table.groupby("model", sort=False)
    table = groups.mean().drop(columns="seed").assign(seeds=groups.size())
    order = [BASELINE, *MODELS]
    digits = {"accuracy": 4, "log_loss": 4, "auc": 4, "brier": 4, "difference": 2, "se": 2, "seconds": 1}
    return table.loc[[m for m in order if m in table.index]].round(digits)


def markdown(table: pd.DataFrame) -> str:
    """A table as GitHub shows it."""
    head = ["model", *table.columns]
    rows = [
        [str(i), *("" if np.isnan(x) else f"{x:g}" for x in row)]
        for i, row in zip(table.index, table.to_numpy(), strict=True)
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=",".join(SETS))
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--seeds", type=int, default=3)
    chosen = parser.parse_args()
    OUTPUT.mkdir(exist_ok=True)
    rows = pd.read_csv(ROWS).to_dict("records") if ROWS.exists() else []
    names = chosen.data.split(",")
    for seed in range(chosen.seeds):
        for name in names:
            judge(name, chosen.models.split(","), seed, rows)
    present = {row["data"] for row in rows}
    text = [f"## {name}\n\n{markdown(table_of(rows, name))}\n" for name in SETS if name in present]
    (OUTPUT / "heldout.md").write_text("\n".join(text), encoding="utf-8")
    print("\n".join(text))


if __name__ == "__main__":
    main()
