"""The climb of a named bound: gradients, signal and noise, settings, what comes out."""

from dataclasses import replace

import pytest
import torch

from irtvi.errors import SpecificationError
from irtvi.inference.answers import answers_of
from irtvi.inference.encoders import LearnedEncoder, ProductOfExperts
from irtvi.inference.encoders.proposal import GaussianProposal
from irtvi.inference.engines.engine import Data, Progress
from irtvi.inference.objectives import GRADIENTS, OBJECTIVES
from irtvi.inference.orientation import reflected
from irtvi.inference.stochastic import Batch, Bounding, StochasticSettings, fit_stochastic
from irtvi.models.transforms import POSITIVE
from irtvi.responses.cells import DenseCells

QUICK = StochasticSettings(round_steps=20, max_rounds=3, batch_size=100)


class Given(LearnedEncoder):
    """A Gaussian for each row of the data, as given."""

    def __init__(self, mean, sd):
        super().__init__()
        self.mean, self.sd = torch.nn.Parameter(mean), sd

    def settings(self):
        return {}

    def encode(self, model, free, answers, persons, groups):
        return GaussianProposal(self.mean[persons], self.sd[persons])


def signal_to_noise(problem, name, gradient, outer, inner, generator, copies=6000):
    """Of the gradient by the mean of one person's Gaussian, over copies of that person.

    The posterior is about N(.73, .55^2). The Gaussian N(.5, .66^2) is wider, so that weights are bounded.
    """
    data = Data(
        DenseCells(problem.codes[:1].expand(copies, -1).contiguous()), None, torch.zeros(copies).long()
    )
    encoder = Given(torch.full((copies,), 0.5), torch.full((copies,), 0.66))
    bounding = Bounding(
        problem.model, data, answers_of(problem.model, data.cells), encoder,
        OBJECTIVES[name], GRADIENTS[gradient], outer, inner, generator,
    )  # fmt: skip
    everyone = torch.arange(copies)
    _, surrogate = bounding.persons(Batch(everyone, data.groups, 1.0), problem.free)
    (g,) = torch.autograd.grad(surrogate, encoder.mean)
    return float(g.mean().abs() / g.std())


def test_signal_to_noise_of_the_encoder(simulated, generator):
    """Rainforth et al. (2018): it falls as 1/sqrt(K) for iwae, and rises with M for miwae; Tucker et al.
    (2019): it rises for dreg. The signal is estimated from 6,000 copies, so within .013.
    """
    problem = simulated(200, 10)

    def ratio(name, gradient, small, large):
        noise = 0.013
        low = signal_to_noise(problem, name, gradient, *small, generator)
        high = signal_to_noise(problem, name, gradient, *large, generator)
        assert low > 5 * noise
        return high / low

    assert ratio("iwae", "standard", (1, 4), (1, 64)) < 0.5
    assert ratio("iwae", "dreg", (1, 4), (1, 64)) > 1.5
    assert ratio("miwae", "standard", (1, 4), (16, 4)) > 2.5
    assert ratio("piwae", "standard", (1, 4), (16, 4)) > 2.5
    assert ratio("elbo", "standard", (1, 4), (1, 64)) > 2.5


@pytest.mark.parametrize("name", OBJECTIVES)
def test_surrogate_has_the_gradient_of_the_bound(name, simulated):
    """With the noise held, for encoder and items: against differences of the bound itself.

    The items move the bound directly and through the encoder, which looks at them. Under piwae they climb iwae and
    the encoder miwae.
    """
    problem = simulated(20, 6, missing=0.2)
    answers = answers_of(problem.model, problem.data.cells)
    encoder = ProductOfExperts(torch.Generator().manual_seed(1))

    def bounding(name=name):
        return Bounding(
            problem.model, problem.data, answers, encoder, OBJECTIVES[name], GRADIENTS["standard"],
            2, 3, torch.Generator().manual_seed(5),
        )  # fmt: skip

    of_encoder = "miwae" if name == "piwae" else name
    batch = Batch(problem.everyone, problem.data.groups, 1.0)
    free = problem.free.clone().requires_grad_(True)
    value, surrogate = bounding().persons(batch, free)
    (by_items,) = torch.autograd.grad(surrogate, free, retain_graph=True)
    (by_encoder,) = torch.autograd.grad(surrogate, encoder.network.last)

    step = 1e-2
    for k in (0, 3):
        moved = torch.zeros_like(free)
        moved[k] = step
        high = bounding().persons(batch, problem.free + moved)[0]
        low = bounding().persons(batch, problem.free - moved)[0]
        # Values are float32 sums over 20 persons (error 1e-5) over a step of .02, and third derivatives.
        assert float(by_items[k]) == pytest.approx(float((high - low) / (2 * step)), abs=5e-3, rel=2e-3)
    direction = by_encoder / by_encoder.norm()
    encoder.network.last.data += step * direction
    high = bounding(of_encoder).persons(batch, problem.free)[0]
    encoder.network.last.data -= 2 * step * direction
    low = bounding(of_encoder).persons(batch, problem.free)[0]
    assert float(by_encoder.norm()) == pytest.approx(float((high - low) / (2 * step)), rel=0.01)
    assert torch.isfinite(value)


def test_posterior_says_what_happened(simulated, generator):
    problem = simulated(300, 8)
    steps = []
    posterior = fit_stochastic(problem.model, problem.data, QUICK, generator, Progress(listener=steps.append))
    assert posterior.reason == "Not converged on elbo after 3 rounds; see the trace."
    assert not posterior.converged
    assert [step.phase for step in posterior.trace] == ["elbo"] * 3 == [step.phase for step in steps]
    assert posterior.trace[-1].objective > posterior.trace[0].objective
    # A bound of the evidence, items integrated out against flat priors, lies far below the likelihood.
    assert posterior.trace[-1].objective < posterior.log_likelihood
    assert posterior.certificates is not None
    assert not bool(posterior.certificates.repaired.any())
    assert posterior.curvature.covariance_diagonal().shape == (16,)
    assert float(posterior.persons.log_marginal.sum()) == pytest.approx(posterior.log_likelihood)


def test_stopping_keeps_the_best_so_far(simulated, generator):
    problem = simulated(300, 8)
    progress = Progress()
    progress.cancelled = lambda: len(progress.steps) > 0
    posterior = fit_stochastic(problem.model, problem.data, QUICK, generator, progress)
    assert posterior.stopped
    assert not posterior.converged
    assert len(posterior.trace) == 1
    assert bool(torch.isfinite(posterior.free).all())


def test_frequencies_count_as_copies(simulated, generator):
    """The bound of three people of weight 2 is that of six, draw by draw on average."""
    problem = simulated(200, 6)
    weights = torch.full((200,), 3.0, dtype=torch.float64)
    answers = answers_of(problem.model, problem.data.cells)
    batch = Batch(problem.everyone, problem.data.groups, 1.0)

    def value(data):
        bounding = Bounding(
            problem.model, data, answers, ProductOfExperts(torch.Generator().manual_seed(0)),
            OBJECTIVES["elbo"], GRADIENTS["standard"], 1, 1, torch.Generator().manual_seed(0),
        )  # fmt: skip
        return float(bounding.persons(batch, problem.free)[0])

    assert value(replace(problem.data, weights=weights)) == pytest.approx(3 * value(problem.data), rel=1e-6)


def test_reflection_turns_slopes_round_once(simulated):
    problem = simulated(10, 5)
    slope = problem.model.components[0].slots.index[:, 0]
    turned = problem.free.clone()
    turned[slope] *= -1
    assert reflected(problem.model, problem.free) is None
    again = reflected(problem.model, turned)
    assert again is not None
    assert torch.equal(again, problem.free)


def test_positive_slopes_are_not_turned_round(simulated):
    """Their logarithms may well be negative."""
    problem = simulated(200, 5)
    component = problem.model.components[0]
    positive = replace(component.slots, transforms=(POSITIVE, *component.slots.transforms[1:]))
    model = replace(problem.model, components=(replace(component, slots=positive),))
    assert reflected(model, -problem.free.abs()) is None


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"objective": "vae"}, "objective='vae': choose one of elbo, iwae"),
        ({"gradient": "reinforce"}, "gradient='reinforce': choose one of standard, stl, dreg"),
        ({"encoder": "transformer"}, "choose one of product_of_experts, flow"),
        ({"inner": 0}, "inner= must be positive, got 0"),
        ({"share": 1.5}, r"share= must lie between 0 and 1, got 1\.5"),
    ],
)
def test_settings_check_themselves(setting, words):
    with pytest.raises(SpecificationError, match=words):
        StochasticSettings(**setting)
