"""Items with parameters drawn at random for any registered item model."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import pytest
import torch
from torch import Tensor

from irtvi.models.items import ITEM_MODELS, ContinuousModel, Facts, ItemModel
from irtvi.models.items.item_model import Parameters, element_name, event_size
from irtvi.models.model import Component, Model
from irtvi.models.parameters import LogPrior, Slots
from irtvi.models.populations import NormalPopulation

CATEGORIES = (3, 2, 5, 4, 2)
SPREAD = 0.7
"""Standard deviation of the draws around the starting values, on the unconstrained scale."""


@dataclass(frozen=True)
class Example:
    """Five items of one model, with different numbers of categories where the model allows them."""

    item_model: ItemModel
    facts: Facts
    slots: Slots
    free: Tensor

    @staticmethod
    def of(name: str, generator: torch.Generator) -> "Example":
        item_model = ITEM_MODELS[name]()
        most = item_model.max_categories or max(CATEGORIES)
        n_categories = torch.tensor([min(n, most) for n in CATEGORIES])
        facts = {}
        if isinstance(item_model, ContinuousModel):
            n_categories = torch.full_like(n_categories, item_model.n_statistics)
        if isinstance(item_model, ContinuousModel) and item_model.standardised:
            facts = {
                "centre": 10 * torch.randn(len(n_categories), generator=generator, dtype=torch.float64),
                "scale": torch.randn(len(n_categories), generator=generator, dtype=torch.float64).exp(),
            }
        key = torch.full_like(n_categories, -1)
        if item_model.needs_key:
            key = (torch.rand(len(key), generator=generator) * n_categories).long()
        slots, n_free = _slots(item_model, n_categories)
        start = torch.zeros(n_free, dtype=torch.float64)
        column = 0
        for spec, transform, size in zip(slots.specs, slots.transforms, slots.sizes, strict=True):
            used = slots.index[:, column : column + size]
            start[used[used >= 0]] = float(transform.to_free(torch.tensor(spec.start, dtype=torch.float64)))
            column += size
        free = start + SPREAD * torch.randn(n_free, generator=generator, dtype=torch.float64)
        return Example(item_model, Facts(n_categories, key, **facts), slots, free)

    @cached_property
    def values(self) -> Tensor:
        """Unconstrained values of all slots [items, slots]."""
        return self.slots.free_values(self.free)

    @property
    def params(self) -> Parameters:
        """Parameters on the scale of the formula."""
        return self.slots.unpack(self.values)

    @property
    def n_items(self) -> int:
        return len(self.facts.n_categories)

    @property
    def exists(self) -> Tensor:
        """Which categories the items have [items, categories]."""
        codes = torch.arange(int(self.facts.n_categories.max()))
        return codes < self.facts.n_categories[:, None]

    def coefficients(self, theta: Tensor, values: Tensor | None = None) -> Tensor:
        """Table of coefficients at abilities [nodes], in the precision of the slot values."""
        params = self.slots.unpack(self.values if values is None else values)
        return self.item_model.coefficients(theta[:, None, None], params, self.facts)

    def expectations(self, theta: Tensor) -> Tensor:
        """Expected statistics (probabilities of categories) at abilities [nodes]."""
        return self.item_model.expectations(theta[:, None, None], self.params, self.facts)

    def names(self, item: int) -> list[str]:
        """Names of the numbers that an item has."""
        n_categories = int(self.facts.n_categories[item])
        return [
            element_name(spec, k, event_size(spec, 1, n_categories))
            for spec in self.item_model.parameters
            for k in range(event_size(spec, 1, n_categories))
        ]

    def model(self) -> Model:
        """The items with a standard normal population."""
        population = NormalPopulation()
        specs = population.parameters
        population_slots = Slots(
            specs,
            tuple(s.transform for s in specs),
            (1, 1),
            torch.full((1, 2), -1),
            torch.zeros(1, 2, dtype=torch.float64),
            torch.ones(1, 2, dtype=torch.bool),
        )
        return Model(
            (Component(self.item_model, torch.arange(self.n_items), self.facts, self.slots),),
            population,
            population_slots,
            LogPrior((), len(self.free)),
            len(self.free),
            self.facts.n_categories,
            torch.zeros(self.n_items, dtype=torch.bool),
        )


def _slots(item_model: ItemModel, n_categories: Tensor) -> tuple[Slots, int]:
    specs = item_model.parameters
    sizes = tuple(max(event_size(spec, 1, int(n)) for n in n_categories) for spec in specs)
    index = torch.full((len(n_categories), sum(sizes)), -1)
    n_free, shared = 0, {}
    for row, n in enumerate(n_categories.tolist()):
        column = 0
        for spec, size in zip(specs, sizes, strict=True):
            for k in range(event_size(spec, 1, n)):
                place = (spec.name, k, n if spec.depends_on_categories else 0)
                if spec.scope != "shared" or place not in shared:
                    shared[place] = n_free
                    n_free += 1
                index[row, column + k] = shared[place]
            column += size
    held = torch.zeros(index.shape, dtype=torch.float64)
    transforms = tuple(spec.transform for spec in specs)
    return Slots(specs, transforms, sizes, index, held, index >= 0), n_free


@pytest.fixture
def make_example() -> Callable[[str, int], Example]:
    """Items of a model by name, drawn with a seed."""
    return lambda name, seed: Example.of(name, torch.Generator().manual_seed(seed))


MEASURED = [name for name, model in ITEM_MODELS.items() if issubclass(model, ContinuousModel)]


@pytest.fixture(params=[name for name in ITEM_MODELS if name not in MEASURED])
def categorical(request: pytest.FixtureRequest, generator: torch.Generator) -> Example:
    """Items of every registered model of categories in turn."""
    return Example.of(request.param, generator)


@pytest.fixture(params=MEASURED)
def measured(request: pytest.FixtureRequest, generator: torch.Generator) -> Example:
    """Items of every registered model of measured answers in turn."""
    return Example.of(request.param, generator)


@pytest.fixture(params=ITEM_MODELS)
def example(request: pytest.FixtureRequest, generator: torch.Generator) -> Example:
    """Items of every registered model in turn."""
    return Example.of(request.param, generator)
