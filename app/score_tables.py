"""The score table that Abilities shows and Export writes, made once for every cut score and reference."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pandas as pd

from irtvi import Result
from irtvi.results.ranks import rank_intervals
from irtvi.results.score_report import score_report

Reference = str | dict[str, Any]
FIRST_CUT = 0.0
FIRST_REFERENCE = "population"
MOST_KEPT = 8


class ScoreTables:
    """The tables of `irtvi.results.score_report` and `irtvi.results.ranks` side by side.

    Parameters
    ----------
    result : of which fit
    """

    def __init__(self, result: Result) -> None:
        self._result = result
        self._kept: dict[tuple[float, str], pd.DataFrame] = {}

    def of(self, cut: float = FIRST_CUT, reference: Reference = FIRST_REFERENCE) -> pd.DataFrame:
        """One row for each person."""
        key = (cut, str(reference))
        if key not in self._kept:
            report = score_report(self._result, cut, reference=reference)  # pyright: ignore[reportArgumentType]
            if len(self._kept) >= MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = report.join(self._ranks)
        return self._kept[key]

    @cached_property
    def _ranks(self) -> pd.DataFrame:
        return rank_intervals(self._result)
