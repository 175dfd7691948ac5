"""The seam for engines."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.errors import OutOfBoundsError
from irtvi.inference.posterior import Posterior, Snapshot, Step
from irtvi.models.items.continuous import ContinuousModel
from irtvi.models.items.item_model import ItemModel
from irtvi.models.model import Model
from irtvi.responses.cells import Cells
from irtvi.responses.measures import MEASURED, MeasuredCells, Measures
from irtvi.responses.responses import Responses


@dataclass(frozen=True)
class Data:
    """What an engine sees of the data: tensors only.

    Attributes
    ----------
    cells : Cells
        Category codes, each item in the coding that its model uses; `MeasuredCells` where answers are measured.
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
    most = max(1, int(responses.n_categories("raw").max()))
    lookup = torch.full((responses.n_items, most), -1, dtype=torch.int8)
    for j, (coding, item_model) in enumerate(zip(responses.codings, item_models, strict=True)):
        if item_model.uses == "measured":
            lookup[j] = MEASURED
            continue
        codes = range(len(coding.categories)) if item_model.uses == "raw" else coding.scores
        lookup[j, : len(coding.categories)] = torch.tensor(list(codes), dtype=torch.int8)
    coded = responses.raw().recode(lookup)
    if "measured" not in uses:
        return coded
    return MeasuredCells(coded, _numbers(responses, item_models))


def _numbers(responses: Responses, item_models: Sequence[ItemModel]) -> Measures:
    """Measured answers, all of them within the bounds of their models."""
    models = {j: m for j, m in enumerate(item_models) if isinstance(m, ContinuousModel)}
    numbers = responses.numbers(list(models))
    low, high = (torch.tensor([models[j].bounds[k] if j in models else 0.0 for j in range(len(item_models))],
                              dtype=torch.float64) for k in (0, 1))  # fmt: skip
    items = numbers.items.long()
    outside = torch.nonzero((numbers.values <= low[items]) | (numbers.values >= high[items]))[:, 0]
    if len(outside):
        first = int(outside[0])
        item = int(items[first])
        person = responses.person_ids[int(numbers.persons()[first])]
        raise OutOfBoundsError(
            f"{len(outside)} answers lie outside of what the {models[item].label} model allows, between "
            f"{models[item].bounds[0]:g} and {models[item].bounds[1]:g} without the ends: {person!r} has "
            f"{float(numbers.values[first]):g} for item {responses.item_ids[item]!r}. Rescale the answers "
            "((y - lowest) / (highest - lowest)), move ends inward ((y (n - 1) + .5) / n with n persons, Smithson and "
            "Verkuilen 2006), or choose the normal model.",
            item=responses.item_ids[item],
        )
    return numbers


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
