"""No figure speaks to a teacher in technical words, whatever it shows."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import irtvi
from irtvi import plots
from irtvi.plots.agreement import agreement
from irtvi.plots.formula import formula, formula_categories
from irtvi.plots.missingness import missingness
from irtvi.plots.sum_scores import sum_scores
from irtvi.results.formula import category_table, formula_table
from irtvi.results.score_report import score_changes

from .conftest import APP  # noqa: F401

JARGON = re.compile(
    r"θ|theta|\bitems?\b|\bpersons?\b|information|discrimination|posterior|likelihood|standard error|\bsds?\b|\bse\b"
    r"|\bnats\b|characteristic|\bmodels?\b|interval|\bmedian\b|correlation|density|\bcut\b|sum score",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def results():
    data = irtvi.load_data("lsat7").rename(columns=lambda name: name.replace("Item.", "Q"))
    bank = pd.DataFrame(
        {"a": [1.0, 1.5, 2.0], "b1": [-1.5, -1, -0.5], "b2": [0, 0.2, 0.4], "b3": [1.0, 1.1, np.nan]}, index=list("pqr")
    )
    steps = irtvi.simulate("grm", 300, items=bank, seed=3).responses
    return irtvi.fit(data, model="2pl"), irtvi.fit(data, model="rasch"), irtvi.fit(steps, model="grm")


FIGURES = {
    "missingness": lambda two, one, steps: missingness(two.responses),
    "sum_scores": lambda two, one, steps: sum_scores(two.responses),
    "map": lambda two, one, steps: plots.person_item_map(steps),
    "test_information": lambda two, one, steps: plots.test_information(two),
    "abilities": lambda two, one, steps: plots.abilities(two, cut=0.3),
    "caterpillar": lambda two, one, steps: plots.caterpillar(two),
    "scatter": lambda two, one, steps: plots.discrimination_difficulty(two),
    "icc": lambda two, one, steps: plots.icc(two, two.items.index[0]),
    "expected": lambda two, one, steps: plots.icc(steps, "p"),
    "overlay": lambda two, one, steps: plots.icc_overlay({"A": two, "B": one}, two.items.index[0]),
    "information": lambda two, one, steps: plots.information(two, two.items.index[0]),
    "categories": lambda two, one, steps: plots.category_curves(steps, "p"),
    "person": lambda two, one, steps: plots.person_posterior(two, two.abilities.index[0], cut=0.2),
    "changes": lambda two, one, steps: agreement(score_changes(two, one), "A", "B"),
    "held out": lambda two, one, steps: plots.comparison(
        pd.DataFrame(
            {"held_out": [-9.0, -8.0], "held_out_difference": [-1.0, 0.0], "held_out_se": [1.0, 0.0],
             "verdict": ["indistinguishable", "best"]},
            index=["A", "B"],
        )
    ),
    "formula": lambda two, one, steps: formula(
        {"yours": formula_table("4pl", {"a": 1.0, "b": 0.0, "c": 0.0, "u": 1.0})}, what="information"
    ),
    "formula_categories": lambda two, one, steps: formula_categories(
        category_table("grm", {"a": 1.0, "b1": -1.0, "b2": 1.0}, 3)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_teacher_reads_plain_words(name, results):
    from figure_words import said_aloud
    from figures import _spoken
    from words import Words

    figure = _spoken(FIGURES[name](*results), "Teacher")
    alt = said_aloud(Words("Teacher").sentence(figure.layout.meta["alt"]), "Teacher")
    for text in [alt, *texts(json.loads(figure.to_json()))]:
        assert not JARGON.search(re.sub(r"%\{.*?\}", "", text)), text


@pytest.mark.parametrize("name", FIGURES)
def test_benchmark_reads_of_models_and_tasks(name, results):
    from figures import _spoken

    figure = _spoken(FIGURES[name](*results), "Benchmark")
    for text in texts(json.loads(figure.to_json())):
        assert not re.search(r"\b(persons?|people|items?|abilit(y|ies)|cut)\b", text, re.IGNORECASE), text


@pytest.mark.parametrize(
    ("text", "teacher", "benchmark"),
    [
        ("Abilities of 1,000 persons", "Scores of 1,000 students", "Capabilities of 1,000 models"),
        ("Ability of person 8", "Score of student 8", "Capability of model 8"),
    ],
)
def test_titles_speak_to_their_audience(text, teacher, benchmark):
    from figure_words import said

    assert said(text, "Teacher") == teacher
    assert said(text, "Benchmark") == benchmark
    assert said(text, "Psychometrician") == text


def texts(part, key=""):
    """What is written in a figure: titles, legends, text beside points and under the mouse."""
    if isinstance(part, dict):
        return [text for name, inner in part.items() if name not in ("template", "meta") for text in texts(inner, name)]
    if isinstance(part, list):
        return [text for inner in part for text in texts(inner, key)]
    return [part] if (isinstance(part, str) and key in ("text", "hovertemplate")) or _in_legend(part, key) else []


def _in_legend(part, key):
    return isinstance(part, str) and key == "name" and part != "band"
