"""What the texts of a figure are called, by audience."""

from __future__ import annotations

import re

Rules = tuple[tuple[re.Pattern[str], str], ...]

_TEACHER: Rules = (
    (re.compile(r"^Ability \(θ\)$"), "Ability"),
    (re.compile(r"^Ability \(θ\) and difficulty$"), "Ability and difficulty"),
    (re.compile(r"^Persons and items on one scale$"), "Students and questions on one scale"),
    (re.compile(r"^Abilities in order"), "Scores in order, with the likely range"),
    (re.compile(r"^Difficulty and discrimination"), "Questions: how hard, how well they tell apart"),
    (re.compile(r"^Item characteristic curve: "), "How the chance grows: "),
    (re.compile(r"^Expected answer: "), "What is expected: "),
    (re.compile(r"^Abilities of ([\d,]+) persons"), r"Scores of \1 students"),
    (re.compile(r"( of [\d,]+) persons"), r"\1 students"),
    (re.compile(r"^Ability of person (?=\S)"), "Score of student "),
    (re.compile(r" under (\d+) models$"), r" in \1 kinds of analysis"),
    (re.compile(r"<br>discrimination %"), "<br>tells apart %"),
    (re.compile(r": θ (?=about|%)"), ": ability "),
    (re.compile(r"^item from number (.*), person from"), r"question from number \1, student from"),
    (re.compile(r"^Persons$"), "Students"),
    (re.compile(r"^Items$"), "Questions"),
    (re.compile(r"^Number of items$"), "Number of questions"),
    (re.compile(r"^Item (?=\S)"), "Question "),
    (re.compile(r"^Information of ([\d,]+) items$"), r"Where the test measures well (\1 questions)"),
    (re.compile(r"^Information$"), "Precision"),
    (re.compile(r"^information$"), "precision"),
    (re.compile(r"^Standard error of θ$"), "Uncertainty of a score"),
    (re.compile(r"^standard error$"), "uncertainty"),
    (re.compile(r"^Difficulty( \(b\))?$"), "Difficulty"),
    (re.compile(r"^Discrimination( \(a\))?$"), "How well it tells students apart"),
    (re.compile(r"^point estimates$"), "scores"),
    (re.compile(r"^θ (?=about|%)"), "ability "),
    (re.compile(r"%\{y\} persons"), "%{y} students"),
    (re.compile(r"^Log marginal likelihood.*$"), "How well it describes the answers"),
    (re.compile(r"^cut (?=-?\d)"), "passing mark "),
    (re.compile(r" of the estimates above$"), " above"),
    (re.compile(r": information %"), ": precision %"),
    (re.compile(r": standard error %"), ": uncertainty %"),
    (re.compile(r"^θ$"), "Ability"),
    (re.compile(r"^Information of (?=question|item )(?:question|item) (?=\S)"), "Where the question measures well: "),
    (re.compile(r"^Ability \(mean 0, sd 1\)$"), "Ability (average 0, spread 1)"),
    (re.compile(r": ability %\{x:.2f\}, model %"), ": ability %{x:.2f}, expected %"),
    (re.compile(r": ability %\{x:.2f\}, information %"), ": ability %{x:.2f}, precision %"),
    (re.compile(r" \(sd (%\{[^}]*\})\)"), r" (± \1)"),
    (re.compile(r"%\{x\} persons"), "%{x} students"),
    (re.compile(r": %\{x\} items<br>"), ": %{x} questions<br>"),
    (
        re.compile(r": %\{x:.2f\} nats \(se %\{customdata\[2\]:.2f\}\), (.*)<br>held-out log-likelihood .*?<extra>"),
        r": %{x:.2f} (± %{customdata[2]:.2f}), \1<extra>",
    ),
    (
        re.compile(r"^Held-out log-likelihood, against the best$"),
        "Against the best: below 0 is worse",
    ),
    (re.compile(r"^Models side by side$"), "Kinds of analysis side by side"),
    (re.compile(r"^The same people twice \(r = .*\)$"), "The same students twice"),
    (re.compile(r"^items$"), "questions"),
    (re.compile(r"^persons$"), "students"),
    (re.compile(r"^population$"), "all such students"),
    (re.compile(r"^posterior$"), "what the answers say"),
    (re.compile(r"^estimate and (\d+)% interval$"), "score and likely range"),
    (re.compile(r"^Density$"), "How likely"),
    (re.compile(r"^with uncertainty$"), "with everybody's uncertainty"),
    (re.compile(r"^Sum scores$"), "Points"),
    (re.compile(r"^Sum score(?= in %|$)"), "Points"),
    (re.compile(r"^model$"), "expected"),
    (re.compile(r"^band of the model$"), "likely range"),
)
_TEACHER_ALT: Rules = (
    (re.compile(r"^Item characteristic curve of "), "How the chance of a good answer grows, "),
    (re.compile(r"^Expected answer of "), "What is expected, "),
    (re.compile(r"with a (\d+)% band"), "with a likely range"),
    (re.compile(r"with (\d+)% intervals"), "with likely ranges"),
    (re.compile(r"\b(\d+)% interval\b"), "likely range"),
    (re.compile(r"^Information of question "), "Where the question measures well, "),
    (re.compile(r"^Information\b"), "Precision"),
    (re.compile(r"\bstandard error\b"), "uncertainty"),
    (re.compile(r"\bdiscrimination\b"), "how well they tell apart"),
    (re.compile(r"; abilities in standard deviations of each model's population"), ""),
    (re.compile(r"\bmodels\b"), "kinds of analysis"),
    (re.compile(r"\bsd\b"), "spread"),
    (re.compile(r"\bmean\b"), "average"),
    (re.compile(r"\bmedian\b"), "middle"),
    (re.compile(r"; correlation [-.\d]+"), ""),
    (re.compile(r"\bsum scores\b"), "points"),
    (re.compile(r"\bthe cut\b"), "the passing mark"),
    (re.compile(r"^Held-out log-likelihood, difference from the best \(nats\)"), "Which analysis predicts best"),
)
_BENCHMARK: Rules = (
    (re.compile(r"^Ability(?= \()"), "Capability"),
    (re.compile(r"^Ability of person (?=\S)"), "Capability of model "),
    (re.compile(r"^Abilities (?=of |in order)"), "Capabilities "),
    (re.compile(r"( of [\d,]+|%\{[xy]\}) persons"), r"\1 models"),
    (re.compile(r"^Persons(?= and items on one scale$|$)"), "Models"),
    (re.compile(r"^Models and items (?=on one scale$)"), "Models and tasks "),
    (re.compile(r"^persons$"), "models"),
    (re.compile(r"^Items$"), "Tasks"),
    (re.compile(r"^items$"), "tasks"),
    (re.compile(r"^Item (?=\S)"), "Task "),
    (re.compile(r"^Number of items$"), "Number of tasks"),
    (re.compile(r": %\{x\} items<br>"), ": %{x} tasks<br>"),
    (re.compile(r"^Information of ([\d,]+) items$"), r"Information of \1 tasks"),
    (re.compile(r"^Information of item (?=\S)"), "Information of task "),
    (re.compile(r"^item from number (.*), person from"), r"task from number \1, model from"),
    (re.compile(r"^where people are$"), "where models are"),
    (re.compile(r"^The same people twice"), "The same models twice"),
    (re.compile(r"^Models side by side$"), "Fits side by side"),
    (re.compile(r" under (\d+) models$"), r" in \1 fits"),
    (re.compile(r": ability (?=about |%)"), ": capability "),
    (re.compile(r"^ability (?=about |%)"), "capability "),
    (re.compile(r"^cut (?=-?\d)"), "threshold "),
)
_TEXTS = {"Teacher": _TEACHER, "Benchmark": _BENCHMARK, "Psychometrician": ()}
_ALTS = {"Teacher": _TEACHER_ALT, "Benchmark": (), "Psychometrician": ()}


def said(text: str, audience: str) -> str:
    """A text inside a figure."""
    return _replaced(text, _TEXTS[audience])


def said_aloud(alt: str, audience: str) -> str:
    """The description of a figure for screen readers."""
    return _replaced(alt, _ALTS[audience])


def _replaced(text: str, rules: Rules) -> str:
    for pattern, word in rules:
        text = pattern.sub(word, text)
    return text
