"""The commands."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from irtvi.cli.data_options import DataOptions, takes_data_options
from irtvi.cli.fitted import FILES, describe, fit_responses, write_result
from irtvi.cli.output import output_file, output_folder, refuse_to_overwrite, show, write_csv
from irtvi.compare import compare as compare_results
from irtvi.inference.engines import ENGINES
from irtvi.models.choosing import measured_by
from irtvi.models.items import ITEM_MODELS
from irtvi.responses.holdout import holdout as split
from irtvi.results.state import load
from irtvi.simulate import simulate as simulate_answers

application = typer.Typer(
    name="irtvi",
    help="Item response theory: from a table of answers to abilities, items and how sure one can be.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same numbers.")]
DataFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="Answers: .csv, .tsv, .parquet, .xlsx, or a folder of .parquet files.")
]
MODELS = f"auto, {', '.join(ITEM_MODELS)}"
COMPARED = ("log_marginal", "n_parameters", "aic", "bic", "sabic", "converged", "seconds")
TESTED = ("lr_against", "lr", "df", "p", "lr_note")
HELD_OUT = ("held_out", "held_out_difference", "held_out_se", "verdict")


class Priors(StrEnum):
    """Which priors the item parameters have."""

    default = "default"
    none = "none"


class Method(StrEnum):
    """How abilities are estimated."""

    eap = "eap"
    map = "map"
    ml = "ml"
    wle = "wle"
    jeffreys = "jeffreys"
    eap_sum = "eap_sum"


PriorOption = Annotated[Priors, typer.Option("--priors", help="none is maximum likelihood.")]
EngineOption = Annotated[str, typer.Option("--engine", help=f"auto, {', '.join(ENGINES)}.")]


@application.command()
@takes_data_options
def fit(
    file: DataFile,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")],
    data: DataOptions,
    model: Annotated[str, typer.Option("--model", help=MODELS)] = "auto",
    engine: EngineOption = "auto",
    priors: PriorOption = Priors.default,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Fit a model; write abilities, items, the model, its curves and a summary."""
    refuse_to_overwrite([out / name for name in FILES], force)
    responses = data.read(file, measured=measured_by(model) is True)
    result = fit_responses(responses, model, engine, priors is Priors.none, seed)
    with output_folder(out, FILES, force) as folder:
        write_result(result, folder)
    describe(result, out)


@application.command()
def score(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model that irtvi fit wrote.")],
    file: DataFile,
    out: Annotated[Path | None, typer.Option("--out", help="CSV to write; default: standard output.")] = None,
    method: Annotated[Method, typer.Option("--method", help="Estimate of ability.")] = Method.eap,
    level: Annotated[float, typer.Option("--level", help="Of the intervals.")] = 0.95,
    force: Force = False,
) -> None:
    """Estimate the abilities of new people with a fitted model."""
    if out is not None:
        refuse_to_overwrite([out], force)
    table = load(model).score(str(file), method=method.value, level=level)
    if out is None:
        typer.echo(write_csv(table, None), nl=False)
        return
    with output_file(out, force) as path:
        write_csv(table, path)
    typer.echo(f"Wrote {len(table)} scores to {out}.")


@application.command()
@takes_data_options
def compare(
    file: DataFile,
    data: DataOptions,
    models: Annotated[str, typer.Option("--models", help="1pl,2pl,3pl and so on.")] = "1pl,2pl,3pl",
    holdout: Annotated[
        float, typer.Option("--holdout", help="Share of the answers to set aside and predict; 0: none.")
    ] = 0.0,
    engine: EngineOption = "auto",
    priors: PriorOption = Priors.default,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option("--out", help="CSV to write the table to.")] = None,
    force: Force = False,
) -> None:
    """Fit several models to the same answers and set them side by side."""
    if out is not None:
        refuse_to_overwrite([out], force)
    responses = data.read(file)
    train, test = split(responses, holdout, seed) if holdout else (responses, None)
    names = list(dict.fromkeys(name.strip() for name in models.split(",") if name.strip()))
    results = {name: fit_responses(train, name, engine, priors is Priors.none, seed) for name in names}
    table = compare_results(results, test)
    show(table.loc[:, list(COMPARED)], "Fit")
    if priors is Priors.none:
        show(table.loc[:, list(TESTED)], "Likelihood-ratio tests")
    else:
        typer.echo("Priors took part, so AIC and BIC are not those of maximum likelihood (--priors none).\n")
    if test is not None:
        show(table.loc[:, list(HELD_OUT)], f"Prediction of {test.n_responses} answers that were set aside")
    if out is not None:
        with output_file(out, force) as path:
            write_csv(table, path)


@application.command()
def simulate(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")],
    model: Annotated[str, typer.Option("--model", help=", ".join(ITEM_MODELS))] = "2pl",
    persons: Annotated[int, typer.Option("--persons", help="How many people.")] = 1000,
    items: Annotated[int, typer.Option("--items", help="How many items.")] = 20,
    item_file: Annotated[
        Path | None, typer.Option("--item-file", help="CSV of item parameters, as irtvi fit writes them.")
    ] = None,
    missing: Annotated[float, typer.Option("--missing", help="Share of the answers that go missing.")] = 0.0,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Draw answers from a model; write them beside the true abilities and items."""
    names = ("responses.csv", "items.csv", "abilities.csv")
    refuse_to_overwrite([out / name for name in names], force)
    bank = None if item_file is None else pd.read_csv(item_file, index_col=0)
    truth = simulate_answers(
        model if bank is None or "model" not in bank else None,
        persons,
        items,
        items=bank,
        missing=missing,
        seed=seed,
    )
    with output_folder(out, names, force) as folder:
        write_csv(truth.responses, folder / "responses.csv")
        write_csv(truth.items.rename_axis("item"), folder / "items.csv")
        write_csv(truth.abilities, folder / "abilities.csv")
    n_persons, n_items = truth.responses.shape
    typer.echo(f"Wrote the answers of {n_persons} persons to {n_items} items, and the truth, to {out}/.")


@application.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")] = Path("demo-output"),
    force: Force = False,
) -> None:
    """Fit three models to real data, and say what to do next."""
    from irtvi.cli.demo import demonstrate

    demonstrate(out, force)


@application.command()
def app(
    port: Annotated[int, typer.Option("--port", help="Of the local server.")] = 8501,
    data: Annotated[Path | None, typer.Option("--data", help="A file to begin with.")] = None,
) -> None:
    """Start the dashboard in the browser."""
    from irtvi.cli.dashboard import start

    raise typer.Exit(start(port, data))


@application.callback(invoke_without_command=True)
def about(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Item response theory: from a table of answers to abilities, items and how sure one can be."""
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"irtvi {version_of('irtvi')}")
        raise typer.Exit
