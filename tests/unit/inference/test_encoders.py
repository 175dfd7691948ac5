"""Encoders: empty rows, subsets of items, new items, direction, skewed posteriors."""

import pytest
import torch

from irtvi.errors import MissingExtraError
from irtvi.inference.answers import answers_of
from irtvi.inference.encoders import LEARNED_ENCODERS, FlowEncoder, ProductOfExperts, flow
from irtvi.inference.encoders.flow import FlowProposal
from irtvi.inference.encoders.product_of_experts import ItemView
from irtvi.inference.encoders.proposal import GaussianProposal
from irtvi.responses.cells import DenseCells


@pytest.fixture(params=list(LEARNED_ENCODERS))
def encoder(request, generator):
    """Each learned encoder with weights as if it had been trained."""
    if request.param == "flow":
        pytest.importorskip("zuko")
    made = LEARNED_ENCODERS[request.param](generator)
    with torch.no_grad():
        for weights in made.parameters():
            weights += 0.05 * torch.randn(weights.shape, generator=generator)
    return made


def moments(encoder, problem, codes, free=None, model=None):
    model = problem.model if model is None else model
    cells = DenseCells(codes)
    groups = torch.zeros(len(codes), dtype=torch.long)
    free = problem.free if free is None else free
    with torch.no_grad():
        answers = answers_of(model, cells)
        return encoder.encode(model, free, answers, torch.arange(len(codes)), groups).moments()


def test_empty_row_is_the_population(encoder, simulated):
    problem = simulated(20, 15, missing=0.5)
    codes = problem.codes.clone()
    codes[3] = -1
    mean, sd = moments(encoder, problem, codes)
    # float32.
    assert float(mean[3]) == pytest.approx(0.0, abs=1e-5)
    assert float(sd[3]) == pytest.approx(1.0, abs=1e-5)


def test_missing_answers_add_nothing(encoder, simulated):
    """The same answers with fifty more items, none of them answered."""
    problem = simulated(200, 60)
    codes = problem.codes.clone()
    codes[:, 10:] = -1
    codes[0, 10:] = problem.codes[0, 10:]
    _, sd = moments(encoder, problem, codes)
    # Ten items: reliability about .7; an expert of the prior for each missing answer would leave .14.
    assert 0.4 < float(sd[1:].mean()) < 0.75


def test_dense_and_listed_answers_agree(encoder, simulated):
    problem = simulated(300, 40, missing=0.9)
    groups = problem.data.groups
    with torch.no_grad():
        dense, listed = (
            encoder.encode(
                problem.model, problem.free, answers_of(problem.model, cells), problem.everyone, groups
            )
            for cells in (problem.data.cells.to_dense(), problem.data.cells.to_sparse())
        )
    for one, other in zip(dense.moments(), listed.moments(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_items_are_known_by_their_parameters_alone(encoder, simulated):
    """Two items trade parameters and answers: nothing changes. They trade answers only: much does."""
    problem = simulated(400, 8)
    slots = problem.model.components[0].slots.index
    free = problem.free.clone()
    free[slots[0]], free[slots[1]] = problem.free[slots[1]], problem.free[slots[0]]
    codes = problem.codes.clone()
    codes[:, 0], codes[:, 1] = problem.codes[:, 1], problem.codes[:, 0]
    before = moments(encoder, problem, problem.codes)
    for one, other in zip(before, moments(encoder, problem, codes, free), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
    changed = (moments(encoder, problem, codes)[0] - before[0]).abs()
    assert float(changed[problem.codes[:, 0] != problem.codes[:, 1]].min()) > 1e-3


def test_direction_of_ability_is_arbitrary(generator, simulated):
    """Slopes with the other sign turn every mean round, whatever the weights of the network are."""
    problem = simulated(100, 8)
    made = ProductOfExperts(generator)
    with torch.no_grad():
        made.network.last += torch.randn(made.network.last.shape, generator=generator)
    slope = problem.model.components[0].slots.index[:, 0]
    free = problem.free.clone()
    free[slope] *= -1
    mean, sd = moments(made, problem, problem.codes)
    turned_mean, turned_sd = moments(made, problem, problem.codes, free)
    torch.testing.assert_close(turned_mean, -mean, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(turned_sd, sd, atol=1e-4, rtol=1e-4)


def test_gradient_through_the_product_is_that_of_differences(generator, simulated):
    problem = simulated(50, 6, missing=0.3)
    made = ProductOfExperts(generator).double()
    answers = answers_of(problem.model, problem.data.cells)

    def total(free):
        mean, sd = made.encode(problem.model, free, answers, problem.everyone, problem.data.groups).moments()
        return (mean.sum() + sd.log().sum()).double()

    free = problem.free.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(total(free), free)
    step = 1e-3
    for k in (0, 5):
        moved = torch.zeros_like(free)
        moved[k] = step
        difference = (total(problem.free + moved) - total(problem.free - moved)) / (2 * step)
        # float32 sums over 50 persons, divided by a step of 1e-3.
        assert float(gradient[k]) == pytest.approx(float(difference), abs=0.02, rel=0.01)


def test_flow_proposal_is_a_density_and_its_draws_follow_it(generator):
    pytest.importorskip("zuko")
    gaussian = GaussianProposal(torch.tensor([0.5, -1.0]), torch.tensor([0.3, 0.7]))
    proposal = FlowProposal(gaussian, torch.randn(2, 23, generator=generator))
    noise = torch.linspace(-4.5, 4.5, 4001)[:, None].expand(-1, 2)
    theta = proposal.transport(noise)
    assert (theta.diff(dim=0) > 0).all()
    density = proposal.log_prob(theta).exp()
    mass = torch.trapezoid(density, theta, dim=0)
    mean = torch.trapezoid(density * theta, theta, dim=0)
    assert mass.tolist() == pytest.approx([1.0, 1.0], abs=2e-3)
    # The spline has kinks in its second derivative, between which lie few of the 81 nodes.
    assert mean.tolist() == pytest.approx(proposal.moments()[0].tolist(), abs=5e-3)


def test_an_encoder_starts_from_the_same_bits_every_time():
    """LAPACK's least squares gave one of several last bits from call to call, and each trained otherwise."""
    points = torch.linspace(-3, 3, 13, dtype=torch.float64)
    design = torch.stack([torch.ones_like(points), points, -0.5 * points.square()], 1)
    root = torch.exp(-0.25 * points.square())
    expected = torch.linalg.lstsq(design * root[:, None], torch.diag(root)).solution[1:]
    first = ItemView().projection
    torch.testing.assert_close(first, expected.float())
    others = [torch.empty(size, dtype=torch.int8) for size in range(1, 300)]  # memory is not where it was
    assert all(torch.equal(first, ItemView().projection) for _ in others)


def test_missing_zuko_is_named(simulated, generator, monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(flow.importlib, "import_module", absent)
    with pytest.raises(MissingExtraError, match=r"needs zuko.*irtvi\[flow\]"):
        moments(FlowEncoder(generator), simulated(5, 4), simulated(5, 4).codes)
