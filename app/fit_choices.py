"""Which item models suit the data, and one model or one for each item."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from session import Workspace

import irtvi
from irtvi.models.choosing import FOR_MORE_CATEGORIES, FOR_TWO_CATEGORIES
from irtvi.models.items import ITEM_MODELS

AUTOMATIC = "auto"


def suitable(responses: irtvi.Responses) -> tuple[list[str], dict[str, str]]:
    """Names of the item models that can be fitted to all items, and why the others cannot."""
    keyed = all(coding.key is not None for coding in responses.codings)
    fitting, reasons = [], {}
    for name, model in ITEM_MODELS.items():
        most = int(responses.n_categories(model.uses).max(initial=0))
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
        item: own.get(item) or (_automatic(int(n)) if model == AUTOMATIC else model)
        for item, n in zip(responses.item_ids, responses.n_categories("scored"), strict=True)
    }


def _automatic(n_categories: int) -> str:
    return FOR_TWO_CATEGORIES if n_categories == 2 else FOR_MORE_CATEGORIES
