"""Which item models suit the data, one model or one for each item, and what fits are called."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from jobs import Job, Request
from session import Workspace
from words import Words

import irtvi
from irtvi.models.choosing import FOR_MORE_CATEGORIES, FOR_NUMBERS, FOR_TWO_CATEGORIES
from irtvi.models.items import ITEM_MODELS, ContinuousModel
from irtvi.responses.item_coding import ItemCoding

AUTOMATIC = "auto"


def suitable(responses: irtvi.Responses) -> tuple[list[str], dict[str, str]]:
    """Names of the item models that can be fitted to all items, and why the others cannot."""
    keyed = all(coding.key is not None for coding in responses.codings)
    fitting, reasons = [], {}
    measured = int(responses.measured_items.sum())
    low = min((coding.range[0] for coding in responses.codings), default=0.0)
    high = max((coding.range[1] for coding in responses.codings), default=0.0)
    for name, model in ITEM_MODELS.items():
        if issubclass(model, ContinuousModel):
            if model.bounds[0] < low and high < model.bounds[1]:
                fitting.append(name)
            else:
                bounds = f"{model.bounds[0]:g} and {model.bounds[1]:g}"
                reasons[name] = f"for answers between {bounds}, the data have {low:g} to {high:g}"
            continue
        if measured:
            reasons[name] = f"for answers in categories, {measured} items are measured"
            continue
        most = int(responses.n_categories("raw" if model.uses == "raw" else "scored").max(initial=0))
        if model.max_categories is not None and most > model.max_categories:
            reasons[name] = f"for {model.max_categories} kinds of answers at most, the data have {most}"
        elif model.needs_key and not keyed:
            reasons[name] = "needs an answer key"
        else:
            fitting.append(name)
    return fitting, reasons


def with_item_types(workspace: Workspace, model: str) -> str | Mapping[Hashable, str]:
    """The model, or where some items have a type of their own, a model for each item."""
    responses = workspace.reading.responses if workspace.reading else None
    own = workspace.item_types
    if responses is None or not own:
        return model
    return {
        item: own.get(item) or (_automatic(coding) if model == AUTOMATIC else model)
        for item, coding in zip(responses.item_ids, responses.codings, strict=True)
    }


def _automatic(coding: ItemCoding) -> str:
    if coding.measured is not None:
        return FOR_NUMBERS
    return FOR_TWO_CATEGORIES if coding.n_scored == 2 else FOR_MORE_CATEGORIES


def name_fits(workspace: Workspace, words: Words) -> None:
    """Call all fits of the session by the words of the audience, each by a name of its own."""
    taken: set[str] = set()
    for job in (task for task in list(workspace.queue.tasks) if isinstance(task, Job)):
        plain, number = _called(job.request, words), 1
        job.label = plain
        while job.label in taken:
            number += 1
            job.label = f"{plain} ({number})"
        taken.add(job.label)


def _called(request: Request, words: Words) -> str:
    parts = [words.model(request.name)]
    if request.engine != "auto":
        parts.append(words.engine(request.engine))
    if request.priors is None:
        parts.append("cautious off" if words.plain else "no priors")
    if request.seed:
        parts.append(f"{words['seed']} {request.seed}")
    return ", ".join(parts)
