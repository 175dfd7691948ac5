"""Requests that make no sense end in a message that names what was asked for, and what would do."""

import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import irtvi
from irtvi import cli
from irtvi.errors import EmptyPersonWarning, FileMissingError, ResponsesNeededError, SpecificationError

ROOT = Path(__file__).resolve().parents[2]
ANSWERS = irtvi.load_data("lsat7")


@pytest.fixture(scope="module")
def result():
    return irtvi.fit(ANSWERS, "2pl")


def of_item(**columns):
    return pd.DataFrame({name: [value] for name, value in columns.items()}, index=["Item.1"])


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"device": "gpu"}, "device= is 'auto', 'cpu' or 'cuda', got 'gpu'"),
        ({"priors": {"c": None}}, r"priors= names the parameter 'c'; this model has \['a', 'd'\]"),
        ({"priors": {"a": irtvi.priors.Beta(2.0, 2.0)}}, "Beta prior is for parameters between 0 and 1"),
        (
            {"fixed": of_item(slope=1.0)},
            r"fixed= has no column of a parameter: it has \['slope'\], the items have \['a', 'b', 'd'\]\.",
        ),
        ({"fixed": of_item(a="1.0")}, "no number for item 'Item.1': {'a': '1.0'}"),
        ({"fixed": of_item(b=1.0)}, "b = 1.0 cannot be held while the discrimination a is free"),
        ({"fixed": of_item(a=1.0, b=1.0, d=5.0)}, "b = 1.0 and the intercept d = 5.0 contradict each other"),
    ],
)
def test_fits(request_, said):
    with pytest.raises(SpecificationError, match=said):
        irtvi.fit(ANSWERS, "2pl", **request_)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda r: r.score(ANSWERS, level=95.0), "level must lie between 0 and 1, got 95.0"),
        (lambda r: r.score(ANSWERS, method="ml", limit=-6.0), "limit=.*must be positive, got -6.0"),
        (lambda r: r.intervals(0.0), "level must lie between 0 and 1, got 0.0"),
        (lambda r: r.curves(level=95.0), "level must lie between 0 and 1, got 95.0"),
        (lambda r: r.curves("Item.9"), "no item 'Item.9'; the items are"),
        (lambda r: r.probability_above(float("nan")), "cut= is a number, got nan"),
        (lambda r: r.plausible_values(0), "n=.*at least 1, got 0"),
        (lambda r: r.predict(ANSWERS.head(3)), "same order.*got 3 persons, the fit has 1000"),
    ],
)
def test_results(result, ask, said):
    with pytest.raises(SpecificationError, match=said):
        ask(result)


# While tests run, every annotated type is checked at each call; users have the messages of irtvi alone.
WRONG_TYPES = {
    "irtvi.fit(answers, seed=1.5)": "seed= is a whole number, got 1.5",
    "irtvi.fit(answers, seed='one')": "seed= is a whole number, got 'one'",
    "irtvi.fit(answers, device=None)": "device= is 'auto', 'cpu' or 'cuda', got None",
    "irtvi.fit(answers, progress='rich')": "progress= is 'bar'.*got 'rich'",
    "irtvi.fit(answers, priors='none')": "priors= takes 'default', None or a mapping, got 'none'",
    "irtvi.fit(answers, priors={'a': 3})": r"priors\['a'\] must be one of irtvi.priors or None, got 3",
    "irtvi.fit(answers, fixed={'a': 1.0})": "fixed= takes a DataFrame with items as rows, got dict",
    "irtvi.fit(answers, population='normal')": "population= is 'standard', 'free'.*got 'normal'",
    "irtvi.fit(answers, equal='a')": "equal= takes names of parameters.*got 'a'",
    "irtvi.fit(answers, engine=irtvi.Quadrature)": "There is no engine .*Quadrature",
    "irtvi.fit(answers, model=3)": "There is no model 3; the models are rasch, 1pl",
    "result.score(answers, method='mle')": "no scoring method 'mle'; the methods are eap, map, ml, wle",
    "result.curves(what='icc')": "one of 'probability', 'expected'.*got 'icc'",
    "result.plausible_values(items='free')": "items=.*'held' or 'draws', got 'free'",
    "irtvi.compare({'a': 3})": "'a' is 3",
    "irtvi.compare([result])": "takes a mapping of names to results",
    "irtvi.compare({'a': result}, holdout=answers)": "second part of irtvi.holdout, got DataFrame",
}
ASKING = """
import json, sys
import irtvi
answers = irtvi.load_data("lsat7")
result = irtvi.fit(answers, "2pl")
said = []
for code in json.loads(sys.argv[1]):
    try:
        said.append(f"no error: {eval(code)!r}")
    except irtvi.errors.SpecificationError as error:
        said.append(str(error))
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said_to_users():
    codes = json.dumps(list(WRONG_TYPES))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    answer = subprocess.run([sys.executable, "-c", ASKING, codes], env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return dict(zip(WRONG_TYPES, json.loads(answer.stdout), strict=True))


@pytest.mark.parametrize("code", WRONG_TYPES)
def test_wrong_types(said_to_users, code):
    assert re.search(WRONG_TYPES[code], said_to_users[code])


def test_a_file_into_a_folder_that_is_not_there(result, tmp_path):
    with pytest.raises(FileMissingError, match=r"no folder .*nowhere.* to write 'x.irtvi'.*make it first"):
        result.save(tmp_path / "nowhere" / "x.irtvi")


def test_what_a_file_without_responses_can_do(result, tmp_path):
    loaded = irtvi.load(result.save(tmp_path / "x.irtvi"))
    for ask in (
        lambda: loaded.expected_responses(),
        lambda: loaded.probability_above(0.0),
        lambda: loaded.plausible_values(2),
        lambda: loaded.predict(ANSWERS),
        lambda: loaded.item_statistics,
    ):
        with pytest.raises(ResponsesNeededError, match="include_responses=True"):
            ask()
    new = ANSWERS.head(7)
    pd.testing.assert_frame_equal(loaded.expected_responses(new), result.expected_responses().head(7))
    pd.testing.assert_series_equal(loaded.probability_above(0.5, new), result.probability_above(0.5).head(7))
    pd.testing.assert_frame_equal(loaded.abilities, result.abilities)
    pd.testing.assert_frame_equal(loaded.covariance, result.covariance)
    assert str(loaded.summary()) == str(result.summary())
    for method in ("eap", "map", "ml", "wle", "jeffreys", "eap_sum"):
        pd.testing.assert_frame_equal(loaded.score(ANSWERS, method), result.score(ANSWERS, method))


def test_a_bank_that_is_held_knows_no_priors(result):
    """Nothing that a prior could move, so the criteria are those of a likelihood."""
    held = irtvi.fit(ANSWERS, "2pl", fixed=result.items)
    assert (held.n_parameters, held.log_prior, held.penalised) == (0, 0.0, False)
    assert held.aic == pytest.approx(-2 * held.log_marginal)
    assert "penalised" not in str(held.summary())
    assert "(penalised" in str(result.summary())


def test_the_command_line_tells_what_irtvi_warns_of_and_nothing_else(monkeypatch, capsys):
    """Advice of other libraries to programmers is no message to the user."""

    def warned():
        warnings.warn("nobody answered", EmptyPersonWarning, stacklevel=1)
        warnings.warn("use the new function", FutureWarning, stacklevel=1)

    monkeypatch.setattr("irtvi.cli.application.application", warned)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        cli.main()
    assert capsys.readouterr().err == "Note: nobody answered\n"


def test_a_notebook_shows_the_summary_as_a_table(result):
    shown = result._repr_html_()
    assert shown.startswith("<table>")
    for name, value in result.summary().to_frame()["value"].items():
        assert f">{name}</th>" in shown
        assert value.replace("'", "&#x27;") in shown
    assert f"{result.log_marginal:.3f}" in shown
    assert np.isfinite(float(result.summary().to_frame().loc["AIC", "value"].split()[0]))
