"""A fit's progress on a terminal."""

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from irtvi.inference.posterior import Step


class Bar:
    """Shows the passes of a fit on standard error: on which persons, how high, how long the next step.

    How many passes it will take is not known in advance, so the bar only says that work goes on.
    """

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=16, pulse_style="cyan"),
            TextColumn("pass {task.fields[passes]}, objective {task.fields[objective]}, step {task.fields[step]} SE"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("start", total=None, passes=0, objective="-", step="-")
        self._passes = 0
        self._progress.start()

    def __call__(self, step: Step) -> None:
        self._passes += 1
        self._progress.update(
            self._task,
            description=step.phase,
            passes=self._passes,
            objective=f"{step.objective:.2f}",
            step=f"{step.step_se:.2g}",
        )

    def close(self) -> None:
        """Take the bar off the terminal."""
        self._progress.stop()
