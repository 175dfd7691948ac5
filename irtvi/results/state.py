"""A result as plain state, and back: what a file holds. Nothing in it is executed when it is read."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from irtvi.errors import DamagedFileError, SpecificationError
from irtvi.inference.encoders import LEARNED_ENCODERS, LearnedEncoder
from irtvi.inference.expectation import PersonSums
from irtvi.inference.item_posterior import BlockCurvature, Curvature, DiagonalCurvature, FullCurvature
from irtvi.inference.posterior import STEP, Posterior, Step
from irtvi.models.items import ITEM_MODELS, Facts, ItemModel
from irtvi.models.model import Component, Model
from irtvi.models.parameters import LogPrior, Slots
from irtvi.models.populations import POPULATIONS
from irtvi.models.transforms import TRANSFORMS
from irtvi.responses.cells import DenseCells, SparseCells
from irtvi.responses.coding import Coding
from irtvi.responses.measures import Measures
from irtvi.responses.responses import Responses
from irtvi.results.storage import read_state, write_state

if TYPE_CHECKING:
    from irtvi.results.result import Result

KIND = "result"
Models = Mapping[str, ItemModel]


def save(result: "Result", path: Path, include_responses: bool) -> Path:
    """Write a result to one file."""
    state: dict[str, Any] = {
        "kind": KIND,
        "model_name": result.model_name,
        "engine": result.engine,
        "n_parameters": result.n_parameters,
        "priors": result.priors,
        "weighting": result.weighting,
        "n_persons": result.n_persons,
        "notes": list(result.notes),
        "item_status": list(result.item_status),
        "settings": result.settings,
        "coding": result.coding.state(),
        "posterior": _posterior_state(result.posterior, result.item_models),
        "stored": result.stored(),
    }
    if include_responses:
        state["responses"] = _responses_state(result.responses_of(None))
    return write_state(path, state)


def load(path: str | Path, models: Models | None = None) -> "Result":
    """Read a result that :meth:`Result.save` wrote.

    Parameters
    ----------
    path : str or Path
    models : mapping of name to ItemModel, optional
        Item models of your own that the result uses; those of irtvi are known.

    Raises
    ------
    irtvi.errors.StorageError
        The file is damaged, truncated, from a newer version or not a result.
    irtvi.errors.SpecificationError
        It uses an item model that is neither registered nor in ``models``.
    """
    from irtvi.results.result import Result

    state = read_state(path)
    if state.get("kind") != KIND:
        raise DamagedFileError(f"{str(path)!r} holds no fitted model.")
    coding = Coding.from_state(state["coding"])
    posterior, item_models = _posterior_of(state["posterior"], models or {})
    responses = _responses_of(state["responses"], coding) if "responses" in state else None
    return Result(
        model_name=state["model_name"],
        engine=state["engine"],
        posterior=posterior,
        coding=coding,
        item_models=item_models,
        n_parameters=state["n_parameters"],
        priors=state["priors"],
        weighting=state["weighting"],
        n_persons=state["n_persons"],
        notes=tuple(state["notes"]),
        item_status=tuple(state["item_status"]),
        settings=state["settings"],
        responses=responses,
        _stored=state["stored"],
    )


def _responses_state(responses: Responses) -> dict[str, Any]:
    cells = responses.raw()
    tensors: dict[str, Any] = (
        {"codes": cells.codes}
        if isinstance(cells, DenseCells)
        else {name: getattr(cells.to_sparse(), name) for name in ("offsets", "items", "codes")}
    )
    measures = responses.measures
    return {
        "cells": tensors,
        "measures": None if measures is None else {name: getattr(measures, name) for name in _MEASURES},
        "covariates": responses.covariates,
        "persons": pd.DataFrame(index=responses.person_ids),
        "weights": responses.weights,
        "survey_weights": responses.survey_weights,
        "layout": responses.layout,
        "notes": list(responses.notes),
    }


_MEASURES = ("offsets", "items", "values")


def _responses_of(state: dict[str, Any], coding: Coding) -> Responses:
    tensors = {name: _tensor(value) for name, value in state["cells"].items()}
    if "offsets" in tensors:
        cells = SparseCells(tensors["offsets"], tensors["items"], tensors["codes"], len(coding.item_ids))
    else:
        cells = DenseCells(tensors["codes"])
    measures = state.get("measures")
    if measures is not None:
        offsets, items, values = (_tensor(measures[name]) for name in _MEASURES)
        measures = Measures(offsets, items, values, len(coding.item_ids))
    return Responses(
        person_ids=state["persons"].index,
        cells=cells,
        coding=coding,
        covariates=state["covariates"],
        weights=state["weights"],
        survey_weights=state["survey_weights"],
        layout=state["layout"],
        notes=tuple(state["notes"]),
        measures=measures,
    )


def _posterior_state(posterior: Posterior, item_models: tuple[ItemModel, ...]) -> dict[str, Any]:
    model = posterior.model
    return {
        "free": posterior.free,
        "curvature": _curvature_state(posterior.curvature),
        "log_likelihood": posterior.log_likelihood,
        "log_prior": posterior.log_prior,
        "persons": {f.name: getattr(posterior.persons, f.name) for f in fields(PersonSums)},
        "converged": posterior.converged,
        "stopped": posterior.stopped,
        "reason": posterior.reason,
        "trace": pd.DataFrame([[getattr(step, name) for name in STEP] for step in posterior.trace], columns=STEP),
        "boundary": [list(where) for where in posterior.boundary],
        "seconds": posterior.seconds,
        "information_persons": posterior.information_persons,
        "encoder": _encoder_state(posterior.encoder),
        "n_free": model.n_free,
        "n_categories": model.n_categories,
        "excluded": model.excluded,
        "hyper": [dict(hyper) for hyper in model.hyper],
        "population": {"name": model.population.name, "slots": _slots_state(model.population_slots)},
        "components": [
            {
                "model": {"name": c.item_model.name, "settings": c.item_model.settings()},
                "items": c.items,
                "facts": dict(c.facts._asdict()),
                "slots": _slots_state(c.slots),
            }
            for c in model.components
        ],
    }


def _posterior_of(state: dict[str, Any], models: Models) -> tuple[Posterior, tuple[ItemModel, ...]]:
    components = tuple(_component_of(c, models) for c in state["components"])
    population = POPULATIONS[state["population"]["name"]]()
    model = Model(
        components=components,
        population=population,
        population_slots=_slots_of(state["population"]["slots"], population.parameters),
        log_prior=LogPrior((), state["n_free"]),
        n_free=state["n_free"],
        n_categories=_tensor(state["n_categories"]),
        excluded=_tensor(state["excluded"]),
        hyper=tuple(state["hyper"]),
    )
    item_models: list[Any] = [None] * model.n_items
    for component in components:
        for item in component.items.tolist():
            item_models[item] = component.item_model
    posterior = Posterior(
        model=model,
        free=_tensor(state["free"]),
        curvature=_curvature_of(state["curvature"]),
        log_likelihood=state["log_likelihood"],
        log_prior=state["log_prior"],
        persons=PersonSums(**{name: _tensor(value) for name, value in state["persons"].items()}),
        converged=state["converged"],
        stopped=state["stopped"],
        reason=state["reason"],
        trace=tuple(Step(**row) for row in state["trace"].to_dict("records")),
        boundary=tuple((part, member, slot) for part, member, slot in state["boundary"]),
        seconds=state["seconds"],
        information_persons=state["information_persons"],
        encoder=_encoder_of(state.get("encoder")),
    )
    return posterior, tuple(item_models)


def _component_of(state: dict[str, Any], models: Models) -> Component:
    name, settings = state["model"]["name"], state["model"]["settings"]
    if name in models:
        item_model = models[name]
    elif name in ITEM_MODELS:
        item_model = ITEM_MODELS[name](**settings)
    else:
        raise SpecificationError(f"The result uses the item model {name!r}; give it as models={{{name!r}: ...}}.")
    facts = Facts(**{fact: _tensor(value) for fact, value in state["facts"].items()})
    return Component(item_model, _tensor(state["items"]), facts, _slots_of(state["slots"], item_model.parameters))


def _slots_state(slots: Slots) -> dict[str, Any]:
    return {
        "transforms": [t.name for t in slots.transforms],
        "sizes": list(slots.sizes),
        "index": slots.index,
        "held": slots.held,
        "exists": slots.exists,
    }


def _slots_of(state: dict[str, Any], specs: tuple) -> Slots:
    transforms = tuple(TRANSFORMS[name] for name in state["transforms"])
    tensors = (_tensor(state[name]) for name in ("index", "held", "exists"))
    return Slots(specs, transforms, tuple(state["sizes"]), *tensors)


def _encoder_state(encoder: LearnedEncoder | None) -> dict[str, Any] | None:
    if encoder is None:
        return None
    return {"name": encoder.name, "settings": encoder.settings(), "weights": dict(encoder.state_dict())}


def _encoder_of(state: dict[str, Any] | None) -> LearnedEncoder | None:
    if state is None:
        return None
    encoder = LEARNED_ENCODERS[state["name"]](torch.Generator(), **state["settings"])
    encoder.load_state_dict({name: _tensor(value) for name, value in state["weights"].items()})
    return encoder


def _curvature_state(curvature: Curvature | None) -> dict[str, Any] | None:
    if isinstance(curvature, FullCurvature):
        return {"kind": "full", "factor": curvature.factor}
    if isinstance(curvature, BlockCurvature):
        return {
            "kind": "blocks",
            "inverses": list(curvature.inverses),
            "indices": list(curvature.indices),
            "n_free": curvature.n_free,
        }
    if curvature is not None:
        return {"kind": "diagonal", "variance": curvature.covariance_diagonal()}
    return None


def _curvature_of(state: dict[str, Any] | None) -> Curvature | None:
    if state is None:
        return None
    if state["kind"] == "full":
        return FullCurvature(_tensor(state["factor"]))
    if state["kind"] == "blocks":
        inverses, indices = [[_tensor(x) for x in state[name]] for name in ("inverses", "indices")]
        return BlockCurvature(inverses, indices, state["n_free"])
    return DiagonalCurvature(_tensor(state["variance"]))


def _tensor(value: Any) -> torch.Tensor:
    return value if isinstance(value, torch.Tensor) else torch.as_tensor(np.asarray(value))
