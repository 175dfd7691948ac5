"""What goes wrong in the published code of variational IRT, each with a test that would catch it.

The bound is climbed as published (stochastic gradients, an encoder, mean-field items); the mistakes are not
repeated. Most tests also make the mistake on purpose and see that the test notices.
"""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import irtvi
import irtvi.inference.stochastic as stochastic
from irtvi.inference.answers import answers_of
from irtvi.inference.certificate import audit
from irtvi.inference.encoders import ProductOfExperts
from irtvi.inference.engines.engine import Data, Progress
from irtvi.inference.engines.quadrature import Quadrature
from irtvi.inference.stochastic import Batch, ItemGaussian, StochasticSettings, fit_stochastic
from irtvi.models.items.dichotomous import TwoPL
from irtvi.models.model import hold
from irtvi.models.specification import Specification, build
from irtvi.responses.cells import DenseCells
from irtvi.responses.read import read

BRIEF = StochasticSettings(outer=1, inner=4, round_steps=60, max_rounds=10, batch_size=256)


def fit(problem, settings=BRIEF, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return fit_stochastic(problem.model, problem.data, settings, generator, Progress())


def exactly(problem):
    return Quadrature().fit(problem.model, problem.data, torch.Generator().manual_seed(0), Progress())


def item_sd(posterior):
    return posterior.curvature.covariance_diagonal().sqrt()


def coverage(posterior, problem):
    z = (posterior.persons.mean - problem.theta) / posterior.persons.sd
    return float((z.abs() < 1.645).double().mean())


@pytest.fixture(scope="module")
def large(simulated):
    problem = simulated(4500, 20)
    return problem, fit(problem)


# 1. The items' divergence in full in every minibatch.


def test_item_sd_shrinks_with_the_number_of_persons(large, simulated):
    """As 1 / sqrt(N), so threefold from 500 to 4,500; the data differ, so within 12 %."""
    _, posterior = large
    small = fit(simulated(500, 20, seed=1))
    ratio = float((item_sd(small) / item_sd(posterior)).median())
    assert ratio == pytest.approx(3.0, rel=0.12)


def test_item_sd_is_near_the_standard_error(large):
    """A mean-field Gaussian has the conditional, not the marginal sd: smaller, but not by much."""
    problem, posterior = large
    ratio = float((item_sd(posterior) / item_sd(exactly(problem))).median())
    assert 0.75 < ratio < 1.05


def test_full_divergence_in_every_batch_would_be_noticed(large, simulated, monkeypatch):
    def whole(self, persons, size):
        for batch in batches(self, persons, size):
            yield Batch(batch.persons, batch.groups, 1.0)

    batches = stochastic.Bounding.batches
    monkeypatch.setattr(stochastic.Bounding, "batches", whole)
    problem, posterior = large
    wrong = fit(problem, replace(BRIEF, round_steps=30))
    assert float((item_sd(wrong) / item_sd(posterior)).median()) > 2.0


def test_ability_intervals_cover(large):
    """90 % intervals of 4,500 people; their standard error is .004."""
    problem, posterior = large
    assert 0.87 < coverage(posterior, problem) < 0.93


# 2. An expert of the prior for each missing answer.


@pytest.fixture(scope="module")
def sparse(simulated):
    problem = simulated(2500, 60, missing=0.8)
    codes = problem.codes.clone()
    codes[0] = -1
    problem.data = Data(DenseCells(codes), None, problem.data.groups)
    return problem, fit(problem)


def test_empty_row_is_the_prior(sparse):
    _, posterior = sparse
    assert float(posterior.persons.mean[0]) == pytest.approx(0.0, abs=1e-5)
    assert float(posterior.persons.sd[0]) == pytest.approx(1.0, abs=1e-5)
    assert float(posterior.persons.log_marginal[0]) == pytest.approx(0.0, abs=1e-5)


def test_coverage_holds_where_most_is_missing(sparse):
    problem, posterior = sparse
    assert 0.87 < coverage(posterior, problem) < 0.93


# 3. A log marginal likelihood that depends on the size of the minibatch.


def test_log_marginal_is_the_persons_own(large):
    problem, posterior = large
    exact = exactly(replace_free(problem, posterior.free))
    error = (posterior.persons.log_marginal - exact.persons.log_marginal).abs()
    # float32 sums of twenty log-probabilities.
    assert float(error.max()) < 1e-4
    assert posterior.log_likelihood == pytest.approx(exact.log_likelihood, abs=0.02)


def replace_free(problem, free):
    """The same problem with every parameter held."""
    held, _ = hold(problem.model, torch.arange(problem.model.n_free), free)
    return type(problem)(**{**vars(problem), "model": held, "free": free[:0]})


def test_log_marginal_is_the_same_in_any_batch(large):
    problem, posterior = large
    persons = problem.everyone[:120]
    answers = answers_of(problem.model, problem.data.cells)
    free = posterior.free
    for size in (120, 31, 1):
        parts = []
        for part in persons[: 120 if size > 1 else 5].split(size):
            groups = problem.data.groups[part]
            with torch.no_grad():
                proposal = posterior.encoder.encode(problem.model, free, answers, part, groups)
            judged = audit(problem.model, free, problem.data.cells, part, groups, proposal)
            parts.append(judged.sums.log_marginal)
        found = torch.cat(parts)
        # float32 sums in another order.
        torch.testing.assert_close(found, posterior.persons.log_marginal[: len(found)], atol=2e-5, rtol=0)


# 4. An encoder that does not know which item was answered.


def test_encoder_knows_the_item(large):
    """One right answer to the hardest or to the easiest item is not the same."""
    problem, posterior = large
    slots = problem.model.components[0].slots.index
    difficulty = -posterior.free[slots[:, 1]] / posterior.free[slots[:, 0]]
    codes = torch.full((2, 20), -1, dtype=torch.int8)
    codes[0, difficulty.argmax()] = codes[1, difficulty.argmin()] = 1
    cells = DenseCells(codes)
    with torch.no_grad():
        mean, _ = posterior.encoder.encode(
            problem.model,
            posterior.free,
            answers_of(problem.model, cells),
            torch.arange(2),
            torch.zeros(2).long(),
        ).moments()
    assert float(mean[0]) > float(mean[1]) + 0.2


# 5. No fixed sign; a 3PL that fits worse than the 2PL within it.


def test_sign_is_fixed_for_any_seed(simulated):
    problem = simulated(600, 10)
    slope = problem.model.components[0].slots.index[:, 0]
    slopes = [fit(problem, replace(BRIEF, round_steps=25), seed).free[slope] for seed in range(3)]
    se = item_sd(exactly(problem))[slope]
    for other in slopes:
        assert float(other.mean()) > 0
        # Averages of noisy steps: the same to a fifth of a standard error.
        assert float(((other - slopes[0]) / se).square().mean().sqrt()) < 0.2


def test_guessing_fits_no_worse_than_none(simulated):
    """Data with guessing: the 3PL has the higher likelihood, as it has under exact inference."""
    likelihood = {}
    for model in ("2pl", "3pl"):
        problem = simulated(2000, 12, model=model, c=0.25, seed=4)
        likelihood[model] = fit(problem, replace(BRIEF, round_steps=40)).log_likelihood
    assert likelihood["3pl"] > likelihood["2pl"]


def test_default_guessing_contains_no_guessing():
    """Maximum likelihood on data without guessing: the larger model is never worse."""
    answers = irtvi.simulate("2pl", 500, 6, seed=6).responses
    small, large = (irtvi.fit(answers, model=m, priors=None) for m in ("2pl", "3pl"))
    # The promise of the amortized engine about its log-likelihood.
    assert large.log_marginal > small.log_marginal - 0.02


def test_held_out_answers_take_no_part():
    """Whatever was answered in the cells set aside, the fit is the same: nothing is chosen by them."""
    answers = irtvi.simulate("2pl", 400, 8, seed=7).responses
    train, test = irtvi.holdout(irtvi.read(answers), share=0.2, seed=1)
    hidden = test.cells.to_dense().codes >= 0
    other = answers.where(~pd.DataFrame(hidden.numpy(), answers.index, answers.columns), 1 - answers)
    train_again, _ = irtvi.holdout(irtvi.read(other), share=0.2, seed=1)
    for engine in (irtvi.Amortized(), irtvi.Amortized(objective="elbo", bound=replace(BRIEF, max_rounds=2))):
        one, same = (irtvi.fit(part, model="2pl", engine=engine) for part in (train, train_again))
        assert torch.equal(one.posterior.free, same.posterior.free)


# 6. Scores that change from call to call.


def test_same_seed_same_numbers_and_no_global_randomness(simulated):
    problem = simulated(300, 10)
    before = torch.get_rng_state()
    settings = replace(BRIEF, round_steps=20, max_rounds=2)
    one, other = fit(problem, settings), fit(problem, settings)
    assert torch.equal(one.free, other.free)
    assert torch.equal(one.persons.mean, other.persons.mean)
    assert torch.equal(one.certificates.pareto_k, other.certificates.pareto_k)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("objective", [None, "elbo"])
def test_scores_are_the_same_at_every_call(objective):
    answers = irtvi.simulate("2pl", 300, 8, missing=0.2, seed=8).responses
    result = irtvi.fit(
        answers, model="2pl", engine=irtvi.Amortized(objective=objective, bound=replace(BRIEF, max_rounds=2))
    )
    tables = [result.score(answers), result.score(answers), result.score(answers.iloc[::-1]).iloc[::-1]]
    for table in tables:
        # In another order windows are cut elsewhere; the promise about EAP and sd is .002.
        pd.testing.assert_frame_equal(table, result.abilities, rtol=0, atol=1e-4)
    pd.testing.assert_frame_equal(tables[0], tables[1], rtol=0, atol=0)
    draws = [result.plausible_values(n=2, seed=3) for _ in range(2)]
    pd.testing.assert_frame_equal(*draws)


# 7. A loop over persons, and arrays of persons x items x draws.


class Largest(TorchDispatchMode):
    """Remembers how many numbers the largest tensor had."""

    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(tensor, torch.Tensor):
                # What is expanded takes no memory.
                self.numbers = max(self.numbers, tensor.untyped_storage().nbytes() // tensor.element_size())
        return out


def test_memory_is_not_that_of_persons_by_items_by_nodes():
    truth = irtvi.simulate("2pl", 30_000, 40, missing=0.1, seed=9)
    train, test = irtvi.holdout(irtvi.read(truth.responses), share=0.1, seed=1)
    with Largest() as largest:
        result = irtvi.fit(train, model="2pl")
        result.abilities, result.certificates  # noqa: B018
        result.predict(test)
    # 30,000 x 40 cells; times some twenty nodes or a hundred draws they would be 24 million and more.
    assert 1_200_000 <= largest.numbers < 6_000_000


def test_item_formula_is_not_called_by_person(simulated, monkeypatch):
    calls = []
    formula = TwoPL.log_probs

    def counted(self, theta, params, facts):
        calls.append(theta.numel())
        return formula(self, theta, params, facts)

    monkeypatch.setattr(TwoPL, "log_probs", counted)

    def count(n_persons):
        problem = simulated(n_persons, 30, missing=0.8)
        answers = answers_of(problem.model, problem.data.cells)
        encoder = ProductOfExperts(torch.Generator().manual_seed(0))
        calls.clear()
        with torch.no_grad():
            encoder.encode(problem.model, problem.free, answers, problem.everyone, problem.data.groups)
        return list(calls)

    assert count(10) == count(20_000)


# 8. Ordered categories treated as a Gaussian number.


def test_ordered_categories_are_categories(simulated):
    rng = np.random.default_rng(2)
    theta = rng.standard_normal(800)
    cut = np.array([-1.0, 0.2, 1.1])
    latent = 1.3 * theta[:, None] + rng.logistic(size=(800, 8))
    responses = read(pd.DataFrame((latent[..., None] > cut).sum(-1), columns=[f"i{j}" for j in range(8)]))
    built = build(Specification("grm", None), responses)
    data = Data(responses.scored(), None, torch.zeros(800, dtype=torch.long))
    posterior = fit_stochastic(
        built.model,
        data,
        replace(BRIEF, objective="iwae", inner=8, round_steps=40),
        torch.Generator().manual_seed(0),
        Progress(),
    )
    exact = Quadrature().fit(built.model, data, torch.Generator().manual_seed(0), Progress())
    # A climb to a tenth of a standard error of 32 parameters costs less than 32 / 2 * .1^2 nats, a tight
    # bound's bias about as much.
    assert exact.log_likelihood - 1.0 < posterior.log_likelihood < exact.log_likelihood + 0.01


def test_probabilities_of_all_ordered_answers_sum_to_one():
    """A density of a number would not: the evidence of every pattern of three items with four categories."""
    cuts = {"b1": [-1.0, -0.5, 0.0], "b2": [0.2, 0.5, 0.4], "b3": [1.1, 1.4, 0.9]}
    items = pd.DataFrame({"a": [1.3, 0.8, 1.9], **cuts}, index=list("xyz"))
    patterns = pd.DataFrame(list(itertools.product(range(4), repeat=3)), columns=list("xyz"))
    for engine in ("amortized", "quadrature"):
        result = irtvi.fit(patterns, model="grm", fixed=items, engine=engine)
        people = irtvi.diagnostics.convergence(result).people
        assert np.exp(people["log_marginal"]).sum() == pytest.approx(1.0, abs=1e-5)


def test_item_gaussian_starts_by_number_of_answers(simulated):
    problem = simulated(400, 5, missing=0.5)
    start = ItemGaussian.start(problem.model, problem.data, problem.free)
    answered = (problem.codes >= 0).sum(0).double()
    slots = problem.model.components[0].slots.index
    torch.testing.assert_close(start.log_sd.detach().exp()[slots[:, 0]], 2 / answered.sqrt())
