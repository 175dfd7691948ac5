"""How good each person's approximation is, before and after repair.

For a person, log p minus the evidence lower bound of the encoder's distribution is the sum of two gaps: the
*approximation gap*, what the best Gaussian leaves, and the *amortization gap*, what the encoder leaves
against the best Gaussian (Cremer, Li & Duvenaud 2018, Inference suboptimality in variational autoencoders).
Both are integrals in one dimension over nodes placed for that person; no grid is shared, and nothing that
judges the fit takes part. A diagnostic, not a proof.
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from irtvi.inference.encoders.proposal import GaussianProposal, Proposal
from irtvi.inference.expectation import EDGE, PersonSums
from irtvi.inference.pairs import log_joint
from irtvi.inference.pareto import GOOD_K, effective_draws, pareto_k
from irtvi.inference.placing import population_range
from irtvi.inference.repair import repair
from irtvi.inference.table import steepest_slope
from irtvi.models.model import Model
from irtvi.responses.cells import Cells

NEEDS_REPAIR = 0.005
"""Amortization gap in nats; a mean that is off by a tenth of a posterior sd costs as much."""
HALVING_LIMIT = 0.04
"""The rule's error is about the square of its difference from its half. For a Gaussian at the widest spacing that
windows may have before they are placed anew, 1.1 sd, the difference is .034 and the error 2e-7."""
RULE_ERROR = 1e-7
"""Nats that the rule of spacing leaves at most, whatever the halves of the rule say."""
NODE_RANGE = 6.0
NODE_SPACING = 0.6
"""Range and largest spacing of nodes in sds of the Gaussian that places them."""
FINEST_SPACING = 0.05
ROUGH_GRID = 33
N_DRAWS = 100
EQUAL_WEIGHTS = 0.99
"""Draws worth more than this share of their number have weights so equal that their tail means nothing."""
REPLACEMENTS = 4
BEST_GAUSSIAN_STEPS = 12
SETTLED = 1e-8
"""Nats by which a further step must still improve the best Gaussian's bound."""
GAUSSIAN_ENTROPY = 0.5 * math.log(2 * math.pi * math.e)
"""Of a Gaussian with sd 1, nats."""


@dataclass(frozen=True)
class Certificates:
    """What is known of each person's approximation; NaN where the engine has no such number.

    Attributes
    ----------
    log_marginal : Float[Tensor, " persons"]
        Log marginal likelihood by integration around the repaired Gaussian, nats.
    error : Float[Tensor, " persons"]
        How far from the truth that integral may be, nats; see :func:`stated_error`.
    gap_approximation : Float[Tensor, " persons"]
        Log marginal likelihood minus the evidence lower bound of the best Gaussian, nats.
    gap_amortization : Float[Tensor, " persons"]
        Evidence lower bound of the best Gaussian minus that of the encoder's distribution, nats; negative
        where a flow is better than any Gaussian.
    gap_repaired : Float[Tensor, " persons"]
        Evidence lower bound of the best Gaussian minus that of the repaired one, nats.
    delta : Float[Tensor, " persons"]
        Difference of the integration rule on even and odd nodes, relative to their sum.
    edge : Float[Tensor, " persons"]
        Share of the posterior on the outermost nodes.
    pareto_k : Float[Tensor, " persons"]
        Tail of the weights of draws from the encoder's distribution.
    ess : Float[Tensor, " persons"]
        Effective number of those draws.
    encoded_mean, encoded_sd : Float[Tensor, " persons"]
        Moments of the encoder's distribution.
    needed : Bool[Tensor, " persons"]
        Whether the encoder alone does not serve.
    sufficed : Bool[Tensor, " persons"]
        Whether integration around the repaired Gaussian can be trusted.
    repaired : Bool[Tensor, " persons"]
        Whether the scores come from a repaired approximation.
    reliable : Bool[Tensor, " persons"]
        Whether the scores can be trusted.
    """

    log_marginal: Float[Tensor, " persons"]
    error: Float[Tensor, " persons"]
    gap_approximation: Float[Tensor, " persons"]
    gap_amortization: Float[Tensor, " persons"]
    gap_repaired: Float[Tensor, " persons"]
    delta: Float[Tensor, " persons"]
    edge: Float[Tensor, " persons"]
    pareto_k: Float[Tensor, " persons"]
    ess: Float[Tensor, " persons"]
    encoded_mean: Float[Tensor, " persons"]
    encoded_sd: Float[Tensor, " persons"]
    needed: Bool[Tensor, " persons"]
    sufficed: Bool[Tensor, " persons"]
    repaired: Bool[Tensor, " persons"]
    reliable: Bool[Tensor, " persons"]

    @staticmethod
    def of_grid(sums: PersonSums) -> "Certificates":
        """For an engine without an encoder, which integrates over one grid for everyone."""
        unknown = torch.full_like(sums.mean, torch.nan)
        nobody = torch.zeros_like(sums.mean, dtype=torch.bool)
        good = reliable(sums)
        return Certificates(
            log_marginal=sums.log_marginal, error=stated_error(sums),
            gap_approximation=unknown, gap_amortization=unknown, gap_repaired=unknown,
            delta=sums.halving, edge=sums.edge, pareto_k=unknown, ess=unknown,
            encoded_mean=unknown, encoded_sd=unknown,
            needed=nobody, sufficed=good, repaired=nobody, reliable=good,
        )  # fmt: skip

    @property
    def error_before(self) -> Float[Tensor, " persons"]:
        """Signed error of the encoder's bound as a log marginal likelihood, nats."""
        return -(self.gap_approximation + self.gap_amortization)

    @property
    def error_after(self) -> Float[Tensor, " persons"]:
        """Signed error of the repaired Gaussian's bound as a log marginal likelihood, nats."""
        return -(self.gap_approximation + self.gap_repaired)


@dataclass(frozen=True)
class Audit:
    """The posterior of each person by integration, and how the approximations compare with it.

    Attributes
    ----------
    sums : PersonSums
        Log marginal likelihood and posterior moments by integration around the repaired Gaussian.
    certificates : Certificates
        Of scores that are repaired where that is needed.
    """

    sums: PersonSums
    certificates: Certificates

    @property
    def encoded(self) -> PersonSums:
        """As ``sums``, but with the moments of the encoder's distribution."""
        return replace(self.sums, mean=self.certificates.encoded_mean, sd=self.certificates.encoded_sd)

    def unrepaired(self) -> Certificates:
        """Certificates of the encoder's own scores."""
        needed = self.certificates.needed
        return replace(self.certificates, repaired=torch.zeros_like(needed), reliable=~needed)


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
    mean, sd = (moment.double() for moment in proposal.moments())
    gaussian = repair(model, free, cells, persons, groups, GaussianProposal(mean, sd), n_repair_steps)
    nodes = _Nodes(model, free, cells, persons, groups)
    window = nodes.integrate(gaussian)
    best_bound = window.best_gaussian_bound()
    amortization = best_bound - nodes.bound(proposal)
    log_weights = nodes.draws(proposal)
    tail, ess, sums = pareto_k(log_weights), effective_draws(log_weights), window.sums()
    needed = (amortization > NEEDS_REPAIR) | ((tail > GOOD_K) & (ess < EQUAL_WEIGHTS * N_DRAWS))
    sufficed = reliable(sums)
    certificates = Certificates(
        log_marginal=sums.log_marginal,
        error=stated_error(sums),
        gap_approximation=window.log_marginal - best_bound,
        gap_amortization=amortization,
        gap_repaired=best_bound - window.bound(gaussian.mean, gaussian.sd),
        delta=sums.halving,
        edge=sums.edge,
        pareto_k=tail,
        ess=ess,
        encoded_mean=mean,
        encoded_sd=sd,
        needed=needed,
        sufficed=sufficed,
        repaired=needed,
        reliable=~needed | sufficed,
    )
    return Audit(sums, certificates)


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

    def bound(self, mean: Float[Tensor, " persons"], sd: Float[Tensor, " persons"]) -> Float[Tensor, " persons"]:
        """Evidence lower bound of Gaussians whose mass lies within the window."""
        weights = torch.softmax(-0.5 * ((self.theta - mean) / sd).square(), 0)
        return (weights * self.log_joint).sum(0) + sd.log() + GAUSSIAN_ENTROPY

    def best_gaussian_bound(self) -> Float[Tensor, " persons"]:
        """Largest evidence lower bound of a Gaussian, by Newton steps of Opper and Archambeau (2009).

        At the best Gaussian the expected slope of the log joint is zero and the precision is minus its
        expected second derivative; both expectations follow from its values by Stein's identity.
        """
        mean, sd = self.moments()
        best = torch.full_like(mean, -torch.inf)
        for _ in range(BEST_GAUSSIAN_STEPS):
            z = (self.theta - mean) / sd
            half_square = 0.5 * z.square()
            weighted = torch.softmax(-half_square, 0).mul_(self.log_joint)
            level, slope = weighted.sum(0), (weighted * z).sum(0)
            reached = torch.maximum(best, level + sd.log() + GAUSSIAN_ENTROPY)
            settled = bool((reached - best < SETTLED).all())
            best = reached
            if settled:
                break
            relative = (level - 2 * (weighted * half_square).sum(0)).clamp(0.25, 4.0)
            mean = mean + sd * torch.clamp(slope / relative, -1.0, 1.0)
            sd = sd * relative.rsqrt()
        return best


@dataclass(frozen=True)
class _Nodes:
    """Evaluates the log joint of some persons at nodes of their own."""

    model: Model
    free: Float[Tensor, " n_free"]
    cells: Cells
    persons: Int[Tensor, " some"]
    groups: Int[Tensor, " some"]

    def at(self, theta: Float[Tensor, "nodes some"], which: Tensor | None = None) -> Float[Tensor, "nodes some"]:
        persons, groups = self.persons, self.groups
        if which is not None:
            persons, groups = persons[which], groups[which]
        return log_joint(self.model, self.free, self.cells, persons, groups, theta)

    def integrate(self, gaussian: GaussianProposal) -> Window:
        """Nodes around Gaussians, placed anew around the moments found where they did not fit."""
        x = _standard_nodes(self.spacing(gaussian), self.free.device)
        theta = gaussian.mean + gaussian.sd * x
        window = Window(theta, self.at(theta))
        placed_mean, placed_sd = gaussian.mean, gaussian.sd
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

    def spacing(self, gaussian: GaussianProposal) -> float:
        """Of standard nodes, so fine that the steepest item is integrated for the widest Gaussian as well."""
        rough = torch.linspace(*population_range(self.model, self.free), ROUGH_GRID, dtype=torch.float64)
        steepest = steepest_slope(self.model, rough.to(self.free.device)[:, None], self.free)
        widest = float(gaussian.sd.max()) if len(gaussian.sd) else 1.0
        return max(min(NODE_SPACING, 1 / max(steepest * widest, 1e-6)), FINEST_SPACING)

    def bound(self, proposal: Proposal) -> Float[Tensor, " some"]:
        """Evidence lower bound of proposals."""
        x = _standard_nodes(NODE_SPACING, self.free.device)
        weight = torch.softmax(-0.5 * x.square(), 0)
        return (weight * self._log_weights(proposal, x)).sum(0)

    def draws(self, proposal: Proposal) -> Float[Tensor, "draws some"]:
        """Log-weights of draws at evenly spaced probabilities: the same data give the same numbers."""
        probability = (torch.arange(N_DRAWS, dtype=torch.float64, device=self.free.device) + 0.5) / N_DRAWS
        return self._log_weights(proposal, torch.special.ndtri(probability)[:, None])

    def _log_weights(self, proposal: Proposal, noise: Float[Tensor, "draws 1"]) -> Float[Tensor, "draws some"]:
        theta = proposal.transport(noise.float().expand(-1, len(self.persons))).float()
        return (self.at(theta) - proposal.log_prob(theta)).double()


def _standard_nodes(spacing: float, device: torch.device) -> Float[Tensor, "nodes 1"]:
    half = math.ceil(NODE_RANGE / spacing)
    return spacing * torch.arange(-half, half + 1, dtype=torch.float64, device=device)[:, None]


def reliable(sums: PersonSums) -> Bool[Tensor, " persons"]:
    """Whether the rule agrees with its half and no mass lies on the outermost nodes."""
    return (sums.halving < HALVING_LIMIT) & (sums.edge < EDGE)


def stated_error(sums: PersonSums) -> Float[Tensor, " persons"]:
    """How far from the truth each log marginal may be, nats.

    Notes
    -----
    Halving the rule's spacing about squares its relative error, so the square of what the rule on every other
    node is off by stands for the error of the whole; what the rule of spacing leaves anyway, and the mass
    beyond the outermost nodes, are added. An estimate, not a proof.
    """
    return RULE_ERROR + sums.halving.square() + 2 * sums.edge
