"""What commands do with a fit: make it, write it, say how it went."""

from pathlib import Path

import typer

from irtvi.cli.output import show, write_csv
from irtvi.fit import fit
from irtvi.responses.responses import Responses
from irtvi.results.result import Result

FILES = ("abilities.csv", "items.csv", "model.irtvi", "icc.html", "summary.txt")
FIRST = 5
"""Rows that are shown of a table."""


def fit_responses(responses: Responses, model: str, engine: str, maximum_likelihood: bool, seed: int) -> Result:
    """Fit a model, with a bar where standard error is a terminal."""
    priors = None if maximum_likelihood else "default"
    return fit(responses, model, engine=engine, priors=priors, seed=seed, progress="bar")


def write_result(result: Result, folder: Path) -> None:
    """Write :data:`FILES` into a folder."""
    from irtvi.plots import write_html
    from irtvi.plots.curves_page import curves_page

    write_csv(result.abilities, folder / "abilities.csv")
    write_csv(result.items.rename_axis("item"), folder / "items.csv")
    result.save(folder / "model.irtvi")
    write_html(curves_page(result), folder / "icc.html")
    (folder / "summary.txt").write_text(f"{result.summary()}\n", encoding="utf-8")


def describe(result: Result, out: Path) -> None:
    """Say how a fit went and what was written."""
    typer.echo(str(result.summary()))
    show_abilities(result)
    if not result.converged:
        typer.echo("Careful: the fit did not converge, so these numbers are provisional.", err=True)
    typer.echo(f"Wrote {', '.join(FILES)} to {out}/.")


def show_abilities(result: Result) -> None:
    """Print the first abilities."""
    table = result.abilities.loc[:, ["theta", "sd", "lower", "upper", "n_answered", "sum_score"]]
    show(table.head(FIRST), f"Abilities (the first {min(FIRST, len(table))} of {len(table)})")
