"""The first thing that a new user sees: real data, three models, and what to do next."""

import sys
from pathlib import Path

import typer

from irtvi.cli.fitted import FILES, fit_responses, show_abilities, write_result
from irtvi.cli.output import output_folder, refuse_to_overwrite, show
from irtvi.compare import compare
from irtvi.responses.holdout import holdout
from irtvi.responses.read import read
from irtvi.responses.samples import load_data

MODELS = ("1pl", "2pl", "3pl")
WRITTEN = "2pl"

MEANING = """\
What these numbers say: theta is a person's ability on a scale where the average is 0 and the standard deviation 1;
sd says how unsure that is, and the true value lies between lower and upper in 95 of 100 cases."""


def demonstrate(out: Path, force: bool) -> None:
    """Fit three models to section 7 of the Law School Admission Test, compare them, write the second."""
    refuse_to_overwrite([out / name for name in FILES], force)
    responses = read(load_data("lsat7"))
    typer.echo(
        f"Real data: {responses.n_persons} people's right and wrong answers to {responses.n_items} questions of the "
        "Law School Admission Test (section 7).\n"
    )
    train, test = holdout(responses, share=0.1, seed=1)
    fits = {model: fit_responses(train, model, "auto", maximum_likelihood=False, seed=0) for model in MODELS}
    columns = ["log_marginal", "n_parameters", "held_out", "held_out_difference", "held_out_se", "verdict"]
    show(
        compare(fits, test).loc[:, columns],
        f"Three models, fitted to nine tenths of the answers and asked to predict the other {test.n_responses}",
    )
    result = fit_responses(responses, WRITTEN, "auto", maximum_likelihood=False, seed=0)
    typer.echo(f"The {WRITTEN.upper()}, fitted to all answers: {result.reason}\n")
    show_abilities(result)
    with output_folder(out, FILES, force) as folder:
        write_result(result, folder)
    typer.echo(f"Wrote {', '.join(FILES)} to {out}/.\n")
    typer.echo(f"{MEANING}\n\nWhat to do next:")
    steps = _next_steps(out)
    width = max(map(len, steps))
    for what, why in steps.items():
        typer.echo(f"  {what:<{width}}  {why}")


def _next_steps(out: Path) -> dict[str, str]:
    irtvi = _command()
    return {
        f"open {out / 'icc.html'}": "the five questions: the further right its curve, the harder a question",
        f"open {out / 'abilities.csv'}": f"everybody's ability (the questions stand in {out / 'items.csv'})",
        f"{irtvi} fit YOUR.csv --out results": "your data: a row for each person, a column for each question",
        "": "(right 1, wrong 0; an empty cell is missing, not wrong)",
        f"{irtvi} score {out / 'model.irtvi'} NEW.csv": "new people's abilities, without fitting again",
        f"{irtvi} app": "the dashboard (first: pip install 'irtvi[app]'; in a checkout: make app)",
        f"{irtvi} --help": "everything else; in Python: import irtvi; irtvi.fit('YOUR.csv').abilities",
    }


def _command() -> str:
    """How this program was called."""
    called = Path(sys.argv[0])
    return (
        str(called) if called.name == "irtvi" and called.parent.name == "bin" and ".venv" in called.parts else "irtvi"
    )
