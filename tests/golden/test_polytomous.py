"""Published and re-computed figures for ordered, nominal and mixed items, priors off, exact engine.

Sources: the tables of R mirt 1.45.1 in the reference folder (how they were made stands in its README) and the
log-likelihoods listed there. Tolerances are those that the package promises for quadrature.
"""

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import irtvi
from irtvi import Responses, Result

pytestmark = pytest.mark.reference

LOG_LIKELIHOOD = 0.002
SE_SHARE = 0.01
SCORE = 0.001


@pytest.fixture(scope="module")
def science(reference: Path) -> Responses:
    return irtvi.read(reference / "data" / "science4.csv")


@pytest.fixture(scope="module")
def agreeableness(reference: Path) -> Responses:
    """The agreeableness items, A1 reversed; empty rows stay, as in the reference tables."""
    table = pd.read_csv(reference / "data" / "bfi25.csv")[["id", "A1", "A2", "A3", "A4", "A5"]]
    return irtvi.read(table.assign(A1=7 - table["A1"]))


@pytest.fixture(scope="module")
def sat12(reference: Path) -> Responses:
    """Options 1 to 5; an omission (8) is missing in the first five items and wrong in the others."""
    key = [int(option) for option in "14523121312421534414334135131545"]
    table = pd.read_csv(reference / "data" / "sat12_raw.csv")
    items = [column for column in table if column != "id"]
    return irtvi.read(
        table,
        key=dict(zip(items, key, strict=True)),
        missing={item: [8] for item in items[:5]},
        wrong={item: [8] for item in items[5:]},
    )


@pytest.fixture(scope="module")
def fits() -> dict[tuple[int, str], Result]:
    return {}


def fitted(fits: dict, responses: Responses, model: str) -> Result:
    """Each fit once."""
    if (id(responses), model) not in fits:
        fits[id(responses), model] = irtvi.fit(responses, model, priors=None, engine="quadrature")
    return fits[id(responses), model]


def reference_fit(folder: Path, model: str) -> dict[str, float]:
    """A row of fit.csv, whose notes hold commas that are not quoted."""
    with (folder / "fit.csv").open(encoding="utf-8") as file:
        row = next(row for row in csv.reader(file) if row[0] == model)
    return {"n_parameters": float(row[3]), "log_likelihood": float(row[4])}


@pytest.mark.parametrize(
    ("model", "log_likelihood", "n_parameters"),
    [
        ("grm", -1608.869, 16),
        ("gpcm", -1612.682, 16),
        ("pcm", -1619.274, 13),
        ("nominal", -1608.452, 24),
        ("sequential", -1609.768, 16),
    ],
)
def test_science_log_likelihood(science, fits, model, log_likelihood, n_parameters):
    result = fitted(fits, science, model)
    assert result.converged
    assert result.log_marginal == pytest.approx(log_likelihood, abs=LOG_LIKELIHOOD)
    assert result.n_parameters == n_parameters


def test_science_with_equal_slopes(science):
    result = irtvi.fit(science, "grm", priors=None, equal=("a",), engine="quadrature")
    assert result.log_marginal == pytest.approx(-1613.899, abs=LOG_LIKELIHOOD)
    assert result.n_parameters == 13
    assert result.items["a"].nunique() == 1


@pytest.mark.parametrize(
    ("first_five", "log_likelihood"), [("nested_logit", -11626.064), ("nominal", -11627.152)]
)
def test_sat12_options_beside_scored_items(sat12, first_five, log_likelihood):
    models = {item: first_five if j < 5 else "2pl" for j, item in enumerate(sat12.item_ids)}
    result = irtvi.fit(sat12, models, priors=None, engine="quadrature")
    assert result.converged
    assert result.log_marginal == pytest.approx(log_likelihood, abs=LOG_LIKELIHOOD)
    assert result.n_parameters == 94


TABLES = [
    ("science", "Science", "GRM"),
    ("science", "Science", "GPCM"),
    ("science", "Science", "PCM"),
    ("agreeableness", "bfi_A", "GRM"),
    ("agreeableness", "bfi_A", "GPCM"),
    ("agreeableness", "bfi_A", "PCM"),
]


@pytest.mark.parametrize(("data", "folder", "model"), TABLES)
def test_items_and_standard_errors(request, reference, fits, data, folder, model):
    result = fitted(fits, request.getfixturevalue(data), model.lower())
    expected = pd.read_csv(reference / "reference" / "mirt" / folder / f"items_irt_{model}.csv", index_col=0)
    published = reference_fit(reference / "reference" / "mirt" / folder, model)
    assert result.log_marginal == pytest.approx(published["log_likelihood"], abs=LOG_LIKELIHOOD)
    assert result.n_parameters == published["n_parameters"]
    for name in (column for column in expected if not column.startswith("SE_")):
        se = expected[f"SE_{name}"].fillna(0.0)
        allowed = np.maximum(0.002, 0.001 * se)
        assert ((result.items[name] - expected[name]).abs() <= allowed).all(), name
        if model == "GPCM" and name == "b1":
            continue  # mirt's value is not the delta method of its own covariance; see the next test
        ours = result.items[f"{name}_sd"]
        assert np.allclose(ours[se > 0], se[se > 0], rtol=SE_SHARE), name
        assert (ours[se == 0] == 0).all(), name


def test_standard_errors_of_gpcm_difficulties_from_an_independent_hessian(science, fits):
    """Inverse Hessian of a log-likelihood written anew, with a and b as its variables.

    R mirt's standard errors of a and of the intercepts agree with ours, but its standard error of the first
    difficulty of each item does not follow from them.
    """
    items = fitted(fits, science, "gpcm").items
    codes = science.scored().to_dense().codes.long()
    theta = torch.linspace(-8, 8, 161, dtype=torch.float64)
    log_weight = torch.log_softmax(-0.5 * theta.square(), 0)

    def log_likelihood(flat):
        a, b = flat.view(4, 4)[:, :1], flat.view(4, 4)[:, 1:]
        steps = a * (theta[:, None, None] - b)
        logits = torch.cat([torch.zeros_like(steps[..., :1]), steps.cumsum(-1)], -1)
        table = logits - logits.logsumexp(-1, keepdim=True)
        by_person = sum(table[:, j, codes[:, j]] for j in range(4))
        return torch.logsumexp(by_person + log_weight[:, None], 0).sum()

    point = torch.tensor(items[["a", "b1", "b2", "b3"]].to_numpy().reshape(-1))
    hessian = torch.autograd.functional.hessian(log_likelihood, point)
    expected = torch.linalg.inv(-hessian).diagonal().sqrt().view(4, 4).numpy()
    assert np.allclose(items[["a_sd", "b1_sd", "b2_sd", "b3_sd"]], expected, rtol=SE_SHARE)


def test_nominal_items_and_standard_errors(science, reference, fits):
    result = fitted(fits, science, "nominal")
    folder = reference / "reference" / "mirt" / "Science"
    expected = pd.read_csv(folder / "items_irt_NRM.csv", index_col=0)
    for name in (column for column in expected if not column.startswith("SE_")):
        se = expected[f"SE_{name}"]
        assert ((result.items[name] - expected[name]).abs() <= np.maximum(0.002, 0.001 * se)).all(), name
        assert np.allclose(result.items[f"{name}_sd"], se, rtol=SE_SHARE), name


SCORES = [
    ("science", "Science", "GRM", "grm"),
    ("science", "Science", "GPCM", "gpcm"),
    ("science", "Science", "NRM", "nominal"),
    ("agreeableness", "bfi_A", "GRM", "grm"),
    ("agreeableness", "bfi_A", "GPCM", "gpcm"),
]


@pytest.mark.parametrize(("data", "folder", "table", "model"), SCORES)
@pytest.mark.parametrize("method", ["eap", "map", "ml", "wle"])
def test_scores(request, reference, fits, data, folder, table, model, method):
    responses = request.getfixturevalue(data)
    result = fitted(fits, responses, model)
    expected = pd.read_csv(reference / "reference" / "mirt" / folder / f"scores_{table}.csv")
    answered = responses.answered() > 0
    ours = result.score(responses, method=method)
    theta, se = expected[method.upper()].to_numpy(), expected[f"{method.upper()}_SE"].to_numpy()
    # Without a finite maximum mirt gives an infinite value or stops at its limit of 20.
    finite = np.isfinite(theta) & (np.abs(theta) < 19) & answered[: len(theta)]
    assert finite.sum() > 0.9 * len(theta)
    assert np.abs(ours["theta"].to_numpy() - theta)[finite].max() <= SCORE
    assert np.abs(ours["sd"].to_numpy() - se)[finite].max() <= SCORE


def test_eap_of_a_pattern(science, fits):
    """Pattern (1, 2, 3, 4) of R mirt's own tests."""
    new = pd.DataFrame([[0, 1, 2, 3]], columns=list(science.item_ids))
    score = fitted(fits, science, "grm").score(new)
    assert float(score["theta"].iloc[0]) == pytest.approx(-0.3495, abs=SCORE)
    assert float(score["sd"].iloc[0]) == pytest.approx(0.6005, abs=SCORE)


@pytest.mark.filterwarnings("ignore::irtvi.errors.EmptyPersonWarning")
@pytest.mark.filterwarnings("ignore::irtvi.errors.FewAnswersWarning")
@pytest.mark.parametrize("priors", ["default", None])
def test_timss_with_two_and_three_categories_fits_in_seconds(reference, priors):
    result = irtvi.fit(reference / "data" / "timss07_g8_rus_math.csv", priors=priors)
    assert result.converged
    assert dict(result.items["model"].value_counts()) == {"2pl": 193, "grm": 22}
    assert any("2PL for the 193 items" in note and "22 with more" in note for note in result.notes)
    # Two cores; about 2 s.
    assert result.posterior.seconds < 20


def test_options_may_be_named_in_any_order(science, fits):
    """The nominal model does not know which code is which: permuting them changes nothing."""
    shuffled = pd.DataFrame(science.raw().to_dense().codes.numpy(), columns=list(science.item_ids))
    orders = [(2, 0, 3, 1), (1, 3, 0, 2), (3, 2, 1, 0), (0, 2, 1, 3)]
    for item, order in zip(shuffled, orders, strict=True):
        shuffled[item] = np.array(order)[shuffled[item]]
    again = irtvi.fit(shuffled, "nominal", priors=None, engine="quadrature")
    first = fitted(fits, science, "nominal")
    assert again.log_marginal == pytest.approx(first.log_marginal, abs=1e-4)
    same = np.sign(again.abilities["theta"].iloc[0] * first.abilities["theta"].iloc[0])
    for item, order in zip(shuffled, orders, strict=True):
        moved = [again.items.loc[item, f"a{code + 1}"] for code in order]
        assert np.allclose(
            same * np.array(moved), first.items.loc[item, ["a1", "a2", "a3", "a4"]].astype(float), atol=2e-3
        )


def test_bock_1997_slopes_rise_with_the_category(reference):
    result = irtvi.fit(reference / "data" / "bock1997_nominal.csv", "nominal", priors=None)
    assert result.converged
    for low, high in pairwise(["a1", "a2", "a3", "a4"]):
        assert (result.items[low] < result.items[high]).all()
