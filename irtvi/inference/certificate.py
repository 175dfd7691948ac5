"""How good each person's approximation is, before and after repair.

For a person, log p minus the evidence lower bound of the encoder's distribution is the sum of two gaps: the
*approximation gap*, what the best Gaussian leaves, and the *amortization gap*, what the encoder leaves
against the best Gaussian (Cremer, Li & Duvenaud 2018, Inference suboptimality in variational autoencoders).
Both are integrals in one dimension over nodes placed for that person; no grid is shared, and nothing that
judges the fit takes part. A diagnostic, not a proof.
"""

import math
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from irtvi.inference.encoders.proposal import GaussianProposal, Proposal
from irtvi.inference.expectation import EDGE, PersonSums
from irtvi.inference.pairs import log_joint
from irtvi.inference.pareto import GOOD_K, effective_draws, pareto_k
from irtvi.inference.repair import repair
from irtvi.models.model import Model
from irtvi.responses.cells import Cells

NEEDS_REPAIR = 0.005
"""Amortization gap in nats; a mean that is off by a tenth of a posterior sd costs as much."""
HALVING_LIMIT = 0.03
"""The rule's error is about the square of its difference from its half."""
NODE_RANGE = 6.0
NODE_SPACING = 0.6
"""Range and spacing of nodes in sds of the Gaussian that places them."""
N_DRAWS = 100
REPLACEMENTS = 4
BEST_GAUSSIAN_STEPS = 12


@dataclass(frozen=True)
class Certificates:
    """What is known of each person's approximation; NaN where the engine has no such number.

    Attributes
    ----------
    gap_approximation : Float[Tensor, " persons"]
        Log marginal likelihood minus the evidence lower bound of the best Gaussian, nats.
    gap_amortization : Float[Tensor, " persons"]
        Evidence lower bound of the best Gaussian minus that of the encoder's distribution, nats; negative
        where a flow is better than any Gaussian.
    delta : Float[Tensor, " persons"]
        Difference of the integration rule on even and odd nodes, relative to their sum.
    edge : Float[Tensor, " persons"]
        Share of the posterior on the outermost nodes.
    pareto_k : Float[Tensor, " persons"]
        Tail of the weights of draws from the encoder's distribution.
    ess : Float[Tensor, " persons"]
        Effective number of those draws.
    repaired : Bool[Tensor, " persons"]
        Whether the scores come from a repaired approximation.
    reliable : Bool[Tensor, " persons"]
        Whether the scores can be trusted.
    """

    gap_approximation: Float[Tensor, " persons"]
    gap_amortization: Float[Tensor, " persons"]
    delta: Float[Tensor, " persons"]
    edge: Float[Tensor, " persons"]
    pareto_k: Float[Tensor, " persons"]
    ess: Float[Tensor, " persons"]
    repaired: Bool[Tensor, " persons"]
    reliable: Bool[Tensor, " persons"]

    @staticmethod
    def of_windows(
        sums: PersonSums, repaired: Bool[Tensor, " persons"], reliable: Bool[Tensor, " persons"]
    ) -> "Certificates":
        """For an engine that integrates over windows and draws nothing."""
        unknown = torch.full_like(sums.halving, torch.nan)
        return Certificates(unknown, unknown, sums.halving, sums.edge, unknown, unknown, repaired, reliable)

    def take(self, persons: Tensor) -> "Certificates":
        """The certificates of some persons."""
        return Certificates(*(getattr(self, f.name)[persons] for f in fields(self)))


@dataclass(frozen=True)
class Audit:
    """The encoder's distribution, and the repaired one, held against the posterior of each person.

    Attributes
    ----------
    sums : PersonSums
        Log marginal likelihood and posterior moments by integration around the repaired Gaussian.
    encoded_mean, encoded_sd : Float[Tensor, " persons"]
        Moments of the encoder's distribution.
    gap_approximation, gap_amortization : Float[Tensor, " persons"]
        See :class:`Certificates`.
    gap_after_repair : Float[Tensor, " persons"]
        What the repaired Gaussian leaves against the best one.
    pareto_k, ess : Float[Tensor, " persons"]
        Of the encoder's distribution.
    """

    sums: PersonSums
    encoded_mean: Float[Tensor, " persons"]
    encoded_sd: Float[Tensor, " persons"]
    gap_approximation: Float[Tensor, " persons"]
    gap_amortization: Float[Tensor, " persons"]
    gap_after_repair: Float[Tensor, " persons"]
    pareto_k: Float[Tensor, " persons"]
    ess: Float[Tensor, " persons"]

    @property
    def error_before(self) -> Float[Tensor, " persons"]:
        """Signed error of the encoder's bound as a log marginal likelihood, nats."""
        return -(self.gap_approximation + self.gap_amortization)

    @property
    def error_after(self) -> Float[Tensor, " persons"]:
        """Signed error of the repaired Gaussian's bound as a log marginal likelihood, nats."""
        return -(self.gap_approximation + self.gap_after_repair)

    @property
    def needs_repair(self) -> Bool[Tensor, " persons"]:
        """Whom the encoder alone does not serve well enough."""
        return (self.gap_amortization > NEEDS_REPAIR) | (self.pareto_k > GOOD_K)

    @property
    def repair_sufficed(self) -> Bool[Tensor, " persons"]:
        """Whether integration around the repaired Gaussian can be trusted."""
        return (self.sums.edge < EDGE) & (self.sums.halving < HALVING_LIMIT)

    def unrepaired(self) -> Certificates:
        """Certificates of the encoder's own scores."""
        return self._certificates(torch.zeros_like(self.needs_repair), ~self.needs_repair)

    def repaired(self) -> Certificates:
        """Certificates of scores that are repaired where that is needed."""
        return self._certificates(self.needs_repair, ~self.needs_repair | self.repair_sufficed)

    def _certificates(self, repaired: Tensor, reliable: Tensor) -> Certificates:
        return Certificates(
            self.gap_approximation, self.gap_amortization, self.sums.halving, self.sums.edge,
            self.pareto_k, self.ess, repaired, reliable,
        )  # fmt: skip


def audit(
    model: Model,
    free: Float[Tensor, " n_free"],
    cells: Cells,
    persons: Int[Tensor, " some"],
    groups: Int[Tensor, " some"],
    proposal: Proposal,
    n_repair_steps: int = 2,
) -> Audit:
    """Judge each person's proposal, repair it, and integrate around the repaired one.

    Parameters
    ----------
    persons : Int[Tensor, " some"]
        Rows of ``cells``.
    groups : Int[Tensor, " some"]
        Groups of these persons.
    proposal : Proposal
        One for each of these persons.
    """
    proposal = proposal.detach()
    mean, sd = proposal.moments()
    gaussian = repair(model, free, cells, persons, groups, GaussianProposal(mean, sd), n_repair_steps)
    nodes = _Nodes(model, free, cells, persons, groups)
    window = nodes.integrate(gaussian)
    best_bound = window.best_gaussian_bound()
    encoder_bound = nodes.bound(proposal)
    log_weights = nodes.draws(proposal)
    return Audit(
        sums=window.sums(),
        encoded_mean=mean.double(),
        encoded_sd=sd.double(),
        gap_approximation=window.log_marginal - best_bound,
        gap_amortization=best_bound - encoder_bound,
        gap_after_repair=best_bound - window.bound(gaussian.mean.double(), gaussian.sd.double()),
        pareto_k=pareto_k(log_weights),
        ess=effective_draws(log_weights),
    )


@dataclass(frozen=True)
class Window:
    """The log joint of each person on equally spaced nodes of the own."""

    theta: Float[Tensor, "nodes persons"]
    log_joint: Float[Tensor, "nodes persons"]

    @property
    def spacing(self) -> Float[Tensor, " persons"]:
        return self.theta[1] - self.theta[0]

    @property
    def log_marginal(self) -> Float[Tensor, " persons"]:
        return torch.logsumexp(self.log_joint, 0) + self.spacing.log()

    @property
    def weights(self) -> Float[Tensor, "nodes persons"]:
        return torch.softmax(self.log_joint, 0)

    def moments(self) -> tuple[Float[Tensor, " persons"], Float[Tensor, " persons"]]:
        mean = (self.weights * self.theta).sum(0)
        return mean, (self.weights * (self.theta - mean).square()).sum(0).sqrt()

    def edge(self) -> Float[Tensor, " persons"]:
        return torch.maximum(self.weights[0], self.weights[-1])

    def sums(self) -> PersonSums:
        mean, sd = self.moments()
        halving = (2 * self.weights[::2].sum(0) - 1).abs()
        return PersonSums(self.log_marginal, mean, sd, self.edge(), halving)

    def bound(
        self, mean: Float[Tensor, " persons"], sd: Float[Tensor, " persons"]
    ) -> Float[Tensor, " persons"]:
        """Evidence lower bound of Gaussians whose mass lies within the window."""
        return (
            (self._gaussian(mean, sd) * self.log_joint).sum(0)
            + sd.log()
            + 0.5 * math.log(2 * math.pi * math.e)
        )

    def best_gaussian_bound(self) -> Float[Tensor, " persons"]:
        """Largest evidence lower bound of a Gaussian, by Newton steps of Opper and Archambeau (2009).

        At the best Gaussian the expected slope of the log joint is zero and the precision is minus its
        expected second derivative; both expectations follow from its values by Stein's identity.
        """
        mean, sd = self.moments()
        best = self.bound(mean, sd)
        for _ in range(BEST_GAUSSIAN_STEPS):
            q = self._gaussian(mean, sd)
            z = (self.theta - mean) / sd
            slope = (q * z * self.log_joint).sum(0) / sd
            curvature = -(q * (z.square() - 1) * self.log_joint).sum(0) / sd.square()
            precision = torch.clamp(curvature, 0.25 / sd.square(), 4 / sd.square())
            mean, sd = mean + torch.clamp(slope / precision, -sd, sd), precision.rsqrt()
            best = torch.maximum(best, self.bound(mean, sd))
        return best

    def _gaussian(self, mean: Tensor, sd: Tensor) -> Float[Tensor, "nodes persons"]:
        return torch.softmax(-0.5 * ((self.theta - mean) / sd).square(), 0)


@dataclass(frozen=True)
class _Nodes:
    """Evaluates the log joint of some persons at nodes of their own."""

    model: Model
    free: Float[Tensor, " n_free"]
    cells: Cells
    persons: Int[Tensor, " some"]
    groups: Int[Tensor, " some"]

    def at(
        self, theta: Float[Tensor, "nodes some"], which: Tensor | None = None
    ) -> Float[Tensor, "nodes some"]:
        persons, groups = self.persons, self.groups
        if which is not None:
            persons, groups = persons[which], groups[which]
        return log_joint(self.model, self.free, self.cells, persons, groups, theta.float()).double()

    def integrate(self, gaussian: GaussianProposal) -> Window:
        """Nodes around Gaussians, placed anew around the moments found where they did not fit."""
        x = _standard_nodes(self.free.device)
        theta = gaussian.mean.double() + gaussian.sd.double() * x
        window = Window(theta, self.at(theta))
        placed_mean, placed_sd = gaussian.mean.double(), gaussian.sd.double()
        for _ in range(REPLACEMENTS):
            mean, sd = window.moments()
            off = (mean - placed_mean).abs() > 0.5 * placed_sd
            off |= (sd > 1.25 * placed_sd) | (sd < 0.7 * placed_sd) | (window.edge() > EDGE)
            which = torch.nonzero(off)[:, 0]
            if len(which) == 0:
                break
            wider = torch.where(window.edge() > EDGE, 1.3 * sd, sd).clamp(min=0.5 * placed_sd)
            placed_mean, placed_sd = torch.where(off, mean, placed_mean), torch.where(off, wider, placed_sd)
            moved = placed_mean[which] + placed_sd[which] * x
            theta, values = window.theta.clone(), window.log_joint.clone()
            theta[:, which], values[:, which] = moved, self.at(moved, which)
            window = Window(theta, values)
        return window

    def bound(self, proposal: Proposal) -> Float[Tensor, " some"]:
        """Evidence lower bound of proposals."""
        x = _standard_nodes(self.free.device)
        weight = torch.softmax(-0.5 * x.square(), 0)
        return (weight * self._log_weights(proposal, x)).sum(0)

    def draws(self, proposal: Proposal) -> Float[Tensor, "draws some"]:
        """Log-weights of draws at evenly spaced probabilities: the same data give the same numbers."""
        probability = (torch.arange(N_DRAWS, dtype=torch.float64, device=self.free.device) + 0.5) / N_DRAWS
        return self._log_weights(proposal, torch.special.ndtri(probability)[:, None])

    def _log_weights(
        self, proposal: Proposal, noise: Float[Tensor, "draws 1"]
    ) -> Float[Tensor, "draws some"]:
        noise = noise.float().expand(-1, len(self.persons))
        theta = proposal.transport(noise)
        return self.at(theta) - proposal.log_prob(theta).double()


def _standard_nodes(device: torch.device) -> Float[Tensor, "nodes 1"]:
    half = round(NODE_RANGE / NODE_SPACING)
    return NODE_SPACING * torch.arange(-half, half + 1, dtype=torch.float64, device=device)[:, None]


def reliable(sums: PersonSums) -> Bool[Tensor, " persons"]:
    """Whether the rule agrees with its half and no mass lies on the outermost nodes."""
    return (sums.halving < HALVING_LIMIT) & (sums.edge < EDGE)
