"""Which abilities a curve is drawn over."""

import math

import numpy as np
from jaxtyping import Float

from irtvi.results.result import Result

LEAST = 4.0
SDS = 3.0
"""Of the population, that are drawn to either side of its mean where that is more."""
N_POINTS = 121


def reach_of(result: Result) -> float:
    """Curves go from minus this to this: 4, or three sds of the widest population as a whole number.

    Models such as Rasch estimate the sd of ability, which may be several units: between -4 and 4 many people would be
    left out.
    """
    population = result.population
    ends = (population["mean"].abs() + SDS * population["sd"]).to_numpy(dtype=float)
    return max(LEAST, float(math.ceil(np.nanmax(ends, initial=0.0))))


def drawn_abilities(result: Result, n_points: int = N_POINTS) -> Float[np.ndarray, " points"]:
    """Abilities at which curves are computed, from end to end."""
    reach = reach_of(result)
    return np.linspace(-reach, reach, n_points)
