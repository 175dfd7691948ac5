"""Maps between the unconstrained scale, on which every search runs, and the scale of a formula."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Transform:
    """A monotone map from the real line to the values that a parameter may take.

    Attributes
    ----------
    name : str
        Name under which it is stored.
    to_natural, to_free : callable
        The map and its inverse, elementwise.
    """

    name: str
    to_natural: Callable[[Tensor], Tensor]
    to_free: Callable[[Tensor], Tensor]


IDENTITY = Transform("identity", lambda x: x, lambda x: x)
POSITIVE = Transform("positive", torch.exp, torch.log)
UNIT = Transform("unit", torch.sigmoid, torch.logit)

TRANSFORMS = {t.name: t for t in (IDENTITY, POSITIVE, UNIT)}
