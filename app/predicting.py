"""Which model predicts answers best: fits without a share of the answers, in the background like all fits."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from jobs import Job
from tasks import State, Task

import irtvi
from irtvi.inference.interruption import interruptible

SHARE = 0.1
COLUMNS = ["held_out", "held_out_difference", "held_out_se", "verdict"]


class HeldOut(Task):
    """The models of some fits, fitted again without a tenth of the answers, and how well they predict that tenth.

    Parameters
    ----------
    label : how it is called on the pages
    fits : those whose models are compared, of the same data
    """

    def __init__(self, label: str, fits: Sequence[Job]) -> None:
        super().__init__(label, fits[0].data_key)
        self.fits = tuple(fits)
        self.table: pd.DataFrame | None = None

    def compares(self, fits: Sequence[Job]) -> bool:
        """Whether it is about these fits."""
        return [job.id for job in self.fits] == [job.id for job in fits]

    def expected(self) -> float:
        return sum(job.elapsed for job in self.fits)

    def work(self) -> tuple[State, str]:
        train, test = irtvi.holdout(self.fits[0].responses, share=SHARE, seed=0)
        progress = irtvi.Progress(cancelled=self.cancelled)
        again: dict[str, irtvi.Result] = {}
        for job in self.fits:
            again[job.id] = job.request.fit(train, progress)
            if self.cancelled():
                return "stopped", "Cancelled: a comparison needs all of its fits."
        with interruptible(self.cancelled):
            self.table = irtvi.compare(again, holdout=test).reindex(columns=COLUMNS)
        return "done", ""
