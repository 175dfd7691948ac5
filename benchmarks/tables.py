"""The same table for the terminal and for a Markdown page."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table as RichTable

WIDTH = 120


@dataclass(frozen=True)
class Table:
    """A title, the headings, rows of text, and notes to stand below."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def show(self) -> None:
        """Print to the terminal."""
        table = RichTable(title=self.title, title_justify="left")
        for position, heading in enumerate(self.headings):
            table.add_column(heading, justify="left" if position == 0 else "right")
        for row in self.rows:
            table.add_row(*row)
        console = Console(width=WIDTH)
        console.print(table)
        for note in self.notes:
            console.print(note, markup=False)

    def markdown(self) -> str:
        """A heading and a Markdown table."""
        rule = [":--"] + ["--:"] * (len(self.headings) - 1)
        lines = ["| " + " | ".join(line) + " |" for line in (self.headings, rule, *self.rows)]
        notes = ["", *(f"- {note}" for note in self.notes)] if self.notes else []
        return "\n".join([f"### {self.title}", "", *lines, *notes, ""])
