"""The certificate tells the truth: integrals, gaps, and who is flagged."""

import math

import pytest
import torch

from irtvi.inference.answers import answers_of
from irtvi.inference.certificate import Certificates, audit
from irtvi.inference.encoders.parabola import Parabola
from irtvi.inference.encoders.product_of_experts import ProductOfExperts
from irtvi.inference.encoders.proposal import GaussianProposal
from irtvi.inference.engines.engine import Data
from irtvi.inference.expectation import run_pass
from irtvi.inference.pairs import joint_derivatives, log_joint
from irtvi.inference.placing import GridPlacing
from irtvi.inference.repair import repair
from irtvi.responses.cells import DenseCells


def exact(problem):
    """Sums over everyone on a fine grid, which takes no part in the audit."""
    answers = answers_of(problem.model, problem.data.cells)
    placing = GridPlacing(answers, problem.everyone, problem.data.groups)
    placing._spacing = 0.02
    placed = placing.place(problem.model, problem.free)
    return run_pass(problem.model, placed, problem.free, None, torch.float64).persons


def audited(problem, proposal):
    return audit(
        problem.model, problem.free, problem.data.cells, problem.everyone, problem.data.groups, proposal
    )


def encoded(problem, generator):
    answers = answers_of(problem.model, problem.data.cells)
    with torch.no_grad():
        return ProductOfExperts(generator).encode(
            problem.model, problem.free, answers, problem.everyone, problem.data.groups
        )


def parabola(problem):
    answers = answers_of(problem.model, problem.data.cells)
    return Parabola().encode(problem.model, problem.free, answers, problem.everyone, problem.data.groups)


def prior(problem):
    n = len(problem.everyone)
    return GaussianProposal(torch.zeros(n), torch.ones(n))


@pytest.mark.parametrize("missing", [0.0, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("model", ["2pl", "3pl"])
def test_repaired_scores_are_those_of_quadrature(model, missing, simulated, generator):
    problem = simulated(300, 40, missing, model=model, c=0.2 if model == "3pl" else 0.0)
    answered = problem.codes >= 0
    for person, answer in ((0, 1), (1, 0)):
        problem.codes[person] = torch.where(answered[person], answer, -1)
    problem.data = Data(DenseCells(problem.codes).compact(), None, problem.data.groups)
    truth, judged = exact(problem), audited(problem, encoded(problem, generator))
    assert float(((judged.sums.mean - truth.mean) / truth.sd).abs().max()) < 0.005
    assert float((judged.sums.sd / truth.sd - 1).abs().max()) < 0.005
    # float32 sums of at most 40 log-probabilities.
    assert float((judged.sums.log_marginal - truth.log_marginal).abs().max()) < 1e-4
    assert bool(judged.certificates.reliable.all())


def test_gaps_add_up_to_the_bounds_error(simulated, generator):
    problem = simulated(200, 20)
    proposal = encoded(problem, generator)
    judged = audited(problem, proposal)
    # 200,000 draws of three persons: the bound by brute force.
    few = torch.arange(3)
    noise = torch.randn(200_000, 3, generator=generator)
    theta = proposal.take(few).transport(noise)
    groups = problem.data.groups[few]
    w = log_joint(problem.model, problem.free, problem.data.cells, few, groups, theta)
    w = (w - proposal.take(few).log_prob(theta)).double()
    error = w.mean(0) - exact(problem).log_marginal[few]
    monte_carlo = w.std(0) / math.sqrt(len(w))
    assert bool(((judged.certificates.error_before[few] - error).abs() < 4 * monte_carlo + 1e-5).all())


def test_no_gaussian_is_better_than_the_best(simulated, generator):
    problem = simulated(300, 12, model="3pl", c=0.25)
    judged = audited(problem, encoded(problem, generator))
    # float32 log joints of twelve items.
    assert float(judged.certificates.gap_approximation.min()) > -1e-5
    assert float(judged.certificates.gap_amortization.min()) > -1e-5
    assert float(judged.certificates.gap_repaired.min()) > -1e-5
    best = GaussianProposal(judged.sums.mean.float(), judged.sums.sd.float())
    assert float(audited(problem, best).certificates.gap_amortization.max()) < 0.1


def test_repair_removes_most_of_the_gap(simulated, generator):
    problem = simulated(500, 30)
    judged = audited(problem, encoded(problem, generator))
    assert float(judged.certificates.gap_repaired.mean()) < 0.2 * float(judged.certificates.gap_amortization.mean())
    assert float((judged.certificates.error_after - judged.certificates.error_before).mean()) > 0


def test_the_coarse_parabola_needs_little_repair(simulated, generator):
    """It has been measured to put 99 % of means within .14 sd, so gaps are of the order of .14^2 / 2."""
    problem = simulated(500, 30)
    judged = audited(problem, parabola(problem))
    assert float(judged.certificates.gap_amortization.quantile(0.99)) < 0.03
    assert float(judged.certificates.gap_amortization.mean()) < float(
        audited(problem, encoded(problem, generator)).certificates.gap_amortization.mean()
    )


def test_repair_reaches_the_mode(simulated):
    problem = simulated(200, 20, missing=0.4)
    groups = problem.data.groups
    found = repair(
        problem.model, problem.free, problem.data.cells, problem.everyone, groups, prior(problem), 8
    )
    slope, curvature = joint_derivatives(
        problem.model, problem.free, problem.data.cells, problem.everyone, groups, found.mean
    )
    assert float(slope.abs().max()) < 1e-4
    torch.testing.assert_close(found.sd, (-curvature).rsqrt())


def test_an_encoder_frozen_at_the_prior_is_found_out(simulated, generator):
    problem = simulated(500, 30)
    good, frozen = (audited(problem, p).unrepaired() for p in (encoded(problem, generator), prior(problem)))
    assert float(frozen.needed.double().mean()) > 0.99
    assert float(good.needed.double().mean()) < 0.9
    assert float(frozen.gap_amortization.median()) > 20 * float(good.gap_amortization.median())
    assert float(frozen.ess.mean()) < 0.6 * float(good.ess.mean())
    assert not bool(frozen.reliable.any())
    assert not bool(frozen.repaired.any())


def test_the_spoiled_are_the_flagged(simulated):
    """The exact Gaussian, moved for some people: the gap singles out those whose scores are wrong."""
    problem = simulated(600, 25)
    truth = exact(problem)
    generator = torch.Generator().manual_seed(3)
    size = torch.rand(600, generator=generator) * (torch.rand(600, generator=generator) < 0.3)
    direction = torch.where(torch.rand(600, generator=generator) < 0.5, -1.0, 1.0)
    spoiled = GaussianProposal((truth.mean + size * direction * truth.sd).float(), truth.sd.float())
    judged = audited(problem, spoiled)
    wrong = ((judged.certificates.encoded_mean - truth.mean) / truth.sd).abs() > 0.2
    bad, fine = judged.certificates.gap_amortization[wrong], judged.certificates.gap_amortization[~wrong]
    area = (bad[:, None] > fine).double().mean()
    assert 50 < int(wrong.sum()) < 250
    assert float(area) > 0.95
    assert bool(judged.certificates.needed[wrong].all())
    assert bool(judged.certificates.reliable.all())


def test_same_numbers_each_time_and_for_any_block_of_persons(simulated, generator):
    problem = simulated(60, 15, missing=0.5)
    proposal = encoded(problem, generator)
    whole, again = audited(problem, proposal), audited(problem, proposal)
    assert torch.equal(whole.sums.log_marginal, again.sums.log_marginal)
    assert torch.equal(whole.certificates.pareto_k, again.certificates.pareto_k)
    for part in problem.everyone.split(7):
        block = audit(
            problem.model,
            problem.free,
            problem.data.cells,
            part,
            problem.data.groups[part],
            proposal.take(part),
        )
        # float32 log joints, summed in another order.
        torch.testing.assert_close(
            block.sums.log_marginal, whole.sums.log_marginal[part], atol=1e-5, rtol=1e-6
        )


def test_a_grid_has_no_gaps_and_no_draws(simulated):
    sums = exact(simulated(10, 5))
    made = Certificates.of_grid(sums)
    assert torch.equal(made.delta, sums.halving)
    assert torch.equal(made.edge, sums.edge)
    assert not bool(made.repaired.any())
    for unknown in (made.gap_approximation, made.gap_amortization, made.pareto_k, made.ess):
        assert bool(unknown.isnan().all())
