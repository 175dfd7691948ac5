from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.special import expit

from irtvi.errors import SpecificationError
from irtvi.results.formula import category_table, formula_table, models_of_thresholds

STEPS = {"a": 1.3, "b1": -1.0, "b2": 0.2, "b3": 1.1}


def test_graded_categories_are_differences_of_logistic_curves():
    theta = np.linspace(-3, 3, 13)
    table = category_table("grm", STEPS, 4, theta).pivot(index="category", columns="theta", values="probability")
    at_least = np.array([np.ones(13), *(expit(1.3 * (theta - b)) for b in (-1.0, 0.2, 1.1)), np.zeros(13)])
    np.testing.assert_allclose(table, at_least[:-1] - at_least[1:], atol=1e-12)


@pytest.mark.parametrize("model", ["grm", "gpcm", "pcm", "sequential"])
def test_information_is_the_squared_slope_over_the_probability(model):
    theta, step = np.linspace(-2, 2, 9), 1e-5
    table = category_table(model, STEPS, 4, theta)
    low, high = (category_table(model, STEPS, 4, theta + shift)["probability"] for shift in (-step, step))
    slope = (high - low) / (2 * step)
    # Central differences of a probability: step^2 from the third derivative, 1e-16 / step from rounding.
    np.testing.assert_allclose(table["information"], slope**2 / table["probability"], atol=1e-8)
    np.testing.assert_allclose(table.groupby("theta")["probability"].sum(), 1, rtol=1e-12)


def test_two_categories_are_the_two_parameter_model():
    steps = category_table("grm", {"a": 1.3, "b1": -0.4}, 2)
    formula = formula_table("2pl", {"a": 1.3, "b": -0.4})
    right = steps.loc[steps["category"] == 1, "probability"]
    np.testing.assert_allclose(right, formula["probability"], rtol=1e-12)
    np.testing.assert_allclose(steps.groupby("theta")["information"].sum(), formula["information"], rtol=1e-9)


def test_only_models_that_thresholds_say_in_full():
    assert models_of_thresholds(4) == ["grm", "gpcm", "pcm", "sequential"]
    with pytest.raises(SpecificationError, match="needs"):
        category_table("nominal", STEPS, 4)


def test_threads_do_not_disturb_each_other():
    """Torch's forward derivatives are global to the process; pages and fits compute side by side."""

    def at(difficulty):
        return formula_table("4pl", {"a": 1.0, "b": difficulty, "c": 0.1, "u": 0.9})

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(at, np.linspace(-1, 1, 60)))
    for difficulty, table in zip(np.linspace(-1, 1, 60), together, strict=True):
        np.testing.assert_array_equal(table, at(difficulty))
