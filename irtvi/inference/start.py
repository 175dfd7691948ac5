"""Starting values: a few ridged steps on counts by rank of a simple score."""

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.answers import Answers
from irtvi.inference.interruption import may_stop
from irtvi.inference.observed_curvature import curvature_of
from irtvi.inference.table import Expectations, gradient_and_information
from irtvi.models.model import Model
from irtvi.responses.cells import Cells
from irtvi.responses.measures import MeasuredCells, Measures

BINS = 21
WIDEST = 3.0
STEPS = 3
AVERAGING_ROUNDS = 8
ENOUGH_PERSONS, ENOUGH_ANSWERS = 2_500, 500
"""Persons, and answers to an item on average, from which a start is taken where there are more."""
LEAST_RELIABILITY, MOST_RELIABILITY = 0.2, 0.98


def simple_scores(cells: Cells, values: Float[Tensor, "items codes"]) -> Float[Tensor, " persons"]:
    """Standardised sum of the values of a person's answers, each item centred and scaled."""
    may_stop()
    counts = cells.counts(values.shape[1]).double()
    n = counts.sum(1, keepdim=True).clamp(min=1.0)
    mean = (counts * values).sum(1, keepdim=True) / n
    variance = ((counts * (values - mean).square()).sum(1, keepdim=True) / n).clamp(min=1e-3)
    centred = cells.sum_of(values - mean)
    may_stop()
    spread = cells.sum_of(variance.expand_as(values))
    if isinstance(cells, MeasuredCells):
        centred += _standardised_sum(cells.measures)
        spread += cells.measures.offsets.diff()
    return centred / spread.clamp(min=1e-6).sqrt()


def _standardised_sum(measures: Measures) -> Float[Tensor, " persons"]:
    """Sum over a person's measured answers, each item centred and scaled."""
    item, values = measures.items.long(), measures.values
    n = torch.bincount(item, minlength=measures.n_items).clamp(min=1)
    centred = values - (torch.bincount(item, values, minlength=measures.n_items) / n)[item]
    sd = (torch.bincount(item, centred.square(), minlength=measures.n_items) / n).sqrt()
    out = values.new_zeros(measures.n_persons)
    return out.index_add_(0, measures.persons(), centred / sd[item].clamp(min=1e-300))


def answer_values(model: Model, cells: Cells) -> Float[Tensor, "items codes"]:
    """What each answer counts in a simple score.

    The code itself, or 1 for the right answer and 0 for others where a model without order has a key. For
    options without order and key, what those who chose them reached on average (reciprocal averaging, Hill
    1973), started from the other items if there are any, else from the codes.
    """
    device = model.n_categories.device
    codes = torch.arange(int(model.n_categories.max()), dtype=torch.float64, device=device)
    values = codes.repeat(model.n_items, 1)
    unordered = torch.zeros(model.n_items, dtype=torch.bool, device=device)
    for component in model.components:
        if not component.item_model.ordered:
            key = component.facts.key[:, None]
            values[component.items] = torch.where(key >= 0, (codes == key).double(), codes)
            unordered[component.items] = key[:, 0] < 0
    if not unordered.any():
        return values
    if not unordered.all():
        values[unordered] = 0.0
    persons, items, given = cells.pairs()
    answer = items * len(codes) + given
    n = torch.bincount(answer, minlength=values.numel()).clamp(min=1)
    for _ in range(AVERAGING_ROUNDS):
        may_stop()
        scores = simple_scores(cells, values)
        means = (torch.bincount(answer, scores[persons], minlength=values.numel()) / n).view_as(values)
        values = torch.where(unordered[:, None], means / means.abs().amax(1, keepdim=True).clamp(min=1e-9), values)
    return values


def normal_ranks(scores: Float[Tensor, " persons"]) -> Float[Tensor, " persons"]:
    """Normal quantiles of the ranks."""
    ranks = torch.empty_like(scores)
    steps = torch.arange(len(scores), dtype=scores.dtype, device=scores.device)
    ranks[torch.argsort(scores, stable=True)] = (steps + 0.5) / len(scores)
    return torch.special.ndtri(ranks)


def regression(scores: Float[Tensor, " persons"], theta: Float[Tensor, " nodes"]) -> Float[Tensor, "nodes nodes"]:
    """How abilities are distributed over nodes (rows) for each place in the order of simple scores (columns).

    The scores of unrelated answers have variance 1, so what is beyond that is due to ability: Kelley's regression
    of a true score on an observed one. Without it slopes would start too flat.
    """
    reliability = float((1 - 1 / scores.var()).nan_to_num(nan=0.0).clamp(LEAST_RELIABILITY, MOST_RELIABILITY))
    distance = (theta[:, None] - reliability**0.5 * theta).square()
    return torch.softmax(-0.5 * distance / (1 - reliability), 0)


def _enough(persons: Int[Tensor, " some"], cells: Cells) -> Int[Tensor, " enough"]:
    """Every second, third or later person, as far as that leaves enough of them and of their answers."""
    answers_per_item = cells.n_responses * len(persons) / max(cells.n_persons, 1) / max(cells.n_items, 1)
    return persons[:: max(1, int(min(len(persons) / ENOUGH_PERSONS, answers_per_item / ENOUGH_ANSWERS)))]


def start_values(
    model: Model, cells: Cells, answers: Answers, persons: Int[Tensor, " some"], block_size: int = 2048
) -> Float[Tensor, " n_free"]:
    """Free vector from which a search starts."""
    device = model.n_categories.device
    free = start = model.start()
    if model.n_free == 0:
        return free
    theta = torch.linspace(-WIDEST, WIDEST, BINS, dtype=torch.float64, device=device)
    persons = _enough(persons, cells)
    sample = cells.take(persons)
    scores = simple_scores(sample, answer_values(model, sample))
    rank = normal_ranks(scores)
    mean, sd = model.population.moments(model.population_params(free))
    place = ((rank.clamp(-WIDEST, WIDEST) + WIDEST) / (2 * WIDEST) * (BINS - 1)).round().long()
    used = answers.table(torch.zeros(BINS, len(model.columns.item), dtype=torch.float64, device=device))[0].shape[1]
    counts = torch.zeros(BINS, used, dtype=torch.float64, device=device)
    for rows in torch.arange(len(persons), device=device).split(block_size):
        may_stop()
        weights = torch.zeros(BINS, len(rows), device=device)
        weights[place[rows], torch.arange(len(rows), device=device)] = 1.0
        counts += answers.block(persons[rows]).backward(weights)
    mass = torch.bincount(place, minlength=BINS).double()
    spread = regression(scores, theta)
    counts, mass = spread @ counts, spread @ mass
    groups = model.population_slots.index.shape[0]
    nodes = mean.reshape(-1)[0] + sd.reshape(-1)[0] * theta
    expectations = Expectations(
        nodes[:, None], answers.expand(counts, mass), (mass[:, None] / groups).expand(-1, groups)
    )
    # Priors that tie items together have no part in this: the ridge stands for them.
    untied = replace(model, log_prior=replace(model.log_prior, joint=()))
    ridge = torch.ones_like(free)
    for _ in range(STEPS):
        may_stop()
        gradient, information = gradient_and_information(model, free, expectations)
        curvature = curvature_of(untied, information, ridge, None)
        assert curvature is not None
        free = free + curvature.solve(gradient - ridge * (free - start)).clamp(-1.5, 1.5)
    return free
