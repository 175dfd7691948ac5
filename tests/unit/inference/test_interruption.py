"""A fit that is asked to stop does so soon, wherever it is, and hands over the best point so far.

Time is that of the fit's own thread, so that other work on the machine does not count.
"""

import time
from importlib import import_module

import numpy as np
import pytest

import irtvi
from irtvi.inference.interruption import interruptible, may_stop

ALLOWED = 0.5
"""Seconds of computing; a second is promised, and the page needs some of it."""


class Stop:
    """Asks a fit to stop at its n-th question, and notes when."""

    def __init__(self, at):
        self.at, self.asked, self.longest = at, 0, 0.0
        self.since = self.last = time.thread_time()

    def __call__(self):
        now = time.thread_time()
        if self.asked < self.at:
            self.longest, self.last, self.since = max(self.longest, now - self.last), now, now
        self.asked += 1
        return self.asked >= self.at


def answers(n_persons, n_items, seed=3):
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=(n_persons, 1))
    codes = (rng.lognormal(0, 0.3, n_items) * theta + rng.logistic(size=(n_persons, n_items)) > 0).astype(np.int8)
    return irtvi.read(codes)


CASES = [("monotone", 1_500, 20), ("2pl", 22_000, 40), pytest.param("residual", 300, 6, marks=pytest.mark.slow)]
"""The costly curvature and hyperparameters; a sample before everybody; the weights of a network."""


@pytest.fixture(scope="module", autouse=True)
def torch_has_its_compiler():
    """Torch imports it when a derivative is first taken, for two seconds; the dashboard does so when it starts."""
    import_module("torch._dynamo")


@pytest.mark.parametrize(("model", "n_persons", "n_items"), CASES)
def test_stops_soon_wherever_it_is(model, n_persons, n_items):
    data = answers(n_persons, n_items)
    whole = Stop(at=np.inf)
    irtvi.fit(data, model=model, progress=irtvi.Progress(cancelled=whole))
    assert whole.asked > 100
    assert whole.longest < ALLOWED
    for share in (0.0, 0.03, 0.3, 0.6, 0.95):
        stop = Stop(at=1 + int(share * whole.asked))
        progress = irtvi.Progress(cancelled=stop)
        result = irtvi.fit(data, model=model, progress=progress)
        assert time.thread_time() - stop.since < ALLOWED
        assert result.posterior.stopped
        assert not result.converged
        assert result.reason.startswith("Stopped")
        _is_whole(result, progress)


def _is_whole(result, progress):
    """Everybody has a score at the best point, and the likelihood is that of the data there."""
    assert np.isfinite(result.abilities["theta"]).all()
    assert np.isfinite(result.log_marginal)
    best = max((step for step in progress.steps if step.phase == "everyone"), key=lambda s: s.objective, default=None)
    if best is not None:
        # The search sums over persons in float32 where they are many.
        assert result.log_marginal + result.log_prior == pytest.approx(best.objective, abs=3e-7 * abs(best.objective))
        assert (result.posterior.free == best.snapshot.free).all()


def test_the_score_of_a_stopped_fit_is_that_of_its_items():
    data = answers(22_000, 40)
    for at in (40, 150):  # within the sample, and among everybody
        result = irtvi.fit(data, model="2pl", progress=irtvi.Progress(cancelled=Stop(at)))
        # Passes of a search are in float32; a posterior on its edge share of 3e-6 moves a mean by less than 1e-4.
        np.testing.assert_allclose(result.abilities["theta"], result.score(data)["theta"], rtol=0, atol=1e-4)


def test_nobody_is_asked_outside_of_a_fit():
    may_stop()
    with interruptible(lambda: True), pytest.raises(KeyboardInterrupt):
        may_stop()
    may_stop()
