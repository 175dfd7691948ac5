"""Categories and scores of one item: how labels become codes."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from irtvi.errors import (
    InfiniteValueError,
    KeyCategoryError,
    TooManyCategoriesError,
    UnparsableValueError,
    UnseenCategoryError,
)
from irtvi.responses.cells import MAX_CATEGORIES, MISSING
from irtvi.responses.labels import Label, is_number, shown, some
from irtvi.responses.settings import ItemRule

_ORDERED_PAIRS = (
    ("false", "true"), ("f", "t"), ("no", "yes"), ("n", "y"), ("wrong", "right"), ("wrong", "correct"),
    ("incorrect", "correct"), ("fail", "pass"), ("failed", "passed"), ("disagree", "agree"),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ItemCoding:
    """The categories of one item.

    Parameters
    ----------
    categories : raw labels in their order
        Position is the raw code. Observed ones joined with declared ones, inner gaps of whole-number scales
        filled in.
    observed : whether anybody chose each raw category
    scores : scored code of each raw code
        The same without a key and not reversed.
    values : value of each scored code in the user's units
        0 and 1 with a key, the numbers themselves (after reversing) on a numeric scale, else 0, 1, 2, ...
    key : the right answer, a tuple of several, or None
    reversed : whether the scores run against the categories
    measured : lowest and highest answer where answers are numbers on a continuous scale, in the user's units; then
        there are no categories
    """

    categories: tuple[Label, ...]
    observed: tuple[bool, ...]
    scores: tuple[int, ...]
    values: tuple[float, ...]
    key: object | None = None
    reversed: bool = False
    measured: tuple[float, float] | None = None

    @property
    def n_scored(self) -> int:
        """Number of scored categories."""
        return len(self.values)

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest answer in the user's units: of the scale, or those seen where answers are measured."""
        return self.measured or (min(self.values, default=0.0), max(self.values, default=0.0))

    @property
    def unobserved(self) -> tuple[Label, ...]:
        """Categories that nobody chose."""
        return tuple(label for label, seen in zip(self.categories, self.observed, strict=True) if not seen)

    def code(self, label: Label, rule: ItemRule) -> int | None:
        """Raw code of a label, -1 if it is declared missing, None if it is unknown."""
        if label in rule.missing:
            return MISSING
        if label in self.categories:
            return self.categories.index(label)
        if label in rule.wrong:
            return self.scores.index(0)
        return None

    def state(self) -> dict:
        """Plain lists, numbers and texts."""
        key = list(self.key) if isinstance(self.key, tuple) else self.key
        measured = None if self.measured is None else list(self.measured)
        return {name: list(getattr(self, name)) for name in _LISTS} | {
            "key": key, "reversed": self.reversed, "measured": measured,
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: Mapping) -> "ItemCoding":
        """The coding that `state` described."""
        key = tuple(state["key"]) if isinstance(state["key"], list) else state["key"]
        categories, observed, scores, values = (tuple(state[name]) for name in _LISTS)
        measured = state.get("measured")
        return cls(
            categories, observed, scores, values, key, state["reversed"], None if measured is None else tuple(measured)
        )


_LISTS = ("categories", "observed", "scores", "values")


def code_item(
    item: Hashable,
    seen: tuple[Label, ...],
    declared: tuple[Label, ...],
    rule: ItemRule,
    measured: tuple[float, float] | None = None,
) -> ItemCoding:
    """Categories of one item from the labels that occur and those that are declared; none if it is measured."""
    if measured is not None:
        return ItemCoding((), (), (), (), measured=measured)
    special = (*rule.missing, *rule.wrong)
    answers = [label for label in seen if label not in special]
    if infinite := [label for label in answers if is_number(label) and abs(float(label)) == float("inf")]:
        raise InfiniteValueError(
            f"item {item!r} holds {some(infinite)}; an answer is finite: correct it or declare it in missing=",
            item=item,
            label=infinite[0],
        )
    declared = tuple(label for label in declared if label not in special)
    categories = _ordered(item, answers, declared, rule)
    if rule.key:
        return _keyed(item, categories, answers, rule, seen)
    observed = tuple(label in answers for label in categories)
    scores = tuple(range(len(categories)))
    values = _values(categories)
    if rule.reverse:
        scores = scores[::-1]
        values = tuple(values[0] + values[-1] - value for value in values[::-1])
    if any(label in rule.wrong for label in seen) and categories:
        observed = tuple(True if score == 0 else o for o, score in zip(observed, scores, strict=True))
    return ItemCoding(categories, observed, scores, values, None, rule.reverse)


def lookup_of(
    item: Hashable, labels: Sequence[Label], seen: Sequence[bool], coding: ItemCoding, rule: ItemRule
) -> list[int]:
    """Raw code of each label of an item, -1 where it is missing or does not occur.

    Raises
    ------
    UnseenCategoryError
        If a label that occurs is not among the categories.
    """
    codes = []
    for label, occurs in zip(labels, seen, strict=True):
        code = coding.code(label, rule) if occurs else MISSING
        if code is None:
            raise UnseenCategoryError(
                f"item {item!r} holds {shown(label)}, but its categories are {some(coding.categories, 8)}; "
                "correct it, or declare it when reading the first data (categories=, missing= or wrong=)",
                item=item,
                label=label,
            )
        codes.append(code)
    return codes


def _ordered(
    item: Hashable, answers: Sequence[Label], declared: tuple[Label, ...], rule: ItemRule
) -> tuple[Label, ...]:
    if declared:
        return _joined(item, answers, declared, bool(rule.key))
    numbers = [label for label in answers if not isinstance(label, str)]
    texts = [label for label in answers if isinstance(label, str)]
    if numbers and texts:
        raise _mixed(item, numbers, texts, rule)
    if numbers:
        return tuple(sorted(numbers)) if rule.key else _without_gaps(item, sorted(numbers))
    return _ordered_text(texts)


def _mixed(item: Hashable, numbers: list[int | float], texts: list[str], rule: ItemRule) -> UnparsableValueError:
    text_is_wrong = is_number(rule.key[0]) if rule.key else len(texts) <= len(numbers)
    culprits, kind = (texts, "numbers") if text_is_wrong else (numbers, "text")
    return UnparsableValueError(
        f"item {item!r} holds {some(culprits)} where the other answers are {kind}; correct it, or declare it "
        "in missing=, wrong= or categories=",
        item=item,
        label=culprits[0],
    )


def _joined(item: Hashable, answers: Sequence[Label], declared: tuple[Label, ...], keyed: bool) -> tuple[Label, ...]:
    extra = [label for label in answers if label not in declared]
    rising = all(is_number(label) for label in declared) and list(declared) == sorted(declared)  # pyright: ignore
    numbers = [label for label in (*declared, *extra) if not isinstance(label, str)]
    if rising and len(numbers) == len(declared) + len(extra):
        return tuple(sorted(numbers)) if keyed else _without_gaps(item, sorted(numbers))
    if extra:
        raise UnseenCategoryError(
            f"item {item!r} holds {some(extra)}, but its declared categories are {some(declared, 8)}; add it "
            "there in its place, or declare it in missing= or wrong=",
            item=item,
            label=extra[0],
        )
    return declared


def _without_gaps(item: Hashable, numbers: list[int | float]) -> tuple[Label, ...]:
    whole = all(isinstance(number, int) for number in numbers)
    n_categories = int(numbers[-1] - numbers[0]) + 1 if whole else len(numbers)
    if n_categories > MAX_CATEGORIES:
        raise too_many(item, n_categories, numbers[0], numbers[-1])
    return tuple(range(int(numbers[0]), int(numbers[-1]) + 1)) if whole else tuple(numbers)


def too_many(item: Hashable, n_categories: int, first: Label, last: Label) -> TooManyCategoriesError:
    """The error for a column that is hardly an item."""
    return TooManyCategoriesError(
        f"item {item!r} has {n_categories} categories from {shown(first)} to {shown(last)}, and there is "
        "room "
        f"for {MAX_CATEGORIES}; declare a code for missing in missing=; name a measured quantity in continuous= "
        "(model='normal' or 'beta' then suits it); keep a column that is no item out by items= or by a name that "
        "starts with cov_",
        item=item,
        label=last,
    )


def _ordered_text(answers: Sequence[str]) -> tuple[str, ...]:
    small = {answer.lower(): answer for answer in answers}
    if answers and len(small) == len(answers):
        for pair in _ORDERED_PAIRS:
            if set(small) <= set(pair):
                return tuple(small.get(label, _in_case_of(label, answers[0])) for label in pair)
    return tuple(sorted(answers))


def _in_case_of(label: str, example: str) -> str:
    if example.isupper():
        return label.upper()
    return label.capitalize() if example[0].isupper() else label


def is_known_order(categories: Sequence[Label]) -> bool:
    """Whether words are a pair whose order is known, such as no and yes."""
    return tuple(str(label).lower() for label in categories) in _ORDERED_PAIRS


def _keyed(
    item: Hashable,
    categories: tuple[Label, ...],
    answers: Sequence[Label],
    rule: ItemRule,
    seen: Sequence[Label],
) -> ItemCoding:
    if not categories:
        categories = rule.key
    if unknown := [label for label in rule.key if label not in categories]:
        alike = [c for c in categories if str(c).lower() == str(unknown[0]).lower()]
        hint = f"; did you mean {shown(alike[0])}?" if alike else ""
        raise KeyCategoryError(
            f"item {item!r} has the key {some(unknown)}, but its categories are {some(categories, 8)}{hint}; "
            "correct the key, or name all options in categories= if nobody chose the right one"
        )
    categories += tuple(label for label in rule.wrong if label in seen and label not in categories)
    observed = tuple(label in seen for label in categories)
    key = rule.key[0] if len(rule.key) == 1 else rule.key
    scores = tuple(int(label in rule.key) for label in categories)
    return ItemCoding(categories, observed, scores, (0.0, 1.0), key)


def _values(categories: tuple[Label, ...]) -> tuple[float, ...]:
    if categories and all(is_number(label) for label in categories):
        numbers = [float(label) for label in categories]
        if numbers == sorted(numbers) or numbers == sorted(numbers, reverse=True):
            return tuple(sorted(numbers))
    return tuple(float(code) for code in range(len(categories)))
