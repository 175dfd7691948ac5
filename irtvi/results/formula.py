"""The curve of an item model at parameters that somebody chose, without data."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from torch.func import jvp

from irtvi.errors import SpecificationError
from irtvi.models.items import ITEM_MODELS
from irtvi.models.items.item_model import Facts


def intercepts(items: pd.DataFrame) -> pd.Series:
    """Intercept d = -a b of each item, for tables with a discrimination ``a`` and a difficulty ``b``; NaN elsewhere."""
    if not {"a", "b"} <= set(items.columns):
        return pd.Series(np.nan, index=items.index, name="d")
    return pd.Series(-items["a"] * items["b"], name="d")


def formula_table(model: str, parameters: Mapping[str, float], theta: np.ndarray | None = None) -> pd.DataFrame:
    """Probability of a right answer and information of an item with two categories.

    Parameters
    ----------
    model : a name of ITEM_MODELS
    parameters : columns of the item table, such as ``{"a": 1.2, "b": 0.0}``
    theta : np.ndarray, optional
        Abilities; default 161 from -4 to 4.

    Returns
    -------
    DataFrame
        Columns ``theta``, ``probability``, ``information`` (Fisher).

    Raises
    ------
    irtvi.errors.SpecificationError
        A parameter of the model is not given.
    """
    item_model = ITEM_MODELS[model]()
    facts = Facts(torch.tensor(2), torch.tensor(-1))
    values = item_model.unreport(dict(parameters), facts)
    if lacking := [spec.name for spec in item_model.parameters if spec.name not in values]:
        raise SpecificationError(f"The {item_model.label} model needs {', '.join(lacking)} as well.")
    params = {
        spec.name: torch.tensor(values[spec.name], dtype=torch.float64).reshape(() if spec.per == "item" else (1,))
        for spec in item_model.parameters
    }
    points = np.linspace(-4, 4, 161) if theta is None else np.asarray(theta, dtype=float)
    place = torch.as_tensor(points, dtype=torch.float64)[:, None]
    ones = torch.ones_like(place)
    score = jvp(lambda t: item_model.coefficients(t, params, facts), (place,), (ones,))[1]
    probabilities, moved = jvp(lambda t: item_model.expectations(t, params, facts), (place,), (ones,))[:2]
    return pd.DataFrame(
        {
            "theta": points,
            "probability": probabilities[:, 1].numpy(),
            "information": (score * moved).sum(-1).numpy(),
        }
    )
