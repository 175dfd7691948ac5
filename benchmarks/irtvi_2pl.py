"""The contestant at home: irtvi's whole fit, standard errors and scores included.

    python irtvi_2pl.py FOLDER {responses,frame} ENGINE

With `responses` the data were read before the clock starts; with `frame` reading belongs to the fit.
"""

import sys
from collections.abc import Callable

import numpy as np
import pandas as pd

import irtvi
from data import MISSING
from measure import Estimates, main


def frame(responses: np.ndarray) -> pd.DataFrame:
    """What `pandas.read_csv` would give: int64 columns, or float64 with NaN where answers are missing."""
    columns = [f"item{j}" for j in range(responses.shape[1])]
    if (responses == MISSING).any():
        return pd.DataFrame(np.where(responses == MISSING, np.nan, responses), columns=columns)
    return pd.DataFrame(responses.astype(np.int64), columns=columns)


def read(responses: np.ndarray) -> irtvi.Responses:
    return irtvi.read(frame(responses))


def fit_with(engine: str) -> Callable[[pd.DataFrame | irtvi.Responses], Estimates]:
    def fit(data: pd.DataFrame | irtvi.Responses) -> Estimates:
        result = irtvi.fit(data, model="2pl", engine=engine)
        items, abilities = result.items, result.abilities
        return Estimates(items["a"].to_numpy(), items["b"].to_numpy(), abilities["theta"].to_numpy())

    return fit


if __name__ == "__main__":
    prepare = {"responses": read, "frame": frame}[sys.argv[2]]
    main("irtvi", prepare=prepare, fit=fit_with(sys.argv[3]))
