"""The distribution of a sum score at given abilities (Lord & Wingersky 1984), and how it moves with the items."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from irtvi.errors import SpecificationError
from irtvi.models.model import Model

LONGEST = 200_000
"""Most sums on the lattice of the values."""


@dataclass(frozen=True)
class Lattice:
    """Values of all codes as whole numbers of steps above the item's lowest."""

    step: float
    lowest: Float[Tensor, " items"]
    steps: Int[Tensor, "items codes"]

    @property
    def n_sums(self) -> int:
        """Sums that somebody who answers everything may have."""
        return int(self.steps.amax(1).sum()) + 1


def lattice_of(model: Model, values: Float[Tensor, "items codes"]) -> Lattice:
    """The lattice on which all sums of values lie.

    Raises
    ------
    SpecificationError
        Answers are measured, or the values have no common step.
    """
    if bool(model.measured.any()):
        raise SpecificationError(
            f"Sum scores are about answers in categories, but {int(model.measured.sum())} items are measured; use "
            "method='eap', or fit the other items alone."
        )
    counts = model.n_categories.cpu().tolist()
    rows = [row[:n] for row, n in zip(values.cpu().double().tolist(), counts, strict=True)]
    lowest = [min(row) for row in rows]
    above = [[Fraction(str(round(v - low, 10))) for v in row] for row, low in zip(rows, lowest, strict=True)]
    step = _common_step({v for row in above for v in row if v})
    length = sum(max(row) for row in above) / step
    if length > LONGEST:
        raise SpecificationError(
            "Sum scores need values with a common step; "
            f"these need {int(length)} sums in steps of {float(step):g}. "
            "Declare categories with simple values, or use method='eap'."
        )
    steps = torch.zeros(len(rows), max(counts), dtype=torch.long)
    for j, row in enumerate(above):
        steps[j, : len(row)] = torch.tensor([int(v / step) for v in row])
    device = model.n_categories.device
    return Lattice(float(step), torch.tensor(lowest, dtype=torch.float64, device=device), steps.to(device))


def _common_step(differences: set[Fraction]) -> Fraction:
    """The largest step of which all are multiples; 1 where there is nothing to divide."""
    whole = math.lcm(*(d.denominator for d in differences))
    return Fraction(math.gcd(*(int(d * whole) for d in differences)) or whole, whole)


class Share(NamedTuple):
    """What some answers to the item of a turn do to the sum.

    Attributes
    ----------
    column : Int[Tensor, " patterns"]
        The answer of each pattern, as a column of the table.
    by : int
        Steps that it adds.
    probability : Float[Tensor, "nodes patterns"]
        Of that answer; 0 in patterns whose answer adds another number of steps.
    """

    column: Int[Tensor, " patterns"]
    by: int
    probability: Float[Tensor, "nodes patterns"]


class Recursion:
    """Takes one answered item of each pattern after the other.

    A pattern whose items are used up goes on with an item that is worth nothing.

    Parameters
    ----------
    model : Model
    probabilities : Float[Tensor, "nodes columns"]
        Of all answers.
    lattice : Lattice
    answered : Bool[Tensor, "patterns items"]
    """

    def __init__(
        self,
        model: Model,
        probabilities: Float[Tensor, "nodes columns"],
        lattice: Lattice,
        answered: Bool[Tensor, "patterns items"],
    ) -> None:
        self._model, self._lattice, self._answered = model, lattice, answered
        none = probabilities.new_zeros(len(probabilities), 1)
        self._probabilities = torch.cat([probabilities, none, none + 1.0], 1)
        self._top = lattice.steps.amax(1) * answered
        self._in_turn = torch.argsort(~answered, dim=1, stable=True)
        self.n_sums = int(self._top.sum(1).max()) + 1
        self.n_turns = int(answered.sum(1).max())
        highest = self._top.gather(1, self._in_turn[:, : self.n_turns]).amax(0)
        self._reached = (1 + torch.cat([highest.new_zeros(1), highest]).cumsum(0)).clamp(max=self.n_sums).tolist()

    def distribution(self) -> Float[Tensor, "nodes patterns sums"]:
        """Probability of every sum at every node."""
        current = self._nothing()
        for turn in range(self.n_turns):
            current = self._after(turn, current, self._shares(turn))
        return current

    def slopes(self, weights: Float[Tensor, "nodes patterns sums"]) -> Float[Tensor, "nodes patterns columns"]:
        """Derivatives of weighted sums of :meth:`distribution` by the log-probability of each answer at each node.

        The recursion is run once forward, keeping where it stood now and then, and once back.
        """
        apart = max(1, math.isqrt(self.n_turns))
        after = self._nothing()
        kept = {0: after}
        for turn in range(self.n_turns):
            after = self._after(turn, after, self._shares(turn))
            if (turn + 1) % apart == 0:
                kept[turn + 1] = after
        out = torch.zeros(*weights.shape[:2], self._probabilities.shape[1], dtype=weights.dtype, device=weights.device)
        back = weights
        for first in sorted(kept, reverse=True):
            last = min(first + apart, self.n_turns)
            states, shares = [kept.pop(first)], [self._shares(turn) for turn in range(first, last)]
            for turn in range(first, last - 1):
                states.append(self._after(turn, states[-1], shares[turn - first]))
            for turn in reversed(range(first, last)):
                back = self._before(states[turn - first], back, shares[turn - first], out)
        return out[:, :, :-2]

    def _nothing(self) -> Float[Tensor, "nodes patterns 1"]:
        return self._probabilities.new_ones(len(self._probabilities), len(self._answered), 1)

    def _shares(self, turn: int) -> list[Share]:
        return list(self._each_share(turn))

    def _each_share(self, turn: int) -> Iterator[Share]:
        model, item = self._model, self._in_turn[:, turn]
        zero, one = self._probabilities.shape[1] - 2, self._probabilities.shape[1] - 1
        uses = self._answered.gather(1, item[:, None])[:, 0]
        for code in range(int(model.n_categories[item].max())):
            has = uses & (model.n_categories[item] > code)
            column = torch.where(has, model.columns.offset[item] + code, zero)
            column = torch.where(~uses & (code == 0), one, column)
            shift = torch.where(has, self._lattice.steps[item, code], 0)
            probability = self._probabilities[:, column]
            for by in shift.unique().tolist():
                yield Share(column, by, torch.where(shift == by, probability, 0.0))

    def _after(self, turn: int, before: Float[Tensor, "nodes patterns sums"], shares: list[Share]) -> Tensor:
        reached = self._reached[turn + 1]
        after: Tensor | None = None
        for share in shares:
            moved = share.probability[:, :, None] * before[:, :, : reached - share.by]
            if after is None:
                after = torch.nn.functional.pad(moved, (share.by, reached - share.by - moved.shape[2]))
            else:
                after[:, :, share.by : share.by + moved.shape[2]] += moved
        assert after is not None
        return after

    def _before(
        self,
        before: Float[Tensor, "nodes patterns sums"],
        back: Float[Tensor, "nodes patterns longer"],
        shares: list[Share],
        out: Float[Tensor, "nodes patterns columns"],
    ) -> Float[Tensor, "nodes patterns sums"]:
        """Derivatives by the probabilities of sums before a turn, from those after it; fills in those by answers."""
        earlier = torch.zeros_like(before)
        for share in shares:
            moved = back[:, :, share.by : share.by + before.shape[2]]
            width = moved.shape[2]
            earlier[:, :, :width].addcmul_(share.probability[:, :, None], moved)
            own = share.probability * (before[:, :, :width] * moved).sum(2)
            out.scatter_add_(2, share.column[None, :, None].expand(len(out), -1, 1), own[:, :, None])
        return earlier
