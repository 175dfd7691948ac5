"""The certificate of window integration: how good each person's encoding was, and what re-placement mended.

The log joint of every person is at hand twice, on the nodes where the encoder alone puts them, and on those
where the windows end up. From the first follow the encoder's evidence lower bound and its own integral, from
the second the best Gaussian's bound and the integral that is reported. No grid is shared.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.answers import Answers
from irtvi.inference.certificate import NEEDS_REPAIR, Audit, Certificates, Window, reliable, stated_error
from irtvi.inference.encoders.encoder import Encoder
from irtvi.inference.encoders.proposal import GaussianProposal
from irtvi.inference.expectation import PersonSums, PlacedAnswers, SharedTables, integrate
from irtvi.inference.nodes import Block
from irtvi.inference.placing import integrate_people
from irtvi.inference.windows import WindowPlacing
from irtvi.models.model import Model


def audit_windows(
    model: Model,
    free: Float[Tensor, " n_free"],
    answers: Answers,
    groups: Int[Tensor, " persons"],
    encoder: Encoder,
) -> Audit:
    """Encode everybody, integrate, and say how good the encoding was.

    Notes
    -----
    The repaired Gaussian has the moments that are reported. Where the encoder's windows were fine enough, they
    are also the last, and a second pass is saved.
    """
    persons = torch.arange(answers.n_persons, device=free.device)
    placing = WindowPlacing(answers, persons, groups, encoder)
    mean, sd = placing.moments(model, free)
    first = placing.place(model, free)
    sums = integrate(model, first, free)
    served = placing.adequate(sums)
    if not served:
        sums = integrate_people(model, free, placing)
    bound, repaired, best = torch.empty_like(mean), torch.empty_like(mean), torch.empty_like(mean)
    for block, window in _windows(model, first, free):
        own = block.persons
        bound[own] = window.bound(mean[own], sd[own])
        if served:
            repaired[own], best[own] = _gaussian_bounds(window, sums, own)
    if not served:
        for block, window in _windows(model, placing.place(model, free), free):
            repaired[block.persons], best[block.persons] = _gaussian_bounds(window, sums, block.persons)
    needed, sufficed = best - bound > NEEDS_REPAIR, reliable(sums)
    unknown = torch.full_like(mean, torch.nan)
    certificates = Certificates(
        log_marginal=sums.log_marginal,
        error=stated_error(sums),
        gap_approximation=sums.log_marginal - best,
        gap_amortization=best - bound,
        gap_repaired=best - repaired,
        delta=sums.halving,
        edge=sums.edge,
        pareto_k=unknown,
        ess=unknown,
        encoded_mean=mean,
        encoded_sd=sd,
        needed=needed,
        sufficed=sufficed,
        repaired=needed,
        reliable=sufficed,
    )
    return Audit(sums, certificates)


def _gaussian_bounds(window: Window, sums: PersonSums, persons: Int[Tensor, " some"]) -> tuple[Tensor, Tensor]:
    """Evidence lower bounds of the Gaussian with the reported moments, and of the best one."""
    return window.bound(sums.mean[persons], sums.sd[persons]), window.best_gaussian_bound()


def _windows(model: Model, placed: PlacedAnswers, free: Float[Tensor, " n_free"]) -> Iterator[tuple[Block, Window]]:
    """Each block, as wide as a pass left it, with the log joint of its persons on its nodes."""
    tables = SharedTables.of(model, placed, free, torch.float64)
    for block, answer_block in placed:
        log_joint, highest = tables.log_joint(block, answer_block)
        nodes = tables.theta[block.rows]
        spacing = torch.log(nodes[1, 0] - nodes[0, 0])
        yield block, Window(nodes.expand_as(log_joint), log_joint + (highest - spacing))


@dataclass(frozen=True)
class FrozenEncoder(Encoder):
    """Gives everybody the same Gaussian: what an encoder that learned nothing does. For judging certificates."""

    mean: float = 0.0
    sd: float = 1.0
    name = "frozen"

    def encode(
        self,
        model: Model,
        free: Float[Tensor, " n_free"],
        answers: Answers,
        persons: Int[Tensor, " some"],
        groups: Int[Tensor, " some"],
    ) -> GaussianProposal:
        shape = torch.ones(len(persons), dtype=torch.float64, device=free.device)
        return GaussianProposal(self.mean * shape, self.sd * shape)
