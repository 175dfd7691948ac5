import numpy as np
import pandas as pd
import pytest

from .conftest import AUDIENCES, PAGES, with_fits


@pytest.fixture(scope="module")
def ready():
    from .conftest import Dashboard

    return with_fits(Dashboard())


@pytest.mark.parametrize("page", PAGES)
def test_page_without_data(dashboard, page):
    at = dashboard.go(page)
    assert not at.exception
    assert at.main[0].type == "title"  # nothing of the page's own code stands above it
    assert not at.error


@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize("page", PAGES)
def test_page_with_fits(ready, page, audience):
    ready.speak(audience)
    at = ready.go(page)
    assert not at.exception
    assert not at.error
    assert at.title


def test_teacher_sees_no_jargon(ready):
    ready.speak("Teacher")
    for page in PAGES:
        ready.go(page)
        said = ready.texts().lower()
        for word in ("theta", "posterior", "discrimination", "likelihood", "quadrature", "eap", "bayes", "logit"):
            assert word not in said, (page, word)


def test_typical_number_of_answers_is_told_where_it_is_the_same(ready):
    ready.speak("Teacher")
    at = ready.go("overview")
    assert "Each was answered by 1,000 students." in [caption.value for caption in at.caption]


def test_parameters_that_are_fixed_have_no_spread(ready):
    ready.speak("Psychometrician")
    at = ready.go("items")  # of the Rasch model, fitted last
    facts = next(text.value for text in at.markdown if "a (discrimination)" in text.value)
    assert "a (discrimination): **1.00**  ·" in facts


def test_fits_are_called_by_the_words_of_the_audience(fitted):
    fitted.speak("Teacher")
    teacher = [job.label for job in fitted.workspace.fits]
    fitted.speak("Psychometrician")
    assert [job.label for job in fitted.workspace.fits] == ["2PL", "Rasch"]
    assert "Rasch" in fitted.go("compare").dataframe[0].value.index
    fitted.speak("Teacher")
    assert [job.label for job in fitted.workspace.fits] == teacher != ["2PL", "Rasch"]
    assert list(fitted.go("compare").dataframe[0].value.index) == teacher


def test_two_fits_of_one_model_have_different_names(fitted):
    fitted.go("fit")
    fitted.at.multiselect(key="kept-models").set_value(["rasch"]).run()
    fitted.click("start")
    fitted.wait()
    labels = [job.label for job in fitted.workspace.fits]
    assert labels[2] == f"{labels[1]} (2)"


def test_three_columns_can_be_answers_by_one_click(dashboard):
    from reading import Source

    rows = "\n".join(f"S{p},Frage {k},{(p * p + k) % 2}" for p in range(150) for k in range(4))
    dashboard.workspace.open(Source("lang.csv", f"Schueler,Frage,Antwort\n{rows}".encode()))
    dashboard.at.run()
    at = dashboard.click("long")
    assert not at.error
    assert dashboard.workspace.reading.responses.n_items == 4
    assert dashboard.workspace.reading.guesses()["Items"] == "column 'Frage'"


def test_scale_says_what_spread_it_has(ready):
    ready.speak("Psychometrician")
    at = ready.go("abilities")  # of the Rasch model, which estimates the sd
    spread = float(ready.workspace.active.result.population["sd"].iloc[0])
    assert at.radio(key="kept-scale").options[0] == f"theta (mean 0.00, sd {spread:.2f})"
    assert abs(spread - 1) > 0.005


def test_one_item_deserves_a_look(dashboard):
    from reading import Source

    rng = np.random.default_rng(3)
    theta = rng.normal(size=(300, 1)) * [-1, 1, 1, 1, 1, 1]
    table = pd.DataFrame((2 * theta + rng.logistic(size=theta.shape) > 0).astype(int), columns=list("pqrstu"))
    dashboard.workspace.open(Source("table.csv", table.to_csv(index=False).encode()))
    dashboard.at.run()
    dashboard.click("fit-now")
    dashboard.wait()
    at = dashboard.go("items")
    assert at.warning[0].value == "1 question deserves a look; the table says why."


def test_first_rows_of_the_export_have_few_digits():
    from .conftest import Dashboard

    dashboard = Dashboard()
    from reading import Source

    table = pd.DataFrame(np.random.default_rng(1).integers(0, 2, (200, 5)), columns=list("pqrst"), dtype="Int64")
    table.iloc[0] = pd.NA
    dashboard.workspace.open(Source("table.csv", table.to_csv(index=False).encode()))
    dashboard.at.run()
    dashboard.click("fit-now")
    dashboard.wait()
    shown = dashboard.go("export").dataframe[0].value
    numbers = shown.select_dtypes("float")
    assert (numbers == numbers.round(4))[numbers.notna()].all(axis=None)
    assert str(numbers["Ability"].iloc[0]) == "0.0"


def test_numbers_are_the_same_for_every_audience(ready):
    shown = []
    for audience in AUDIENCES:
        ready.speak(audience)
        at = ready.go("abilities")
        shown.append([metric.value for metric in at.metric])
    assert shown[0] == shown[1] == shown[2]


def test_select_box_follows_the_registry(dashboard, monkeypatch):
    from irtvi.models.items import ITEM_MODELS, dichotomous

    class Brandnew(dichotomous.TwoPL):
        name = "brandnew"
        label = "Brand new"

    monkeypatch.setitem(ITEM_MODELS, "brandnew", Brandnew)
    dashboard.click("sample-lsat6")
    at = dashboard.go("fit")
    assert Brandnew.label in at.multiselect(key="kept-models").options


def test_new_model_needs_no_change_of_the_pages(dashboard, monkeypatch):
    """Fitted, shown in tables and figures, compared and exported: only the registry knows it."""
    from irtvi.models.items import ITEM_MODELS, dichotomous

    class Brandnew(dichotomous.TwoPL):
        name = "brandnew"
        label = "Brand new"

    monkeypatch.setitem(ITEM_MODELS, "brandnew", Brandnew)
    dashboard.click("sample-lsat7")
    dashboard.speak("Psychometrician")
    dashboard.go("fit")
    dashboard.at.multiselect(key="kept-models").set_value(["brandnew", "rasch"]).run()
    dashboard.click("start")
    dashboard.wait()
    job = dashboard.workspace.fits[0]
    assert job.label == "Brand new"
    dashboard.workspace.active_id = job.id
    for page, n_figures in (("overview", 2), ("abilities", 3), ("items", 3), ("compare", 2), ("export", 0)):
        at = dashboard.go(page)
        assert not at.exception
        assert not at.error
        assert len(at.get("plotly_chart")) == n_figures, page
        if page == "items":
            assert set(at.dataframe[0].value["model"]) == {"brandnew"}
            assert "Brand new" in at.get("plotly_chart")[1].proto.spec
        if page == "compare":
            assert "Brand new" in at.dataframe[0].value.index


def test_figures_and_tables_have_names_for_screen_readers(ready):
    for audience in AUDIENCES:
        ready.speak(audience)
        for page in ("overview", "abilities", "items", "compare", "export", "learn"):
            at = ready.go(page)
            for figure in at.get("plotly_chart"):
                assert len(figure.proto.alt) > 20, (page, figure.proto.alt)
                if audience == "Teacher":
                    assert "theta" not in figure.proto.alt.lower()
            for table in at.get("arrow_data_frame"):
                assert table.proto.alt, page


def test_failed_fit_says_what_to_do(dashboard, monkeypatch):
    import irtvi

    def broken(*_, **__):
        raise RuntimeError("secret detail")

    dashboard.click("sample-lsat6")
    monkeypatch.setattr(irtvi, "fit", broken)
    dashboard.click("fit-now")
    dashboard.wait()
    at = dashboard.go("fit")
    assert not at.exception
    assert "Try another model" in at.error[0].value
    assert "secret" not in at.error[0].value


def test_mended_reading_shows_at_the_side(dashboard):
    dashboard.click("sample-lsat6")
    reading = dashboard.workspace.reading
    dashboard.at.text_input(key=f"whole-key-{reading.key}").set_value("1 1 1 1 1")
    dashboard.click("read-again")
    assert all(coding.key == 1 for coding in dashboard.workspace.reading.responses.codings)
    assert any("5 questions" in caption.value for caption in dashboard.at.sidebar.caption)


def test_prediction_runs_in_the_background(fitted):
    from predicting import HeldOut

    fitted.speak("Psychometrician")
    fitted.go("compare")
    fitted.click("hold-out")
    task = fitted.workspace.queue.tasks[-1]
    assert isinstance(task, HeldOut)
    fitted.wait()
    assert task.state == "done"
    assert list(task.table.index) == [job.id for job in fitted.workspace.fits]
    at = fitted.go("compare")
    assert not at.exception
    assert any("predicts best" in message.value for message in at.success)
    assert "hold-out" not in [button.key for button in at.button]


def test_cancelled_prediction_says_so(fitted):
    from predicting import HeldOut

    task = HeldOut("later", fitted.workspace.fits)
    task._cancel.set()
    assert task.work()[0] == "stopped"
    task.state, task.message = task.work()
    fitted.workspace.queue.tasks.append(task)
    at = fitted.go("compare")
    assert any("all of its" in message.value for message in at.info)
    assert "hold-out" in [button.key for button in at.button]


@pytest.mark.parametrize("kind", ["normal", "beta", "binomial"])
def test_pages_of_measured_and_counted_answers(dashboard, kind):
    from reading import Source

    rng = np.random.default_rng(0)
    theta = rng.normal(size=(200, 1)) - [-0.5, 0.0, 0.5, 1.0]
    chance = 1 / (1 + np.exp(-theta))
    answers = {
        "normal": theta + rng.normal(0, 0.6, theta.shape),
        "beta": rng.beta(5 * chance, 5 * (1 - chance)).clip(0.001, 0.999),
        "binomial": rng.binomial(9, chance),
    }[kind]
    table = pd.DataFrame(answers, columns=["k1", "k2", "k3", "k4"])
    dashboard.workspace.open(Source("table.csv", table.to_csv(index=False).encode()))
    at = dashboard.at.run()
    if kind != "binomial":
        assert "there is room for 127" in at.error[0].value
        at = dashboard.click("all-measured")
        assert dashboard.workspace.reading.guesses()["Scoring"] == "measured"
    dashboard.go("fit")
    dashboard.at.multiselect(key="kept-models").set_value([kind]).run()
    dashboard.click("start")
    dashboard.wait()
    for audience in ("Teacher", "Psychometrician"):
        dashboard.speak(audience)
        for page in PAGES:
            at = dashboard.go(page)
            assert not at.exception
            assert not at.error
            assert not [message.value for message in at.info if "drawn" in message.value]


def test_learn_shows_steps(dashboard):
    dashboard.speak("Psychometrician")
    at = dashboard.go("learn")
    for model in ("grm", "gpcm", "pcm", "sequential"):
        at = at.selectbox(key="learn-kind").set_value(model).run()
        assert not at.exception
        assert [slider.value for slider in at.slider if slider.label.startswith("b")] == [-1.0, 0.0, 1.0]
        assert len(at.get("plotly_chart")) == 2
        assert ("learn-steps-a" in [slider.key for slider in at.slider]) == (model != "pcm")
    at = at.selectbox(key="learn-kind").set_value("grm").run()
    at = at.slider(key="learn-b1-of-4").set_value(2.0).run()
    assert not at.exception
    assert "must fall" in at.warning[0].value


def test_learn_says_which_sliders_disagree(dashboard):
    dashboard.speak("Teacher")
    dashboard.go("learn")
    dashboard.at.slider(key="learn-c").set_value(0.5).run()
    at = dashboard.at.slider(key="learn-u").set_value(0.3).run()
    assert at.warning[0].value == "“Guessing” must be smaller than “Best reachable chance”: move one of the two."


def test_one_person_is_drawn(ready):
    ready.speak("Psychometrician")
    at = ready.go("abilities")
    assert len(at.get("plotly_chart")) == 3
    assert '"posterior"' in at.get("plotly_chart")[2].proto.spec
    assert "points" not in at.dataframe[1].value.columns  # they are the answers themselves
