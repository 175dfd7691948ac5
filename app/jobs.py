"""Fits in the background: what is asked for, how far the search is, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from score_tables import ScoreTables
from tasks import State, Task

import irtvi
from irtvi.diagnostics.empirical import ability_groups
from irtvi.inference.engines import ENGINES
from irtvi.inference.interruption import interruptible, may_stop
from irtvi.inference.posterior import Step
from irtvi.plots.item_curves import N_GROUPS

_FIRST_GUESS = 1e-5
"""Seconds of a fit for each answer, before this process has seen one of the same model."""
_seconds_per_answer: dict[tuple[str, str], float] = {}


@dataclass(frozen=True)
class Request:
    """What is to be fitted.

    Parameters
    ----------
    name : what was chosen, a name of ITEM_MODELS or "auto"
    model : a name of ITEM_MODELS, "auto", or a name for each item
    engine, seed : as `irtvi.fit` takes them
    priors : "default", or None for maximum likelihood
    """

    name: str
    model: str | Mapping[Hashable, str]
    engine: str = "auto"
    seed: int = 0
    priors: Literal["default"] | None = "default"

    @property
    def key(self) -> tuple[str, str]:
        """Fits that take about equally long for each answer."""
        return (self.model if isinstance(self.model, str) else "mixed", self.engine)

    def fit(self, responses: irtvi.Responses, progress: irtvi.Progress) -> irtvi.Result:
        """Fit it to these data."""
        return irtvi.fit(
            responses,
            model=self.model,  # pyright: ignore[reportArgumentType]
            engine=self.engine,
            seed=self.seed,
            priors=self.priors,
            progress=progress,
        )


class Job(Task):
    """One fit, from the queue to its result.

    Parameters
    ----------
    request : what is to be fitted
    responses : to which data
    data_key : which reading of which file they are
    """

    def __init__(self, request: Request, responses: irtvi.Responses, data_key: str) -> None:
        super().__init__(request.name, data_key)
        self.request, self.responses = request, responses
        self.steps: list[Step] = []
        self.searched = False
        self.result: irtvi.Result | None = None
        self.scores: ScoreTables | None = None

    @property
    def climbed(self) -> list[float]:
        """What the search has climbed in its present phase; other phases climb other sums, such as of some persons."""
        steps = list(self.steps)
        return [step.objective for step in steps if step.phase == steps[-1].phase]

    def expected(self) -> float:
        trend = _seconds_to_converge(self.steps, _tolerance(self.request.engine))
        if trend is not None:
            return trend
        return 0.5 + _seconds_per_answer.get(self.request.key, _FIRST_GUESS) * self.responses.n_responses

    def work(self) -> tuple[State, str]:
        progress = irtvi.Progress(listener=self.steps.append, cancelled=self.cancelled)
        result = self.request.fit(self.responses, progress)
        self.searched = True
        stopped = result.posterior.stopped
        scores = ScoreTables(result)
        if not stopped:
            _prepare(result, scores, self.cancelled)
            _seconds_per_answer[self.request.key] = self.elapsed / max(1, self.responses.n_responses)
        self.result, self.scores = result, scores
        return "stopped" if stopped else "done", result.reason


def _prepare(result: irtvi.Result, scores: ScoreTables, cancelled: Callable[[], bool]) -> None:
    """Make the tables that every page shows, so that no page waits for them; who cancels does not wait either."""
    with suppress(KeyboardInterrupt), interruptible(cancelled):
        for table in ("abilities", "items", "reliability", "trace", "data_digest"):
            may_stop()
            getattr(result, table)
        ability_groups(result, N_GROUPS)
        scores.of()


def _tolerance(engine: str) -> float:
    settings = ENGINES.get(engine, ENGINES["quadrature"])()
    return getattr(settings, "tolerance", 1e-2)


def _seconds_to_converge(steps: list[Step], tolerance: float) -> float | None:
    """Time at which steps that shrink as the last few did are shorter than the tolerance."""
    recent = [step for step in steps[-6:] if step.step_se > 0 and math.isfinite(step.step_se)]
    if len(recent) < 3:
        return None
    first, last = recent[0], recent[-1]
    shrinking = math.log(first.step_se / last.step_se)
    if shrinking <= 0:
        return None
    ahead = max(0.0, math.log(last.step_se / tolerance)) / shrinking
    return last.seconds + ahead * (last.seconds - first.seconds)
