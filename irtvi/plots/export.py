"""Figures as files."""

import os
import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, Literal

import plotly.graph_objects as go

CONFIG: dict[str, Any] = {
    "showSendToCloud": False,
    "displaylogo": False,
    "responsive": True,
    "toImageButtonOptions": {"format": "svg", "filename": "irtvi"},
}
"""For every figure that is shown or exported: nothing is sent anywhere, images are vector graphics."""


PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title><style>body{{background:{paper};margin:16px}}</style></head>
<body>
{body}
</body>
</html>
"""


def write_html(
    figures: go.Figure | Sequence[go.Figure], path: str | Path, *, plotly_js: bool | Literal["cdn"] = True
) -> Path:
    """Write figures as one HTML file that needs no network; the file appears whole or not at all.

    Parameters
    ----------
    figures : plotly.graph_objects.Figure, or several
        One below the other.
    path : str or Path
    plotly_js : True, False or "cdn"
        Whether the 5 MB of plotly stand in the file.
    """
    path = Path(path)
    several = [figures] if isinstance(figures, go.Figure) else list(figures)
    parts = [
        figure.to_html(
            config=CONFIG,
            include_plotlyjs=plotly_js if k == 0 else False,
            include_mathjax=False,
            full_html=False,
        )
        for k, figure in enumerate(several)
    ]
    paper = several[0].layout.paper_bgcolor or "#ffffff" if several else "#ffffff"
    title = escape(str(several[0].layout.title.text or "irtvi")) if several else "irtvi"
    page = PAGE.format(title=title, paper=paper, body="\n".join(parts))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(page)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path
