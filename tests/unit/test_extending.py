"""What docs/extending.md promises: a model that nobody registered goes the whole path."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import irtvi
from irtvi.errors import SpecificationError

ROOT = Path(__file__).resolve().parents[2]


def code_blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The names that the page's example defines, run as it stands."""
    names: dict = {}
    (code,) = code_blocks("docs/extending.md")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("extending"))
        exec(compile(code, "docs/extending.md", "exec"), names)
        names["file"] = Path("ogive.irtvi").resolve()
    return names


def test_it_is_fitted(example):
    result = example["result"]
    assert result.converged
    assert list(result.items.columns[:5]) == ["model", "a", "a_sd", "d", "d_sd"]
    assert (result.items["a_sd"] > 0).all()
    # The ogive times 1.702 lies within .01 of the logistic curve (Haley 1952), so the fits nearly agree.
    logistic = irtvi.fit(example["answers"], model="2pl", priors=None)
    assert abs(result.log_marginal - logistic.log_marginal) < 1.0
    np.testing.assert_allclose(result.items["a"] * 1.702, logistic.items["a"], atol=logistic.items["a_sd"].max())


def test_its_curve_is_the_formula(example):
    result = example["result"]
    a, d = result.items.loc["Item.3", ["a", "d"]]
    curve = result.curves("Item.3", [-1.0, 0.5])
    np.testing.assert_allclose(curve["value"], norm.cdf(a * np.array([-1.0, 0.5]) + d), rtol=1e-10)
    assert ((curve["lower"] < curve["value"]) & (curve["value"] < curve["upper"])).all()


def test_its_information_is_that_of_the_ogive(example):
    result = example["result"]
    a, d = result.items.loc["Item.1", ["a", "d"]]
    z = a * 0.3 + d
    expected = (a * norm.pdf(z)) ** 2 / (norm.cdf(z) * norm.sf(z))
    found = result.curves("Item.1", [0.3], what="information")["value"]
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_it_scores_new_people_as_those_of_the_fit(example):
    result, answers = example["result"], example["answers"]
    # Another pass over the persons: the promise for EAP and sd.
    pd.testing.assert_frame_equal(result.score(answers), result.abilities, rtol=0, atol=1e-3)
    for method in ("map", "wle", "eap_sum"):
        assert np.isfinite(result.score(answers.head(40), method=method)["theta"]).all()


def test_it_is_saved_and_loaded(example):
    again = example["again"]
    pd.testing.assert_frame_equal(again.items, example["result"].items)
    pd.testing.assert_frame_equal(again.abilities, example["result"].abilities)
    new = example["answers"].head(20)
    pd.testing.assert_frame_equal(again.score(new), example["result"].score(new))


def test_a_file_whose_model_is_not_given_says_so(example):
    with pytest.raises(SpecificationError, match="normal_ogive"):
        irtvi.load(example["file"])


def test_it_mixes_with_registered_models(example):
    models = {f"Item.{k}": "2pl" for k in range(1, 6)} | {"Item.2": example["NormalOgive"]()}
    result = irtvi.fit(example["answers"], model=models)
    assert result.items["model"].tolist() == ["2pl", "normal_ogive", "2pl", "2pl", "2pl"]


def test_the_examples_of_the_other_pages_run():
    """README.md shows a figure in the browser; everything else runs as it stands."""
    for page in ("README.md", "docs/priors.md"):
        blocks = code_blocks(page)
        assert blocks, page
        for code in blocks:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("plotly.graph_objects.Figure.show", lambda figure: None)
                patch.setattr("irtvi.results.result.Result.save", lambda result, path: None)
                exec(compile(code, page, "exec"), {})


def test_the_page_of_priors_tells_the_truth():
    from irtvi.models.items.dichotomous import INTERCEPT, LOWER, SLOPE, UPPER

    said = (ROOT / "docs/priors.md").read_text(encoding="utf-8")
    for spec, text in ((SLOPE, "N(1, 1)"), (INTERCEPT, "N(0, 3)"), (UPPER, "N(2.5, .75)")):
        assert f"N({spec.prior.mean:g}, {spec.prior.sd:g})".replace("0.", ".") == text
        assert text in said
    assert (np.exp(LOWER.prior.mean), LOWER.prior.sd) == (pytest.approx(0.25), 0.5)
    assert "N(log .25, .5)" in said
