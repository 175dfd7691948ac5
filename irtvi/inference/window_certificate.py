"""The certificate of window integration: how good each person's encoding was, and what re-placement mended.

The log joint of every person is at hand twice, on the nodes where the encoder alone puts them, and on those
where the windows end up. From the first follow the encoder's evidence lower bound and its own integral, from
the second the best Gaussian's bound and the integral that is reported. No grid is shared.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.inference.answers import Answers
from irtvi.inference.certificate import NEEDS_REPAIR, Certificates, Window, reliable
from irtvi.inference.encoders.encoder import Encoder
from irtvi.inference.encoders.proposal import GaussianProposal
from irtvi.inference.expectation import PersonSums, PlacedAnswers, SharedTables
from irtvi.inference.placing import integrate_people
from irtvi.inference.windows import WindowPlacing
from irtvi.models.model import Model


@dataclass(frozen=True)
class WindowAudit:
    """Persons as they are reported, and the certificate of the way there.

    Attributes
    ----------
    sums : PersonSums
    error_before : Float[Tensor, " persons"]
        Signed error of the log marginal when the encoder's own nodes are used, nats.
    certificates : Certificates
    """

    sums: PersonSums
    error_before: Float[Tensor, " persons"]
    certificates: Certificates


def audit_windows(
    model: Model,
    free: Float[Tensor, " n_free"],
    answers: Answers,
    groups: Int[Tensor, " persons"],
    encoder: Encoder,
) -> WindowAudit:
    """Encode everybody, integrate, and say how good the encoding was."""
    persons = torch.arange(answers.n_persons, device=free.device)
    proposal = encoder.encode(model, free, answers, persons, groups)
    mean, sd = (moment.double() for moment in proposal.moments())
    placing = WindowPlacing(answers, persons, groups, encoder)
    placed = placing.place(model, free)
    before = torch.empty_like(mean)
    bound = torch.empty_like(mean)
    for block, window in _windows(model, placed, free):
        before[block.persons] = window.log_marginal
        bound[block.persons] = window.bound(mean[block.persons], sd[block.persons])
    sums = integrate_people(model, free, placing)
    best = torch.empty_like(mean)
    for block, window in _windows(model, placing.place(model, free), free):
        best[block.persons] = window.best_gaussian_bound()
    amortization = best - bound
    unknown = torch.full_like(mean, torch.nan)
    certificates = Certificates(
        gap_approximation=sums.log_marginal - best,
        gap_amortization=amortization,
        delta=sums.halving,
        edge=sums.edge,
        pareto_k=unknown,
        ess=unknown,
        repaired=amortization > NEEDS_REPAIR,
        reliable=reliable(sums),
    )
    return WindowAudit(sums, before - sums.log_marginal, certificates)


def _windows(model: Model, placed: PlacedAnswers, free: Tensor):
    """Each block with the log joint of its persons on its nodes."""
    tables = SharedTables.of(model, placed, free, torch.float64)
    for block, answer_block in placed:
        log_joint, highest = tables.log_joint(block, answer_block)
        spacing = torch.log(tables.theta[block.rows][1, 0] - tables.theta[block.rows][0, 0])
        theta = tables.theta[block.rows].expand_as(log_joint)
        yield block, Window(theta, log_joint + highest - spacing)


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


