"""Log-likelihoods at abilities that persons do not share: the item formula by response, in chunks.

Where every person has abilities of the own, no table helps and the formula is evaluated once per draw and
answer. Chunks of persons bound the memory.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.listed import listed
from irtvi.models.derivatives import slopes
from irtvi.models.model import Component, Model
from irtvi.responses.cells import Cells, DenseCells
from irtvi.responses.measures import MeasuredCells

CHUNK_BYTES = 64 * 2**20
DENSE_ABOVE = 0.7
"""Share of answered cells above which evaluating all cells takes less time than gathering the answered ones."""


def log_likelihood(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    theta: Float[Tensor, "draws persons"],
) -> Float[Tensor, "draws persons"]:
    """Log-likelihood (nats) of each person's answers at the person's own abilities; differentiable.

    Parameters
    ----------
    model, free
    cells : Cells
        Answers of these persons.
    theta : Float[Tensor, "draws persons"]
        Its dtype is the one computed in.

    Notes
    -----
    All draws of all persons are held at once: for small batches. :func:`log_joint` goes in chunks. A matrix
    of cells is evaluated as a whole, lists of answers one by one: see :func:`suited`.
    """
    total = torch.zeros_like(theta)
    for component in model.components:
        values = component.slots.free_values(free).to(theta.dtype)
        whole = isinstance(cells, DenseCells) and not component.is_measured
        by_component = _dense if whole else _listed
        total = total + by_component(component, values, model.excluded, cells, theta)
    return total


def suited(cells: Cells) -> Cells:
    """The form in which the log-likelihoods of these answers take less time."""
    if isinstance(cells, MeasuredCells):
        return cells
    return cells.to_dense() if cells.density > DENSE_ABOVE else cells.to_sparse()


def _dense(
    component: Component,
    values: Tensor,
    excluded: Tensor,
    cells: Cells,
    theta: Float[Tensor, "draws persons"],
) -> Float[Tensor, "draws persons"]:
    codes = cells.to_dense().codes[:, component.items].long()
    given = (codes >= 0) & ~excluded[component.items]
    params = component.slots.unpack(values)
    log_probs = component.item_model.coefficients(theta[..., None, None], params, component.facts)
    chosen = log_probs.gather(-1, codes.clamp(min=0).expand(len(theta), -1, -1)[..., None])[..., 0]
    return torch.where(given, chosen, 0.0).sum(-1)


def _listed(
    component: Component,
    values: Tensor,
    excluded: Tensor,
    cells: Cells,
    theta: Float[Tensor, "draws persons"],
) -> Float[Tensor, "draws persons"]:
    answers = listed(component, excluded, cells)
    params = component.slots.unpack(values.index_select(0, answers.member))
    at = theta.index_select(1, answers.person)[..., None]
    coefficients = component.item_model.coefficients(at, params, component.facts.take(answers.member))
    return torch.zeros_like(theta).index_add(1, answers.person, answers.choose(coefficients))


def chunks(model: Model, cells: Cells, persons: Int[Tensor, " some"], n_draws: int) -> Iterator[Int[Tensor, " chunk"]]:
    """Positions within ``persons``, so many at a time that their draws fit into fixed memory."""
    if cells.density > DENSE_ABOVE:
        width = float(model.n_categories.sum())
    else:
        width = 2.0 * cells.n_responses / max(cells.n_persons, 1)
    size = max(16, int(CHUNK_BYTES / (8 * n_draws * max(width, 1.0))))
    yield from torch.arange(len(persons), device=persons.device).split(size)


def log_joint(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    persons: Int[Tensor, " some"],
    groups: Int[Tensor, " some"],
    theta: Float[Tensor, "draws some"],
) -> Float[Tensor, "draws some"]:
    """Log-likelihood plus log density of ability at each person's own abilities, in chunks, no gradient."""
    out = torch.empty_like(theta)
    with torch.no_grad():
        for part in chunks(model, cells, persons, len(theta)):
            at = theta[:, part]
            out[:, part] = log_likelihood(model, free, suited(cells.take(persons[part])), at)
            out[:, part] += log_density(model, free, groups[part], at)
    return out


def log_density(
    model: Model,
    free: Float[Tensor, " n_free"],
    groups: Int[Tensor, " some"],
    theta: Float[Tensor, "draws some"],
) -> Float[Tensor, "draws some"]:
    """Log density of ability in each person's population; differentiable."""
    params = {name: value.to(theta.dtype)[groups] for name, value in model.population_params(free).items()}
    return model.population.log_prob(theta[..., None], params)


def joint_derivatives(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    persons: Int[Tensor, " some"],
    groups: Int[Tensor, " some"],
    theta: Float[Tensor, " some"],
) -> tuple[Float[Tensor, " some"], Float[Tensor, " some"]]:
    """First two derivatives of the log joint by ability, at one ability a person, in chunks."""
    first, second = torch.empty_like(theta), torch.empty_like(theta)
    for part in chunks(model, cells, persons, 4):
        own = suited(cells.take(persons[part]))

        def joint(t: Tensor, own: Cells = own, part: Tensor = part) -> Tensor:
            at = t[None]
            return (log_likelihood(model, free, own, at) + log_density(model, free, groups[part], at))[0]

        _, first[part], second[part] = slopes(joint, theta[part], order=2)
    return first, second
