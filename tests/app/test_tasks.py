import threading
import time

import pytest

import irtvi

from .conftest import APP  # noqa: F401

WITHIN = 1.0
"""Seconds of computing by the whole process; the promise is a second."""


@pytest.fixture
def lsat7():
    return irtvi.read(irtvi.load_data("lsat7"))


def worked_off(queue, seconds=60):
    worker = queue._worker
    if worker is not None:
        worker.join(seconds)
    assert not queue.alive


@pytest.mark.parametrize("after", [0, 1, 5])
def test_cancelled_job_keeps_the_best_state(lsat7, after):
    from jobs import Job, Request
    from tasks import Queue

    job = Job(Request("m", "monotone"), lsat7, "key")
    job.steps = _Telling(after)
    queue = Queue()
    queue.submit(job)
    waiting = Job(Request("later", "2pl"), lsat7, "key")
    queue.submit(waiting)
    assert job.steps.passed.wait(60)
    since = time.process_time()
    queue.cancel()
    assert job.state in ("stopping", "stopped")
    assert waiting.state == "stopped"
    job.steps.go_on.set()
    worked_off(queue)
    assert time.process_time() - since < WITHIN
    assert job.state == "stopped"
    assert len(job.result.abilities) == 1000
    assert not job.result.converged


class _Telling(list):
    """A list that tells when so many steps came, and holds the fit there until it may go on."""

    def __init__(self, after):
        super().__init__()
        self.after, self.passed, self.go_on = after, threading.Event(), threading.Event()

    def append(self, step):
        super().append(step)
        if len(self) > self.after:
            self.passed.set()
            self.go_on.wait(60)


def test_tables_are_not_waited_for_by_whom_cancels(lsat7, monkeypatch):
    import jobs
    from tasks import Queue

    prepare, began, go_on = jobs._prepare, threading.Event(), threading.Event()

    def held(*told):
        began.set()
        go_on.wait(60)
        prepare(*told)

    monkeypatch.setattr(jobs, "_prepare", held)
    job = jobs.Job(jobs.Request("m", "2pl"), lsat7, "key")
    queue = Queue()
    queue.submit(job)
    assert began.wait(60)
    job.cancel()
    go_on.set()
    worked_off(queue)
    assert job.state == "done"  # the search had arrived
    assert "abilities" not in vars(job.result)


def test_broken_work_is_told(monkeypatch, lsat7):
    from jobs import Job, Request
    from tasks import Queue

    queue = Queue()
    job = Job(Request("m", "no such model"), lsat7, "key")
    queue.submit(job)
    worked_off(queue)
    assert job.state == "failed"
    assert "no such model" in job.message


def test_queue_goes_on_after_a_failure(lsat7):
    from jobs import Job, Request
    from tasks import Queue

    queue = Queue()
    broken, sound = Job(Request("m", "no such model"), lsat7, "key"), Job(Request("n", "rasch"), lsat7, "key")
    queue.submit(broken)
    queue.submit(sound)
    worked_off(queue)
    assert (broken.state, sound.state) == ("failed", "done")


def test_item_figures_need_no_pass_over_people(lsat7, monkeypatch):
    from jobs import Job, Request

    from irtvi import plots
    from irtvi.diagnostics import empirical

    job = Job(Request("m", "2pl"), lsat7, "key")
    job.work()

    def passed(*_, **__):
        raise AssertionError("a pass over everybody for the sake of one figure")

    monkeypatch.setattr(empirical, "posterior_blocks", passed)
    for item in job.result.coding.item_ids:
        plots.icc(job.result, item)
        plots.category_curves(job.result, item)
    with pytest.raises(AssertionError, match="one figure"):
        empirical.empirical_scores(job.result, n_groups=7)


def test_climb_is_that_of_the_present_phase(lsat7):
    from types import SimpleNamespace

    from jobs import Job, Request

    job = Job(Request("m", "2pl"), lsat7, "key")
    seen = (("some", -5.0), ("everyone", -9.0), ("everyone", -8.0))
    job.steps = [SimpleNamespace(phase=phase, objective=value) for phase, value in seen]
    assert job.climbed == [-9.0, -8.0]
