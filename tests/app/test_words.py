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
