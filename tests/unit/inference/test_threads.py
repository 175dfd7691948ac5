"""A fit keeps to one thread and leaves the process as it was."""

import pytest
import torch

import irtvi
from irtvi.inference.threads import in_one_thread


@pytest.fixture
def three_threads(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_a_fit_and_its_tables_keep_to_one_thread():
    seen = []
    responses = irtvi.simulate("2pl", 200, 6, seed=1).responses
    result = irtvi.fit(responses, "2pl", progress=lambda step: seen.append(torch.get_num_threads()))
    assert set(seen) == {1}
    assert torch.get_num_threads() == 3
    assert len(result.abilities) == 200
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_threads_come_back_after_an_error():
    @in_one_thread
    def fails():
        raise RuntimeError(torch.get_num_threads())

    with pytest.raises(RuntimeError, match="1"):
        fails()
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_who_sets_the_number_decides(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert in_one_thread(torch.get_num_threads)() == 3
