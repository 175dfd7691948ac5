"""Figures as files."""

import os
import tempfile
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

CONFIG: dict[str, Any] = {
    "showSendToCloud": False,
    "displaylogo": False,
    "responsive": True,
    "toImageButtonOptions": {"format": "svg", "filename": "irtvi"},
}
"""For every figure that is shown or exported: nothing is sent anywhere, images are vector graphics."""


def write_html(figure: go.Figure, path: str | Path, *, plotly_js: bool | str = True) -> Path:
    """Write a figure as one HTML file that needs no network; the file appears whole or not at all.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
    path : str or Path
    plotly_js : True, False or "cdn"
        Whether the 5 MB of plotly stand in the file.
    """
    path = Path(path)
    page = figure.to_html(config=CONFIG, include_plotlyjs=plotly_js, include_mathjax=False, full_html=True)
    paper = figure.layout.paper_bgcolor or "#ffffff"
    title = figure.layout.title.text or "irtvi"
    head = f"<head><title>{title}</title><style>body{{background:{paper};margin:16px}}</style>"
    page = page.replace("<head>", head, 1)
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
