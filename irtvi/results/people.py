"""What is asked of persons beyond a score, as tables under the user's ids."""

import math
from collections.abc import Sequence
from typing import Literal

import pandas as pd
import torch

from irtvi.errors import SpecificationError
from irtvi.inference.engines.engine import Data
from irtvi.inference.nodes import Grid
from irtvi.inference.posterior import Posterior, parameter_draws
from irtvi.models.items.item_model import ItemModel
from irtvi.responses.coding import Coding
from irtvi.results import person_posterior
from irtvi.results.curve_families import code_values


def probability_above(
    posterior: Posterior, data: Data, person_ids: pd.Index, cut: float, grid: Grid | None
) -> pd.Series:
    """Posterior probability of an ability above a cut; a grid that is not given is placed."""
    if math.isnan(cut):
        raise SpecificationError(f"probability_above: cut= is a number, got {cut}.")
    model, free = posterior.model, posterior.free
    values = person_posterior.probability_above(model, free, data.cells, data.groups, cut, grid)
    return pd.Series(values.cpu().numpy(), index=person_ids, name="probability")


def plausible_values(
    posterior: Posterior, data: Data, person_ids: pd.Index, n: int, seed: int, items: Literal["held", "draws"]
) -> pd.DataFrame:
    """Draws of ability, one column each, the items held or drawn anew for each column."""
    if n < 1:
        raise SpecificationError(f"plausible_values(n=) must be at least 1, got {n}.")
    if items not in ("held", "draws"):
        raise SpecificationError(f"plausible_values(items=) is 'held' or 'draws', got {items!r}.")
    generator = torch.Generator().manual_seed(seed)
    model, cells, groups = posterior.model, data.cells, data.groups
    if items == "held":
        values = person_posterior.plausible_values(model, posterior.free, cells, groups, n, generator)
    else:
        draws = parameter_draws(posterior, n, generator)
        values = person_posterior.plausible_values_over_items(model, draws, cells, groups, generator)
    return pd.DataFrame(values.cpu().numpy(), index=person_ids, columns=[f"pv{k + 1}" for k in range(n)])


def expected_responses(
    posterior: Posterior, data: Data, person_ids: pd.Index, coding: Coding, item_models: Sequence[ItemModel]
) -> pd.DataFrame:
    """Expected answer of every person to every item, in the user's units."""
    unordered = [m.name for m in item_models if not m.ordered]
    if unordered:
        raise SpecificationError(
            f"The {unordered[0]} model's categories have no order, so there is no expected answer; use predict."
        )
    worth = code_values(coding, item_models)
    values = person_posterior.expected_responses(posterior.model, posterior.free, data.cells, data.groups, worth)
    return pd.DataFrame(values.cpu().numpy(), index=person_ids, columns=coding.item_ids)


def predictions(
    posterior: Posterior, known: Data, hidden: Data, known_ids: pd.Index, person_ids: pd.Index, item_ids: pd.Index
) -> pd.DataFrame:
    """One row for each hidden answer, predicted from the known answers of the same persons."""
    if not person_ids.equals(known_ids):
        raise SpecificationError(
            "predict needs the persons of the fit in the same order, as irtvi.holdout returns them; "
            f"got {len(person_ids)} persons, the fit has {len(known_ids)}."
        )
    found = person_posterior.predictive(posterior.model, posterior.free, known.cells, known.groups, hidden.cells)
    table = pd.DataFrame(
        {
            "id": person_ids[found.persons.cpu().numpy()],
            "item": item_ids[found.items.cpu().numpy()],
            "response": found.answers.cpu().numpy(),
            "log_prob": found.log_prob.cpu().numpy(),
        }
    )
    if posterior.model.measured.any():
        table["mean"] = found.mean.cpu().numpy()
    probabilities = found.probabilities.cpu().numpy()
    return table.assign(**{f"p{k}": probabilities[:, k] for k in range(probabilities.shape[1])})
