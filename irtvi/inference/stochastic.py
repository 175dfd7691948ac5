"""Amortized variational inference as it is published: stochastic gradients of a named bound.

Encoder and items climb the same bound together, over minibatches of persons. The items have a mean-field
Gaussian posterior, whose divergence from their priors counts once for the whole data: the gradient of a batch
of B out of N persons carries B/N of it. Nothing is repaired, so that what a bound does can be seen.

References
----------
Kingma & Welling (2014). Auto-encoding variational Bayes. ICLR.
Wu, Davis, Domingue, Piech & Goodman (2020). Variational item response theory: fast, accurate, and expressive.
Hoffman, Blei, Wang & Paisley (2013). Stochastic variational inference. JMLR 14.
Kingma & Ba (2015). Adam. ICLR.
Polyak & Juditsky (1992). Acceleration of stochastic approximation by averaging.
"""

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from irtvi.errors import SpecificationError
from irtvi.inference.answers import Answers, answers_of
from irtvi.inference.certificate import audit
from irtvi.inference.encoders import LEARNED_ENCODERS, LearnedEncoder
from irtvi.inference.engines.engine import Data, Progress
from irtvi.inference.interruption import interruptible, may_stop
from irtvi.inference.item_posterior import DiagonalCurvature
from irtvi.inference.objectives import GRADIENTS, OBJECTIVES, Bound, GradientEstimator, ciwae
from irtvi.inference.orientation import reflected
from irtvi.inference.pairs import log_density, log_likelihood, suited
from irtvi.inference.posterior import Posterior, Snapshot
from irtvi.inference.start import start_values
from irtvi.models.model import Model

SMALLEST_STEP = 1 / 32
"""Of the first step size."""
STEP_DECAY = 0.5
"""Factor by which the step shrinks from round to round."""
START_SAMPLE = 20_000


@dataclass(frozen=True)
class StochasticSettings:
    """How a named bound is climbed.

    Parameters
    ----------
    objective : str
        A name of ``OBJECTIVES``.
    gradient : str
        A name of ``GRADIENTS``.
    encoder : str
        A name of ``LEARNED_ENCODERS``.
    outer, inner : int
        Draws a person: ``inner`` share a logarithm in miwae (and in the encoder's part of piwae), of which
        the mean over ``outer`` is taken; the other bounds use all ``outer * inner`` alike.
    share : float
        Share of the elbo in ciwae.
    batch_size : int
        Persons a step.
    learning_rate : float
        First step of Adam for the items; the encoder takes half of it.
    round_steps : int
        Least number of steps between two looks at convergence; a round is a whole number of epochs.
    tolerance : float
        The fit has converged when the items' means, averaged over the last half of a round, differ from those
        of the round before by no more than this many posterior sds (root mean square over parameters) while
        the step is at its smallest.
    max_rounds : int
        Rounds after which it gives up.
    """

    objective: str = "elbo"
    gradient: str = "standard"
    encoder: str = "product_of_experts"
    outer: int = 2
    inner: int = 4
    share: float = 0.5
    batch_size: int = 256
    learning_rate: float = 0.02
    round_steps: int = 150
    tolerance: float = 0.1
    max_rounds: int = 40

    def __post_init__(self) -> None:
        for setting, choices in (
            ("objective", OBJECTIVES),
            ("gradient", GRADIENTS),
            ("encoder", LEARNED_ENCODERS),
        ):
            value = getattr(self, setting)
            if value not in choices:
                raise SpecificationError(f"{setting}={value!r}: choose one of {', '.join(choices)}.")
        for setting in (
            "outer",
            "inner",
            "batch_size",
            "learning_rate",
            "round_steps",
            "tolerance",
            "max_rounds",
        ):
            value = getattr(self, setting)
            if not value > 0:
                raise SpecificationError(f"{setting}= must be positive, got {value}.")
        if not 0 <= self.share <= 1:
            raise SpecificationError(f"share= must lie between 0 and 1, got {self.share}.")

    def bound(self) -> Callable[[Tensor], Bound]:
        """The objective as a function of log-weights."""
        return partial(ciwae, share=self.share) if self.objective == "ciwae" else OBJECTIVES[self.objective]


@dataclass
class ItemGaussian:
    """Mean-field Gaussian over the free parameters.

    Attributes
    ----------
    mean, log_sd : Float[Tensor, " n_free"]
    """

    mean: Float[Tensor, " n_free"]
    log_sd: Float[Tensor, " n_free"]

    @staticmethod
    def start(model: Model, data: Data, free: Float[Tensor, " n_free"]) -> "ItemGaussian":
        """Around start values, about as wide as the number of answers suggests."""
        answered = data.cells.n_answers().to(free)
        n = torch.zeros_like(free)
        for component in model.components:
            by_slot = answered[component.items][:, None].expand(component.slots.index.shape)
            n += component.slots.collect(by_slot, model.n_free)
        population = model.population_slots
        n += population.collect(torch.full_like(population.held, float(data.cells.n_persons)), model.n_free)
        log_sd = torch.log(2.0 / n.clamp(min=16.0).sqrt())
        return ItemGaussian(free.detach().clone().requires_grad_(True), log_sd.requires_grad_(True))

    def draw(self, noise: Float[Tensor, " n_free"]) -> Float[Tensor, " n_free"]:
        """Parameters from standard normal noise."""
        return self.mean + self.log_sd.exp() * noise

    def entropy(self) -> Tensor:
        """In nats."""
        return self.log_sd.sum() + 0.5 * len(self.log_sd) * math.log(2 * math.pi * math.e)

    def negative_divergence(self, model: Model, drawn: Float[Tensor, " n_free"]) -> Tensor:
        """Minus the Kullback-Leibler divergence from the priors, the priors' part at one draw.

        A parameter without a prior has a flat one.
        """
        return model.log_prior.value(drawn) + self.entropy()


@dataclass(frozen=True)
class Batch:
    """One step's persons.

    Attributes
    ----------
    persons, groups : Int[Tensor, " batch"]
    share : float
        Their number as a share of all persons.
    """

    persons: Int[Tensor, " batch"]
    groups: Int[Tensor, " batch"]
    share: float


@dataclass
class Bounding:
    """A bound of the data's log marginal likelihood with the gradient of each part.

    Attributes
    ----------
    model, data, answers
    encoder : LearnedEncoder
    bound : callable
        From log-weights.
    estimator : GradientEstimator
    outer, inner : int
    generator : torch.Generator
        On the CPU.
    """

    model: Model
    data: Data
    answers: Answers
    encoder: LearnedEncoder
    bound: Callable[[Tensor], Bound]
    estimator: GradientEstimator
    outer: int
    inner: int
    generator: torch.Generator

    def persons(self, batch: Batch, free: Float[Tensor, " n_free"]) -> tuple[Tensor, Tensor]:
        """Sum over a batch of the persons' bounds, and a surrogate whose gradient is the sum's estimate.

        The draws' log joint is evaluated once; its derivatives by parameters and by abilities then take the
        weights that the objective and the estimator give to items and encoder.
        """
        cells = suited(self.data.cells.take(batch.persons))
        proposal = self.encoder.encode(self.model, free, self.answers, batch.persons, batch.groups)
        noise = self.noise((self.outer * self.inner, len(batch.persons)))
        theta = proposal.transport(noise)
        at, items = theta.detach().requires_grad_(True), free.detach().requires_grad_(True)
        log_p = log_likelihood(self.model, items, cells, at) + log_density(self.model, items, batch.groups, at)
        log_q = (proposal.detach() if self.estimator.detaches_proposal else proposal).log_prob(theta)
        log_weights = (log_p - log_q).detach().view(self.outer, self.inner, -1)
        bound = self.bound(log_weights)
        person_weight = torch.ones_like(bound.value)
        if self.data.weights is not None:
            person_weight = self.data.weights[batch.persons].to(bound.value)
        for_items = (person_weight * bound.items).view_as(theta)
        for_encoder = (person_weight * self.estimator.encoder_weights(bound)).view_as(theta)
        (slope,) = torch.autograd.grad(log_p, at, torch.ones_like(log_p), retain_graph=True)
        surrogate = (for_encoder * (slope * theta - log_q)).sum()
        if items.numel():
            (by_items,) = torch.autograd.grad(log_p, items, for_items)
            if bound.divided and free.requires_grad:
                # The encoder looks at the items, whose derivative through it is that of their own bound.
                of_items = (for_items * (slope * theta - proposal.log_prob(theta))).sum()
                for sign, part in ((1, of_items), (-1, surrogate)):
                    by_items = by_items + sign * torch.autograd.grad(part, free, retain_graph=True)[0]
            surrogate = surrogate + (by_items * free).sum()
        return (person_weight * bound.value).double().sum(), surrogate

    def noise(self, shape: tuple[int, ...]) -> Tensor:
        """Standard normal noise, float32."""
        return torch.randn(shape, generator=self.generator).to(self.model.n_categories.device)

    def batches(self, persons: Int[Tensor, " some"], size: int) -> Iterator[Batch]:
        """One epoch: every person once, in random order, batches of nearly equal size."""
        order = persons[torch.randperm(len(persons), generator=self.generator).to(persons.device)]
        for part in order.tensor_split(max(1, math.ceil(len(order) / size))):
            yield Batch(part, self.data.groups[part], len(part) / len(persons))


@dataclass
class _Training:
    """State of a climb."""

    mean: Float[Tensor, " n_free"]
    sd: Float[Tensor, " n_free"]
    converged: bool = False
    stopped: bool = False
    rounds: int = 0
    objective: list[float] = field(default_factory=list)


def fit_stochastic(
    model: Model, data: Data, settings: StochasticSettings, generator: torch.Generator, progress: Progress
) -> Posterior:
    """Train encoder and items on a named bound.

    Returns
    -------
    Posterior
        The point estimate is the mean of the items' Gaussian on the free scale and the curvature is diagonal.
        Scores are the encoder's, unrepaired; certificates say how good they are. The log-likelihood is
        integrated around each person's repaired proposal at the point estimate, whatever was climbed.
    """
    answers = answers_of(model, data.cells)
    device = model.n_categories.device
    everyone = torch.arange(answers.n_persons, device=device)
    active = data.cells.n_answered().to(device) > 0
    if data.weights is not None:
        active &= data.weights > 0
    persons = everyone[active]
    encoder = LEARNED_ENCODERS[settings.encoder](generator).to(device)
    sample = torch.randperm(len(persons), generator=generator)[:START_SAMPLE].to(device)
    free = start_values(model, data.cells, answers, persons[sample])
    turned = reflected(model, free)
    items = ItemGaussian.start(model, data, free if turned is None else turned)
    problem = Bounding(
        model, data, answers, encoder, settings.bound(), GRADIENTS[settings.gradient],
        settings.outer, settings.inner, generator,
    )  # fmt: skip
    with interruptible(progress.cancelled):
        training = _train(problem, items, persons, settings, progress)
    return _posterior(problem, training, everyone, persons, settings, progress)


def _train(
    problem: Bounding,
    items: ItemGaussian,
    persons: Int[Tensor, " some"],
    settings: StochasticSettings,
    progress: Progress,
) -> _Training:
    rate = settings.learning_rate
    groups = [{"params": list(problem.encoder.parameters()), "lr": 0.5 * rate}]
    if problem.model.n_free:
        groups.append({"params": [items.mean, items.log_sd], "lr": rate})
    optimiser = torch.optim.Adam(groups)
    first_rates = [group["lr"] for group in optimiser.param_groups]
    epochs = math.ceil(settings.round_steps / max(1, math.ceil(len(persons) / settings.batch_size)))
    training = _Training(items.mean.detach().clone(), items.log_sd.detach().exp())
    try:
        while training.rounds < settings.max_rounds and not training.converged:
            step = max(STEP_DECAY**training.rounds, SMALLEST_STEP)
            for group, first in zip(optimiser.param_groups, first_rates, strict=True):
                group["lr"] = first * step
            mean, log_sd, bound = _round(problem, items, persons, settings, optimiser, epochs)
            moved = (mean - training.mean) / log_sd.exp()
            movement = float(moved.square().mean().sqrt()) if len(moved) else 0.0
            training.mean, training.sd = mean, log_sd.exp()
            training.rounds += 1
            training.converged = step == SMALLEST_STEP and movement <= settings.tolerance
            snapshot = Snapshot(problem.model, mean, deepcopy(problem.encoder))
            progress.tell(settings.objective, bound, movement, snapshot)
    except KeyboardInterrupt:
        training.stopped = True
    return training


def _round(
    problem: Bounding,
    items: ItemGaussian,
    persons: Int[Tensor, " some"],
    settings: StochasticSettings,
    optimiser: torch.optim.Optimizer,
    epochs: int,
) -> tuple[Tensor, Tensor, float]:
    """Some epochs; the items' mean and log sd averaged over their last half, and the mean bound."""
    means, log_sds, bound = [], [], 0.0
    for _ in range(epochs):
        for batch in problem.batches(persons, settings.batch_size):
            may_stop()
            free = items.draw(problem.noise((problem.model.n_free,)).double())
            value, surrogate = problem.persons(batch, free)
            divergence = items.negative_divergence(problem.model, free)
            loss = -(surrogate + batch.share * divergence) / len(batch.persons)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            bound += float(value + batch.share * divergence.detach()) / epochs
            means.append(items.mean.detach().clone())
            log_sds.append(items.log_sd.detach().clone())
    half = len(means) // 2
    return torch.stack(means[half:]).mean(0), torch.stack(log_sds[half:]).mean(0), bound


def _posterior(
    problem: Bounding,
    training: _Training,
    everyone: Int[Tensor, " persons"],
    persons: Int[Tensor, " active"],
    settings: StochasticSettings,
    progress: Progress,
) -> Posterior:
    model, data, free = problem.model, problem.data, training.mean
    with torch.no_grad():
        proposal = problem.encoder.encode(model, free, problem.answers, everyone, data.groups)
    judged = audit(model, free, data.cells, everyone, data.groups, proposal)
    log_marginal = judged.sums.log_marginal[persons]
    if data.weights is not None:
        log_marginal = log_marginal * data.weights[persons]
    return Posterior(
        model=model,
        free=free,
        curvature=DiagonalCurvature(training.sd.square()) if model.n_free else None,
        log_likelihood=float(log_marginal.sum()),
        log_prior=float(model.log_prior.value(free)),
        persons=judged.encoded,
        converged=training.converged,
        stopped=training.stopped,
        reason=_reason(training, settings),
        trace=tuple(progress.steps),
        seconds=progress.steps[-1].seconds if progress.steps else 0.0,
        information_persons=len(persons),
        certificates=judged.unrepaired(),
        encoder=problem.encoder,
    )


def _reason(training: _Training, settings: StochasticSettings) -> str:
    if training.stopped:
        return "Stopped before convergence; this is the best state so far."
    if training.converged:
        return (
            f"Converged on {settings.objective}: from one round of epochs to the next the items' means moved "
            f"by no more than {settings.tolerance:g} posterior standard deviations."
        )
    return f"Not converged on {settings.objective} after {settings.max_rounds} rounds; see the trace."
