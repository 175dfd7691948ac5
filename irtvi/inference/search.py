"""How a fit proceeds: start, a sample, everyone; boundaries and orientation; the final exact pass."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from irtvi.inference.answers import Answers, answers_of
from irtvi.inference.engines.engine import Data, Progress
from irtvi.inference.evidence import learn, looser
from irtvi.inference.final_pass import final_posterior
from irtvi.inference.interruption import interruptible, may_stop
from irtvi.inference.louis import NEGLIGIBLE
from irtvi.inference.marginal import MarginalPosterior
from irtvi.inference.maximise import Maximum, maximise
from irtvi.inference.networks import has_networks, improved, opened, weights_log_prior
from irtvi.inference.observed_curvature import Missing
from irtvi.inference.orientation import reflected
from irtvi.inference.placing import PlacingFactory
from irtvi.inference.posterior import Posterior, Snapshot
from irtvi.inference.problem import Evaluation
from irtvi.inference.start import start_values
from irtvi.inference.table import Expectations
from irtvi.inference.unfinished import Reached
from irtvi.models.model import Model, hold
from irtvi.models.transforms import UNIT

SAMPLE_TOLERANCE = 0.3
SAMPLE_PASSES = 40
SAMPLE_INFORMATION = 2_500
"""Persons of the sample from whom the curvature for everyone comes."""
SAMPLE_PAYS = 4
"""A sample is searched first where there are more than so many times as many persons."""
HYPER_TOLERANCE, HYPER_ROUNDS = 0.3, 12
"""Of the searches before hyperparameters are learned, in standard errors, and how often these are learned at most."""
NETWORK_PASSES = 60
ROUND = 15
"""Passes after which parameters that run away or approach a boundary are looked for."""
SMALL, LAST_DIGITS = 300_000, 1e-5
"""Persons x columns up to which a search runs in float64, and by how much it then goes on: it costs nothing there."""
NEAR_BOUNDARY = 4.0
"""An asymptote this far out on the logit, without a prior and still moving outward, is tried at its boundary."""
RUNAWAY = 60.0
"""A slope or intercept without a prior beyond this has no finite maximum."""


class _Best:
    """Watches a search, remembers the best point, and ends it where a parameter passes its limit."""

    def __init__(self, phase: str, progress: Progress, state: "_State", model: Model) -> None:
        self.phase, self.progress, self.state, self.model = phase, progress, state, model
        self.objective = -torch.inf

    def __call__(self, free: Tensor, evaluation: Evaluation, step_se: float, missing: Missing | None) -> bool:
        if evaluation.objective > self.objective:
            self.objective = evaluation.objective
            persons, boundary = evaluation.passed.persons, self.state.boundary
            self.state.reached = Reached(self.model, free, persons, evaluation, missing, boundary)
        self.progress.tell(self.phase, evaluation.objective, step_se, Snapshot(self.model, free))
        may_stop()
        return not torch.equal(_within_limits(self.model, free), free)


@dataclass
class _State:
    """A search in the course of which parameters may be held."""

    model: Model
    free: Float[Tensor, " n_free"]
    missing: Missing | None = None
    converged: bool = False
    passes: int = 0
    boundary: tuple[tuple[int, int, int], ...] = ()
    reached: Reached | None = None

    def restore(self, before: "_State") -> None:
        """Go back to an earlier state."""
        vars(self).update(vars(before))


def search(
    model: Model,
    data: Data,
    placing: PlacingFactory,
    tolerance: float,
    max_passes: int,
    generator: torch.Generator,
    progress: Progress,
) -> Posterior:
    """Fit the items by maximising the marginal posterior, then integrate over every person once more.

    Parameters
    ----------
    placing : callable
        Makes the :class:`Placing` for some persons; this is where engines differ.
    tolerance : float
        In standard errors.
    max_passes : int
        Over all persons.
    """
    answers = answers_of(model, data.cells)
    device = model.n_categories.device
    everyone = torch.arange(answers.n_persons, device=device)
    active = data.cells.n_answered().to(device) > 0
    if data.weights is not None:
        active &= data.weights > 0
    persons = everyone[active]
    state = _State(model, model.start())
    with interruptible(progress.cancelled):
        try:
            ended = _search(state, data, answers, persons, placing, tolerance, max_passes, generator, progress)
            nodes = placing(answers, everyone) if ended is None else ended.placing
            if ended is not None and len(persons) < len(everyone):
                nodes = nodes.over(everyone)
            precision = _precision(answers, everyone)
            final = MarginalPosterior(state.model, _of_active(data, active), everyone, nodes, generator, precision)
            latest = None if ended is None else ended.latest
            reason = f"Converged: another step would move no parameter by more than {tolerance:g} standard errors."
            if has_networks(state.model):
                gain = final.negligible(latest.log_likelihood if latest else 0.0)
                reason = f"Converged: another step would gain less than {gain:.2g} nats."
            if not state.converged:
                reason = f"Not converged after {max_passes} passes; see the trace."
            trace = tuple(progress.steps)
            return final_posterior(
                final, state.free, persons, latest, state.converged, reason, state.boundary, trace
            )
        except KeyboardInterrupt:
            reached = state.reached or Reached(state.model, state.free)
    return reached.posterior(data, answers, placing, persons, tuple(progress.steps))


def _search(
    state: _State,
    data: Data,
    answers: Answers,
    persons: Tensor,
    placing: PlacingFactory,
    tolerance: float,
    max_passes: int,
    generator: torch.Generator,
    progress: Progress,
) -> MarginalPosterior | None:
    """Bring the state to the maximum over these persons; what was maximised in the end, if anything was free."""
    model = state.model
    if not model.n_free:
        state.converged = True
        return None
    sample = _sample(persons, model, data, generator)
    state.free = start_values(model, data.cells, answers, sample)
    nodes = placing(answers, sample)
    if len(sample) < len(persons):
        problem = MarginalPosterior(model, data, sample, nodes, generator, _precision(answers, sample))
        if has_networks(model):
            _learn_networks(state, problem, "sample", progress)
        else:
            _climb_on_sample(state, problem, _total(data, persons) / _total(data, sample), progress)
        nodes = nodes.over(persons)
    problem = MarginalPosterior(
        state.model, data, persons, nodes, generator, _precision(answers, persons), begun=state.missing is not None
    )
    if any(model.hyper) and len(sample) == len(persons):
        _learn_hyperparameters(state, problem, "everyone", progress)
    if has_networks(model):
        expectations = _learn_networks(state, problem, "everyone", progress)
        state.model = problem.model = opened(state.model, state.free, expectations)
    _everyone(state, problem, tolerance, max_passes, progress)
    return problem


def _of_active(data: Data, active: Bool[Tensor, " persons"]) -> Data:
    """The data with weight 0 for all others, whose prior would pass for knowledge of the population."""
    if bool(active.all()):
        return data
    weights = torch.ones(len(active), dtype=torch.float64) if data.weights is None else data.weights
    return replace(data, weights=torch.where(active, weights.to(active.device), 0.0))


def _climb_on_sample(state: _State, problem: MarginalPosterior, to_everyone: float, progress: Progress) -> None:
    """A rough maximum for the persons of the sample, and the missing information there, times a factor."""
    if any(state.model.hyper):
        _learn_hyperparameters(state, problem, "sample", progress)
    else:
        _climb(state, problem, "sample", SAMPLE_TOLERANCE, SAMPLE_PASSES, progress)
    assert problem.latest is not None
    found = problem.missing(state.free, problem.latest, SAMPLE_INFORMATION, NEGLIGIBLE)
    state.missing = _scaled(found, to_everyone)
    state.converged = False


def _precision(answers: Answers, persons: Tensor) -> torch.dtype:
    return torch.float64 if len(persons) * len(answers.columns) <= SMALL else torch.float32


def _total(data: Data, persons: Tensor) -> float:
    return float(len(persons)) if data.weights is None else float(data.weights[persons].sum())


def _scaled(missing: Missing | None, factor: float) -> Missing | None:
    if missing is None or isinstance(missing, Tensor):
        return None if missing is None else missing * factor
    return [block * factor for block in missing]


def _sample(persons: Tensor, model: Model, data: Data, generator: torch.Generator) -> Tensor:
    """A sample large enough to start from, or everyone where that would not pay."""
    size = min(max(len(persons) // 12, 4_000), 20_000)
    answers_per_item = data.cells.n_responses * size / max(len(persons), 1) / max(model.n_items, 1)
    if len(persons) <= SAMPLE_PAYS * size or answers_per_item < 300:
        return persons
    chosen = torch.randperm(len(persons), generator=generator)[:size].sort().values
    return persons[chosen.to(persons.device)]


def _climb(
    state: _State, problem: MarginalPosterior, phase: str, tolerance: float, max_passes: int, progress: Progress
) -> Maximum:
    best = _Best(phase, progress, state, problem.model)
    maximum = maximise(problem, state.free, tolerance, max_passes, best, state.missing)
    state.free, state.missing = maximum.free + maximum.last_step, maximum.missing
    state.converged = maximum.converged
    state.passes += maximum.n_passes
    return maximum


def _learn_hyperparameters(state: _State, problem: MarginalPosterior, phase: str, progress: Progress) -> None:
    """Alternate between a rough maximum and the hyperparameters of highest evidence around it."""
    _without_deviations(state, problem, phase, progress)
    looked = False
    for _ in range(HYPER_ROUNDS):
        maximum = _climb(state, problem, phase, HYPER_TOLERANCE, SAMPLE_PASSES, progress)
        state.model, settled = learn(problem, maximum.free, maximum.evaluation.passed)
        if settled:
            model = None if looked else looser(state.model, maximum.free)
            if model is None:
                break
            state.model, looked = model, True
        problem.model = state.model
    problem.model = state.model
    state.converged = False


def _without_deviations(state: _State, problem: MarginalPosterior, phase: str, progress: Progress) -> None:
    """A rough maximum of the model without what a hierarchy lets deviate, which has far fewer parameters."""
    whole, free = state.model, state.free
    deviates = torch.zeros(whole.n_free, dtype=torch.bool, device=free.device)
    for component in whole.components:
        if component.item_model.hierarchy is not None:
            columns = component.slots.columns()[component.item_model.hierarchy.deviations]
            index = component.slots.index[:, columns]
            deviates[index[index >= 0]] = True
    positions = torch.nonzero(deviates)[:, 0]
    simple, remaining = hold(whole, positions, torch.zeros_like(free[positions]))
    state.model = problem.model = simple
    state.free = free[remaining]
    maximum = _climb(state, problem, phase, HYPER_TOLERANCE, SAMPLE_PASSES, progress)
    problem.model = whole
    state.free = free.masked_fill(deviates, 0.0).index_copy(0, remaining, maximum.free)
    state.model, _ = learn(problem, state.free, maximum.evaluation.passed)
    problem.model = state.model
    state.missing, state.converged = None, False


def _learn_networks(state: _State, problem: MarginalPosterior, phase: str, progress: Progress) -> Expectations:
    """Alternate between passes over persons and joint steps of the networks' weights and the items."""
    reached = -torch.inf
    for _ in range(NETWORK_PASSES):
        passed = problem.run(state.free, problem.dtype)
        objective = passed.log_likelihood + float(state.model.log_prior.value(state.free))
        objective += weights_log_prior(state.model)
        state.reached = Reached(state.model, state.free, passed.persons)
        progress.tell(f"network, {phase}", objective, torch.nan, Snapshot(state.model, state.free))
        may_stop()
        if objective < reached + problem.network_gain(objective):
            return passed.expectations
        reached = objective
        state.model, state.free = improved(state.model, state.free, passed.expectations)
        problem.model = state.model
    return problem.run(state.free, problem.dtype).expectations


def _everyone(state: _State, problem: MarginalPosterior, tolerance: float, max_passes: int, progress: Progress) -> None:
    flipped = False
    if problem.dtype is torch.float64:
        tolerance *= LAST_DIGITS
    while state.passes < max_passes:
        maximum = _climb(state, problem, "everyone", tolerance, min(ROUND, max_passes - state.passes), progress)
        held = _hold_runaways(state, problem) or _hold_at_boundary(state, problem, maximum, tolerance, progress)
        if held:
            continue
        turned = None if flipped else reflected(state.model, state.free)
        if turned is not None:
            state.free, state.missing, flipped = turned, None, True
            continue
        if maximum.converged:
            return
        state.missing = None


def _locations(model: Model) -> list[tuple[int, int, int, int]]:
    """(free index, part, member, slot) of every slot read from the free vector."""
    out = []
    for part, slots in enumerate(model.parts):
        for member, slot in torch.nonzero(slots.index >= 0).tolist():
            out.append((int(slots.index[member, slot]), part, member, slot))
    return out


def _without_prior(model: Model) -> Tensor:
    free = torch.ones(model.n_free, dtype=torch.bool, device=model.n_categories.device)
    for group in model.log_prior.groups:
        free[group.index] = False
    for joint in model.log_prior.joint:
        free[joint.index] = False
    return free


def _hold(state: _State, problem: MarginalPosterior, positions: Tensor, values: Tensor) -> None:
    chosen = set(positions.tolist())
    state.boundary += tuple((p, m, s) for k, p, m, s in _locations(state.model) if k in chosen)
    state.model, remaining = hold(state.model, positions, values)
    problem.model = state.model
    state.free = state.free[remaining]
    state.missing = None
    state.converged = False


def _within_limits(model: Model, free: Float[Tensor, " n_free"]) -> Float[Tensor, " n_free"]:
    """The free vector with every parameter at the limit that it passed."""
    within = free.clone()
    for slots in model.parts:
        low, high = slots.slot_limits()
        used = slots.index >= 0
        within[slots.index[used]] = torch.clamp(slots.free_values(free), low, high)[used]
    return within


def _hold_runaways(state: _State, problem: MarginalPosterior) -> bool:
    """Hold what has no finite maximum: at its limit where it has one."""
    within = _within_limits(state.model, state.free)
    away = (state.free.abs() > RUNAWAY) & _without_prior(state.model) | (within != state.free)
    if not away.any():
        return False
    positions = torch.nonzero(away)[:, 0]
    _hold(state, problem, positions, within[positions])
    return True


def _hold_at_boundary(
    state: _State, problem: MarginalPosterior, maximum: Maximum, tolerance: float, progress: Progress
) -> bool:
    """Put asymptotes that drift outward onto their boundary if the likelihood is no worse there."""
    bounded = torch.zeros(state.model.n_free, dtype=torch.bool, device=state.free.device)
    for part in state.model.parts:
        for slot, transform in enumerate(part.slot_transforms()):
            if transform is UNIT:
                index = part.index[:, slot]
                bounded[index[index >= 0]] = True
    outward = torch.sign(state.free) * maximum.evaluation.gradient > -1e-3
    candidates = bounded & _without_prior(state.model) & (state.free.abs() > NEAR_BOUNDARY) & outward
    if not candidates.any():
        return False
    positions = torch.nonzero(candidates)[:, 0]
    before = replace(state)
    _hold(state, problem, positions, torch.sign(state.free[positions]) * torch.inf)
    try:
        tried = _climb(state, problem, "everyone", tolerance, ROUND, progress)
    except KeyboardInterrupt:
        state.restore(before)
        raise
    if tried.evaluation.objective >= maximum.evaluation.objective - 1e-4:
        return True
    passes = state.passes
    state.restore(before)
    state.passes, problem.model = passes, before.model
    return False
