"""A training on a GPU against the CPU, against itself, and recorded against launched kernels."""

import pytest
import torch

from specbp.backends.cpu.training import CpuTraining
from specbp.backends.cuda.training import CudaTraining, found_gpu
from specbp.errors import UsageError
from specbp.experiment import experiment_from
from specbp.frames import SCHEMAS

FAST = {
    "dataset": "digits", "model": "digits-cnn", "epochs": 2, "learning_rate": 0.02,
    "learning_rate_decay": "cosine",
}  # fmt: skip
ARMS = [
    {"schedule": "sequential"},
    {"schedule": "sequential", "engines": 2},
    {"schedule": "data-parallel"},
    {"schedule": "pipelined"},
    {"schedule": "pipelined", "balanced": False},
    {"schedule": "pipelined", "weight_prediction": True},
    {"schedule": "pipelined", "weight_prediction": True, "warmup_epochs": 1},
    {"schedule": "speculative", "key": "bucket", "buckets": 4, "warmup_epochs": 0},
    {"schedule": "speculative", "reuse": "outcomes", "gate_metric": "none"},
    {"schedule": "speculative", "reuse": "outcomes", "gate_threshold": 0.3},
    {"schedule": "speculative", "reuse": "replay", "gate_threshold": 0.3, "refresh": 2},
    {"schedule": "speculative", "reuse": "replay", "gate_target": 0.6},
]
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU")


@pytest.fixture
def training(digits):
    opened = []

    def open_training(fields, backend="cuda"):
        experiment = experiment_from(FAST | fields | {"backend": backend})
        opened.append((CpuTraining if backend == "cpu" else CudaTraining)(experiment, digits))
        return opened[-1]

    yield open_training
    for one in opened:
        one.close()


@pytest.mark.skipif(torch.cuda.is_available(), reason="PyTorch sees a GPU")
def test_without_a_gpu_one_line_says_so(digits):
    with pytest.raises(UsageError, match="cuda:0: PyTorch sees no GPU"):
        CudaTraining(experiment_from(FAST | {"backend": "cuda"}), digits)


@gpu
def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(UsageError, match=r"cuda:99: PyTorch sees \d+ GPU"):
        found_gpu("cuda:99")


@gpu
@pytest.mark.parametrize("arm", [ARMS[0], ARMS[3], ARMS[7]], ids=str)
def test_it_worked_on_what_the_cpu_worked_on(training, arm):
    """Kind: work that is only intended. The GPU's samples are those that its own memory says."""
    ours, theirs = training(arm), training(FAST | {"schedule": "sequential"}, "cpu")
    for one in (ours, theirs):
        one.advance(10)
        one.advance(2 * one.steps_per_epoch - 10)
    for name in ("first_weights_sha256", "samples_sha256"):
        assert ours.about[name] == theirs.about[name]


@gpu
@pytest.mark.parametrize("arm", ARMS, ids=str)
def test_the_first_steps_are_those_of_the_cpu(training, arm):
    on_cpu = {**arm, "engines": 1} if arm == ARMS[1] else arm
    expected, actual = training(on_cpu, "cpu").advance(60), training(arm).advance(60)
    assert [row["step"] for row in actual] == list(range(60))
    for one, other in zip(actual[:40], expected, strict=False):
        assert one["epoch"] == other["epoch"]
        assert one["loss"] == pytest.approx(other["loss"], rel=2e-3, abs=1e-4)
        assert abs((one["accepts"] or 0) - (other["accepts"] or 0)) <= 1
    assert (actual[0]["accepts"] is None) == (expected[0]["accepts"] is None)


@gpu
@pytest.mark.parametrize("arm", ARMS, ids=str)
def test_recorded_steps_give_the_bits_of_kernels_launched_one_by_one(training, arm):
    recorded, launched = training(arm), training(arm)
    launched._unrecorded = 1000
    losses = [one.advance(70)[-1]["loss"] for one in (recorded, launched)]
    assert recorded._recordings
    assert not launched._recordings
    if "gate_threshold" in arm or "gate_target" in arm:  # redone in other shapes
        assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    else:
        assert recorded.weights_sha256() == launched.weights_sha256()


@gpu
@pytest.mark.parametrize("arm", ARMS, ids=str)
def test_a_training_gives_the_same_bits_twice(training, arm):
    first, second = training(arm), training(arm)
    for steps in (7, 33, 30):  # blocks of other lengths time other steps
        first.advance(steps)
    second.advance(70)
    assert first.weights_sha256() == second.weights_sha256()
    assert first.test_accuracy() == second.test_accuracy()


@gpu
@pytest.mark.parametrize("arm", ARMS, ids=str)
def test_a_restored_training_goes_on_as_if_never_interrupted(training, tmp_path, arm):
    whole, first, second = (training(arm) for _ in range(3))
    whole.advance(70)
    first.advance(30)
    torch.save(first.state(), tmp_path / "state.pt")
    second.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    second.advance(40)
    assert second.step == whole.step
    assert second.weights_sha256() == whole.weights_sha256()


@gpu
@pytest.mark.parametrize(
    "arm",
    [
        {"schedule": "sequential", "engines": 2},
        {"schedule": "speculative", "gate_threshold": 0},
        {"schedule": "speculative", "reuse": "replay", "gate_threshold": 0},
    ],
    ids=str,
)
def test_what_rejects_everything_is_sequential_to_the_bit(training, arm):
    plain, other = training({"schedule": "sequential"}), training(arm)
    plain.advance(60)
    other.advance(60)
    assert other.weights_sha256() == plain.weights_sha256()


@gpu
@pytest.mark.parametrize("schedule", ["sequential", "pipelined"])
def test_int16_has_the_bits_of_the_cpu(training, schedule):
    fields = {"schedule": schedule, "arithmetic": "int16"}
    on_cpu, on_gpu = training(fields, "cpu"), training(fields)
    on_cpu.advance(30)
    on_gpu.advance(30)
    assert on_gpu.weights_sha256() == on_cpu.weights_sha256()


@gpu
def test_phases_are_timed_in_the_last_step(training):
    one = training({"schedule": "pipelined"})
    one.advance(20)
    *others, last = one.advance(20)
    not_of_a_backend = {"cell", "round", "joules", "between_ms", "cycles", "clock_mhz"}
    assert last.keys() | not_of_a_backend == {column.name for column in SCHEMAS["steps"]}
    assert all("forward_ms" not in row and row["step_ms"] > 0 for row in others)
    assert 0 < last["forward_ms"] < last["step_ms"]
    shares = [value for name, value in last.items() if name.startswith("share_")]
    assert sum(shares) == pytest.approx(last["step_ms"], rel=0.3)


@gpu
def test_both_streams_work_at_the_same_time(training):
    one = training({"schedule": "pipelined"})
    one.advance(40)
    spans = {(span.engine, span.phase): span for span in one.spans}
    forward, deltas = spans[0, "forward"], spans[1, "input gradient"]
    assert max(forward.started, deltas.started) < min(forward.ended, deltas.ended)
