"""What every registered item model promises; a new model is judged here without a line of its own."""

import copy
import math
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch.func import jacfwd, jvp

from irtvi.inference.answers import answers_of
from irtvi.inference.table import coefficient_table
from irtvi.models.derivatives import finite, second_derivatives_of_sum, slot_derivatives
from irtvi.models.items import ITEM_MODELS
from irtvi.responses.cells import DenseCells
from irtvi.simulate import simulate

DOCS = Path(__file__).resolve().parents[2] / "docs" / "models"
ABILITIES = torch.linspace(-4, 4, 17, dtype=torch.float64)
EXTREME = torch.tensor([-30.0, -12.0, 12.0, 30.0])
SEEDS = range(5)
# The promise of the package: in float32 every value and gradient equals that of float64 within 1e-4 of its
# size or 1e-6.
RELATIVE, ABSOLUTE = 1e-4, 1e-6


def assert_same_in_float32(single: torch.Tensor, double: torch.Tensor) -> None:
    allowed = (RELATIVE * double.abs()).clamp(min=ABSOLUTE)
    off = (single.double() - double).abs() / allowed
    assert torch.isfinite(single).all()
    assert float(off.max()) <= 1.0


def test_probabilities_sum_to_one_over_the_categories_that_exist(categorical):
    log_probs = categorical.coefficients(ABILITIES)
    assert log_probs.shape == (len(ABILITIES), categorical.n_items, categorical.exists.shape[1])
    assert bool((log_probs[:, ~categorical.exists] == -math.inf).all())
    assert bool(torch.isfinite(log_probs[:, categorical.exists]).all())
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones_like(log_probs[..., 0]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ITEM_MODELS)
def test_values_at_extreme_abilities(name, seed, make_example):
    example = make_example(name, seed)
    values = example.values.float()
    single = example.coefficients(EXTREME, values)
    double = example.coefficients(EXTREME.double(), values.double())
    assert_same_in_float32(single[:, example.exists], double[:, example.exists])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ITEM_MODELS)
def test_gradient_in_ability_at_extreme_abilities(name, seed, make_example):
    example = make_example(name, seed)
    values = example.values.float()

    def gradient(theta, values):
        return jvp(lambda t: example.coefficients(t, values), (theta,), (torch.ones_like(theta),))[1]

    single, double = gradient(EXTREME, values), gradient(EXTREME.double(), values.double())
    assert_same_in_float32(single[:, example.exists], double[:, example.exists])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ITEM_MODELS)
def test_gradient_in_parameters_at_extreme_abilities(name, seed, make_example):
    example = make_example(name, seed)
    values = example.values.float()

    def gradients(theta, values):
        return torch.stack(slot_derivatives(lambda v: example.coefficients(theta, v), values), -1)

    single, double = gradients(EXTREME, values), gradients(EXTREME.double(), values.double())
    assert_same_in_float32(single[:, example.exists], double[:, example.exists])


def test_forward_and_reverse_derivatives_agree(example):
    """Padding must not leak a NaN into the gradient of the categories that exist."""
    theta = ABILITIES[::4]
    values = example.values.clone().requires_grad_(True)
    weights = torch.linspace(0.5, 1.5, len(theta) * int(example.exists.sum()), dtype=torch.float64)
    total = (weights * example.coefficients(theta, values)[:, example.exists].flatten()).sum()
    (reverse,) = torch.autograd.grad(total, values)
    forward = torch.stack(
        [
            (weights * finite(first)[:, example.exists].flatten()).sum()
            for first in _by_number(lambda v: example.coefficients(theta, v), example.values)
        ]
    ).view_as(reverse)
    torch.testing.assert_close(forward, reverse, rtol=1e-9, atol=1e-10)


def _by_number(function, values):
    jacobian = jacfwd(function)(values)
    return jacobian.flatten(-2).movedim(-1, 0)


def test_second_derivatives_of_a_sum_are_those_of_the_first(example, generator):
    theta, step = ABILITIES[::4], 1e-5
    weights = torch.rand(example.coefficients(theta).shape, generator=generator, dtype=torch.float64)

    def weighted(values):
        return weights * finite(example.coefficients(theta, values))

    def gradient(values):
        return torch.stack([first.sum((0, 2)) for first in slot_derivatives(weighted, values)], -1)

    second = second_derivatives_of_sum(weighted, example.values)
    for t in range(example.values.shape[1]):
        shift = torch.zeros_like(example.values)
        shift[:, t] = step
        numeric = (gradient(example.values + shift) - gradient(example.values - shift)) / (2 * step)
        # Central differences with this step are good to about 1e-9 of a derivative of order 10, summed over nodes.
        torch.testing.assert_close(second[:, :, t], numeric, rtol=1e-5, atol=1e-5)


def test_items_may_come_in_any_order(example):
    order = torch.tensor([3, 0, 4, 2, 1])
    theta = ABILITIES[:, None, None]
    moved = example.item_model.coefficients(
        theta, {name: value[order] for name, value in example.params.items()}, example.facts.take(order)
    )
    # Matrix products round by where a row stands: the last bits may differ.
    torch.testing.assert_close(moved, example.coefficients(ABILITIES)[:, order], rtol=1e-12, atol=1e-12)


def test_table_equals_pairs(example):
    table = example.coefficients(ABILITIES)
    nodes = torch.arange(len(ABILITIES)).repeat_interleave(example.n_items)
    items = torch.arange(example.n_items).repeat(len(ABILITIES))
    pairs = example.item_model.coefficients(
        ABILITIES[nodes][:, None],
        {name: value[items] for name, value in example.params.items()},
        example.facts.take(items),
    )
    torch.testing.assert_close(pairs, table.flatten(0, 1), rtol=1e-12, atol=1e-14)


def test_information_two_ways(example):
    """Minus the mean second derivative (Fisher) equals the slopes of coefficients times those of expectations."""
    tangent = torch.ones_like(ABILITIES)

    def score(theta):
        return jvp(example.coefficients, (theta,), (tangent,))[1]

    expected, moved = jvp(example.expectations, (ABILITIES,), (tangent,))[:2]
    first = finite(score(ABILITIES))
    second = finite(jvp(score, (ABILITIES,), (tangent,))[1])
    torch.testing.assert_close((first * moved).sum(-1), -(expected * second).sum(-1), rtol=1e-8, atol=1e-10)


def test_information_is_the_mean_square_of_the_score(categorical):
    p, moved = jvp(categorical.expectations, (ABILITIES,), (torch.ones_like(ABILITIES),))[:2]
    first = finite(jvp(categorical.coefficients, (ABILITIES,), (torch.ones_like(ABILITIES),))[1])
    torch.testing.assert_close((p * first.square()).sum(-1), (first * moved).sum(-1), rtol=1e-8, atol=1e-10)


def test_sampled_frequencies(categorical):
    """At three abilities each category is drawn as often as it should be, within 4.5 standard errors."""
    n_draws, theta = 4_000, torch.tensor([-1.5, 0.2, 2.0], dtype=torch.float64)
    facts = categorical.facts._replace(key=torch.where(categorical.facts.key >= 0, 0, -1))  # as simulate has it
    probabilities = categorical.item_model.coefficients(theta[:, None, None], categorical.params, facts).exp()
    rows = [
        dict(zip(categorical.slots.names(), _slot_numbers(categorical, item), strict=True))
        for item in range(categorical.n_items)
    ]
    table = pd.DataFrame(
        [{name: row[name] for name in categorical.names(j)} for j, row in enumerate(rows)], index=list("vwxyz")
    )
    drawn = simulate(
        categorical.item_model,
        items=table,
        abilities=theta.repeat_interleave(n_draws).numpy(),
        n_categories=dict(zip(table.index, categorical.facts.n_categories.tolist(), strict=True)),
        seed=4,
    )
    codes = torch.as_tensor(drawn.responses.to_numpy()).view(3, n_draws, categorical.n_items)
    for code in range(probabilities.shape[-1]):
        p = probabilities[..., code]
        allowed = 4.5 * (p * (1 - p) / n_draws).sqrt() + 1e-12
        assert bool(((codes == code).double().mean(1) - p).abs().le(allowed).all())


def test_a_missing_cell_adds_exactly_nothing(categorical):
    model = categorical.model()
    n_items = categorical.n_items
    codes = torch.full((n_items + 1, n_items), -1, dtype=torch.int8)
    codes[torch.arange(n_items), torch.arange(n_items)] = (categorical.facts.n_categories - 1).to(torch.int8)
    log_probs = coefficient_table(model, ABILITIES[:, None], categorical.free)
    nothing = torch.zeros(len(ABILITIES), dtype=torch.float64)
    for cells in (DenseCells(codes), DenseCells(codes).to_sparse()):
        answers = answers_of(model, cells)
        used, base = answers.table(log_probs)
        sums = answers.block(torch.arange(n_items + 1)).forward(used, base)
        assert torch.equal(sums[:, -1], nothing)
        for item in range(n_items):
            last = int(model.columns.offset[item] + categorical.facts.n_categories[item] - 1)
            assert torch.equal(sums[:, item], log_probs[:, last])


@pytest.mark.parametrize("name", [n for n, m in ITEM_MODELS.items() if not m.flexible])
def test_report_and_back(name, make_example):
    """Except for flexible curves, which their readable columns do not determine."""
    example = make_example(name, 1)
    report = example.item_model.report(example.params, example.facts)
    for item in range(example.n_items):
        row = {name: float(value[item]) for name, value in report.items()}
        back = example.item_model.unreport(row, example.facts.take(torch.tensor(item)))
        own = dict(zip(example.slots.names(), _slot_numbers(example, item), strict=True))
        for name in example.names(item):
            assert back[name] == pytest.approx(own[name], rel=1e-9, abs=1e-12), name


def _slot_numbers(example, item):
    natural = []
    for spec in example.item_model.parameters:
        natural += example.params[spec.name][item].reshape(-1).tolist()
    return natural


def test_what_an_item_does_not_have_is_reported_as_nan(categorical):
    report = categorical.item_model.report(categorical.params, categorical.facts)
    two = int((categorical.facts.n_categories == 2).nonzero()[0])
    for n_missing in ("b2", "d2", "t2", "a3", "c3"):
        if n_missing in report:
            assert math.isnan(float(report[n_missing][two])), n_missing


@pytest.mark.parametrize("name", [n for n, m in ITEM_MODELS.items() if any(s.turns for s in m.parameters)])
def test_turning_ability_round_changes_only_signs(name, make_example):
    """With ability and every turning parameter reversed the probabilities are the same."""
    example = make_example(name, 1)
    turned = copy.copy(example.params)
    for spec in example.item_model.parameters:
        if spec.turns:
            turned[spec.name] = -turned[spec.name]
    reversed_ = example.item_model.coefficients(-ABILITIES[:, None, None], turned, example.facts)
    torch.testing.assert_close(reversed_, example.coefficients(ABILITIES), rtol=1e-12, atol=1e-14)
    orientation = example.item_model.orientation(example.params, example.facts)
    torch.testing.assert_close(example.item_model.orientation(turned, example.facts), -orientation)


def test_settings_rebuild_the_model(example):
    again = type(example.item_model)(**example.item_model.settings())
    rebuilt = again.coefficients(ABILITIES[:, None, None], example.params, example.facts)
    assert torch.equal(rebuilt, example.coefficients(ABILITIES))


@pytest.mark.parametrize("name", ITEM_MODELS)
def test_every_model_has_a_page(name):
    page = DOCS / f"{name}.md"
    assert page.is_file(), f"{page} is missing"
    text = page.read_text(encoding="utf-8")
    model = ITEM_MODELS[name]
    assert model.label
    assert model.reference
    for spec in model.parameters:
        assert f"`{spec.name}`" in text, f"{page} does not explain the parameter {spec.name}"
    assert f"({name}.md)" in (DOCS / "README.md").read_text(encoding="utf-8")
