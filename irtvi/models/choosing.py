"""Which item model each item follows."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from irtvi.errors import DichotomousModelError, SpecificationError
from irtvi.models.items import ITEM_MODELS, ItemModel
from irtvi.responses.responses import Responses

ModelChoice = str | ItemModel | Mapping[Any, str | ItemModel]

FOR_TWO_CATEGORIES = "2pl"
FOR_MORE_CATEGORIES = "grm"


def choose_item_models(
    choice: ModelChoice, responses: Responses
) -> tuple[tuple[ItemModel, ...], tuple[str, ...]]:
    """The model of every item, one object for each family, and what should be said about the choice.

    Raises
    ------
    SpecificationError
        Unknown models or items, items without a model, a model that needs a key for an item without one.
    DichotomousModelError
        An item has more categories than its model allows.
    """
    item_ids = list(responses.item_ids)
    if isinstance(choice, Mapping):
        names, note = models_by_item(choice, item_ids), ""
    elif isinstance(choice, str) and choice == "auto":
        names, note = _by_categories(responses.n_categories("scored"))
    else:
        names, note = [choice] * len(item_ids), ""
    made: dict[str | ItemModel, ItemModel] = {}
    for name in names:
        if name not in made:
            made[name] = item_model_of(name)
    item_models = tuple(made[name] for name in names)
    _check_categories(item_models, responses)
    _check_keys(item_models, responses)
    return item_models, tuple(said for said in (note, _tries(item_models, responses)) if said)


def families(item_models: tuple[ItemModel, ...]) -> list[tuple[ItemModel, list[int]]]:
    """Every model with the positions of its items."""
    members: dict[int, list[int]] = {}
    for j, item_model in enumerate(item_models):
        members.setdefault(id(item_model), []).append(j)
    return [(item_models[items[0]], items) for items in members.values()]


def right_answer(responses: Responses, item: int) -> int:
    """Raw code of the one right answer to an item; -1 without a key, or with several right answers."""
    coding = responses.codings[item]
    if coding.key is None or isinstance(coding.key, tuple):
        return -1
    return [*coding.categories].index(coding.key)  # type: ignore[arg-type]


def category_counts(item_models: tuple[ItemModel, ...], responses: Responses) -> np.ndarray:
    """Number of categories of each item in the coding that its model uses, int [n_items]."""
    counts = {use: np.asarray(responses.n_categories(use)) for use in ("scored", "raw")}
    return np.array([counts[m.uses][j] for j, m in enumerate(item_models)])


def models_by_item(choice: Mapping[Any, str | ItemModel], item_ids: list) -> list[str | ItemModel]:
    """The choice for each item, from a mapping that names all of them."""
    unknown = [key for key in choice if key not in item_ids]
    if unknown:
        raise SpecificationError(f"model= names items that the data do not have: {unknown[:5]}.")
    absent = [item for item in item_ids if item not in choice]
    if absent:
        raise SpecificationError(
            f"model= says nothing about {len(absent)} of the items, the first: {absent[:5]}; "
            "name a model for each."
        )
    return [choice[item] for item in item_ids]


def _by_categories(n_categories: np.ndarray) -> tuple[list[str | ItemModel], str]:
    many = n_categories > 2
    names: list[str | ItemModel] = [FOR_MORE_CATEGORIES if m else FOR_TWO_CATEGORIES for m in many]
    if not many.any():
        return names, "model='auto' chose the 2PL: every item has two categories."
    if many.all():
        return names, (
            "model='auto' chose the graded response model: every item has more than two categories."
        )
    return names, (
        f"model='auto' chose the 2PL for the {(~many).sum()} items with two categories and the graded "
        f"response model for the {many.sum()} with more."
    )


def item_model_of(choice: str | ItemModel) -> ItemModel:
    """A model by name; a model of the user's own is what it is."""
    if isinstance(choice, ItemModel):
        return choice
    if choice not in ITEM_MODELS:
        raise SpecificationError(f"There is no model {choice!r}; the models are {', '.join(ITEM_MODELS)}.")
    return ITEM_MODELS[choice]()


def _check_categories(item_models: tuple[ItemModel, ...], responses: Responses) -> None:
    n_categories = category_counts(item_models, responses)
    for item_model, items in families(item_models):
        limit = item_model.max_categories
        many = [j for j in items if limit is not None and n_categories[j] > limit]
        if many:
            raise DichotomousModelError(
                f"The {item_model.label} model is for {limit} categories, but {len(many)} items have more: "
                f"{responses.item_ids[many[0]]!r} has {n_categories[many[0]]}. Give a key=, declare missing "
                "codes, or choose another model."
            )


def _check_keys(item_models: tuple[ItemModel, ...], responses: Responses) -> None:
    for item_model, items in families(item_models):
        without = [j for j in items if item_model.needs_key and right_answer(responses, j) < 0]
        if without:
            key = responses.codings[without[0]].key
            raise SpecificationError(
                f"The {item_model.label} model needs one right answer to each item, but {len(without)} items "
                f"have none or several: {responses.item_ids[without[0]]!r} has {key!r}. Give key= when "
                "reading the data."
            )


def _tries(item_models: tuple[ItemModel, ...], responses: Responses) -> str:
    """What to say of the numbers of tries, where items count successes."""
    tries = set()
    for j, item_model in enumerate(item_models):
        if not item_model.counts_successes:
            continue
        values = responses.codings[j].values
        if values != tuple(float(k) for k in range(len(values))):
            raise SpecificationError(
                f"The {item_model.label} model counts successes from 0, but the scores of "
                f"{responses.item_ids[j]!r} run from {values[0]:g} to {values[-1]:g}; declare all of them "
                "when reading the data: categories={item: [0, 1, .., number of tries]}."
            )
        tries.add(len(values) - 1)
    if not tries:
        return ""
    low, high = min(tries), max(tries)
    return (
        f"Counts of successes: an item has as many tries as its highest score ({low} to {high}); declare "
        "categories= where nobody succeeded every time."
    )
