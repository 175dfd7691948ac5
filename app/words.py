"""Words for each audience. They change what things are called and where a page begins, never a number."""

from __future__ import annotations

import re
from dataclasses import dataclass

from irtvi.models.items import ITEM_MODELS

AUDIENCES = ("Teacher", "Psychometrician", "Benchmark")

_WORDS: dict[str, tuple[str, str, str]] = {
    # term: teacher, psychometrician, benchmark
    "person": ("student", "person", "model"),
    "persons": ("students", "persons", "models"),
    "Persons": ("Students", "Persons", "Models"),
    "item": ("question", "item", "task"),
    "items": ("questions", "items", "tasks"),
    "Items": ("Questions", "Items", "Tasks"),
    "ability": ("ability", "ability (theta)", "capability (theta)"),
    "Ability": ("Ability", "Ability (theta)", "Capability (theta)"),
    "abilities": ("scores", "abilities", "capabilities"),
    "Abilities": ("Scores", "Abilities", "Capabilities"),
    "sd": ("uncertainty (±)", "posterior sd", "sd"),
    "interval": ("likely range", "95 % interval", "95 % interval"),
    "difficulty": ("difficulty", "difficulty (b)", "difficulty (b)"),
    "discrimination": (
        "how well it tells students apart", "discrimination (a)", "how well it separates (discrimination a)",
    ),
    "fit": ("analysis", "fit", "fit"),
    "Fit": ("Analyse", "Fit", "Fit"),
    "fits": ("analyses", "fits", "fits"),
    "model": ("kind of analysis", "item response model", "item response model"),
    "models": ("kinds of analysis", "item response models", "item response models"),
    "reliability": ("reliability", "reliability (empirical)", "reliability (empirical)"),
    "loglik": ("how well it describes the answers", "log marginal likelihood", "log marginal likelihood"),
    "cut": ("passing mark", "cut score (theta)", "threshold (theta)"),
    "P(cut)": ("Chance of being above the mark", "P(theta > cut)", "P(theta > threshold)"),
    "icc": ("How the chance of a good answer grows", "Item characteristic curve", "Response curve"),
    "information": ("Where the test measures well", "Test information and standard error", "Test information"),
    "map": ("Students and questions on one scale", "Person-item map (Wright map)", "Models and tasks on one scale"),
    "caterpillar": ("Everybody with the likely range", "Caterpillar plot", "Leaderboard with intervals"),
    "place": ("Likely place", "Rank, 95 % interval", "Rank, 95 % interval"),
    "seed": ("random start", "seed", "seed"),
    "engine": ("method", "engine", "engine"),
}  # fmt: skip

_MODEL_HINTS = {
    "auto": "Chosen for your data",
    "rasch": "Questions differ in difficulty only",
    "1pl": "Questions differ in difficulty only, spread of students fixed",
    "2pl": "Questions also differ in how well they tell students apart",
    "3pl": "As before, and some answers are guessed",
    "4pl": "As before, and good students sometimes slip",
    "grm": "Ordered answers, such as never, sometimes, often",
    "gpcm": "Partial credit, questions differ in how well they tell students apart",
    "pcm": "Partial credit",
    "rsm": "Partial credit with the same steps in all questions",
    "sequential": "Answers reached step by step",
    "nominal": "Options without an order",
    "nested_logit": "Multiple choice, wrong options included",
    "binomial": "Numbers of successes, such as 7 of 10",
    "normal": "Measured answers, such as seconds",
    "beta": "Measured answers between two ends, such as shares",
    "monotone": "Free curves that always rise",
    "link": "Free curves, one shape for all questions",
    "deep": "Free curves of any shape",
    "residual": "Free curves close to the usual ones",
}
"""What the Teacher reads beside a model; a model that is not here shows its own label."""

_ENGINE_HINTS = {"auto": "automatic", "quadrature": "exact", "amortized": "fast"}

_COLUMNS: dict[str, tuple[str, str, str]] = {
    "theta": ("Ability", "theta (EAP)", "Capability (theta)"),
    "sd": ("± Uncertainty", "Posterior sd", "sd"),
    "sd_items": ("± From the questions", "sd from item uncertainty", "sd from tasks"),
    "lower": ("Likely from", "Lower 95 %", "Lower 95 %"),
    "upper": ("Likely to", "Upper 95 %", "Upper 95 %"),
    "n_answered": ("Answered", "n answered", "n answered"),
    "sum_score": ("Points", "Sum score", "Solved"),
    "max_score": ("Points possible", "Max score", "Attempted"),
    "reliable": ("Trustworthy", "Reliable integral", "Reliable integral"),
    "status": ("Remark", "Status", "Status"),
    "rank": ("Place", "Expected rank", "Expected rank"),
    "rank_lower": ("Place at best", "Rank, lower 95 %", "Rank, lower 95 %"),
    "rank_upper": ("Place at worst", "Rank, upper 95 %", "Rank, upper 95 %"),
    "percentile_population": ("Percentile, expected", "Percentile of the population", "Percentile of the population"),
    "percentile_sample": ("Percentile in this group", "Percentile of the sample", "Percentile of the sample"),
    "probability_above": ("Chance above the mark", "P(theta > cut)", "P(theta > threshold)"),
    "t_score": ("T score", "T (50, 10)", "T (50, 10)"),
    "t_sd": ("± T score", "T sd", "T sd"),
    "scale500": ("500 scale", "500/100", "500/100"),
    "scale500_sd": ("± 500 scale", "500/100 sd", "500/100 sd"),
    "model": ("Kind", "Model", "Model"),
    "a": ("Tells students apart", "a (discrimination)", "a (separation)"),
    "a_sd": ("± ", "sd of a", "sd of a"),
    "b": ("Difficulty", "b (difficulty)", "b (difficulty)"),
    "b_sd": ("±", "sd of b", "sd of b"),
    "c": ("Guessing", "c (lower asymptote)", "c (floor)"),
    "c_sd": ("±  ", "sd of c", "sd of c"),
    "u": ("Ceiling", "u (upper asymptote)", "u (ceiling)"),
    "u_sd": ("±   ", "sd of u", "sd of u"),
    "difficulty": ("Difficulty", "Difficulty", "Difficulty"),
    "difficulty_sd": ("± ", "sd of the difficulty", "sd of the difficulty"),
    "slope": ("Tells students apart", "Slope", "Slope"),
    "slope_sd": ("±    ", "sd of the slope", "sd of the slope"),
    "lower_asymptote": ("Lowest average", "Lower asymptote", "Floor"),
    "upper_asymptote": ("Highest average", "Upper asymptote", "Ceiling"),
    "mean": ("Average", "Mean (p)", "Solve rate"),
    "item_rest": ("Agrees with the rest", "Item-rest r", "Task-rest r"),
}

_TEACHER_HIDDEN = frozenset({"sd_items", "reliable", "max_score", "model", "lower_asymptote", "upper_asymptote"})
_OPTIONS = {
    "categories": "the column “order of answers” of the table",
    "key": "the column “key” of the table",
    "reverse": "the column “reverse” of the table",
    "continuous": "the column “measured” of the table",
    "missing": "“Codes that mean missing”",
    "wrong": "“Empty cells”",
    "items": "the column “use” of the table",
    "delimiter": "“Separator”",
    "decimal": "“Decimal mark”",
    "encoding": "“Encoding”",
    "sheet": "“Sheet”",
    "layout": "“Layout”",
    "id": "“Column of ids”",
    "item": "“Column of items”",
    "response": "“Column of answers”",
    "wave": "“Column of occasions”",
    "weights": "“Column of frequencies”",
    "survey_weights": "“Column of survey weights”",
    "priors": "“Prior distributions”",
    "engine": "the engine",
    "model": "the model",
}
_CHOSEN = re.compile(r"\b(" + "|".join(_OPTIONS) + r")=('[^']*'|True|False)")
_CHOICES = {"False": "no column", "True": "all"}
_STEP = re.compile(r"[bt](\d+)")
_OPTION = re.compile(r"\b(" + "|".join(_OPTIONS) + r")=(?![\w'\"\[({])")
_ALL_COUNTS = re.compile(r"declare all of them when reading the data: categories=\{.*?\}")
# Names of columns and the like stay as they are.
_QUOTED = re.compile(r"((?<!\w)'[^']*'(?!\w))")
_JARGON = (
    (re.compile(r"\bitems\b"), "questions"),
    (re.compile(r"\bitem\b"), "question"),
    (re.compile(r"\bItems\b"), "Questions"),
    (re.compile(r"^Item $"), "Question "),
    (re.compile(r"\bpersons\b"), "students"),
    (re.compile(r"\bperson\b"), "student"),
    (re.compile(r"\bPersons\b"), "Students"),
    (re.compile(r"\bPerson ids\b"), "Student ids"),
    (re.compile(r"\bRead as measured, numbers on a continuous scale\b"), "Read as measured numbers"),
    (re.compile(r"^Covariates: "), "About the students, not answers: "),
    (re.compile(r"\bdelimiter\b"), "separator"),
    (re.compile(r"\bparameters\b"), "results"),
    (re.compile(r"\b\w+ at its boundary\b"), "its numbers are at the end of what is possible"),
    (re.compile(r"\bnegative discrimination\b"), "the better the student, the worse the answer"),
    (re.compile(r"\bno answer: the population's mean and sd\b"), "no answer, so the average of all such students"),
    (re.compile(r"\bthe population's mean\b"), "the average of all such students"),
)

_BENCHMARK = (
    (re.compile(r"\bitems\b"), "tasks"),
    (re.compile(r"\bitem\b"), "task"),
    (re.compile(r"\bItem\b"), "Task"),
    (re.compile(r"\bItems\b"), "Tasks"),
    (re.compile(r"\bpersons\b"), "models"),
    (re.compile(r"\bperson\b"), "model"),
    (re.compile(r"\bPersons\b"), "Models"),
    (re.compile(r"\bPerson ids\b"), "Model ids"),
)
_PLAIN_WORDS = {"Teacher": _JARGON, "Psychometrician": (), "Benchmark": _BENCHMARK}


@dataclass(frozen=True)
class Words:
    """Words of one audience: ``words["item"]``."""

    audience: str

    def __getitem__(self, term: str) -> str:
        return _WORDS[term][AUDIENCES.index(self.audience)]

    @property
    def plain(self) -> bool:
        """Whether technical words stay away."""
        return self.audience == "Teacher"

    def page(self, name: str) -> str:
        """Title of a page in the navigation."""
        known = {"fit": "Fit", "abilities": "Abilities", "items": "Items"}
        title = self[known[name]] if name in known else name.capitalize()
        return title.removesuffix(" (theta)")

    def column(self, name: str) -> str:
        """Heading of a column of a table of irtvi."""
        if self.plain and (step := _STEP.fullmatch(name)):
            return f"Difficulty of step {step[1]}"
        known = _COLUMNS.get(name)
        return known[AUDIENCES.index(self.audience)] if known else name

    def shows(self, name: str) -> bool:
        """Whether a column of a table is shown."""
        if not self.plain:
            return True
        return name not in _TEACHER_HIDDEN and (name in _COLUMNS or _STEP.fullmatch(name) is not None)

    def model(self, name: str) -> str:
        """What an item model is called."""
        label = "Automatic" if name == "auto" else ITEM_MODELS[name].label if name in ITEM_MODELS else name
        if not self.plain:
            return label
        return _MODEL_HINTS.get(name, label)

    def engine(self, name: str) -> str:
        """What an engine is called."""
        hint = _ENGINE_HINTS.get(name)
        return hint or name if self.plain else f"{name} ({hint})" if hint and hint != name and name != "auto" else name

    def sentence(self, text: str) -> str:
        """A sentence of irtvi: options are named as the page names them, and in the audience's words."""
        text = _ALL_COUNTS.sub("name all of them, from 0 on, in the column “order of answers” on the page Data", text)
        text = _CHOSEN.sub(lambda found: f"{_OPTIONS[found[1]]} ({_CHOICES.get(found[2], found[2])})", text)
        text = _OPTION.sub(lambda found: _OPTIONS[found[1]], text)
        parts = _QUOTED.split(text)
        for pattern, word in _PLAIN_WORDS[self.audience]:
            parts[::2] = [pattern.sub(word, part) for part in parts[::2]]
        return "".join(parts)


def number(value: float, digits: int = 2) -> str:
    """A rounded number; zero has no sign."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def chance(value: float) -> str:
    """A probability in percent; only what is certain is 0 or 100."""
    if 0.0 < value < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= value < 1.0 else f"{value:.0%}"


def count(number: float, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{number:,.0f} {one if number == 1 else many}"
