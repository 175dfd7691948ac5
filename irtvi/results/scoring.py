"""Scores of persons: what every method returns, and the posterior mean."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.answers import answers_of
from irtvi.inference.engines.engine import Data
from irtvi.inference.expectation import PersonSums
from irtvi.inference.marginal import MarginalPosterior
from irtvi.inference.placing import GridPlacing
from irtvi.models.model import Model
from irtvi.responses.cells import Cells

NO_ANSWER = "no answer"
NO_MAXIMUM = "no finite maximum"


@dataclass(frozen=True)
class Scores:
    """One estimate of ability for each person.

    Attributes
    ----------
    theta : Float[Tensor, " persons"]
    sd : Float[Tensor, " persons"]
        Posterior sd, or one over the root of the curvature of what was maximised; NaN where there is none.
    status : np.ndarray
        Text for each person, empty where there is nothing to say.
    """

    theta: Float[Tensor, " persons"]
    sd: Float[Tensor, " persons"]
    status: np.ndarray


def eap(
    model: Model, free: Float[Tensor, " n_free"], cells: Cells, groups: Int[Tensor, " persons"]
) -> PersonSums:
    """Posterior mean and sd of ability and log marginal likelihood of every person (float64).

    Somebody without an answer gets mean and sd of the group's population and a log marginal of 0.
    """
    persons = torch.arange(cells.n_persons, device=free.device)
    if cells.n_persons == 0:
        return PersonSums.empty(0, free.device)
    placing = GridPlacing(answers_of(model, cells), persons, groups)
    problem = MarginalPosterior(
        model,
        Data(cells, None, groups),
        persons,
        placing,
        torch.Generator(),
        lambda: False,
        dtype=torch.float64,
    )
    return problem.run(free, torch.float64).persons
