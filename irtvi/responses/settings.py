"""The options of `irtvi.read`, checked and in one form, so that new data can be coded by them again."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Generic, TypeVar

import pandas as pd

from irtvi.errors import ConflictingOptionsError, UnknownItemError
from irtvi.responses.labels import Label, labels_of, some

T = TypeVar("T")
Labels = tuple[Label, ...]


@dataclass(frozen=True)
class ByItem(Generic[T]):
    """One value for all items, or a value for some of them.

    Parameters
    ----------
    default : value for the items that are not named
    named : values by item
    """

    default: T
    named: Mapping[Hashable, T] = field(default_factory=dict)

    def __getitem__(self, item: Hashable) -> T:
        return self.named.get(item, self.default)

    def state(self) -> dict:
        """Plain lists and dicts."""
        return {"default": self.default, "named": [[item, value] for item, value in self.named.items()]}


@dataclass(frozen=True)
class ItemRule:
    """What the user declared about one item."""

    key: Labels
    reverse: bool
    missing: Labels
    wrong: Labels
    categories: Labels
    continuous: bool


@dataclass(frozen=True)
class ReadSettings:
    """How a table becomes responses: which columns, and what values mean.

    ``layout`` to ``wave`` and the two weights name columns (None: detected, or none); ``key``, ``reverse``,
    ``missing``, ``wrong`` and ``categories`` hold labels by item; ``continuous`` whether answers are measured.
    """

    layout: str | None = None
    id: Hashable | None = None
    item: Hashable | None = None
    response: Hashable | None = None
    items: tuple[Hashable, ...] | None = None
    wave: Hashable | None = None
    weights: Hashable | None = None
    survey_weights: Hashable | None = None
    key: ByItem[Labels] = ByItem(())
    reverse: ByItem[bool] = ByItem(False)
    missing: ByItem[Labels] = ByItem(())
    wrong: ByItem[Labels] = ByItem(())
    categories: ByItem[Labels] = ByItem(())
    continuous: ByItem[bool] = ByItem(False)

    def rule(self, item: Hashable) -> ItemRule:
        """What holds for one item.

        Raises
        ------
        ConflictingOptionsError
            If a value is declared both missing and wrong, an item has a key and is reversed, or one whose answers
            are measured has what only categories have.
        """
        if item not in self._named:
            return self._otherwise
        return _checked(ItemRule(*(getattr(self, name)[item] for name in _RULES)), f"item {item!r}")

    def rules(self, items: Iterable[Hashable]) -> list[ItemRule]:
        """What holds for several items."""
        named, otherwise = self._named, self._otherwise
        return [self.rule(item) if item in named else otherwise for item in items]

    @cached_property
    def _named(self) -> frozenset[Hashable]:
        """Items about which something was declared by name."""
        return frozenset(item for name in _RULES for item in getattr(self, name).named)

    @cached_property
    def _otherwise(self) -> ItemRule:
        """What holds for all other items."""
        return _checked(ItemRule(*(getattr(self, name).default for name in _RULES)), "each item")

    def check_items(self, known: pd.Index) -> None:
        """Refuse options that name an item that is not there."""
        for name in _RULES:
            if unknown := [item for item in getattr(self, name).named if item not in known]:
                raise UnknownItemError(
                    f"{name}= names {some(unknown)}, but the items are {some(known)}; "
                    "give the names as they stand in the table"
                )

    def state(self) -> dict:
        """Plain lists, dicts, numbers and texts."""
        plain = {name.name: getattr(self, name.name) for name in fields(self)}
        return {k: v.state() if isinstance(v, ByItem) else v for k, v in plain.items()}

    @classmethod
    def from_state(cls, state: Mapping) -> "ReadSettings":
        """The settings that `state` described; what an earlier version did not know has its default."""
        plain: dict[str, Any] = {"continuous": ByItem(False).state(), **state}
        for name in _RULES:
            freeze = bool if name in _YES_OR_NO else tuple
            by_item = plain[name]
            plain[name] = ByItem(freeze(by_item["default"]), {item: freeze(value) for item, value in by_item["named"]})
        if plain["items"] is not None:
            plain["items"] = tuple(plain["items"])
        return cls(**plain)


_RULES = tuple(ItemRule.__dataclass_fields__)
_YES_OR_NO = ("reverse", "continuous")
_OF_CATEGORIES = ("key", "reverse", "wrong", "categories")


def _checked(rule: ItemRule, who: str) -> ItemRule:
    if both := [label for label in rule.missing if label in rule.wrong]:
        raise ConflictingOptionsError(f"{who}: {some(both)} is declared in missing= and in wrong=; keep one of the two")
    if rule.key and rule.reverse:
        raise ConflictingOptionsError(f"{who} has a key and is in reverse=; what is scored by a key has no direction")
    if rule.continuous and (given := [name for name in _OF_CATEGORIES if getattr(rule, name)]):
        raise ConflictingOptionsError(
            f"{who} is in continuous= and in {given[0]}=, which is about answers in categories; keep one of the two "
            "(by item, with a dict)"
        )
    return rule


def labels_option(name: str, given: object) -> ByItem[Labels]:
    """``missing=`` or ``wrong=``: a value or several, or a dict of them by item."""
    if given is None:
        return ByItem(())
    if isinstance(given, Mapping | pd.Series):
        return ByItem((), {item: labels_of(value) for item, value in dict(given).items()})
    return ByItem(labels_of(given))


def categories_option(given: object) -> ByItem[Labels]:
    """``categories=``: categories in their order, or a dict of them by item."""
    if given is None:
        return ByItem(())
    by_item = isinstance(given, Mapping | pd.Series)
    for value in dict(given).values() if by_item else [given]:  # pyright: ignore
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise ConflictingOptionsError(
                f"categories={value!r} is no list; give all categories in their order, such as [1, 2, 3, 4]"
            )
    return labels_option("categories", given)


def key_option(given: object) -> ByItem[Labels]:
    """``key=``: the right answer of all items, or a dict by item of a right answer or several."""
    if given is not None and not isinstance(given, str | Mapping | pd.Series) and isinstance(given, Iterable):
        raise ConflictingOptionsError(f"key={some(given)} is a list; name the items: key=dict(zip(items, answers))")
    return labels_option("key", given)


def items_option(given: object) -> ByItem[bool]:
    """``reverse=`` and ``continuous=``: True for all items, the items' names, or a dict of True and False by item."""
    if given is None or isinstance(given, bool):
        return ByItem(bool(given))
    if isinstance(given, Mapping | pd.Series):
        return ByItem(False, {item: bool(value) for item, value in dict(given).items()})
    names = [given] if isinstance(given, str | int) else list(given)  # pyright: ignore
    return ByItem(False, dict.fromkeys(names, True))
