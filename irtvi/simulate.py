"""Simulated answers with known parameters, from any item model."""

from collections.abc import Hashable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Float64, Int8
from torch import Tensor

from irtvi.errors import SpecificationError
from irtvi.models.choosing import ModelChoice, families, item_model_of, models_by_item
from irtvi.models.holding import held_values
from irtvi.models.items import ContinuousModel, Facts, ItemModel, ParameterSpec
from irtvi.models.items.item_model import Parameters, element_name, event_size
from irtvi.models.populations import NormalPopulation

DIMS = 1
DEFAULT_MODEL = "2pl"
MOST_CATEGORIES = 60
BLOCK = 4_000_000
"""Numbers in a block of persons x items x categories."""


class Simulated(NamedTuple):
    """Answers and the truth behind them.

    Attributes
    ----------
    responses : DataFrame
        Persons by items, codes from 0 or measured numbers, NaN where missing; :func:`irtvi.fit` takes it as it is.
    items : DataFrame
        True parameters, with the columns of ``result.items`` where the model reports its parameters there; a
        column ``key`` where the model needs one.
    abilities : DataFrame
        True ``theta`` by person id.
    """

    responses: pd.DataFrame
    items: pd.DataFrame
    abilities: pd.DataFrame


def simulate(
    model: ModelChoice | None = None,
    n_persons: int = 1000,
    n_items: int = 20,
    *,
    items: pd.DataFrame | None = None,
    abilities: pd.Series | np.ndarray | None = None,
    n_categories: int | Mapping[Hashable, int] | None = None,
    population: Mapping[str, float] | None = None,
    missing: float = 0.0,
    seed: int = 0,
) -> Simulated:
    """Draw answers from a model whose parameters are known.

    Parameters
    ----------
    model : str, ItemModel or mapping by item, optional
        Default: the column ``model`` of ``items``, or the 2PL.
    n_persons : int
        Ignored where ``abilities`` are given.
    n_items : int
        Ignored where ``items`` are given.
    items : DataFrame, optional
        Parameters by item id, as ``result.items`` has them; columns of no parameter are ignored, and what is
        NaN or not there is drawn from the default prior (a parameter without one keeps its starting value).
    abilities : Series or array, optional
        True abilities; the index of a Series gives the person ids.
    n_categories : int or mapping by item, optional
        Default: as many as the columns of ``items`` ask for, else two for a model of right and wrong and four
        for others; measured answers have none.
    population : {"mean": .., "sd": ..}, optional
        Normal distribution from which abilities are drawn; N(0, 1) if not given.
    missing : float
        Share of the answers that go missing completely at random.
    seed : int

    Returns
    -------
    Simulated

    Raises
    ------
    irtvi.errors.SpecificationError
        Unknown models or parameters, numbers that make no sense.

    Examples
    --------
    >>> truth = irtvi.simulate("2pl", n_persons=500, n_items=10, seed=1)
    >>> irtvi.fit(truth.responses, model="2pl").items["b"] - truth.items["b"]
    """
    if not 0.0 <= missing < 1.0:
        raise SpecificationError(f"simulate(missing=) is a share, at least 0 and below 1, got {missing}.")
    if items is None and n_items < 1:
        raise SpecificationError(f"simulate(n_items=) must be at least 1, got {n_items}.")
    generator = torch.Generator().manual_seed(seed)
    table = pd.DataFrame(index=pd.Index([f"Q{j + 1}" for j in range(n_items)])) if items is None else items
    if items is not None and items.index.has_duplicates:
        raise SpecificationError(f"items= has item {items.index[items.index.duplicated()][0]!r} more than once.")
    item_models = _item_models(model, table)
    counts = _category_counts(n_categories, item_models, table)
    facts = Facts(counts, torch.tensor([0 if m.needs_key else -1 for m in item_models]))
    held = held_values(table, item_models, list(table.index), facts, DIMS)
    theta, person_ids = _abilities(abilities, n_persons, population or {}, generator)

    answers: dict[int, np.ndarray] = {}
    true = {"model": np.array([m.name for m in item_models], dtype=object)}
    for item_model, members in families(item_models):
        own = facts.take(torch.tensor(members))
        params = _parameters(item_model, members, own, held, generator)
        drawn = _drawn_answers(item_model, params, own, theta, generator)
        answers |= {j: drawn[:, k] for k, j in enumerate(members)}
        for name, values in item_model.report(params, own).items():
            true.setdefault(name, np.full(len(table), np.nan))[members] = values.numpy()
    if any(m.needs_key for m in item_models):
        true["key"] = np.where([m.needs_key for m in item_models], 0.0, np.nan)
    by_item = (pd.Series(answers[j], index=person_ids) for j in range(len(table)))
    responses = pd.concat(by_item, axis=1)
    responses.columns = table.index
    if missing:
        gone = torch.rand(responses.shape, generator=generator) < missing
        whole = all(not isinstance(m, ContinuousModel) for m in item_models)
        responses = responses.astype(np.float32 if whole else np.float64).mask(gone.numpy())
    return Simulated(
        responses,
        pd.DataFrame(true, index=table.index),
        pd.DataFrame({"theta": theta.numpy()}, index=person_ids),
    )


def _item_models(choice: ModelChoice | None, items: pd.DataFrame) -> tuple[ItemModel, ...]:
    names: list[str | ItemModel]
    if isinstance(choice, Mapping):
        names = models_by_item(choice, list(items.index))
    elif choice is not None:
        names = [choice] * len(items)
    else:
        names = [str(name) for name in items["model"]] if "model" in items else [DEFAULT_MODEL] * len(items)
    made = {name: item_model_of(name) for name in dict.fromkeys(names)}
    return tuple(made[name] for name in names)


def _category_counts(
    choice: int | Mapping[Hashable, int] | None, item_models: tuple[ItemModel, ...], items: pd.DataFrame
) -> Tensor:
    numbers = items.select_dtypes("number")
    given = [{str(c) for c in numbers.columns[row.notna()]} for _, row in numbers.iterrows()]
    counts = []
    for item, item_model, columns in zip(items.index, item_models, given, strict=True):
        if isinstance(item_model, ContinuousModel):
            counts.append(item_model.n_statistics)
            continue
        n = choice.get(item) if isinstance(choice, Mapping) else choice
        n = _fitting_categories(item_model, columns) if n is None else n
        most = min(item_model.max_categories or MOST_CATEGORIES, MOST_CATEGORIES)
        if not 2 <= n <= most:
            raise SpecificationError(
                f"The {item_model.label} model is for 2 to {most} categories; n_categories= asks for {n} of item "
                f"{item!r}."
            )
        counts.append(n)
    return torch.tensor(counts)


def _fitting_categories(item_model: ItemModel, columns: set[str]) -> int:
    """The smallest number of categories with which the model has the most of these columns."""
    if item_model.max_categories == 2:
        return 2
    spans = {}
    for n in range(2, min(item_model.max_categories or MOST_CATEGORIES, len(columns) + 2) + 1):
        facts = Facts(torch.tensor(n), torch.tensor(0 if item_model.needs_key else -1))
        start = {spec.name: _filled(spec, (), event_size(spec, DIMS, n), spec.start) for spec in item_model.parameters}
        own = {
            element_name(spec, k, event_size(spec, DIMS, n))
            for spec in item_model.parameters
            for k in range(event_size(spec, DIMS, n))
        }
        spans[n] = len(columns & (own | set(item_model.report(start, facts))))
    smallest = spans.get(2, 0)
    best = max(spans, key=lambda n: (spans[n], -n), default=2)
    return best if spans and (spans[best] > smallest or smallest > 1) else 4


def _filled(spec: ParameterSpec, leading: tuple[int, ...], size: int, value: float) -> Tensor:
    shape = leading if spec.per == "item" else (*leading, size)
    return torch.full(shape, value, dtype=torch.float64)


def _abilities(
    given: pd.Series | np.ndarray | None,
    n_persons: int,
    population: Mapping[str, float],
    generator: torch.Generator,
) -> tuple[Float[Tensor, " persons"], pd.Index]:
    if given is not None:
        theta = torch.as_tensor(np.array(given, dtype=float))
        if theta.ndim != 1 or not bool(torch.isfinite(theta).all()):
            raise SpecificationError("simulate(abilities=) takes one finite number for each person.")
        ids = given.index if isinstance(given, pd.Series) else pd.RangeIndex(1, len(theta) + 1, name="id")
        return theta, ids
    if n_persons < 1:
        raise SpecificationError(f"simulate(n_persons=) must be at least 1, got {n_persons}.")
    if set(population) - {"mean", "sd"} or not population.get("sd", 1.0) > 0:
        raise SpecificationError(f"population= takes mean and a positive sd, got {dict(population)}.")
    normal = {
        "mean": torch.tensor([float(population.get("mean", 0.0))], dtype=torch.float64),
        "sd": torch.tensor([float(population.get("sd", 1.0))], dtype=torch.float64),
    }
    theta = NormalPopulation().draw(n_persons, normal, generator)[:, 0]
    return theta, pd.RangeIndex(1, n_persons + 1, name="id")


def _parameters(
    item_model: ItemModel,
    members: list[int],
    facts: Facts,
    held: Mapping[int, Mapping[str, float]],
    generator: torch.Generator,
) -> Parameters:
    """Parameters on the formula's scale: drawn from their default priors, but for those that are given."""
    params: Parameters = {}
    for spec in item_model.parameters:
        sizes = [event_size(spec, DIMS, int(n)) for n in facts.n_categories]
        drawn = _drawn(spec, 1 if spec.scope == "shared" else len(members), max(sizes), generator)
        values = drawn.expand(len(members), -1).clone()
        for row, (j, size) in enumerate(zip(members, sizes, strict=True)):
            for k in range(size):
                values[row, k] = held.get(j, {}).get(element_name(spec, k, size), float(values[row, k]))
        params[spec.name] = values[:, 0] if spec.per == "item" else values
    return params


def _drawn(spec: ParameterSpec, n_members: int, size: int, generator: torch.Generator) -> Tensor:
    if spec.prior is None:
        return torch.full((n_members, size), spec.start, dtype=torch.float64)
    drawn = spec.prior.draw((n_members, size), generator)
    return drawn if spec.prior.scale == "natural" else spec.prior.transform(spec.transform).to_natural(drawn)


def _drawn_answers(
    item_model: ItemModel, params: Parameters, facts: Facts, theta: Tensor, generator: torch.Generator
) -> np.ndarray:
    """Random answers, int8 codes or float64 numbers [persons, members], drawn by blocks of persons."""
    n_members, most = len(facts.n_categories), int(facts.n_categories.max())
    draw = _numbers if isinstance(item_model, ContinuousModel) else _codes
    parts = theta.split(max(1, BLOCK // (n_members * most)))
    return np.concatenate([draw(item_model, params, facts, part, generator).numpy() for part in parts])


def _numbers(
    item_model: ItemModel, params: Parameters, facts: Facts, theta: Tensor, generator: torch.Generator
) -> Float64[Tensor, "persons members"]:
    assert isinstance(item_model, ContinuousModel)
    return item_model.draw(theta[:, None, None], params, facts, generator)


def _codes(
    item_model: ItemModel, params: Parameters, facts: Facts, theta: Tensor, generator: torch.Generator
) -> Int8[Tensor, "persons members"]:
    """The first category whose cumulated probability exceeds a uniform number."""
    cumulated = item_model.expectations(theta[:, None, None], params, facts).cumsum(-1)[..., :-1]
    uniform = torch.rand(len(theta), len(facts.n_categories), 1, generator=generator, dtype=torch.float64)
    return torch.minimum((uniform > cumulated).sum(-1), facts.n_categories - 1).to(torch.int8)
