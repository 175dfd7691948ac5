"""The seam for engines."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.posterior import Posterior, Step
from irtvi.models.model import Model
from irtvi.responses.cells import Cells


@dataclass(frozen=True)
class Data:
    """What an engine sees of the data: tensors only.

    Attributes
    ----------
    cells : Cells
        Category codes, each item in the coding that its model uses.
    weights : Float[Tensor, " persons"] or None
        Weight of each person; None where all are 1.
    groups : Int[Tensor, " persons"]
        Group of each person.
    """

    cells: Cells
    weights: Float[Tensor, " persons"] | None
    groups: Int[Tensor, " persons"]

    def to(self, device: torch.device) -> "Data":
        weights = None if self.weights is None else self.weights.to(device)
        return Data(self.cells.to(device), weights, self.groups.to(device))


@dataclass
class Progress:
    """Collects the trace of a fit, tells a listener, and knows whether to stop.

    Attributes
    ----------
    listener : callable or None
        Called with every :class:`Step`.
    cancelled : callable
        Asked often; True stops the fit, which then returns its best state.
    """

    listener: Callable[[Step], None] | None = None
    cancelled: Callable[[], bool] = lambda: False
    steps: list[Step] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)

    def tell(self, phase: str, objective: float, step_se: float) -> None:
        step = Step(phase, objective, step_se, time.perf_counter() - self.started)
        self.steps.append(step)
        if self.listener is not None:
            self.listener(step)


class Engine(ABC):
    """Fits a model to data. A subclass is a frozen dataclass of settings that check themselves."""

    name: ClassVar[str]

    @abstractmethod
    def fit(self, model: Model, data: Data, generator: torch.Generator, progress: Progress) -> Posterior:
        """Estimate the model.

        Parameters
        ----------
        model, data
            On the same device.
        generator : torch.Generator
            On the CPU; the only source of randomness.
        progress : Progress
        """
