"""From what the user asked for to a Model: item models by item, priors, held values, the population."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from irtvi.errors import SpecificationError
from irtvi.models.allotting import Allotment, EqualChoice, PriorChoice, check_prior_keys, equal_groups
from irtvi.models.choosing import ModelChoice, category_counts, choose_item_models, families, right_answer
from irtvi.models.direction import item_directions
from irtvi.models.holding import held_values
from irtvi.models.items import ContinuousModel, Facts, ItemModel
from irtvi.models.items.dichotomous import Rasch
from irtvi.models.model import Component, Model, tie
from irtvi.models.parameters import HELD, Slots
from irtvi.models.populations import NormalPopulation
from irtvi.responses.responses import Responses

PopulationChoice = Literal["standard", "free"] | Mapping[str, float] | None

__all__ = [
    "Built",
    "EqualChoice",
    "ModelChoice",
    "PopulationChoice",
    "PriorChoice",
    "Specification",
    "build",
]

TURNED = "runs against the other items: its curve falls (check the key)"


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
    equal : names of parameters, mapping from names to groups of items, or None
        Parameters that are the same for all items that have them, or within each group of items.
    centre : {"persons", "items"}
        Whether the mean ability or, in a Rasch model, the mean difficulty is 0.
    """

    model: ModelChoice = "auto"
    priors: PriorChoice = "default"
    fixed: pd.DataFrame | None = None
    population: PopulationChoice = None
    equal: EqualChoice = None
    centre: str = "persons"


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
    EmptyCategoryError
        Nobody chose a category whose parameters have no prior.
    """
    item_ids = list(responses.item_ids)
    item_models, notes = choose_item_models(specification.model, responses)
    n_categories = category_counts(item_models, responses)
    tied = {} if specification.equal is None else equal_groups(specification.equal, item_models, item_ids, {})
    facts = _facts(responses, item_models, n_categories, tied)
    held = held_values(specification.fixed, item_models, item_ids, facts, dims=1)
    check_prior_keys(specification.priors, item_models, item_ids)
    allotment = Allotment(
        item_ids=item_ids,
        n_categories=n_categories,
        labels=[
            coding.categories if m.uses == "raw" else coding.values
            for m, coding in zip(item_models, responses.codings, strict=True)
        ],
        chosen=_chosen_categories(responses, item_models, int(n_categories.max())),
        held=held,
        priors=specification.priors,
        equal=equal_groups(specification.equal, item_models, item_ids, held),
    )
    components = tuple(
        Component(
            item_model,
            torch.tensor(items),
            facts.take(torch.tensor(items)),
            allotment.slots(item_model, items),
        )
        for item_model, items in families(item_models)
    )
    excluded = torch.zeros(len(item_ids), dtype=torch.bool)
    excluded[list(allotment.unsupported)] = True
    population_slots, n_free, population_note = _population(
        specification.population, item_models, components, excluded, allotment.n_free
    )
    allotment.n_free = n_free
    if _centred_on_items(specification, item_models):
        population_note = "Population of ability: normal, mean and sd free; the difficulties have mean 0."
    model = Model(
        components=components,
        population=NormalPopulation(),
        population_slots=population_slots,
        log_prior=allotment.log_prior(),
        n_free=n_free,
        n_categories=torch.as_tensor(n_categories),
        excluded=excluded,
    )
    hyper = [c.item_model.hierarchy.start() if c.item_model.hierarchy else {} for c in components]
    model = tie(model, hyper, model.start())
    turned = facts.sign.expand(len(item_ids)) < 0
    status = tuple(
        allotment.unsupported.get(j, TURNED if m.directed and turned[j] else "") for j, m in enumerate(item_models)
    )
    cautions = dict.fromkeys(m.caution for m in item_models if m.caution)
    return Built(model, item_models, n_free, (*notes, *cautions, population_note), status)


def _centred_on_items(specification: Specification, item_models: tuple[ItemModel, ...]) -> bool:
    """Whether difficulties are to have mean 0, where that can be."""
    if specification.centre == "persons":
        return False
    if specification.centre != "items":
        raise SpecificationError(f"centre= is 'persons' or 'items', got {specification.centre!r}.")
    others = sorted({m.name for m in item_models if not isinstance(m, Rasch)})
    if others:
        raise SpecificationError(
            f"centre='items' goes with model='rasch' for all items, but there is {', '.join(others)}. On other scales "
            "ability has mean 0."
        )
    given = [name for name in ("fixed", "population", "equal") if getattr(specification, name) is not None]
    if given:
        raise SpecificationError(
            f"centre='items' and {' and '.join(f'{name}=' for name in given)} both say where the scale begins; use one."
        )
    return True


def _facts(
    responses: Responses,
    item_models: tuple[ItemModel, ...],
    n_categories: np.ndarray,
    equal: Mapping[tuple[str, int], int],
) -> Facts:
    key = torch.tensor([right_answer(responses, j) for j in range(len(item_models))])
    facts = Facts(torch.as_tensor(n_categories), key)
    if any(m.directed for m in item_models):
        facts = facts._replace(sign=item_directions(responses.scored()))
    standardised = [j for j, m in enumerate(item_models) if isinstance(m, ContinuousModel) and m.standardised]
    if standardised:
        centre, scale = _units(responses, standardised, equal)
        facts = facts._replace(centre=centre, scale=scale)
    return facts


def _units(
    responses: Responses, items: list[int], equal: Mapping[tuple[str, int], int]
) -> tuple[Float64[Tensor, " items"], Float64[Tensor, " items"]]:
    """Mean and sd of the answers to some items, 0 and 1 for the others and where there is none.

    Items with parameters that are to be equal share their units: equal means equal in the user's.
    """
    numbers = responses.numbers(items)
    item = numbers.items.long()
    n = torch.bincount(item, minlength=responses.n_items)
    count = n.clamp(min=1).double()
    centre = torch.bincount(item, numbers.values, minlength=responses.n_items) / count
    squares = torch.bincount(item, (numbers.values - centre[item]).square(), minlength=responses.n_items)
    scale = (squares / count).sqrt()
    groups: dict[int, list[int]] = {}
    for (_, j), group in equal.items():
        if j in items and n[j] > 0:
            groups.setdefault(group, []).append(j)
    for members in groups.values():
        centre[members], scale[members] = centre[members].mean(), scale[members].mean()
    return centre, torch.where(scale > 0, scale, 1.0)


def _chosen_categories(responses: Responses, item_models: tuple[ItemModel, ...], n_most: int) -> np.ndarray:
    """Which categories of each item somebody with a positive weight chose, bool [items, n_most].

    Of a measured item the first if anybody answered, and the second if answers differ.
    """
    weights = responses.person_weights()
    persons = torch.nonzero(weights > 0)[:, 0].numpy()
    part = responses if len(persons) == responses.n_persons else responses.subset(persons)
    chosen = np.zeros((len(item_models), n_most), dtype=bool)
    counts = {}
    for use in {m.uses for m in item_models} - {"measured"}:
        cells = part.scored() if use == "scored" else part.raw()
        counts[use] = (cells.counts(n_most) > 0).numpy()
    measured = [j for j, m in enumerate(item_models) if m.uses == "measured"]
    numbers = part.numbers(measured) if measured else None
    for j, item_model in enumerate(item_models):
        if numbers is None or item_model.uses != "measured":
            chosen[j] = counts[item_model.uses][j]
        else:
            values = numbers.of_item(j)
            chosen[j, :2] = len(values) > 0, len(values) > 0 and bool((values != values[0]).any())
    return chosen


def _population(
    choice: PopulationChoice,
    item_models: tuple[ItemModel, ...],
    components: tuple[Component, ...],
    excluded: Tensor,
    n_free: int,
) -> tuple[Slots, int, str]:
    """Slots of the population, the number of free parameters with them, and what was decided."""
    held = [((c.slots.index < 0) | ~c.slots.exists).all(1) & ~excluded[c.items] for c in components]
    anchored = sum(int(h.sum()) for h in held)
    n_items = int((~excluded).sum())
    free: frozenset[str] = frozenset().union(*(m.free_population for m in item_models))
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
                "population='free' needs anchored items (fixed=): without them the scale of ability is not "
                "identified."
            )
        free = frozenset({"mean", "sd"})
    elif isinstance(choice, Mapping):
        if set(choice) - {"mean", "sd"}:
            raise SpecificationError(f"population= takes mean and sd, got {sorted(choice)}.")
        mean, sd, free = float(choice.get("mean", 0.0)), float(choice.get("sd", 1.0)), frozenset()
        if not (np.isfinite(mean) and np.isfinite(sd) and sd > 0):
            raise SpecificationError(
                f"population= needs a finite mean and a positive sd, got {dict(choice)}."
            )
    else:
        raise SpecificationError(
            f"population= is 'standard', 'free' or {{'mean': .., 'sd': ..}}, got {choice!r}."
        )
    population = NormalPopulation()
    index = []
    for spec in population.parameters:
        index.append(n_free if spec.name in free else HELD)
        n_free += spec.name in free
    transforms = tuple(spec.transform for spec in population.parameters)
    values = torch.stack(
        [t.to_free(torch.tensor(v, dtype=torch.float64)) for t, v in zip(transforms, (mean, sd), strict=True)]
    )
    slots = Slots(
        population.parameters, transforms, (1, 1),
        torch.tensor([index]), values[None], torch.ones(1, 2, dtype=torch.bool),
    )  # fmt: skip
    shown = ", ".join(f"{n} {'free' if n in free else f'{v:g}'}" for n, v in (("mean", mean), ("sd", sd)))
    return slots, n_free, f"Population of ability: normal, {shown}."
