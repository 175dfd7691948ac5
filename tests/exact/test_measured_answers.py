"""Measured answers against the closed form of the linear factor model and against dense quadrature."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

import irtvi
from irtvi.errors import ConflictingOptionsError, OutOfBoundsError, SpecificationError, UnparsableValueError

ENGINES = ("quadrature", "amortized")
NODES = np.linspace(-7, 7, 2801)


@pytest.fixture(scope="module")
def factor():
    """Answers of a linear factor model in uncommon units."""
    rng = np.random.default_rng(5)
    slope, level, noise = (
        np.array(row) for row in ([12.0, -3.0, 0.6, 9.0], [500.0, 2.0, -1.0, 0.0], [9.0, 4.0, 0.5, 4.0])
    )
    theta = rng.standard_normal(400)
    answers = theta[:, None] * slope + level + noise * rng.standard_normal((400, 4))
    return pd.DataFrame(answers, columns=list("abcd"))


def normal_with(items):
    cov = np.outer(items["a"], items["a"]) + np.diag(items["sigma"] ** 2)
    return stats.multivariate_normal(items["d"].to_numpy(), cov)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_linear_factor_model_in_closed_form(factor, engine):
    """Log marginal, abilities and their sds of a maximum-likelihood fit."""
    result = irtvi.fit(factor, model="normal", engine=engine, priors=None)
    items = result.items
    assert result.converged
    # The rule is good to 1e-7 nats a person, and a sum over persons in float64 to less than that.
    assert result.log_marginal == pytest.approx(normal_with(items).logpdf(factor.to_numpy()).sum(), abs=4e-5)
    weight = items["a"] / items["sigma"] ** 2
    precision = 1 + (weight * items["a"]).sum()
    mean = (factor.to_numpy() - items["d"].to_numpy()) @ weight.to_numpy() / precision
    np.testing.assert_allclose(result.abilities["theta"], mean, atol=2e-5)
    np.testing.assert_allclose(result.abilities["sd"], precision**-0.5, rtol=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_posteriors_hundreds_of_times_narrower_than_the_population(factor, engine):
    bank = pd.DataFrame(
        {"a": [12.0, -3.0, 0.6, 9.0], "d": [500.0, 2.0, -1.0, 0.0], "sigma": [9.0, 4.0, 0.5, 0.03]}, index=list("abcd")
    )
    result = irtvi.fit(factor, model="normal", engine=engine, fixed=bank)
    # Answers far from the line of the steep item have log densities of about -1e5, added up in float64.
    assert result.log_marginal == pytest.approx(normal_with(bank).logpdf(factor.to_numpy()).sum(), rel=1e-9)
    assert result.abilities["sd"].max() < 0.004


def test_the_maximum_and_its_standard_errors(factor):
    """The closed-form likelihood has no gradient at the estimates; its curvature gives the same standard errors."""
    result = irtvi.fit(factor, model="normal", engine="quadrature", priors=None)
    y = torch.tensor(factor.to_numpy())
    unit, centre = y.std(0), y.mean(0)

    def negative(x):
        a, d, sigma = x[:4] * unit, centre + x[4:8] * unit, x[8:].exp() * unit
        normal = torch.distributions.MultivariateNormal(d, torch.outer(a, a) + torch.diag(sigma.square()))
        return -normal.log_prob(y).sum()

    it, unit_, centre_ = result.items, unit.numpy(), centre.numpy()
    x = torch.tensor(np.concatenate([it["a"] / unit_, (it["d"] - centre_) / unit_, np.log(it["sigma"] / unit_)]))
    hessian = torch.autograd.functional.hessian(negative, x)
    se = torch.linalg.inv(hessian).diagonal().sqrt()
    gradient = torch.autograd.functional.jacobian(negative, x)
    # The engine stops within 5e-4 standard errors of the maximum.
    assert float((gradient * se).abs().max()) < 5e-3
    reported = np.concatenate([it["a_sd"] / unit_, it["d_sd"] / unit_, it["sigma_sd"] / it["sigma"]])
    np.testing.assert_allclose(reported, se.numpy(), rtol=0.01)  # the promise about standard errors


@pytest.mark.parametrize("engine", ENGINES)
def test_beta_and_mixed_fits_against_dense_quadrature(engine):
    """Shares, one of them steep, times, right answers and grades together."""
    truth = irtvi.simulate(
        {"share": "beta", "steep": "beta", "time": "normal", "right": "2pl", "grade": "grm"}, n_persons=200,
        items=pd.DataFrame(
            {"a": [1.2, 3.0, -0.8, 1.0, 1.4], "b": [0.3, -0.2, np.nan, 0.0, np.nan], "phi": [8.0, 60.0] + [np.nan] * 3,
             "d": [np.nan, np.nan, 4.0, np.nan, np.nan], "sigma": [np.nan, np.nan, 0.5, np.nan, np.nan],
             "b1": [np.nan] * 4 + [-0.7], "b2": [np.nan] * 4 + [0.9]},
            index=["share", "steep", "time", "right", "grade"],
        ), missing=0.2, seed=3,
    )  # fmt: skip
    answers = truth.responses
    models = dict(zip(answers.columns, ["beta", "beta", "normal", "2pl", "grm"], strict=True))
    result = irtvi.fit(answers, model=models, engine=engine)
    assert result.converged
    items = result.items
    log_joint = np.tile(stats.norm.logpdf(NODES), (len(answers), 1))
    for item in ("share", "steep"):
        mu = 1 / (1 + np.exp(-items.at[item, "a"] * (NODES - items.at[item, "b"])))
        phi = items.at[item, "phi"]
        log_joint += np.nan_to_num(stats.beta.logpdf(answers[item].to_numpy()[:, None], mu * phi, (1 - mu) * phi))
    line = items.at["time", "a"] * NODES + items.at["time", "d"]
    log_joint += np.nan_to_num(stats.norm.logpdf(answers["time"].to_numpy()[:, None], line, items.at["time", "sigma"]))
    right = 1 / (1 + np.exp(-items.at["right", "a"] * (NODES - items.at["right", "b"])))
    for code, p in enumerate((1 - right, right)):
        log_joint[answers["right"] == code] += np.log(p)
    upper, top = (1 / (1 + np.exp(-items.at["grade", "a"] * (NODES - items.at["grade", b]))) for b in ("b1", "b2"))
    for code, p in enumerate((1 - upper, upper - top, top)):
        log_joint[answers["grade"] == code] += np.log(p)
    weight = np.exp(log_joint) * (NODES[1] - NODES[0])
    answered = answers.notna().any(axis=1).to_numpy()
    promised = {"quadrature": 0.002, "amortized": 0.02}[engine]
    assert result.log_marginal == pytest.approx(np.log(weight.sum(1))[answered].sum(), abs=promised)
    mean = weight @ NODES / weight.sum(1)
    np.testing.assert_allclose(result.abilities["theta"], mean, atol=0.001)  # promised for both


def test_standard_errors_of_beta_items_from_an_independent_hessian():
    answers = irtvi.simulate("beta", n_persons=250, n_items=3, seed=8).responses
    result = irtvi.fit(answers, model="beta", priors=None, engine="quadrature")
    y, nodes = torch.tensor(answers.to_numpy()), torch.linspace(-6, 6, 241, dtype=torch.float64)
    log_density = torch.distributions.Normal(0.0, 1.0).log_prob(nodes) + np.log(float(nodes[1] - nodes[0]))

    def negative(x):
        a, d, phi = x[:3], x[3:6], x[6:].exp()
        mu = torch.sigmoid(a * nodes[:, None] + d)
        beta = torch.distributions.Beta(mu * phi, (1 - mu) * phi, validate_args=False)
        return -torch.logsumexp(beta.log_prob(y[:, None]).sum(-1) + log_density, 1).sum()

    it = result.items
    x = torch.tensor(np.concatenate([it["a"], -it["a"] * it["b"], np.log(it["phi"])]))
    assert result.log_marginal == pytest.approx(-float(negative(x)), abs=1e-5)
    se = torch.linalg.inv(torch.autograd.functional.hessian(negative, x)).diagonal().sqrt()
    assert float((torch.autograd.functional.jacobian(negative, x) * se).abs().max()) < 5e-3
    reported = np.concatenate([it["a_sd"], it["phi_sd"] / it["phi"]])
    np.testing.assert_allclose(reported, torch.cat([se[:3], se[6:]]).numpy(), rtol=0.01)  # as promised


def test_numbers_travel_the_whole_path(factor, tmp_path):
    """Held-out log densities in closed form, new people, files, expected answers, curves and information."""
    train, test = irtvi.holdout(irtvi.read(factor, continuous=True), share=0.2, seed=1)
    assert train.n_responses + test.n_responses == factor.size
    result = irtvi.fit(train, model="normal", priors=None)
    predicted = result.predict(test).set_index(["id", "item"])
    known = factor.mask(~np.isin(np.arange(factor.size), np.flatnonzero(_answered(train))).reshape(factor.shape))
    for (person, item), row in list(predicted.iterrows())[:20]:
        others = known.loc[person].dropna().index
        both = normal_with(result.items.loc[[*others, item]]).logpdf([*factor.loc[person, others], row["response"]])
        given = normal_with(result.items.loc[others]).logpdf(factor.loc[person, others]) if len(others) else 0.0
        assert row["response"] == factor.at[person, item]
        assert row["log_prob"] == pytest.approx(both - given, abs=1e-6)
    table = irtvi.compare({"one": result, "two": irtvi.fit(train, model="normal", equal=("a",))}, holdout=test)
    assert table.at["one", "held_out"] == pytest.approx(predicted["log_prob"].sum(), abs=1e-6)
    result.save(tmp_path / "factor.irtvi", include_responses=True)
    again = irtvi.load(tmp_path / "factor.irtvi")
    pd.testing.assert_frame_equal(again.score(factor), result.score(factor))
    pd.testing.assert_frame_equal(again.predict(test), result.predict(test))
    curve = result.curves("a", theta=[-1.0, 2.0])
    line = result.items.at["a", "d"] + result.items.at["a", "a"] * curve["theta"]
    np.testing.assert_allclose(curve["value"], line, rtol=1e-12)
    np.testing.assert_allclose(result.curves("a", what="sd")["value"], result.items.at["a", "sigma"], rtol=1e-12)
    information = (result.items["a"] / result.items["sigma"]) ** 2
    np.testing.assert_allclose(result.curves("c", what="information")["value"], information["c"], rtol=1e-9)
    np.testing.assert_allclose(result.score(factor, method="ml")["sd"], information.sum() ** -0.5, rtol=1e-6)
    theta = result.abilities["theta"].to_numpy()[:, None]
    expected = result.items["d"].to_numpy() + theta * result.items["a"].to_numpy()
    np.testing.assert_allclose(result.expected_responses(), expected, rtol=1e-3, atol=1e-3)


def _answered(responses):
    cells = responses.cells.to_dense().codes.numpy()
    return cells.ravel() >= 0


def test_what_cannot_be_is_said(factor):
    shares = irtvi.simulate("beta", n_persons=50, n_items=3, seed=1).responses
    shares.iloc[4, 1] = 1.0
    with pytest.raises(OutOfBoundsError, match=r"between 0 and 1 .*: 5 has 1 for item 'Q2'.*move ends inward"):
        irtvi.fit(shares, model="beta")
    measured = irtvi.read(factor, continuous=True)
    with pytest.raises(SpecificationError, match="categories, but 4 items are measured: 'a' has numbers from"):
        irtvi.fit(measured, model="2pl")
    with pytest.raises(ConflictingOptionsError, match="in continuous= and in reverse="):
        irtvi.read(factor, continuous=True, reverse=["a"])
    with pytest.raises(UnparsableValueError, match=r"row 3, column 'a': 'x' is no number"):
        irtvi.read(factor.astype(object).replace({"a": {factor.iat[2, 0]: "x"}}), continuous=True)
    result = irtvi.fit(measured)
    assert any("the normal model: every item is measured" in note for note in result.notes)
    with pytest.raises(SpecificationError, match="measured and have no categories"):
        result.curves(what="probability")
    with pytest.raises(SpecificationError, match="Sum scores are about answers in categories"):
        result.score(factor, method="eap_sum")
    grades = pd.DataFrame(np.random.default_rng(2).integers(0, 4, (60, 3)), columns=list("xyz"))
    responses = irtvi.read(grades)
    both = {"grades": irtvi.fit(responses, model="grm"), "numbers": irtvi.fit(responses, model="normal")}
    with pytest.raises(SpecificationError, match="log density does not compare"):
        irtvi.compare(both)
    long = factor.rename_axis("id").reset_index().melt("id", var_name="item", value_name="resp")
    assert irtvi.fit(long, model="normal").log_marginal == pytest.approx(irtvi.fit(factor, model="normal").log_marginal)
