"""The seam for engines."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.posterior import Posterior, Snapshot, Step
from irtvi.models.items.item_model import ItemModel
from irtvi.models.model import Model
from irtvi.responses.cells import Cells
from irtvi.responses.responses import Responses


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

    @staticmethod
    def of(responses: Responses, item_models: Sequence[ItemModel], device: torch.device) -> "Data":
        """Responses as an engine sees them."""
        weighted = responses.weights is not None or responses.survey_weights is not None
        weights = responses.person_weights() if weighted else None
        groups = torch.zeros(responses.n_persons, dtype=torch.long)
        return Data(_cells(responses, item_models), weights, groups).to(device)

    def to(self, device: torch.device) -> "Data":
        weights = None if self.weights is None else self.weights.to(device)
        return Data(self.cells.to(device), weights, self.groups.to(device))


def _cells(responses: Responses, item_models: Sequence[ItemModel]) -> Cells:
    uses = {m.uses for m in item_models}
    if uses == {"scored"}:
        return responses.scored()
    if uses == {"raw"}:
        return responses.raw()
    lookup = torch.full((responses.n_items, int(responses.n_categories("raw").max())), -1, dtype=torch.int8)
    for j, (coding, item_model) in enumerate(zip(responses.codings, item_models, strict=True)):
        codes = range(len(coding.categories)) if item_model.uses == "raw" else coding.scores
        lookup[j, : len(coding.categories)] = torch.tensor(list(codes), dtype=torch.int8)
    return responses.raw().recode(lookup)


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

    def tell(self, phase: str, objective: float, step_se: float, snapshot: Snapshot) -> None:
        """Note a pass."""
        step = Step(phase, objective, step_se, time.perf_counter() - self.started, snapshot)
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
