"""Which item model each item follows."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from irtvi.errors import DichotomousModelError, SpecificationError
from irtvi.models.items import ITEM_MODELS, ContinuousModel, ItemModel
from irtvi.responses.responses import Responses

ModelChoice = str | ItemModel | Mapping[Any, str | ItemModel]

AUTO = "auto"
FOR_TWO_CATEGORIES = "2pl"
FOR_MORE_CATEGORIES = "grm"
FOR_NUMBERS = "normal"


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
    elif isinstance(choice, str) and choice == AUTO:
        names, note = _by_categories(responses.n_categories("scored"), responses.measured_items)
    else:
        names, note = [choice] * len(item_ids), ""
    made: dict[str | ItemModel, ItemModel] = {}
    for name in names:
        if name not in made:
            made[name] = item_model_of(name)
    item_models = tuple(made[name] for name in names)
    _check_measured(item_models, responses)
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
    """Number of categories of each item in the coding that its model uses, or of its statistics, int [n_items]."""
    counts = {use: np.asarray(responses.n_categories(use)) for use in ("scored", "raw")}
    return np.array(
        [
            m.n_statistics if isinstance(m, ContinuousModel) else counts[m.uses][j]  # pyright: ignore[reportArgumentType]
            for j, m in enumerate(item_models)
        ]
    )


def measured_by(choice: ModelChoice) -> bool | list | None:
    """Which items a table must be read as measured for: all, those named, or, None, as it looks."""
    if isinstance(choice, Mapping):
        return [item for item, name in choice.items() if name != AUTO and _measures(name)] or None
    return True if choice != AUTO and _measures(choice) else None


def _measures(choice: str | ItemModel) -> bool:
    return item_model_of(choice).uses == "measured"


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


def _by_categories(n_categories: np.ndarray, measured: np.ndarray) -> tuple[list[str | ItemModel], str]:
    many = (n_categories > 2) & ~measured
    kinds = (
        (~many & ~measured, FOR_TWO_CATEGORIES, "the 2PL", "has two categories", "items with two categories"),
        (many, FOR_MORE_CATEGORIES, "the graded response model", "has more than two categories", "with more"),
        (measured, FOR_NUMBERS, "the normal model", "is measured", "that are measured"),
    )
    names: list[str | ItemModel] = [""] * len(n_categories)
    said = []
    for chosen, name, title, every, some in kinds:
        for j in np.flatnonzero(chosen):
            names[j] = name
        if chosen.all():
            return names, f"model='auto' chose {title}: every item {every}."
        if chosen.any():
            said.append(f"{title} for the {chosen.sum()} {some}")
    return names, f"model='auto' chose {' and '.join(said)}."


def item_model_of(choice: str | ItemModel) -> ItemModel:
    """A model by name; a model of the user's own is what it is."""
    if isinstance(choice, ItemModel):
        return choice
    if choice not in ITEM_MODELS:
        raise SpecificationError(f"There is no model {choice!r}; the models are {', '.join(ITEM_MODELS)}.")
    return ITEM_MODELS[choice]()


def _check_measured(item_models: tuple[ItemModel, ...], responses: Responses) -> None:
    """Measured answers have a model for them, and answers in categories that count as numbers have values."""
    for item_model, items in families(item_models):
        if isinstance(item_model, ContinuousModel):
            continue
        measured = [j for j in items if responses.codings[j].measured is not None]
        if measured:
            low, high = responses.codings[measured[0]].measured or (np.nan, np.nan)
            raise SpecificationError(
                f"The {item_model.label} model is for answers in categories, but {len(measured)} items are measured: "
                f"{responses.item_ids[measured[0]]!r} has numbers from {low:g} to {high:g}. Choose normal or beta, or "
                "name their categories when reading the data (categories=)."
            )


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
