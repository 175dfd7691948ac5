"""A model: families of items, a population and priors, tied to one free vector."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from irtvi.models.hierarchy import JointNormal
from irtvi.models.items.continuous import ContinuousModel
from irtvi.models.items.item_model import Facts, ItemModel, Parameters
from irtvi.models.parameters import HELD, LogPrior, Slots, free_start
from irtvi.models.populations import Population


@dataclass(frozen=True)
class Component:
    """Items that follow one formula.

    Attributes
    ----------
    item_model : ItemModel
    items : Int[Tensor, " members"]
        Positions of the items in the data.
    facts : Facts
    slots : Slots
    width : int
        Categories that its tables have at least; a part is as wide as the whole.
    """

    item_model: ItemModel
    items: Int[Tensor, " members"]
    facts: Facts
    slots: Slots
    width: int = 0

    def coefficients(
        self, theta: Float[Tensor, "nodes dims"], values: Float[Tensor, "*nodes members slots"]
    ) -> Float[Tensor, "nodes members statistics"]:
        """Table of coefficients (log-probabilities of categories) at abilities, from unconstrained slot values.

        The values may differ from node to node.
        """
        return self.padded(self.item_model.coefficients(theta[:, None, :], self.slots.unpack(values), self.facts))

    def expectations(
        self, theta: Float[Tensor, "nodes dims"], values: Float[Tensor, "members slots"]
    ) -> Float[Tensor, "nodes members statistics"]:
        """Table of expected statistics (probabilities of categories), as :meth:`coefficients`."""
        params = self.slots.unpack(values)
        return self.padded(self.item_model.expectations(theta[:, None, :], params, self.facts), 0.0)

    def padded(self, table: Tensor, otherwise: float = -torch.inf) -> Tensor:
        """A table with columns for categories that only other items have."""
        absent = self.width - table.shape[-1]
        return pad(table, (0, absent), value=otherwise) if absent > 0 else table

    @property
    def is_measured(self) -> bool:
        """Whether answers are numbers on a continuous scale."""
        return isinstance(self.item_model, ContinuousModel)

    def joint_prior(self, hyper: Mapping[str, float], free: Float[Tensor, " n_free"]) -> JointNormal:
        """Prior that the hierarchy of the item model has at some hyperparameters."""
        hierarchy = self.item_model.hierarchy
        assert hierarchy is not None
        values = self.slots.free_values(free)
        where = self.slots.columns()
        return hierarchy.prior(
            hyper,
            {name: values[:, slots] for name, slots in where.items()},
            {name: self.slots.index[:, slots] for name, slots in where.items()},
        )

    def part(self, members: slice) -> "Component":
        """Some of the members, with the same formula."""
        slots = replace(
            self.slots,
            index=self.slots.index[members],
            held=self.slots.held[members],
            exists=self.slots.exists[members],
        )
        facts = Facts(*(fact[members] if fact.ndim else fact for fact in self.facts))
        width = max(self.width, int(self.facts.n_categories.max()))
        return Component(self.item_model, self.items[members], facts, slots, width)

    def to(self, device: torch.device) -> "Component":
        facts = Facts(*(fact.to(device) for fact in self.facts))
        return replace(self, items=self.items.to(device), facts=facts, slots=self.slots.to(device))


@dataclass(frozen=True)
class Columns:
    """Layout of the (item, category) columns of a table, items in order, categories within items.

    An item whose answers are measured has a column for each statistic instead.

    Attributes
    ----------
    item, code : Int[Tensor, " columns"]
        Item and category of each column.
    offset : Int[Tensor, " items"]
        First column of each item.
    """

    item: Int[Tensor, " columns"]
    code: Int[Tensor, " columns"]
    offset: Int[Tensor, " items"]

    @staticmethod
    def of(n_categories: Int[Tensor, " items"]) -> "Columns":
        n_categories = n_categories.long()
        item = torch.repeat_interleave(torch.arange(len(n_categories), device=n_categories.device), n_categories)
        offset = torch.cumsum(n_categories, 0) - n_categories
        code = torch.arange(len(item), device=item.device) - offset[item]
        return Columns(item, code, offset)


@dataclass(frozen=True)
class Model:
    """What is fitted: components of items, a population, and log priors over one free vector.

    Attributes
    ----------
    components : tuple of Component
    population : Population
    population_slots : Slots
        One member for each group.
    log_prior : LogPrior
    n_free : int
        Number of free parameters.
    n_categories : Int[Tensor, " items"]
        Categories of each item in the coding that its model uses; statistics, where answers are measured.
    excluded : Bool[Tensor, " items"]
        Items that cannot be estimated; their answers take no part in the likelihood.
    dims : int
    hyper : tuple of mapping
        Hyperparameters of each component's hierarchy, empty for components without one.
    """

    components: tuple[Component, ...]
    population: Population
    population_slots: Slots
    log_prior: LogPrior
    n_free: int
    n_categories: Int[Tensor, " items"]
    excluded: Bool[Tensor, " items"]
    dims: int = 1
    hyper: tuple[Mapping[str, float], ...] = ()

    @property
    def n_items(self) -> int:
        return len(self.n_categories)

    @cached_property
    def columns(self) -> Columns:
        return Columns.of(self.n_categories)

    @cached_property
    def component_columns(self) -> tuple[Int[Tensor, "members categories"], ...]:
        """For each component, the table column of every (member, category); -1 where there is none."""
        out = []
        for component in self.components:
            counts = self.n_categories[component.items]
            codes = torch.arange(int(counts.max()), device=counts.device)
            columns = self.columns.offset[component.items][:, None] + codes
            out.append(torch.where(codes < counts[:, None], columns, HELD))
        return tuple(out)

    @cached_property
    def measured(self) -> Bool[Tensor, " items"]:
        """Items whose answers are numbers on a continuous scale."""
        measured = torch.zeros_like(self.excluded)
        for component in self.components:
            measured[component.items] = component.is_measured
        return measured

    @property
    def parts(self) -> tuple[Slots, ...]:
        return (*(c.slots for c in self.components), self.population_slots)

    def start(self) -> Float[Tensor, " n_free"]:
        """Free vector before the data speak."""
        return free_start([p.to(torch.device("cpu")) for p in self.parts], self.n_free).to(self.n_categories.device)

    def population_params(self, free: Float[Tensor, "*draws n_free"]) -> Parameters:
        """Population parameters by name, ``[*draws, groups]``."""
        return self.population_slots.natural(free)

    def population_log_prob(
        self, theta: Float[Tensor, "nodes dims"], values: Float[Tensor, "groups slots"]
    ) -> Float[Tensor, "nodes groups"]:
        """Log density of ability at nodes, by group, from unconstrained slot values."""
        return self.population.log_prob(theta[:, None, :], self.population_slots.unpack(values))

    def free_names(self, item_ids: list) -> list[tuple[object, str]]:
        """(item or "population" or "shared", parameter) for every free parameter, in order."""
        names: list[tuple[object, str] | None] = [None] * self.n_free
        for component in self.components:
            slot_names = component.slots.names()
            shared = {s.name for s in component.slots.specs if s.scope == "shared"}
            index = component.slots.index.tolist()
            for item, row in zip(component.items.tolist(), index, strict=True):
                for name, k in zip(slot_names, row, strict=True):
                    if k >= 0 and names[k] is None:
                        names[k] = ("shared" if name in shared else item_ids[item], name)
        for row in self.population_slots.index.tolist():
            for name, k in zip(self.population_slots.names(), row, strict=True):
                if k >= 0:
                    names[k] = ("population", name)
        return [name for name in names if name is not None]

    def to(self, device: torch.device) -> "Model":
        return replace(
            self,
            components=tuple(c.to(device) for c in self.components),
            population_slots=self.population_slots.to(device),
            log_prior=self.log_prior.to(device),
            n_categories=self.n_categories.to(device),
            excluded=self.excluded.to(device),
        )


def tie(model: Model, hyper: Sequence[Mapping[str, float]], free: Float[Tensor, " n_free"]) -> Model:
    """The model with the joint priors that its components' hierarchies have at these hyperparameters.

    Parameters
    ----------
    model : Model
    hyper : sequence of mapping
        Hyperparameters of each component, empty for components without a hierarchy.
    free : Float[Tensor, " n_free"]
        Where to read what a prior mean depends on.
    """
    joint = tuple(
        component.joint_prior(chosen, free)
        for component, chosen in zip(model.components, hyper, strict=True)
        if component.item_model.hierarchy is not None
    )
    return replace(model, log_prior=replace(model.log_prior, joint=joint), hyper=tuple(hyper))


def hold(
    model: Model, positions: Int[Tensor, " held"], values: Float[Tensor, " held"]
) -> tuple[Model, Int[Tensor, " remaining"]]:
    """Hold some free parameters at values on the unconstrained scale.

    Returns
    -------
    Model
        With fewer free parameters.
    Tensor
        Positions in the old free vector of the parameters that remain free.
    """
    device = positions.device
    keep = torch.ones(model.n_free, dtype=torch.bool, device=device)
    keep[positions] = False
    remaining = torch.nonzero(keep)[:, 0]
    new_index = torch.full((model.n_free + 1,), HELD, device=device)
    new_index[remaining] = torch.arange(len(remaining), device=device)
    fill = torch.zeros(model.n_free + 1, dtype=torch.float64, device=device)
    fill[positions] = values

    def narrow(slots: Slots) -> Slots:
        index = torch.where(slots.index >= 0, slots.index, model.n_free)
        held = torch.where((slots.index >= 0) & (new_index[index] < 0), fill[index], slots.held)
        return replace(slots, index=new_index[index], held=held)

    groups = []
    for group in model.log_prior.groups:
        kept = new_index[group.index]
        if (kept >= 0).any():
            groups.append(replace(group, index=kept[kept >= 0]))
    narrowed = replace(
        model,
        components=tuple(replace(c, slots=narrow(c.slots)) for c in model.components),
        population_slots=narrow(model.population_slots),
        log_prior=LogPrior(
            tuple(groups),
            len(remaining),
            tuple(j.narrowed(new_index[j.index], fill[j.index]) for j in model.log_prior.joint),
        ),
        n_free=len(remaining),
    )
    return narrowed, remaining
