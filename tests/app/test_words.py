from .conftest import APP  # noqa: F401 - puts the app on the import path


def test_names_in_quotes_stay_as_they_are():
    from words import Words

    said = Words("Teacher").sentence("Item ids are in column 'item', the items of 'a person' and the person's answers.")
    assert said == "Item ids are in column 'item', the questions of 'a person' and the student's answers."


def test_nobody_has_the_populations_mean_in_plain_words():
    from words import Words

    said = Words("Teacher").sentence("26 persons answered nothing; the population's mean is the score.")
    assert said == "26 students answered nothing; the average of all such students is the score."


def test_somebody_without_answers_is_told_about_in_a_sentence():
    from words import Words

    said = Words("Teacher").sentence("no answer: the population's mean and sd")
    assert said == "no answer, so the average of all such students"


def test_teacher_sees_columns_that_have_plain_names():
    from words import Words

    words = Words("Teacher")
    for name in ("difficulty", "slope", "b2", "mean"):
        assert words.shows(name)
        assert words.column(name) != name
    for name in ("asymmetry", "lower_asymptote", "sigma", "phi", "slope1"):
        assert not words.shows(name)
        assert Words("Psychometrician").shows(name)


def test_counts_from_one_are_mended_on_the_page():
    import numpy as np
    import pandas as pd
    import pytest
    from words import Words

    import irtvi
    from irtvi.errors import SpecificationError

    counts = pd.DataFrame(np.random.default_rng(0).integers(1, 4, (60, 3)), columns=list("abc"))
    with pytest.raises(SpecificationError) as caught:
        irtvi.fit(counts, "binomial")
    said = Words("Teacher").sentence(str(caught.value))
    assert "“order of answers” on the page Data" in said
    assert "categories" not in said


def test_zero_has_no_sign():
    from words import number

    assert [number(value) for value in (-0.001, 0.0, -0.006, 1.234)] == ["0.00", "0.00", "-0.01", "1.23"]


def test_only_what_is_certain_has_a_chance_of_nought_or_all():
    from words import chance

    assert [chance(p) for p in (0.0, 0.001, 0.5, 0.999, 1.0)] == ["0%", "<1%", "50%", ">99%", "100%"]


def test_errors_and_notes_speak_to_their_audience():
    from words import Words

    said = "Item 'b' has 200 categories; 26 persons answered no item."
    assert Words("Teacher").sentence(said) == "Question 'b' has 200 categories; 26 students answered no question."
    assert Words("Benchmark").sentence(said) == "Task 'b' has 200 categories; 26 models answered no task."
    assert Words("Psychometrician").sentence(said) == said
