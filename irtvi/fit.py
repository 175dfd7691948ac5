"""The one entry point: data in, result out."""

import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from irtvi.errors import SpecificationError
from irtvi.inference.centring import centred_on_items
from irtvi.inference.engines import ENGINES, Amortized, Engine
from irtvi.inference.engines.engine import Data, Progress
from irtvi.inference.interruption import interruptible
from irtvi.inference.networks import has_networks
from irtvi.inference.posterior import Posterior, Step
from irtvi.inference.sandwich import with_sandwich
from irtvi.inference.threads import in_one_thread
from irtvi.models.choosing import measured_by
from irtvi.models.model import Model
from irtvi.models.specification import (
    EqualChoice,
    ModelChoice,
    PopulationChoice,
    PriorChoice,
    Specification,
    build,
)
from irtvi.responses.read import read
from irtvi.responses.responses import Responses
from irtvi.results.result import Result

AUTO_ENGINE = "amortized"
MANY_RESPONSES = 20_000_000
"""Beyond, ``device="auto"`` looks for a graphics processor; up to here a fit takes the CPU about a second."""


@in_one_thread
def fit(
    data: Any,
    model: ModelChoice = "auto",
    *,
    population: PopulationChoice = None,
    priors: PriorChoice = "default",
    fixed: pd.DataFrame | None = None,
    equal: EqualChoice = None,
    centre: str = "persons",
    engine: str | Engine = "auto",
    objective: str | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: Callable[[Step], None] | Progress | Literal["bar"] | None = None,
) -> Result:
    """Fit an item response model.

    Parameters
    ----------
    data : Responses, DataFrame or path
        What is not yet :class:`Responses` is read with the defaults of :func:`irtvi.read`.
    model : str, ItemModel or mapping by item
        A name of ``irtvi.models.items.ITEM_MODELS``, an item model of your own, or one for each item;
        ``"auto"`` chooses by the number of categories.
    population : "standard", "free" or {"mean": .., "sd": ..}, optional
        Distribution of ability. Default: N(0, 1); free mean and sd where some items are anchored
        (all their parameters in ``fixed``) and others are not; the Rasch model frees the sd.
    priors : "default", None or mapping
        Keys are parameter names or (item, parameter name), values one of ``irtvi.priors`` or None.
        ``priors=None`` is maximum likelihood.
    fixed : DataFrame, optional
        Parameters to hold: items as rows, parameters as columns as in ``result.items``; NaN is free.
    equal : names of parameters, or mapping, optional
        ``("a",)`` gives all items the same slope; ``{"a": [["Q1", "Q2"], ["Q5", "Q6"]]}`` makes it the same
        within each group of items.
    centre : "persons" or "items"
        What has mean 0: ability, or the difficulties of a Rasch model, whose mean ability is then estimated.
    engine : "auto", a name of ENGINES, or an engine's settings
    objective : str, optional
        A bound to climb with the amortized engine: elbo, iwae, piwae, miwae or ciwae. Default: the tight
        deterministic approximation, which no bound improves on. With the quadrature engine it is an error.
    seed : int
        Same data, same seed, same device: same numbers.
    device : "auto", "cpu" or "cuda"
        ``"auto"`` is the CPU up to twenty million answers. Beyond, where starting a graphics processor pays, it is
        CUDA if torch sees any.
    progress : callable, Progress or "bar", optional
        Called with every step of the search; ``irtvi.Progress`` also carries a cancel flag;
        ``"bar"`` shows one on the terminal.

    Returns
    -------
    Result

    Raises
    ------
    irtvi.errors.DataError
        The data cannot be read or do not suit the model.
    irtvi.errors.SpecificationError
        The request makes no sense.

    Notes
    -----
    The point estimate of the items maximises log marginal likelihood plus log prior. Ctrl-C, or the cancel
    flag, ends the search; the result then holds the best state so far and says so.
    """
    responses = data if isinstance(data, Responses) else read(data, continuous=measured_by(model))
    chosen, generator, listening = _engine(engine, objective), _generator(seed), _Listening(progress)
    built = build(Specification(model, priors, fixed, population, equal, centre), responses)
    if centre == "items" and isinstance(chosen, Amortized) and chosen.objective is not None:
        raise SpecificationError("centre='items' does not go with objective=: its encoder knows the scale it learned.")
    place = _device(device, responses.n_responses)
    tensors = Data.of(responses, built.item_models, place)
    with listening as listener:
        posterior = chosen.fit(built.model.to(place), tensors, generator, listener)
    if responses.survey_weights is not None:
        posterior = _with_survey_errors(posterior, tensors, listener)
    if centre == "items":
        posterior = centred_on_items(posterior)
    return Result(
        model_name=_model_name(model, built.item_models),
        engine=chosen.name,
        posterior=posterior,
        coding=responses.coding,
        item_models=built.item_models,
        n_parameters=built.n_parameters,
        priors=_priors_name(priors, built.model),
        weighting=_weighting(responses),
        n_persons=_n_persons(responses),
        notes=(*responses.notes, *built.notes),
        item_status=built.item_status,
        settings={"seed": seed, "device": str(place), "engine": asdict(chosen), "version": _version()},  # type: ignore[call-overload]
        responses=responses,
    )


def _engine(choice: str | Engine, objective: str | None) -> Engine:
    if not isinstance(choice, Engine):
        name = AUTO_ENGINE if choice == "auto" else choice
        if name not in ENGINES:
            raise SpecificationError(f"There is no engine {choice!r}; the engines are auto, {', '.join(ENGINES)}.")
        choice = ENGINES[name]()
    if objective is None:
        return choice
    if not isinstance(choice, Amortized):
        raise SpecificationError(f"objective={objective!r} goes with the amortized engine; {choice.name} has no bound.")
    return replace(choice, objective=objective)


def _generator(seed: int) -> torch.Generator:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise SpecificationError(f"seed= is a whole number, got {seed!r}.")
    return torch.Generator().manual_seed(int(seed))


def _priors_name(choice: PriorChoice, model: Model) -> str:
    """What a result says of priors: none where no free parameter has one, as with a bank that is held."""
    regularised = model.log_prior.groups or model.log_prior.joint or has_networks(model)
    if choice is None or not regularised:
        return "none"
    return choice if isinstance(choice, str) else "custom"


def _device(choice: str, n_responses: int) -> torch.device:
    if choice == "auto":
        return torch.device("cuda" if n_responses > MANY_RESPONSES and torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(choice)
    except (RuntimeError, TypeError) as cause:
        raise SpecificationError(f"device= is 'auto', 'cpu' or 'cuda', got {choice!r}.") from cause
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SpecificationError("device='cuda' was asked for, but torch sees no CUDA device; use device='cpu'.")
    return device


def _model_name(choice: ModelChoice, item_models: tuple) -> str:
    names = dict.fromkeys(m.name for m in item_models)
    return " + ".join(names)


def _weighting(responses: Responses) -> Literal["none", "frequencies", "survey"]:
    if responses.survey_weights is not None:
        return "survey"
    return "none" if responses.weights is None else "frequencies"


def _n_persons(responses: Responses) -> float:
    answered = responses.answered() > 0
    weights = responses.person_weights().numpy()
    return float(weights[answered].sum())


def _version() -> str:
    try:
        return version("irtvi")
    except PackageNotFoundError:
        return "unknown"


def _with_survey_errors(posterior: Posterior, data: Data, progress: Progress) -> Posterior:
    """The posterior with standard errors that suit survey weights, unless the fit was stopped."""
    if not posterior.stopped:
        try:
            with interruptible(progress.cancelled):
                return with_sandwich(posterior, data)
        except KeyboardInterrupt:
            pass
    reason = "Stopped before the standard errors for survey weights were done; there are none."
    return replace(posterior, curvature=None, stopped=True, converged=False, reason=reason)


class _Listening:
    """Gives an engine the progress object that the user asked for, and closes a bar afterwards."""

    def __init__(self, progress: Callable[[Step], None] | Progress | Literal["bar"] | None) -> None:
        if not (progress is None or progress == "bar" or isinstance(progress, Progress) or callable(progress)):
            raise SpecificationError(
                f"progress= is 'bar', a function of a step or irtvi.Progress, got {progress!r}."
            )
        self.progress = progress
        self._bar = None

    def __enter__(self) -> Progress:
        if isinstance(self.progress, Progress):
            return self.progress
        if callable(self.progress):
            return Progress(listener=self.progress)
        if self.progress == "bar" and sys.stderr.isatty():
            from irtvi.progress_bar import Bar

            self._bar = Bar()
            return Progress(listener=self._bar)
        return Progress()

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()
