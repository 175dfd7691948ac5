"""The curve of an item model at parameters that somebody chose, without data."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from irtvi.errors import SpecificationError
from irtvi.models.derivatives import slopes
from irtvi.models.items import ITEM_MODELS
from irtvi.models.items.item_model import Facts, ItemModel, element_name, event_size


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
    points = _points(theta)
    probabilities, information = _formula(model, parameters, 2, points)
    return pd.DataFrame(
        {"theta": points, "probability": probabilities[:, 1].numpy(), "information": information.sum(-1).numpy()}
    )


def category_table(
    model: str, parameters: Mapping[str, float], n_categories: int, theta: np.ndarray | None = None
) -> pd.DataFrame:
    """Probability of every category of an item, and what each adds to the item's information.

    Parameters
    ----------
    model : a name of ITEM_MODELS
    parameters : columns of the item table, such as ``{"a": 1.2, "b1": -1.0, "b2": 0.5}``
    n_categories : int
    theta : np.ndarray, optional
        Abilities; default 161 from -4 to 4.

    Returns
    -------
    DataFrame
        Columns ``category`` (0, 1 ..), ``theta``, ``probability``, ``information``; the information of the item is the
        sum over its categories (Samejima 1969).

    Raises
    ------
    irtvi.errors.SpecificationError
        A parameter of the model is not given, or the thresholds are none of this model.
    """
    points = _points(theta)
    probabilities, information = _formula(model, parameters, n_categories, points)
    return pd.DataFrame(
        {
            "category": np.repeat(np.arange(n_categories), len(points)),
            "theta": np.tile(points, n_categories),
            "probability": probabilities.T.reshape(-1).numpy(),
            "information": information.T.reshape(-1).numpy(),
        }
    )


def models_of_thresholds(n_categories: int) -> list[str]:
    """Names of the item models that a discrimination and one threshold for each step say in full."""
    columns = {"a": 1.0} | {f"b{k + 1}": float(k) for k in range(n_categories - 1)}
    facts = Facts(torch.tensor(n_categories), torch.tensor(-1))
    return [
        name
        for name, item_model in ITEM_MODELS.items()
        if any(spec.depends_on_categories for spec in item_model.parameters)
        and not item_model.needs_key
        and set(_names(item_model(), n_categories)) <= set(item_model().unreport(columns, facts))
    ]


def _points(theta: np.ndarray | None) -> np.ndarray:
    return np.linspace(-4, 4, 161) if theta is None else np.asarray(theta, dtype=float)


def _names(item_model: ItemModel, n_categories: int) -> list[str]:
    sizes = {spec: event_size(spec, 1, n_categories) for spec in item_model.parameters}
    return [element_name(spec, k, size) for spec, size in sizes.items() for k in range(size)]


def _formula(
    model: str, parameters: Mapping[str, float], n_categories: int, points: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Probabilities of the categories, and what each adds to the information."""
    item_model = ITEM_MODELS[model]()
    facts = Facts(torch.tensor(n_categories), torch.tensor(-1))
    values = item_model.unreport(dict(parameters), facts)
    if lacking := [name for name in _names(item_model, n_categories) if name not in values]:
        raise SpecificationError(f"The {item_model.label} model needs {', '.join(lacking)} as well.")
    params = {}
    for spec in item_model.parameters:
        size = event_size(spec, 1, n_categories)
        numbers = [values[element_name(spec, k, size)] for k in range(size)]
        params[spec.name] = torch.tensor(numbers, dtype=torch.float64).reshape(() if spec.per == "item" else (size,))
    place = torch.as_tensor(points, dtype=torch.float64)[:, None]
    _, score = slopes(lambda t: item_model.coefficients(t, params, facts), place)
    probabilities, moved = slopes(lambda t: item_model.expectations(t, params, facts), place)
    return probabilities, score * moved
