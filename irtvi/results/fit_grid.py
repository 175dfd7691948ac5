"""Nodes on which the posteriors of the persons of a fit can be read off, placed once."""

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from irtvi.inference.engines.engine import Data
from irtvi.inference.nodes import Grid
from irtvi.results.person_posterior import SMOOTH, placed_grid

if TYPE_CHECKING:
    from irtvi.results.result import Result

_grid_of: "WeakKeyDictionary[Result, Grid]" = WeakKeyDictionary()


def fit_grid(result: "Result") -> Grid:
    """The grid of the persons of the fit, kept with the result: it is the same for every cut score and group.

    Parameters
    ----------
    result : Result
        With the responses of its fit.
    """
    if result not in _grid_of:
        data = Data.of(result.responses_of(None), result.item_models, result.posterior.device)
        _grid_of[result] = placed_grid(result.model, result.posterior.free, data.cells, data.groups, SMOOTH)
    return _grid_of[result]
