"""Which free parameter every number of every item is: own, equal to another's, shared or held."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch

from irtvi.errors import EmptyCategoryError, SpecificationError
from irtvi.models.items import ItemModel, ParameterSpec
from irtvi.models.items.item_model import element_name, event_size
from irtvi.models.parameters import HELD, LogPrior, PriorGroup, Slots
from irtvi.models.priors import Prior
from irtvi.models.transforms import Transform

PriorChoice = Literal["default"] | None | Mapping[Any, Prior | None]
EqualChoice = Sequence[str] | Mapping[str, Sequence[Sequence[Hashable]]] | None


@dataclass
class Allotment:
    """Gives out positions in the free vector, family by family.

    Attributes
    ----------
    item_ids : list
    n_categories : int array [items]
    labels : sequence of sequences
        The user's names of each item's categories.
    chosen : bool array [items, categories]
        Categories that somebody with a positive weight chose.
    held : dict
        Held values by item position and parameter name, on the formula's scale.
    priors : "default", None or mapping
    equal : dict
        Group of every (parameter, item position) that is equal to others.
    dims : int
    n_free : int
        Positions given out so far.
    unsupported : dict
        Why an item cannot be estimated, by position.
    """

    item_ids: list
    n_categories: np.ndarray
    labels: Sequence[Sequence]
    chosen: np.ndarray
    held: dict[int, dict[str, float]]
    priors: PriorChoice
    equal: dict[tuple[str, int], int]
    dims: int = 1
    n_free: int = 0
    unsupported: dict[int, str] = field(default_factory=dict)
    _prior_of: dict[int, tuple[Prior, Transform]] = field(default_factory=dict)
    _tied: dict[tuple, int] = field(default_factory=dict)

    @cached_property
    def _n_chosen(self) -> np.ndarray:
        return self.chosen.sum(1)

    def slots(self, item_model: ItemModel, items: list[int]) -> Slots:
        """The slots of a family of items."""
        specs = item_model.parameters
        sizes = tuple(max(self._size(spec, j) for j in items) for spec in specs)
        transforms = tuple(self._transform(spec, items) for spec in specs)
        shape = (len(items), sum(sizes))
        index = np.full(shape, HELD)
        values = np.zeros(shape)
        exists = np.zeros(shape, dtype=bool)
        self._check_empty_categories(item_model, items)
        for row, j in enumerate(items):
            column = 0
            numbers: list[tuple[int, ParameterSpec, int, Transform]] = []
            for spec, transform, size in zip(specs, transforms, sizes, strict=True):
                for k in range(self._size(spec, j)):
                    exists[row, column + k] = True
                    name = element_name(spec, k, self._size(spec, j))
                    if name in self.held.get(j, {}):
                        values[row, column + k] = _free_scale(
                            transform, self.held[j][name], self.item_ids[j], name
                        )
                    else:
                        numbers.append((column + k, spec, k, transform))
                column += size
            tied = item_model.hierarchy.tied if item_model.hierarchy else frozenset()
            estimable = self._is_estimable(j, [spec for _, spec, _, _ in numbers if spec.name not in tied])
            for c, spec, k, transform in numbers:
                tie = self._tie(item_model, spec, k, transform, j)
                if estimable or spec.scope == "shared":
                    index[row, c] = self._position(spec, j, tie, transform)
                else:
                    values[row, c] = float(transform.to_free(torch.tensor(spec.start, dtype=torch.float64)))
        return Slots(
            specs, transforms, sizes, torch.as_tensor(index), torch.as_tensor(values), torch.as_tensor(exists)
        )

    def log_prior(self) -> LogPrior:
        """Priors of all positions given out, those of the same kind together."""
        members: dict[tuple[Prior, str], list[int]] = {}
        transform_of: dict[str, Transform] = {}
        for index, (prior, transform) in self._prior_of.items():
            members.setdefault((prior, transform.name), []).append(index)
            transform_of[transform.name] = transform
        groups = tuple(
            PriorGroup(prior, transform_of[name], torch.tensor(index))
            for (prior, name), index in members.items()
        )
        return LogPrior(groups, self.n_free)

    def _size(self, spec: ParameterSpec, item: int) -> int:
        return event_size(spec, self.dims, int(self.n_categories[item]))

    def _prior(self, spec: ParameterSpec, item: int) -> Prior | None:
        return prior_of(spec, None if spec.scope == "shared" else self.item_ids[item], self.priors)

    def _transform(self, spec: ParameterSpec, items: list[int]) -> Transform:
        priors = (self._prior(spec, j) for j in items)
        narrowed = {prior.transform(spec.transform) for prior in priors if prior is not None} or {
            spec.transform
        }
        if len(narrowed) > 1:
            raise SpecificationError(
                f"The priors of {spec.name} disagree about its range "
                "(some allow only positive values, others all)."
            )
        return narrowed.pop()

    def _is_estimable(self, item: int, free: list[ParameterSpec]) -> bool:
        n_chosen = int(self._n_chosen[item])
        own = [spec for spec in free if spec.scope == "item" and (spec.name, item) not in self.equal]
        if n_chosen >= 2 or all(self._prior(spec, item) is not None for spec in own):
            return True
        how = "nobody answered it" if n_chosen == 0 else "everybody gave the same answer"
        self.unsupported[item] = f"cannot be estimated without a prior: {how}"
        return False

    def _check_empty_categories(self, item_model: ItemModel, items: list[int]) -> None:
        """A parameter of a category that nobody chose needs a prior or a value."""
        empty = []
        n_chosen = self._n_chosen[items]
        for j in np.asarray(items)[(n_chosen >= 2) & (n_chosen < self.n_categories[items])].tolist():
            n = int(self.n_categories[j])
            unsupported = [
                spec
                for spec in item_model.parameters
                if spec.depends_on_categories
                and spec.scope == "item"
                and self._prior(spec, j) is None
                and any(
                    element_name(spec, k, n) not in self.held.get(j, {}) for k in range(self._size(spec, j))
                )
            ]
            if unsupported:
                empty.append(j)
        if empty:
            unused = ", ".join(
                f"{self.item_ids[j]!r} ({', '.join(self._unused_labels(j))})" for j in empty[:5]
            )
            raise EmptyCategoryError(
                f"{len(empty)} items have categories that nobody chose, and without a prior these cannot be "
                f"estimated: {unused}. Keep the default priors, merge the categories, or do not declare "
                "them.",
                item=self.item_ids[empty[0]],
            )

    def _unused_labels(self, item: int) -> list[str]:
        labels = self.labels[item]
        return [f"{label:g}" if isinstance(label, float) else str(label)
                for label, chosen in zip(labels, self.chosen[item], strict=False) if not chosen]  # fmt: skip

    def _tie(
        self, item_model: ItemModel, spec: ParameterSpec, k: int, transform: Transform, item: int
    ) -> tuple | None:
        """What identifies a position that this number shares with others; None for one of its own."""
        n_categories = int(self.n_categories[item]) if spec.depends_on_categories else 0
        if spec.scope == "shared":
            return (id(item_model), spec.name, k, n_categories)
        if (spec.name, item) in self.equal:
            return (self.equal[spec.name, item], spec.name, spec.per, transform.name, k, n_categories)
        return None

    def _position(self, spec: ParameterSpec, item: int, tie: tuple | None, transform: Transform) -> int:
        prior = self._prior(spec, item)
        if tie is not None and tie in self._tied:
            position = self._tied[tie]
            if self._prior_of.get(position, (None, None))[0] != prior:
                raise SpecificationError(
                    f"{spec.name} is to be equal for several items, but {self.item_ids[item]!r} has another "
                    "prior."
                )
            return position
        position = self.n_free
        self.n_free += 1
        if tie is not None:
            self._tied[tie] = position
        if prior is not None:
            self._prior_of[position] = (prior, transform)
        return position


def prior_of(spec: ParameterSpec, item: Any, priors: PriorChoice) -> Prior | None:
    """The prior of a parameter of an item (None: of a shared one)."""
    if priors is None:
        return None
    if priors == "default":
        return spec.prior
    if (item, spec.name) in priors:
        return priors[item, spec.name]
    return priors.get(spec.name, spec.prior)


def check_prior_keys(priors: PriorChoice, item_models: tuple[ItemModel, ...], item_ids: list) -> None:
    """Raise a SpecificationError for what is no prior, or belongs to no parameter or item."""
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


def equal_groups(
    equal: EqualChoice,
    item_models: tuple[ItemModel, ...],
    item_ids: list,
    held: dict[int, dict[str, float]],
) -> dict[tuple[str, int], int]:
    """Group of every (parameter, item position) that the user asked to be equal to others.

    Raises
    ------
    SpecificationError
        Unknown parameters or items, an item in two groups, or one whose parameter is held.
    """
    if equal is None:
        return {}
    if isinstance(equal, str) or not isinstance(equal, (Mapping, Sequence)):
        raise SpecificationError(
            f"equal= takes names of parameters, or a mapping to groups of items, got {equal!r}."
        )
    has = {name: [j for j, m in enumerate(item_models) if _has(m, name)] for name in equal}
    names = sorted({spec.name for m in item_models for spec in m.parameters})
    position = {item: j for j, item in enumerate(item_ids)}
    groups: dict[tuple[str, int], int] = {}
    for name, items in has.items():
        if not items:
            raise SpecificationError(f"equal= names the parameter {name!r}; this model has {names}.")
        wanted = [[item_ids[j] for j in items]] if not isinstance(equal, Mapping) else equal[name]
        for group in wanted:
            for item in group:
                if item not in position or position[item] not in items:
                    raise SpecificationError(
                        f"equal= names {item!r}, but no item of that name has a parameter {name!r}."
                    )
                j = position[item]
                if (name, j) in groups:
                    raise SpecificationError(f"equal= puts {name!r} of item {item!r} into two groups.")
                if any(element.rstrip("0123456789") == name for element in held.get(j, {})):
                    raise SpecificationError(
                        f"{name!r} of item {item!r} stands in equal= and in fixed=; leave one out."
                    )
                groups[name, j] = len(groups) if item == group[0] else groups[name, position[group[0]]]
    return groups


def _has(item_model: ItemModel, name: str) -> bool:
    return any(spec.name == name and spec.scope == "item" for spec in item_model.parameters)


def _free_scale(transform: Transform, value: float, item: Any, name: str) -> float:
    free = float(transform.to_free(torch.tensor(value, dtype=torch.float64)))
    if np.isnan(free):
        raise SpecificationError(
            f"fixed= holds {name} = {value} for item {item!r}, outside of the parameter's range."
        )
    return free
