"""The certificate of windows against dense quadrature: stated errors, repaired scores, and who is flagged.

Tolerances are the promises of the package: log marginals within their stated error for 99 % of persons, scores
within .005 posterior sd, flags that tell right encodings from wrong ones with an area under the curve above .95.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch

import irtvi
from irtvi.inference.answers import answers_of
from irtvi.inference.encoders.encoder import Encoder
from irtvi.inference.encoders.parabola import Parabola
from irtvi.inference.encoders.proposal import GaussianProposal
from irtvi.inference.engines.engine import Data
from irtvi.inference.expectation import integrate
from irtvi.inference.placing import GridPlacing
from irtvi.inference.window_certificate import FrozenEncoder, audit_windows
from irtvi.responses.cells import DenseCells

DENSE = 0.01


def exact(problem):
    """Integrals on a grid far finer than any rule asks, from -9 to 9, which takes no part in what is judged."""
    answers = answers_of(problem.model, problem.data.cells)
    placing = GridPlacing(answers, problem.everyone, problem.data.groups, _spacing=DENSE, _tail=9.0)
    return integrate(problem.model, placing.place(problem.model, problem.free), problem.free)


def certified(problem, encoder):
    answers = answers_of(problem.model, problem.data.cells)
    return audit_windows(problem.model, problem.free, answers, problem.data.groups, encoder)


def with_extreme_people(problem):
    """The first person all right, the second all wrong, wherever they answered."""
    answered = problem.codes >= 0
    for person, answer in ((0, 1), (1, 0)):
        problem.codes[person] = torch.where(answered[person], answer, -1).to(problem.codes.dtype)
    problem.data = Data(DenseCells(problem.codes).compact(), None, problem.data.groups)
    return problem


def off(found, truth):
    """Largest error of means and sds, in posterior sds."""
    return max(float(((found.mean - truth.mean) / truth.sd).abs().max()), float((found.sd / truth.sd - 1).abs().max()))


@pytest.fixture(scope="module", params=["2pl", "3pl"])
def model(request):
    return request.param


@pytest.fixture(scope="module", params=[0.0, 0.5, 0.8, 0.95], ids=lambda share: f"missing-{share:.0%}")
def problem(request, model, simulated):
    made = simulated(2_000, 40, request.param, model=model, c=0.2 if model == "3pl" else 0.0, seed=11)
    return with_extreme_people(made)


def test_log_marginals_lie_within_their_stated_error(problem):
    certificates, truth = certified(problem, Parabola()).certificates, exact(problem)
    apart = (certificates.log_marginal - truth.log_marginal).abs()
    assert float((apart <= certificates.error).double().mean()) >= 0.99
    # A stated error says something only while it is small.
    assert float(certificates.error.quantile(0.99)) < 1e-3
    assert bool(certificates.reliable.all())


def test_repaired_scores_are_those_of_quadrature(problem):
    found, truth = certified(problem, Parabola()), exact(problem)
    assert off(found.sums, truth) < 0.005
    assert float((found.certificates.encoded_mean - truth.mean).abs().max()) > 0.005


def test_gaps_are_no_smaller_than_nothing(problem):
    certificates = certified(problem, Parabola()).certificates
    for gap in (certificates.gap_approximation, certificates.gap_amortization, certificates.gap_repaired):
        # The best Gaussian's bound is a sum over the person's few nodes.
        assert float(gap.min()) > -1e-4


@pytest.mark.parametrize("steepest", [4.0, 10.0])
def test_short_and_steep_tests_keep_their_stated_error(steepest):
    """Two ordinary items and steep ones between them, where the poles of the curves and not the sd ask for nodes."""
    bank = pd.DataFrame(
        {"a": [1.0, 1.2, steepest, steepest, steepest], "b": [-1.0, 1.0, -0.4, 0.1, 0.5]}, index=list("vwxyz")
    )
    answers = irtvi.simulate(n_persons=400, items=bank, seed=3).responses
    result = irtvi.fit(answers, model="2pl", fixed=bank)
    people = irtvi.diagnostics.convergence(result).people
    theta = np.arange(-10, 10, 0.0005)
    logit = bank["a"].to_numpy() * (theta[:, None] - bank["b"].to_numpy())
    density = np.exp(-0.5 * theta**2) / np.sqrt(2 * np.pi)
    y = answers.to_numpy(float)
    right = np.exp(y @ (-np.logaddexp(0, -logit)).T + (1 - y) @ (-np.logaddexp(0, logit)).T) * density
    apart = np.abs(people["log_marginal"].to_numpy() - np.log(right.sum(1) * 0.0005))
    assert (apart <= people["error"].to_numpy()).mean() >= 0.99
    mean = (right @ theta) / right.sum(1)
    np.testing.assert_allclose(people["theta"], mean, atol=1e-4)


# Encoders that are wrong on purpose.


def area_under_the_curve(score, wrong):
    """Probability that somebody wrong scores higher than somebody who is not."""
    return float((score[wrong][:, None] > score[~wrong]).double().mean())


def test_an_encoder_frozen_at_the_prior_is_found_out(simulated):
    problem = with_extreme_people(simulated(2_000, 30, seed=12))
    good, frozen = certified(problem, Parabola()), certified(problem, FrozenEncoder())
    assert float(good.certificates.needed.double().mean()) < 0.3
    assert float(frozen.certificates.needed.double().mean()) > 0.99
    assert float(frozen.certificates.gap_amortization.mean()) > 100 * float(good.certificates.gap_amortization.mean())
    # And mended: the same integrals from windows that began everywhere.
    truth = exact(problem)
    assert off(frozen.sums, truth) < 0.005
    within = (frozen.sums.log_marginal - truth.log_marginal).abs() <= frozen.certificates.error
    assert float(within.double().mean()) >= 0.99


@dataclass(frozen=True)
class Spoiled(Encoder):
    """The parabola, moved and stretched for some people."""

    shift: torch.Tensor
    stretch: torch.Tensor
    name = "spoiled"

    def encode(self, model, free, answers, persons, groups):
        honest = Parabola().encode(model, free, answers, persons, groups)
        mean = honest.mean + self.shift[persons] * honest.sd
        return GaussianProposal(mean, honest.sd * self.stretch[persons])


@pytest.mark.parametrize("missing", [0.0, 0.8])
def test_the_spoiled_are_the_flagged(missing, simulated, generator):
    """Anything from hardly to badly spoiled, so that no gap parts the wrong from the others."""
    problem = simulated(2_000, 50, missing, seed=13)
    n = len(problem.everyone)
    spoiled = torch.rand(n, generator=generator) < 0.5
    direction = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    shift = spoiled * direction * 1.2 * torch.rand(n, generator=generator)
    stretch = torch.where(spoiled, 0.8 + 0.5 * torch.rand(n, generator=generator), 1.0)
    found, truth = certified(problem, Spoiled(shift.double(), stretch.double())), exact(problem)
    off_centre = (found.certificates.encoded_mean - truth.mean).abs() / truth.sd
    wrong = off_centre > 0.2
    assert 500 < int(wrong.sum()) < 1_200
    assert int(((off_centre > 0.1) & ~wrong).sum()) > 30
    assert area_under_the_curve(found.certificates.gap_amortization, wrong) > 0.95
    assert bool(found.certificates.needed[wrong].all())
    assert off(found.sums, truth) < 0.005


def test_a_fit_with_a_frozen_encoder_says_so(monkeypatch):
    answers = irtvi.simulate("2pl", 1_000, 30, seed=14).responses
    good = irtvi.fit(answers, model="2pl")
    before = irtvi.diagnostics.convergence(good).shares["share"]
    monkeypatch.setattr("irtvi.inference.engines.amortized.Parabola", FrozenEncoder)
    monkeypatch.setattr("irtvi.results.certifying.Parabola", FrozenEncoder)
    monkeypatch.setattr("irtvi.results.scoring.Parabola", FrozenEncoder)
    frozen = irtvi.fit(answers, engine=irtvi.Amortized(encoder="frozen"), model="2pl")
    assert before["repaired"] < 0.3
    assert irtvi.diagnostics.convergence(frozen).shares.loc["repaired", "share"] > 0.99
    # What the encoder gets wrong costs nodes, not accuracy: the fits stop within .01 standard errors.
    apart = (frozen.items["a"] - good.items["a"]).abs() / good.items["a_sd"]
    assert apart.max() < 0.02
    np.testing.assert_allclose(frozen.abilities["theta"], good.abilities["theta"], atol=0.005)
