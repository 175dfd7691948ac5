"""Ability tables: point estimates beside their uncertainty, under the user's ids."""

from statistics import NormalDist

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from irtvi.errors import SpecificationError
from irtvi.inference.engines.engine import Data
from irtvi.inference.posterior import Posterior
from irtvi.inference.prepared import PersonScores
from irtvi.responses.responses import Responses
from irtvi.results.criteria import Criterion, Likelihood, LogPosterior, Warm, WithJeffreys
from irtvi.results.estimates import maximise
from irtvi.results.mode_uncertainty import sd_items_of_modes
from irtvi.results.sum_score_uncertainty import sd_items_of_sums
from irtvi.results.sum_scores import eap_sum

MODES: dict[str, Criterion] = {"map": LogPosterior(), "ml": Likelihood(), "wle": Warm(), "jeffreys": WithJeffreys()}
METHODS = ("eap", *MODES, "eap_sum")
NO_ANSWER = "no answer: the population's mean and sd"


def ability_table(responses: Responses, scores: PersonScores, trusted: Tensor, level: float) -> pd.DataFrame:
    """EAP table of persons whose posterior moments are known, and whether each can be trusted."""
    status = np.full(responses.n_persons, "", dtype=object)
    status[responses.answered() == 0] = NO_ANSWER
    return _table(responses, scores.sums.mean, scores.sums.sd, scores.sd_items, trusted, status, level)


def estimate_table(
    posterior: Posterior, data: Data, responses: Responses, values: Tensor, method: str, level: float, limit: float
) -> pd.DataFrame:
    """Table of another method; what the items' uncertainty adds follows from what each method does."""
    if method not in METHODS:
        raise SpecificationError(f"There is no scoring method {method!r}; the methods are {', '.join(METHODS)}.")
    if not limit > 0:
        raise SpecificationError(f"score(limit=) must be positive, got {limit}.")
    given = posterior.model, posterior.free, data.cells, data.groups
    if method == "eap_sum":
        found = eap_sum(*given, values)
        extra = sd_items_of_sums(*given, values, posterior.curvature)
    else:
        found = maximise(MODES[method], *given, limit)
        extra = sd_items_of_modes(MODES[method], *given, posterior.curvature, found)
    return _table(responses, found.theta, found.sd, extra, torch.isfinite(found.sd), found.status, level)


def _table(
    responses: Responses,
    theta: Tensor,
    sd: Tensor,
    extra: Tensor,
    reliable: Tensor,
    status: np.ndarray,
    level: float,
) -> pd.DataFrame:
    points, spread, of_items = theta.cpu().numpy(), sd.cpu().numpy(), extra.cpu().numpy()
    lower, upper = _bounds(points, spread, of_items, level)
    columns = {
        "theta": points,
        "sd": spread,
        "sd_items": of_items,
        "lower": lower,
        "upper": upper,
        "n_answered": responses.answered(),
        "sum_score": responses.sum_score(),
        "max_score": responses.max_score(),
        "reliable": reliable.cpu().numpy(),
        "status": status,
    }
    return pd.DataFrame(columns, index=responses.person_ids)


def interval(table: pd.DataFrame, level: float) -> pd.DataFrame:
    """Central intervals of the normal with the table's theta, sd and sd_items: columns lower, upper."""
    theta, sd, of_items = (table[name].to_numpy() for name in ("theta", "sd", "sd_items"))
    lower, upper = _bounds(theta, sd, of_items, level)
    return pd.DataFrame({"lower": lower, "upper": upper}, index=table.index)


def _bounds(theta: np.ndarray, sd: np.ndarray, of_items: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    if not 0.0 < level < 1.0:
        raise SpecificationError(f"level must lie between 0 and 1, got {level}.")
    half = NormalDist().inv_cdf(0.5 + level / 2) * np.hypot(sd, np.nan_to_num(of_items, nan=0.0))
    return theta - half, theta + half
