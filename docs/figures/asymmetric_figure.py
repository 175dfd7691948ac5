"""The items of TIMSS 2007 (Russia, mathematics, grade 8) whose curves are most surely not symmetric."""

import os
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go

import irtvi

DATA = Path(os.environ.get("IRTVI_REFERENCE", Path(__file__).resolve().parents[3] / "shared")) / "data"
N_ITEMS = 6


def asymmetric_figure() -> go.Figure:
    """Curves with bands and what people answered; the asymmetries are also printed."""
    frame = pd.read_csv(DATA / "timss07_g8_rus_math.csv")
    items = frame.drop(columns="id").filter(regex="^(?!cov_)")
    items = items.loc[:, items.nunique() == 2]
    result = irtvi.fit(irtvi.read(pd.concat([frame["id"], items], axis=1), id="id"), model="monotone")
    certainty = (result.items["asymmetry"] / result.items["asymmetry_sd"]).abs()
    chosen = list(certainty.nlargest(N_ITEMS).index)
    print(result.items.loc[chosen, ["asymmetry", "asymmetry_sd", "n_answered"]].round(2).to_string())
    return irtvi.plots.icc(result, item=chosen)
