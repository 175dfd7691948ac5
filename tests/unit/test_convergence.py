"""The whole certificate as tables: of every engine, of new people, from a file."""

import warnings

import numpy as np
import pandas as pd
import pytest

import irtvi
from irtvi.diagnostics import convergence
from irtvi.errors import ResponsesNeededError
from irtvi.inference.stochastic import StochasticSettings

BRIEF = StochasticSettings(round_steps=30, max_rounds=3)
ENGINES = {
    "amortized": irtvi.Amortized(),
    "quadrature": irtvi.Quadrature(),
    "elbo": irtvi.Amortized(objective="elbo", bound=BRIEF),
}


@pytest.fixture(scope="module")
def answers():
    frame = irtvi.simulate("2pl", 300, 12, missing=0.3, seed=4).responses
    frame.iloc[5] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the person without an answer
        return irtvi.read(frame)


@pytest.fixture(scope="module")
def results(answers):
    return {name: irtvi.fit(answers, model="2pl", engine=engine) for name, engine in ENGINES.items()}


@pytest.mark.parametrize("name", ["amortized", "elbo"])
def test_gaps_are_the_error_before_repair(results, name):
    found = convergence(results[name])
    people = found.people
    np.testing.assert_allclose(-people["error_before"], people["gap_approximation"] + people["gap_amortization"])
    np.testing.assert_allclose(-people["error_after"], people["gap_approximation"] + people["gap_repaired"])
    # Gaps come from float32 log joints where a bound was climbed.
    assert (people["error_before"] < 1e-5).all()
    assert people["log_marginal"].sum() == pytest.approx(results[name].log_marginal, abs=1e-3)
    assert people.index.equals(results[name].abilities.index)
    pd.testing.assert_series_equal(people["theta"], results[name].abilities["theta"])
    certificates = results[name].certificates
    pd.testing.assert_frame_equal(people[list(certificates.columns)], certificates)


def test_scores_are_the_repaired_or_the_encoders(results):
    windows, bound = convergence(results["amortized"]).people, convergence(results["elbo"]).people
    assert (windows["repaired"] == windows["repair_needed"]).all()
    assert windows["reliable"].all()
    assert not bound["repaired"].any()
    assert (bound["reliable"] == ~bound["repair_needed"]).all()
    np.testing.assert_array_equal(bound["theta"], bound["theta_before"])
    assert (windows["theta"] - windows["theta_before"]).abs().max() > 1e-4


def test_a_grid_has_errors_but_no_gaps(results):
    people = convergence(results["quadrature"]).people
    for name in ("theta_before", "gap_approximation", "gap_amortization", "error_before", "pareto_k", "ess"):
        assert people[name].isna().all()
    assert people["error"].between(0, 1e-5).all()
    assert people["reliable"].all()


@pytest.mark.parametrize("name", ENGINES)
def test_shares_and_numbers_are_those_of_the_people(results, name):
    found = convergence(results[name])
    people, shares = found.people, found.shares
    assert shares.loc["reliable", "share"] == people["reliable"].mean()
    assert shares.loc["repair needed", "persons"] == people["repair_needed"].sum()
    over = shares.loc["delta over the limit"]
    assert over["persons"] == (people["delta"] > over["limit"]).sum()
    assert found.numbers.loc["delta", "max"] == people["delta"].max()
    assert found.numbers.loc["error", "median"] == people["error"].median()
    assert found.reason in repr(found)
    assert found.converged == results[name].converged


def test_the_trace_splits_the_gap_at_every_step(results):
    for name in ("amortized", "elbo"):
        trace = convergence(results[name]).trace
        assert (trace["gap_approximation"] > 0).all()
        assert (trace["gap_amortization"] > 0).all()
        assert trace["repair_needed"].between(0, 1).all()
        pd.testing.assert_frame_equal(trace[results[name].trace.columns], results[name].trace)
    last = convergence(results["amortized"])
    # Of 200 of the 300 persons.
    assert last.trace["gap_amortization"].iloc[-1] == pytest.approx(last.people["gap_amortization"].mean(), rel=0.3)
    assert convergence(results["quadrature"]).trace["gap_amortization"].isna().all()


def test_somebody_without_an_answer_has_no_gap(results):
    for name in ("amortized", "elbo"):
        person = convergence(results[name]).people.iloc[5]
        assert person["log_marginal"] == pytest.approx(0.0, abs=1e-6)
        assert person["gap_approximation"] == pytest.approx(0.0, abs=1e-5)
        assert bool(person["reliable"])


@pytest.mark.parametrize("name", ENGINES)
def test_new_people_and_a_file_without_responses(results, name, answers, tmp_path):
    again = irtvi.load(results[name].save(tmp_path / "fit.irtvi"))
    with pytest.raises(ResponsesNeededError):
        convergence(again)
    new = convergence(again, answers).people
    old = convergence(results[name]).people
    # Windows depend a little on who is scored together.
    pd.testing.assert_frame_equal(new[["theta", "sd"]], old[["theta", "sd"]], atol=1e-4, rtol=0)
    np.testing.assert_allclose(new["log_marginal"], old["log_marginal"], atol=2e-4)


def test_the_summary_says_the_shares(results):
    said = dict(results["amortized"].summary().facts)["Abilities certified"]
    repaired = results["amortized"].certificates["repaired"].mean()
    assert said == f"100.0% of persons; the encoder's answer was repaired for {repaired:.1%}"
    assert dict(results["quadrature"].summary().facts)["Abilities certified"] == "100.0% of persons"
