"""Starting values: a few ridged steps on counts by rank of a simple score."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.answers import Answers
from irtvi.inference.maximise import curvature_of
from irtvi.inference.table import Expectations, gradient_and_information
from irtvi.models.model import Model
from irtvi.responses.cells import Cells

BINS = 41
WIDEST = 3.0
STEPS = 6


def simple_scores(cells: Cells, keys: Int[Tensor, " items"], n_most: int) -> Float[Tensor, " persons"]:
    """Standardised sum of a person's answers, each item centred and scaled; an item with a key counts as 0 or 1."""
    counts = cells.counts(n_most).double()
    codes = torch.arange(n_most, dtype=torch.float64, device=counts.device)
    value = torch.where(keys[:, None] >= 0, (codes == keys[:, None]).double(), codes)
    n = counts.sum(1, keepdim=True).clamp(min=1.0)
    mean = (counts * value).sum(1, keepdim=True) / n
    variance = ((counts * (value - mean).square()).sum(1, keepdim=True) / n).clamp(min=1e-3)
    centred = cells.sum_of(value - mean)
    spread = cells.sum_of(variance.expand_as(value)).clamp(min=1e-6).sqrt()
    return centred / spread


def normal_ranks(scores: Float[Tensor, " persons"]) -> Float[Tensor, " persons"]:
    """Normal quantiles of the ranks."""
    ranks = torch.empty_like(scores)
    steps = torch.arange(len(scores), dtype=scores.dtype, device=scores.device)
    ranks[torch.argsort(scores, stable=True)] = (steps + 0.5) / len(scores)
    return torch.special.ndtri(ranks)


def start_values(
    model: Model, cells: Cells, answers: Answers, persons: Int[Tensor, " some"], block_size: int = 2048
) -> Float[Tensor, " n_free"]:
    """Free vector from which a search starts."""
    device = model.n_categories.device
    free = start = model.start()
    if model.n_free == 0:
        return free
    keys = torch.full((model.n_items,), -1, dtype=torch.long, device=device)
    for component in model.components:
        if component.item_model.uses == "raw":
            keys[component.items] = component.facts.key
    n_most = int(model.n_categories.max())
    theta = torch.linspace(-WIDEST, WIDEST, BINS, dtype=torch.float64, device=device)
    rank = normal_ranks(simple_scores(cells.take(persons), keys, n_most))
    mean, sd = model.population.moments(model.population_params(free))
    place = ((rank.clamp(-WIDEST, WIDEST) + WIDEST) / (2 * WIDEST) * (BINS - 1)).round().long()
    counts = torch.zeros(BINS, len(answers.columns), dtype=torch.float64, device=device)
    used = answers.table(torch.zeros(BINS, len(model.columns.item), dtype=torch.float64, device=device))[0].shape[1]
    counts = torch.zeros(BINS, used, dtype=torch.float64, device=device)
    for rows in torch.arange(len(persons), device=device).split(block_size):
        weights = torch.zeros(BINS, len(rows), device=device)
        weights[place[rows], torch.arange(len(rows), device=device)] = 1.0
        counts += answers.block(persons[rows]).backward(weights)
    mass = torch.bincount(place, minlength=BINS).double()
    groups = model.population_slots.index.shape[0]
    nodes = mean.reshape(-1)[0] + sd.reshape(-1)[0] * theta
    expectations = Expectations(
        nodes[:, None], answers.expand(counts, mass), (mass[:, None] / groups).expand(-1, groups)
    )
    ridge = torch.ones_like(free)
    for _ in range(STEPS):
        gradient, information = gradient_and_information(model, free, expectations)
        curvature = curvature_of(model, information, ridge, None)
        assert curvature is not None
        free = free + curvature.solve(gradient - ridge * (free - start)).clamp(-1.5, 1.5)
    return free
