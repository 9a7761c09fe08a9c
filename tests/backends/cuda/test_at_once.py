"""The steps of a GPU without one: streams do everything at once, and a graph is done when replayed.

What a graph must not depend on, and what streams wait for, only a GPU can tell (test_cuda.py). A
step with a gate is not here: its second graph reads what recording the first one left.
"""

import time
from contextlib import nullcontext

import pytest
import torch

from specbp.backends.cpu.training import CpuTraining
from specbp.backends.cuda import recorded
from specbp.backends.cuda import training as cuda
from specbp.backends.cuda.training import CudaTraining
from specbp.experiment import experiment_from
from specbp.frames import SCHEMAS
from specbp.schedules.streams import StreamClock
from tests.backends.cuda.test_training import FAST

ARMS = [
    {"schedule": "sequential"},
    {"schedule": "sequential", "nesterov": True, "weight_decay": 0.001},
    {"schedule": "sequential", "engines": 2},
    {"schedule": "data-parallel"},
    {"schedule": "pipelined"},
    {"schedule": "pipelined", "nesterov": True},
    {"schedule": "pipelined", "weight_prediction": True, "warmup_epochs": 1},
    {"schedule": "speculative", "key": "bucket", "buckets": 4, "warmup_epochs": 0},
    {"schedule": "speculative", "reuse": "outcomes", "gate_metric": "none"},
]


class AtOnce:
    """A stream, or an event, of a GPU that is done with everything as soon as it is given it."""

    def __init__(self, *_, **__):
        self.moment = 0.0

    def record(self):
        self.moment = time.perf_counter()

    def wait(self):
        pass

    def wait_stream(self, other):
        pass

    def synchronize(self):
        pass

    def elapsed_time(self, later):
        return (later.moment - self.moment) * 1e3


always = property(lambda self: True, lambda self, _: None)
"""A clock that always runs: what is replayed is Python, long after it was recorded."""


class Replayed:
    """A graph whose work is done, Python and all, when it is replayed."""

    def __init__(self, work, pool=None):
        self.work, self.pool = work, pool

    def replay(self):
        self.value = self.work()


@pytest.fixture
def at_once(monkeypatch):
    for name in ("Stream", "Event"):
        monkeypatch.setattr(torch.cuda, name, AtOnce)
    for name in ("stream", "device"):
        monkeypatch.setattr(torch.cuda, name, lambda _: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", AtOnce)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "none")
    monkeypatch.setattr(cuda, "found_gpu", lambda _: torch.device("cpu"))
    monkeypatch.setattr(cuda, "_set_phase", lambda *_: None)  # done by the Python of a step here
    monkeypatch.setattr(StreamClock, "running", lambda self: nullcontext())
    monkeypatch.setattr(StreamClock, "_is_running", always, raising=False)
    for module in (cuda, recorded):
        monkeypatch.setattr(module, "Graph", Replayed)


@pytest.mark.parametrize("arm", ARMS, ids=str)
def test_steps_are_those_of_the_cpu(digits, at_once, arm):
    on_cpu = {**arm, "engines": 1} if arm == ARMS[2] else arm
    expected = CpuTraining(experiment_from(FAST | on_cpu), digits)
    actual = CudaTraining(experiment_from(FAST | arm | {"backend": "cuda"}), digits)
    ours, theirs = actual.advance(20) + actual.advance(50), expected.advance(70)
    assert actual._recordings
    for one, other in zip(ours, theirs, strict=True):
        for name in ("epoch", "step", "accepts", "rejects"):
            assert one[name] == other[name]
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-2, abs=1e-3)
    assert abs(actual.test_accuracy() - expected.test_accuracy()) <= 0.02
    not_of_a_backend = {"cell", "round", "joules", "between_ms", "cycles", "clock_mhz"}
    assert ours[-1].keys() | not_of_a_backend == {column.name for column in SCHEMAS["steps"]}
    assert "forward_ms" not in ours[-2]
    expected.close()
    actual.close()


@pytest.mark.parametrize("arm", ARMS, ids=str)
def test_a_restored_training_goes_on_as_if_never_interrupted(digits, at_once, tmp_path, arm):
    experiment = experiment_from(FAST | arm | {"backend": "cuda"})
    whole, first, second = (CudaTraining(experiment, digits) for _ in range(3))
    whole.advance(60)
    first.advance(30)
    torch.save(first.state(), tmp_path / "state.pt")
    second.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    second.advance(30)
    assert second.weights_sha256() == whole.weights_sha256()
