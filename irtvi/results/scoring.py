"""Scores of persons: what every method returns, and the posterior mean."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.answers import answers_of
from irtvi.inference.encoders.parabola import Parabola
from irtvi.inference.engines import Amortized, Quadrature
from irtvi.inference.expectation import PersonSums
from irtvi.inference.placing import GridPlacing, Placing, integrate_people
from irtvi.inference.windows import WindowPlacing
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
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    groups: Int[Tensor, " persons"],
    engine: str = Quadrature.name,
) -> PersonSums:
    """Posterior mean and sd of ability and log marginal likelihood of every person (float64).

    Somebody without an answer gets mean and sd of the group's population and a log marginal of 0.

    Parameters
    ----------
    engine : str
        The amortized engine integrates where its encoder puts each person, quadrature over one grid for all.
    """
    persons = torch.arange(cells.n_persons, device=free.device)
    if cells.n_persons == 0:
        return PersonSums.empty(0, free.device)
    answers = answers_of(model, cells)
    placing: Placing = GridPlacing(answers, persons, groups)
    if engine == Amortized.name:
        placing = WindowPlacing(answers, persons, groups, Parabola())
    return integrate_people(model, free, placing)
