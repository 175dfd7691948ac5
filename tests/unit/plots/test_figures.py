"""Figures draw what the tables say, stay small, and describe themselves."""

import json
import sys
import warnings

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

import irtvi
from irtvi import plots
from irtvi.diagnostics.empirical import empirical_categories, empirical_scores, wilson
from irtvi.errors import ResponsesNeededError, SpecificationError
from irtvi.plots.abilities import bin_edges
from irtvi.plots.curves_page import curves_page
from irtvi.plots.difficulties import difficulties
from irtvi.plots.discrimination_difficulty import NAME_WIDTH, _ends, item_points
from irtvi.plots.labels import apart, packed
from irtvi.plots.person_item_map import _room, _ticks
from irtvi.plots.reach import reach_of
from irtvi.plots.sum_scores import sum_scores
from irtvi.plots.theme import DARK, LIGHT, styled
from irtvi.results.person_density import person_density


@pytest.fixture(scope="module")
def lsat7():
    return irtvi.fit(irtvi.load_data("lsat7"), model="2pl")


@pytest.fixture(scope="module")
def graded():
    bank = pd.DataFrame(
        {"a": [1.0, 1.5, 2.0, 1.2], "b1": [-1.5, -1, -0.5, 0], "b2": [0, 0.2, 0.4, 0.6], "b3": [1.0, 1.1, 1.2, np.nan]},
        index=list("pqrs"),
    )
    return irtvi.fit(irtvi.simulate("grm", 500, items=bank, seed=3).responses, model="grm")


@pytest.fixture(scope="module")
def many():
    """200 items, 400 persons, a fifth missing; a slope that falls, items far out."""
    bank = irtvi.simulate("2pl", 1, 200, seed=5).items.assign(a=np.linspace(0.4, 2, 200), b=np.linspace(-7, 7, 200))
    bank.loc["Q100", "a"] = -1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # items that far out have one answer only
        return irtvi.fit(irtvi.simulate(n_persons=400, items=bank, missing=0.2, seed=6).responses, model="2pl")


FIGURES = {
    "icc": lambda r, dark: plots.icc(r, list(r.items.index[:4]), dark=dark),
    "icc_lines": lambda r, dark: plots.icc_lines(r, highlight=r.items.index[1], dark=dark),
    "icc_overlay": lambda r, dark: plots.icc_overlay({"one": r, "two": r}, r.items.index[0], dark=dark),
    "category_curves": lambda r, dark: plots.category_curves(r, r.items.index[0], dark=dark),
    "information": lambda r, dark: plots.information(r, dark=dark),
    "test_information": lambda r, dark: plots.test_information(r, dark=dark),
    "abilities": lambda r, dark: plots.abilities(r, cut=0.5, dark=dark),
    "caterpillar": lambda r, dark: plots.caterpillar(r, dark=dark),
    "person_posterior": lambda r, dark: plots.person_posterior(r, r.abilities.index[3], cut=0.5, dark=dark),
    "person_item_map": lambda r, dark: plots.person_item_map(r, dark=dark),
    "discrimination_difficulty": lambda r, dark: plots.discrimination_difficulty(r, dark=dark),
    "training": lambda r, dark: plots.training(r, dark=dark),
    "convergence": lambda r, dark: plots.convergence(r, dark=dark),
    "comparison": lambda r, dark: plots.comparison(irtvi.compare({"a": r, "b": r}), dark=dark),
}


@pytest.mark.parametrize("data", ["lsat7", "graded", "many"])
@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_of_every_size(name, data, request):
    result = request.getfixturevalue(data)
    for dark in (False, True):
        figure = FIGURES[name](result, dark)
        assert figure.layout.paper_bgcolor == ("#0e1117" if dark else "#ffffff")
        assert len(figure.layout.meta["alt"]) > 20
        text = figure.to_json()
        assert json.loads(text)["data"]
        assert len(text) < 600_000  # bytes: pages load within a second
        assert "$" not in text.replace("%{", "")  # no MathJax


def test_icc_is_the_table(lsat7):
    figure = plots.icc(lsat7, "Item.3", level=0.9)
    curve = lsat7.curves("Item.3", level=0.9)
    model = next(t for t in figure.data if t.name == "model")
    np.testing.assert_allclose(model.y, curve["value"])
    band = next(t for t in figure.data if t.name == "band of the model")
    np.testing.assert_allclose(np.sort(band.y)[[0, -1]], [curve["lower"].min(), curve["upper"].max()], rtol=1e-6)
    answers = next(t for t in figure.data if t.name == "answers")
    points = empirical_scores(lsat7, "Item.3", level=0.9)
    np.testing.assert_allclose(answers.y, points["value"])
    np.testing.assert_allclose(np.asarray(answers.y) + answers.error_y.array, points["upper"])
    assert list(figure.layout.xaxis.range) == [-4, 4]
    assert figure.layout.xaxis.title.text == "Ability (θ)"


def test_overlaid_models_are_drawn_in_the_unit_of_their_population():
    """A Rasch model with an estimated sd and a 1PL with N(0, 1) are the same model in other units."""
    bank = pd.DataFrame({"a": 2.0, "b": np.linspace(-1, 1, 6)}, index=[f"Item.{k}" for k in range(1, 7)])
    data = irtvi.simulate("2pl", 400, items=bank, seed=2).responses
    rasch, one = (irtvi.fit(data, model=m, priors=None) for m in ("rasch", "1pl"))
    sd = rasch.population["sd"].iloc[0]
    assert sd > 1.5
    figure = plots.icc_overlay({"rasch": rasch, "1pl": one}, "Item.2")
    first, second = (next(t for t in figure.data if t.name == name and t.hovertemplate) for name in ("rasch", "1pl"))
    # Both searches end within a hundredth of a standard error, about .1 in units of the intercept: .001.
    np.testing.assert_allclose(first.y, second.y, atol=1e-3)
    np.testing.assert_allclose(first.y, rasch.curves("Item.2", theta=sd * np.asarray(first.x))["value"])
    answers = next(t for t in figure.data if t.name == "answers")
    points = empirical_scores(rasch, "Item.2")
    np.testing.assert_allclose(np.asarray(answers.x) * sd, points["theta"])
    assert "mean 0, sd 1" in figure.layout.xaxis.title.text


def test_density_of_a_person_has_the_moments_of_the_score(graded):
    person = graded.abilities.index[7]
    table = person_density(graded, person)
    step = np.diff(table["theta"])[0]
    theta, density = table["theta"], table["posterior"] * step
    mean = (theta * density).sum()
    np.testing.assert_allclose(density.sum(), 1, rtol=1e-9)
    np.testing.assert_allclose(mean, graded.abilities.loc[person, "theta"], atol=1e-4)
    np.testing.assert_allclose(
        (density * (theta - mean) ** 2).sum() ** 0.5, graded.abilities.loc[person, "sd"], atol=1e-4
    )
    np.testing.assert_allclose((table["population"] * step).sum(), 1, atol=1e-3)
    with pytest.raises(SpecificationError, match="no person 'nobody'"):
        person_density(graded, "nobody")


def test_part_of_a_density_above_the_cut_is_the_chance(lsat7):
    person = lsat7.abilities.index[10]
    figure = plots.person_posterior(lsat7, person, cut=0.2)
    chance = lsat7.probability_above(0.2).loc[person]
    assert f"chance of {chance:.0%}" in figure.layout.meta["alt"]
    filled = [t for t in figure.data if t.fill == "tozeroy"][1]
    assert min(filled.x) >= 0.2


def test_icc_without_responses_has_no_points(lsat7, tmp_path):
    lsat7.save(tmp_path / "r.irtvi")
    loaded = irtvi.load(tmp_path / "r.irtvi")
    assert [t.name for t in plots.icc(loaded, "Item.1").data] == ["band of the model", "model"]
    assert len(plots.icc(loaded, "Item.1", responses=lsat7.responses).data) == 3
    with pytest.raises(ResponsesNeededError):
        empirical_scores(loaded, "Item.1")


def test_expected_answer_of_graded_items(graded):
    figure = plots.icc(graded, "p")
    assert figure.layout.yaxis.title.text == "Expected answer"
    assert figure.layout.yaxis.range[1] > 3


def test_information_adds_up(lsat7):
    figure = plots.information(lsat7)
    items = [np.asarray(t.y) for t in figure.data if str(t.name).startswith("Item")]
    theta = np.asarray(next(t.x for t in figure.data if t.name == "Item.1"))
    se = next(t for t in figure.data if "standard error" in str(t.name))
    shown = np.isin(theta.round(9), np.asarray(se.x).round(9))
    np.testing.assert_allclose(sum(items)[shown] ** -0.5, se.y)
    total = lsat7.curves(theta=theta, what="test_information")["value"]
    np.testing.assert_allclose(sum(items), total, rtol=1e-8)


def test_histogram_counts_everybody_once(many):
    bars = plots.abilities(many).data[0]
    assert sum(bars.y) == len(many.abilities)
    assert len(bin_edges(np.array([0.2]))) >= 2


def test_names_are_shown_letter_by_letter():
    answers = irtvi.load_data("lsat7").rename(columns={"Item.1": "<b>1</b>"})
    result = irtvi.fit(answers, model="rasch")
    figures = plots.icc(result, "<b>1</b>"), plots.category_curves(result, "<b>1</b>"), plots.information(result)
    for figure in figures:
        assert "<b>" not in figure.to_json().replace("\\u003c", "<").replace(figure.layout.meta["alt"], "")
    assert " &lt;b&gt;1&lt;/b&gt;" in plots.person_item_map(result).data[1].text


def test_names_do_not_lie_on_one_another():
    rng = np.random.default_rng(0)
    x, y, width = rng.uniform(0, 10, 80), rng.uniform(0, 1, 80), rng.uniform(0.5, 2, 80)
    shown = apart(x, y, width, 0.1)
    near = (np.abs(y[:, None] - y) < 0.1) & (np.abs(x[:, None] - x) < (width[:, None] + width) / 2)
    np.fill_diagonal(near, False)
    assert not near[np.ix_(shown, shown)].any()
    assert near[~shown][:, shown].any(1).all()  # a name that is left out had no room
    heights = np.sort(y)
    left = packed(heights, [3] * 80, 0.1)
    beside = (heights[:, None] - heights < 0.1) & (heights[:, None] > heights)
    assert (np.abs(left[:, None] - left)[beside] >= 3).all()


def test_wright_map_names_items_or_counts_them(lsat7, graded, many):
    names = plots.person_item_map(lsat7).data[1]
    assert {t.strip() for t in names.text} == set(lsat7.items.index)
    by_item = dict(zip((c[0] for c in names.customdata), names.y, strict=True))
    assert by_item == pytest.approx(lsat7.items["b"].to_dict())
    assert len(difficulties(graded)) == 11
    assert sum(plots.person_item_map(many).data[1].x) == len(many.items)


@pytest.mark.parametrize("most", [1, 2, 7, 43, 99, 100, 1_873])
def test_ticks_of_counts_are_few_and_begin_at_zero(most):
    ticks = _ticks(np.array([0, most]))
    assert ticks[0] == 0
    assert 2 <= len(ticks) <= 4
    assert ticks[-1] <= most


def test_twenty_thousand_names_are_not_placed(monkeypatch):
    """Where each name finds room depends on all others: for many that is never asked."""
    asked = []
    stub = lambda y, *_: asked.append(len(y)) or np.zeros(len(y), dtype=int)  # noqa: E731
    monkeypatch.setattr(sys.modules[_room.__module__], "packed", stub)
    table = pd.DataFrame({"place": [0.0] * 61, "label": ["name"] * 61})
    assert _room(table, 0.1) is None
    assert asked == []
    assert _room(table.iloc[:3], 0.1) is not None
    assert asked == [3]


def test_items_far_out_stand_at_the_edge_with_their_true_number(many):
    traces = plots.discrimination_difficulty(many).data
    assert np.abs(np.concatenate([trace.x for trace in traces])).max() <= 6.0 + 1e-6
    shown = {item[0]: item[1] for trace in traces for item in trace.customdata}
    assert len(shown) == many.items["b"].notna().sum()
    assert shown["Q1"] == pytest.approx(many.items.loc["Q1", "b"], abs=1e-4)


def test_caterpillar_is_thinned_by_rank(lsat7):
    figure = plots.caterpillar(lsat7, most=11)
    ordered = lsat7.abilities["theta"].sort_values()
    assert len(figure.data[0].x) == 11
    assert (figure.data[0].x[0], figure.data[0].x[-1]) == (ordered.iloc[0], ordered.iloc[-1])
    assert (figure.data[0].y[0], figure.data[0].y[-1]) == (len(ordered), 1)  # the highest has place 1
    assert min(plots.caterpillar(lsat7).layout.yaxis.range) > 0  # and nobody has place 0


def test_comparison_shows_held_out_differences():
    train, test = irtvi.holdout(irtvi.read(irtvi.load_data("lsat7")), share=0.2, seed=1)
    table = irtvi.compare({m: irtvi.fit(train, m) for m in ("1pl", "2pl")}, test)
    trace = plots.comparison(table).data[0]
    assert list(trace.x) == table["held_out_difference"].tolist()
    assert list(trace.error_x.array) == (2 * table["held_out_se"]).tolist()
    assert [name.text for name in plots.comparison(table).layout.annotations] == ["1pl", "2pl"]


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_colours_of_a_figure_can_be_told_apart(colours):
    """Distances of 28 in CIELAB (CIE 1976); those of 2.3 are just seen side by side, thin lines need far more."""
    places = np.array([_lab(colour) for colour in colours.series])
    distance = np.linalg.norm(places[:, None] - places, axis=-1)
    assert distance[~np.eye(len(places), dtype=bool)].min() > 28


def _lab(colour):
    rgb = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(to_xyz @ linear / [0.9505, 1.0, 1.089])
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]


def test_names_of_items_are_not_cut_at_the_ends():
    bank = pd.DataFrame({"a": 1.0, "b": [-1.0, 0.0, 1.0]}, index=["reading comprehension", "q", "share_of_writing"])
    figure = plots.discrimination_difficulty(irtvi.fit(irtvi.simulate("2pl", 400, items=bank, seed=2).responses, "2pl"))
    low, high = figure.layout.xaxis.range
    for trace in figure.data:
        half = NAME_WIDTH / 2 * (high - low) * np.array([len(name) for name in trace.text])
        assert (trace.x - half >= low - 0.01).all()
        assert (trace.x + half <= high + 0.01).all()


def test_titles_speak_of_chances_where_there_are_some(lsat7, graded):
    assert plots.icc(lsat7, "Item.1").layout.title.text == "Item characteristic curve: Item.1"
    assert plots.icc(graded, "p").layout.title.text == "Expected answer: p"
    measured = irtvi.read(pd.DataFrame(np.random.default_rng(1).normal(size=(40, 2))), continuous=[0, 1])
    assert sum_scores(measured).layout.title.text == "Sum of answers"
    assert sum_scores(lsat7.responses).layout.title.text == "Sum scores"


@pytest.mark.parametrize("dark", [False, True])
def test_curves_of_many_categories_have_a_colour_each(dark):
    counts = irtvi.simulate("binomial", 200, items=pd.DataFrame({"a": [1.0, 1.2], "b": [0.0, 0.3]}), n_categories=11)
    figure = plots.category_curves(irtvi.fit(counts.responses, "binomial"), 0, dark=dark)
    assert len(figure.data) == 11
    assert len({trace.line.color for trace in figure.data}) == 11


def test_few_points_make_no_comb():
    answers = pd.DataFrame(np.random.default_rng(0).integers(0, 2, (200, 8)), columns=list("abcdefgh"), dtype="Int64")
    answers.iloc[3, 2] = pd.NA
    counts = np.array(sum_scores(irtvi.read(answers)).data[0].y)
    assert len(counts) == 9
    assert counts.sum() == 200


def test_what_stands_at_the_edge_does_not_stretch_the_axis(many):
    points = item_points(many).dropna().iloc[:30].assign(difficulty_sd=40.0, place=6.0, name="")
    points["symbol"] = "triangle-right"
    points.loc[points.index[0], ["place", "symbol", "difficulty_sd"]] = [0.0, "circle", 0.1]
    assert _ends(points)[1] < 7


def test_names_are_as_wide_as_they_are_seen():
    bank = pd.DataFrame({"a": [1.0, 1.1], "b": [-1.0, 1.0]}, index=["<<<<>>>>", "AAAABBBB"])
    figure = plots.discrimination_difficulty(irtvi.fit(irtvi.simulate("2pl", 400, items=bank, seed=2).responses, "2pl"))
    shown = [name for trace in figure.data for name in trace.text]
    assert shown == ["&lt;&lt;&lt;&lt;&gt;&gt;&gt;&gt;", "AAAABBBB"]
    low, high = figure.layout.xaxis.range
    assert high - low < 7  # 8.8 where the letters of the HTML are counted


def test_map_counts_steps_as_steps(graded, many, monkeypatch):
    monkeypatch.setattr(sys.modules[_room.__module__], "MOST_LABELS", 1)
    assert plots.person_item_map(graded).layout.xaxis2.title.text == "Number of steps"
    assert plots.person_item_map(many).layout.xaxis2.title.text == "Number of items"


def test_curves_have_no_corners(lsat7):
    assert all(trace.line.simplify is False for trace in plots.information(lsat7, "Item.1").data)
    many = go.Figure(go.Scatter(x=np.arange(6_000), y=np.zeros(6_000)))
    assert styled(many, False).data[0].line.simplify is None  # many curves together would be slow


def test_steps_of_a_fit_have_five_ticks_at_most(lsat7):
    from irtvi.plots.training import _powers

    assert _powers(np.array([np.nan, 0.0, 0.3, 1.0])) == 1
    assert _powers(np.array([1e-7, 1.0])) == 2
    assert plots.training(lsat7).layout.yaxis.automargin


def test_long_names_of_models_are_broken_into_lines_and_leave_the_panel_its_height(lsat7):
    long = "Partial credit, questions differ in how well they tell students apart"
    short, tall = (plots.icc_overlay({name: lsat7, "B": lsat7}, "Item.1") for name in ("A", long))
    assert "<br>" in tall.data[1].name
    assert max(map(len, tall.data[1].name.split("<br>"))) <= 38
    assert tall.layout.height > short.layout.height


def test_requests_that_make_no_sense(lsat7, many):
    with pytest.raises(SpecificationError, match=r"Item\.9"):
        plots.icc(lsat7, "Item.9")
    with pytest.raises(SpecificationError, match="icc_lines"):
        plots.icc(many)
    with pytest.raises(SpecificationError, match="1 to 7"):
        plots.icc_overlay({}, "Item.1")


def test_pages_need_no_network_and_send_nothing(lsat7, tmp_path):
    page = plots.write_html(curves_page(lsat7), tmp_path / "icc.html").read_text(encoding="utf-8")
    assert '"showSendToCloud": false' in page
    assert "cdn.plot.ly" not in page.split("Plotly.newPlot", 1)[-1]
    assert "<script src=" not in page
    assert [path.name for path in tmp_path.iterdir()] == ["icc.html"]


def test_groups_of_ability_are_unbiased_under_the_model():
    """Shares of pseudo-counts against the curve that made the answers, in standard errors of a share."""
    bank = pd.DataFrame({"a": 1.5, "b": np.linspace(-2, 2, 12)}, index=[f"i{k}" for k in range(12)])
    truth = irtvi.simulate(n_persons=6000, items=bank, seed=3)
    result = irtvi.fit(truth.responses, fixed=bank)
    table = empirical_scores(result)
    b = table["item"].map(bank["b"].to_dict())
    curve = 1 / (1 + np.exp(-1.5 * (table["theta"] - b)))
    inner = table["theta"].abs() < 1  # outer groups are wide, and the mean of a curve is not the curve at the mean
    z = ((table["value"] - curve) / np.sqrt(curve * (1 - curve) / table["n"]))[inner]
    assert abs(z.mean()) < 0.3
    assert z.abs().max() < 4


def test_categories_share_one(graded):
    table = empirical_categories(graded, "q")
    np.testing.assert_allclose(table.groupby("theta")["value"].sum(), 1.0)


def test_wilson_interval():
    """Newcombe (1998), Statistics in Medicine 17, table I: 81 of 263, and 0 of 20."""
    _, lower, upper = wilson(np.array([81.0, 0.0]), np.array([263.0, 20.0]), 0.95)
    np.testing.assert_allclose(lower, [0.2553, 0.0], atol=5e-5)
    np.testing.assert_allclose(upper, [0.3662, 0.1611], atol=5e-5)


def test_curves_reach_as_far_as_people_do(lsat7):
    """A Rasch model gives ability its own sd: between -4 and 4 it would leave out half of these people."""
    rng = np.random.default_rng(5)
    theta, b = rng.normal(0, 4, size=(300, 1)), np.linspace(-6, 6, 12)
    right = rng.random((300, 12)) < 1 / (1 + np.exp(b - theta))
    wide = irtvi.fit(pd.DataFrame(right.astype(int)).add_prefix("Q"), model="rasch")
    reach = reach_of(wide)
    assert 3 * wide.population["sd"].iloc[0] <= reach < 3 * wide.population["sd"].iloc[0] + 1.2
    for figure in (plots.icc(wide, "Q0"), plots.test_information(wide), plots.information(wide, "Q0"),
                   plots.category_curves(wide, "Q0"), plots.icc_lines(wide)):  # fmt: skip
        assert tuple(figure.layout.xaxis.range) == (-reach, reach)
        drawn = np.concatenate([np.asarray(trace.x, dtype=float) for trace in figure.data])
        assert np.nanmin(drawn) <= -reach < -9 < 9 < reach <= np.nanmax(drawn)
    assert reach_of(lsat7) == 4.0
