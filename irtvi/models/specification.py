"""From what the user asked for to a Model: item models by item, priors, held values, the population."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from irtvi.errors import DichotomousModelError, SpecificationError
from irtvi.models.items import ITEM_MODELS, Facts, ItemModel, ParameterSpec
from irtvi.models.items.item_model import element_name, event_size
from irtvi.models.model import Component, Model
from irtvi.models.parameters import HELD, LogPrior, PriorGroup, Slots
from irtvi.models.populations import NormalPopulation
from irtvi.models.priors import Prior
from irtvi.models.transforms import Transform
from irtvi.responses.responses import Responses

ModelChoice = str | ItemModel | Mapping[Any, str | ItemModel]
PriorChoice = Literal["default"] | None | Mapping[Any, Prior | None]
PopulationChoice = Literal["standard", "free"] | Mapping[str, float] | None


@dataclass(frozen=True)
class Specification:
    """A request for a model, as :func:`irtvi.fit` takes it.

    Attributes
    ----------
    model : str, ItemModel or mapping by item
    priors : "default", None or mapping
        Keys are parameter names or (item, parameter name); a value of None removes a prior.
    fixed : pandas.DataFrame or None
        Values to hold, items as rows, parameters as columns; NaN is free.
    population : "standard", "free", mapping with mean and sd, or None
        None chooses: free where some items are anchored and others free, else standard.
    """

    model: ModelChoice = "auto"
    priors: PriorChoice = "default"
    fixed: pd.DataFrame | None = None
    population: PopulationChoice = None


@dataclass(frozen=True)
class Built:
    """A model with what should be said about how it came about.

    Attributes
    ----------
    model : Model
    item_models : tuple of ItemModel
        One for each item.
    n_parameters : int
        Free parameters, those of items that cannot be estimated included only if they have a prior.
    notes : tuple of str
    item_status : tuple of str
        Empty where there is nothing to say.
    """

    model: Model
    item_models: tuple[ItemModel, ...]
    n_parameters: int
    notes: tuple[str, ...]
    item_status: tuple[str, ...]


def build(specification: Specification, responses: Responses) -> Built:
    """Build the model for these data.

    Raises
    ------
    SpecificationError
        Unknown models, parameters or items, or values that cannot be held.
    DichotomousModelError
        An item has more categories than its model allows.
    """
    item_ids = list(responses.item_ids)
    item_models, notes = _item_models(specification.model, responses)
    families = _families(item_models)
    counts = {use: np.asarray(responses.n_categories(use)) for use in ("scored", "raw")}
    n_categories = np.array([counts[m.uses][j] for j, m in enumerate(item_models)])
    _check_categories(item_models, n_categories, item_ids)
    held = _held_values(specification.fixed, item_models, item_ids, n_categories)
    _check_prior_keys(specification.priors, item_models, item_ids)
    used = _used_categories(responses, item_models, int(n_categories.max()))

    n_free = 0
    components: list[Component] = []
    prior_of: dict[int, tuple[Prior, Transform]] = {}
    excluded = torch.zeros(len(item_ids), dtype=torch.bool)
    status = [""] * len(item_ids)
    for item_model, items in families:
        slots, n_free, unsupported = _slots(
            item_model, items, item_ids, n_categories, held, specification.priors, used, n_free, prior_of
        )
        for j, reason in unsupported.items():
            excluded[j] = True
            status[j] = reason
        key = torch.tensor([_key(responses, j) for j in items])
        facts = Facts(torch.as_tensor(n_categories[items]), key)
        components.append(Component(item_model, torch.tensor(items), facts, slots))

    population_slots, n_free, population_note = _population(specification.population, families, components, n_free)
    model = Model(
        components=tuple(components),
        population=NormalPopulation(),
        population_slots=population_slots,
        log_prior=_log_prior(prior_of, n_free),
        n_free=n_free,
        n_categories=torch.as_tensor(n_categories),
        excluded=excluded,
    )
    return Built(model, tuple(item_models), n_free, (*notes, population_note), tuple(status))


def _item_models(choice: ModelChoice, responses: Responses) -> tuple[list[ItemModel], list[str]]:
    item_ids = list(responses.item_ids)
    if isinstance(choice, Mapping):
        unknown = [key for key in choice if key not in item_ids]
        if unknown:
            raise SpecificationError(f"model= names items that the data do not have: {unknown[:5]}.")
        absent = [item for item in item_ids if item not in choice]
        if absent:
            raise SpecificationError(
                f"model= says nothing about {len(absent)} of the items, the first: {absent[:5]}; name a model for each."
            )
        made: dict[Any, ItemModel] = {}
        for value in choice.values():
            made.setdefault(value, _resolve(value))
        return [made[choice[item]] for item in item_ids], []
    if choice == "auto":
        many = [i for i, n in zip(item_ids, responses.n_categories("scored"), strict=True) if n > 2]
        if many:
            raise DichotomousModelError(
                f"model='auto' is the 2PL, for two categories, but {len(many)} items have more, the first: "
                f"{many[:5]}. Give a key= if these are raw answers, or declare which codes are missing."
            )
        return [_resolve("2pl")] * len(item_ids), ["model='auto' chose the 2PL: every item has two categories."]
    return [_resolve(choice)] * len(item_ids), []


def _resolve(choice: str | ItemModel) -> ItemModel:
    if isinstance(choice, ItemModel):
        return choice
    if choice not in ITEM_MODELS:
        raise SpecificationError(f"There is no model {choice!r}; the models are {', '.join(ITEM_MODELS)}.")
    return ITEM_MODELS[choice]()


def _families(item_models: list[ItemModel]) -> list[tuple[ItemModel, list[int]]]:
    members: dict[int, list[int]] = {}
    for j, item_model in enumerate(item_models):
        members.setdefault(id(item_model), []).append(j)
    return [(item_models[items[0]], items) for items in members.values()]


def _check_categories(item_models: list[ItemModel], n_categories: np.ndarray, item_ids: list) -> None:
    for item_model in dict.fromkeys(item_models):
        limit = item_model.max_categories
        if limit is None:
            continue
        many = [j for j, m in enumerate(item_models) if m is item_model and n_categories[j] > limit]
        if many:
            j = many[0]
            raise DichotomousModelError(
                f"The {item_model.label} model is for {limit} categories, but {len(many)} items have more: "
                f"{item_ids[j]!r} has {n_categories[j]}. Give a key=, declare missing codes, or choose another model."
            )


def _key(responses: Responses, item: int) -> int:
    coding = responses.codings[item]
    return list(coding.categories).index(coding.key) if coding.key is not None else HELD


def _used_categories(responses: Responses, item_models: list[ItemModel], n_most: int) -> np.ndarray:
    """Number of categories of each item that somebody with a positive weight chose."""
    weights = responses.person_weights()
    persons = torch.nonzero(weights > 0)[:, 0]
    counts = {}
    for use in {m.uses for m in item_models}:
        cells = responses.scored() if use == "scored" else responses.raw()
        cells = cells if len(persons) == cells.n_persons else cells.take(persons)
        counts[use] = (cells.counts(n_most) > 0).sum(1).numpy()
    return np.array([counts[m.uses][j] for j, m in enumerate(item_models)])


def _known_columns(item_model: ItemModel, n_categories: int) -> set[str]:
    names = {
        element_name(s, k, event_size(s, 1, n_categories))
        for s in item_model.parameters
        for k in range(event_size(s, 1, n_categories))
    }
    return names | {"a", "b", "d", "c", "u"}


def _held_values(
    fixed: pd.DataFrame | None, item_models: list[ItemModel], item_ids: list, n_categories: np.ndarray
) -> dict[int, dict[str, float]]:
    """Held parameters by item position, on the formula's scale."""
    if fixed is None:
        return {}
    if not isinstance(fixed, pd.DataFrame):
        raise SpecificationError(f"fixed= takes a DataFrame with items as rows, got {type(fixed).__name__}.")
    repeated = fixed.index[fixed.index.duplicated()]
    if len(repeated):
        raise SpecificationError(f"fixed= has item {repeated[0]!r} more than once.")
    position = {item: j for j, item in enumerate(item_ids)}
    unknown = [item for item in fixed.index if item not in position]
    if unknown:
        raise SpecificationError(
            f"fixed= has {len(unknown)} items that the data do not have, the first: {unknown[:5]}; leave them out."
        )
    held: dict[int, dict[str, float]] = {}
    for item, row in fixed.iterrows():
        j = position[item]
        known = _known_columns(item_models[j], int(n_categories[j]))
        columns = {c: float(row[c]) for c in fixed.columns if c in known and pd.api.types.is_number(row[c])}
        infinite = {c: v for c, v in columns.items() if np.isinf(v)}
        if infinite:
            raise SpecificationError(f"fixed= holds infinite values for item {item!r}: {infinite}.")
        params = item_models[j].unreport(columns)
        names = {
            element_name(s, k, event_size(s, 1, int(n_categories[j])))
            for s in item_models[j].parameters
            for k in range(event_size(s, 1, int(n_categories[j])))
        }
        values = {n: v for n, v in params.items() if n in names and not np.isnan(v)}
        if values:
            held[j] = values
    return held


def _check_prior_keys(priors: PriorChoice, item_models: list[ItemModel], item_ids: list) -> None:
    if priors is None or priors == "default":
        return
    if not isinstance(priors, Mapping):
        raise SpecificationError(f"priors= takes 'default', None or a mapping, got {priors!r}.")
    names = {spec.name for m in item_models for spec in m.parameters}
    for key, prior in priors.items():
        item, name = key if isinstance(key, tuple) and len(key) == 2 else (None, key)
        if name not in names:
            raise SpecificationError(f"priors= names the parameter {name!r}; this model has {sorted(names)}.")
        if item is not None and item not in item_ids:
            raise SpecificationError(f"priors= names the item {item!r}, which the data do not have.")
        if prior is not None and not isinstance(prior, Prior):
            raise SpecificationError(f"priors[{key!r}] must be one of irtvi.priors or None, got {prior!r}.")


def _prior(spec: ParameterSpec, item: Any, priors: PriorChoice) -> Prior | None:
    if priors is None:
        return None
    if priors == "default":
        return spec.prior
    if (item, spec.name) in priors:
        return priors[item, spec.name]
    return priors.get(spec.name, spec.prior)


def _slots(
    item_model: ItemModel,
    items: list[int],
    item_ids: list,
    n_categories: np.ndarray,
    held: dict[int, dict[str, float]],
    priors: PriorChoice,
    used: np.ndarray,
    n_free: int,
    prior_of: dict[int, tuple[Prior, Transform]],
) -> tuple[Slots, int, dict[int, str]]:
    sizes = tuple(
        max(event_size(s, 1, int(n_categories[j])) for j in items) for s in item_model.parameters
    )
    transforms = tuple(_transform(spec, [item_ids[j] for j in items], priors) for spec in item_model.parameters)
    shape = (len(items), sum(sizes))
    index = np.full(shape, HELD)
    values = np.zeros(shape)
    exists = np.zeros(shape, dtype=bool)
    shared: dict[tuple[str, int], int] = {}
    unsupported: dict[int, str] = {}
    for row, j in enumerate(items):
        column = 0
        own: list[tuple[int, ParameterSpec, Transform]] = []
        for spec, transform, size in zip(item_model.parameters, transforms, sizes, strict=True):
            for k in range(event_size(spec, 1, int(n_categories[j]))):
                name = element_name(spec, k, event_size(spec, 1, int(n_categories[j])))
                exists[row, column + k] = True
                if name in held.get(j, {}):
                    values[row, column + k] = _free_scale(transform, held[j][name], item_ids[j], name)
                elif spec.scope == "shared":
                    if (spec.name, k) not in shared:
                        shared[spec.name, k] = n_free
                        prior = _prior(spec, None, priors)
                        if prior is not None:
                            prior_of[n_free] = (prior, transform)
                        n_free += 1
                    index[row, column + k] = shared[spec.name, k]
                else:
                    own.append((column + k, spec, transform))
            column += size
        unpriored = [spec.name for _, spec, _ in own if _prior(spec, item_ids[j], priors) is None]
        if used[j] < 2 and unpriored:
            how = "nobody answered it" if used[j] == 0 else "everybody gave the same answer"
            unsupported[j] = f"cannot be estimated without a prior: {how}"
            for c, spec, transform in own:
                values[row, c] = float(transform.to_free(torch.tensor(spec.start, dtype=torch.float64)))
            continue
        for c, spec, transform in own:
            index[row, c] = n_free
            prior = _prior(spec, item_ids[j], priors)
            if prior is not None:
                prior_of[n_free] = (prior, transform)
            n_free += 1
    slots = Slots(
        item_model.parameters, transforms, sizes,
        torch.as_tensor(index), torch.as_tensor(values), torch.as_tensor(exists),
    )  # fmt: skip
    return slots, n_free, unsupported


def _transform(spec: ParameterSpec, items: list, priors: PriorChoice) -> Transform:
    narrowed = {
        prior.transform(spec.transform)
        for prior in (_prior(spec, item, priors) for item in items)
        if prior is not None
    } or {spec.transform}
    if len(narrowed) > 1:
        raise SpecificationError(
            f"The priors of {spec.name} disagree about its range (some allow only positive values, others all)."
        )
    return narrowed.pop()


def _free_scale(transform: Transform, value: float, item: Any, name: str) -> float:
    free = float(transform.to_free(torch.tensor(value, dtype=torch.float64)))
    if np.isnan(free):
        raise SpecificationError(f"fixed= holds {name} = {value} for item {item!r}, outside of the parameter's range.")
    return free


def _population(
    choice: PopulationChoice,
    families: list[tuple[ItemModel, list[int]]],
    components: list[Component],
    n_free: int,
) -> tuple[Slots, int, str]:
    anchored = sum(int(((c.slots.index < 0) | ~c.slots.exists).all(1).sum()) for c in components)
    n_items = sum(len(items) for _, items in families)
    free: frozenset[str] = frozenset().union(*(m.free_population for m, _ in families))
    mean, sd = 0.0, 1.0
    if choice is None:
        if 0 < anchored < n_items:
            free = frozenset({"mean", "sd"})
        elif anchored == n_items:
            free = frozenset()
    elif choice == "standard":
        free = frozenset()
    elif choice == "free":
        if not anchored:
            raise SpecificationError(
                "population='free' needs anchored items (fixed=): without them the scale of ability is not identified."
            )
        free = frozenset({"mean", "sd"})
    elif isinstance(choice, Mapping):
        if set(choice) - {"mean", "sd"}:
            raise SpecificationError(f"population= takes mean and sd, got {sorted(choice)}.")
        mean, sd, free = float(choice.get("mean", 0.0)), float(choice.get("sd", 1.0)), frozenset()
        if not (np.isfinite(mean) and np.isfinite(sd) and sd > 0):
            raise SpecificationError(f"population= needs a finite mean and a positive sd, got {dict(choice)}.")
    else:
        raise SpecificationError(f"population= is 'standard', 'free' or {{'mean': .., 'sd': ..}}, got {choice!r}.")
    population = NormalPopulation()
    index = []
    for spec in population.parameters:
        index.append(n_free if spec.name in free else HELD)
        n_free += spec.name in free
    transforms = tuple(spec.transform for spec in population.parameters)
    held = torch.stack(
        [t.to_free(torch.tensor(v, dtype=torch.float64)) for t, v in zip(transforms, (mean, sd), strict=True)]
    )
    slots = Slots(
        population.parameters, transforms, (1, 1),
        torch.tensor([index]), held[None], torch.ones(1, 2, dtype=torch.bool),
    )  # fmt: skip
    shown = ", ".join(f"{n} {'free' if n in free else f'{v:g}'}" for n, v in (("mean", mean), ("sd", sd)))
    return slots, n_free, f"Population of ability: normal, {shown}."


def _log_prior(prior_of: dict[int, tuple[Prior, Transform]], n_free: int) -> LogPrior:
    members: dict[tuple[Prior, str], list[int]] = {}
    transform_of: dict[str, Transform] = {}
    for index, (prior, transform) in prior_of.items():
        members.setdefault((prior, transform.name), []).append(index)
        transform_of[transform.name] = transform
    groups = tuple(
        PriorGroup(prior, transform_of[name], torch.tensor(index)) for (prior, name), index in members.items()
    )
    return LogPrior(groups, n_free)
