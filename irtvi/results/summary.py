"""A fit in words and numbers."""

from html import escape

import pandas as pd


class Summary:
    """Named facts; prints as text, shows as a table in a notebook."""

    def __init__(self, facts: list[tuple[str, str]]) -> None:
        self.facts = facts

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self.facts)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in self.facts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td style='text-align:left'>{escape(value)}</td></tr>"
            for name, value in self.facts
        )
        return f"<table>{rows}</table>"

    def to_frame(self) -> pd.DataFrame:
        """The same as a table with one column."""
        return pd.DataFrame({"value": dict(self.facts)})
