"""The same table for the terminal and for a Markdown page."""

from collections.abc import Sequence
from dataclasses import dataclass

import rich
from rich.table import Table as RichTable


@dataclass(frozen=True)
class Table:
    """A title, the headings, and rows of text."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def show(self) -> None:
        """Print to the terminal."""
        table = RichTable(title=self.title, title_justify="left")
        for position, heading in enumerate(self.headings):
            table.add_column(heading, justify="left" if position == 0 else "right")
        for row in self.rows:
            table.add_row(*row)
        rich.print(table)

    def markdown(self) -> str:
        """A heading and a Markdown table."""
        rule = [":--"] + ["--:"] * (len(self.headings) - 1)
        lines = [self.headings, rule, *self.rows]
        return "\n".join([f"### {self.title}", "", *("| " + " | ".join(line) + " |" for line in lines), ""])
