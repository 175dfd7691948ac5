"""Bayesian item response theory: from a table of answers to abilities, items and how sure one can be."""

from irtvi import errors
from irtvi.compare import compare
from irtvi.fit import fit
from irtvi.inference.engines import Amortized, Quadrature
from irtvi.inference.engines.engine import Progress
from irtvi.models import priors
from irtvi.responses.holdout import holdout
from irtvi.responses.read import read
from irtvi.responses.responses import Responses
from irtvi.responses.samples import load_data
from irtvi.results.result import Result
from irtvi.results.state import load
from irtvi.simulate import simulate

__all__ = [
    "Amortized",
    "Progress",
    "Quadrature",
    "Responses",
    "Result",
    "compare",
    "errors",
    "fit",
    "holdout",
    "load",
    "load_data",
    "priors",
    "read",
    "simulate",
]


LAZY = ("diagnostics", "plots")


def __getattr__(name: str) -> object:
    """Diagnostics and figures are imported when they are first asked for: plotly takes its time."""
    if name in LAZY:
        import importlib

        return importlib.import_module(f"irtvi.{name}")
    raise AttributeError(f"module 'irtvi' has no attribute {name!r}")
