"""A training against the plain PyTorch loop of the same recipe, and against itself."""

import threading

import pytest
import torch

from specbp.backends.cpu.training import CLEARING_STEPS, REST_S, CpuTraining
from specbp.cores import available_cores
from specbp.errors import UsageError
from specbp.experiment import experiment_from
from specbp.frames import SCHEMAS
from tests.oracle import PlainLoop, compare_with_plain_loop

FAST = {"dataset": "digits", "model": "digits-cnn", "epochs": 2, "learning_rate": 0.02}
ARMS = [
    {"schedule": "sequential"},
    {"schedule": "sequential", "threads": 2},
    {"schedule": "speculative", "reuse": "outcomes"},
    {"schedule": "speculative", "reuse": "replay"},
    {"schedule": "pipelined"},
    {"schedule": "pipelined", "weight_prediction": True},
    {"schedule": "speculative", "key": "bucket", "buckets": 4, "max_age": 3},
    {"schedule": "speculative", "reuse": "replay", "refresh": 2, "gate_target": 0.6},
    {"schedule": "data-parallel"},
    {"schedule": "selective", "skip_loss": 0.5},
    {"schedule": "data-parallel", "batch_size": 7},
    {"schedule": "pipelined", "nesterov": True, "weight_decay": 0.001},
    {"schedule": "pipelined", "weight_prediction": True, "warmup_epochs": 1},
    {"arithmetic": "int16", "schedule": "speculative"},
]


def losses(rows):
    return torch.tensor([row["loss"] for row in rows], dtype=torch.float64)


def plain_losses(plain, steps):
    return torch.tensor(plain.advance(steps), dtype=torch.float64)


def test_the_first_steps_have_the_losses_of_the_plain_loop(digits):
    experiment = experiment_from(
        FAST | {"weight_decay": 0.001, "learning_rate_warmup": 0.1, "learning_rate_decay": "cosine"}
    )
    training, plain = CpuTraining(experiment, digits), PlainLoop(experiment, digits)
    actual, expected = losses(training.advance(40)), plain_losses(plain, 40)
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-4)


def test_in_double_precision_two_epochs_are_those_of_the_plain_loop(digits, monkeypatch):
    """What float32 leaves open, rounding that grows from step to step, is out of the way here."""
    # The native runtime has float32 only.
    monkeypatch.setattr("specbp.backends.cpu.training.native_is_there", lambda: False)
    normalised = type(digits).normalised
    monkeypatch.setattr(type(digits), "normalised", lambda *args: normalised(*args).double())
    experiment = experiment_from(
        FAST | {"weight_decay": 0.001, "learning_rate_warmup": 0.1, "learning_rate_decay": "cosine"}
    )
    torch.set_default_dtype(torch.float64)
    try:
        training, plain = CpuTraining(experiment, digits), PlainLoop(experiment, digits)
    finally:
        torch.set_default_dtype(torch.float32)
    steps = 2 * training.steps_per_epoch
    actual, expected = losses(training.advance(steps)), plain_losses(plain, steps)
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=0)
    assert training.test_accuracy() == plain.test_accuracy()


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_asleep_when_the_next_arm_has_its_turn(digits, monkeypatch, threads):
    slept = []
    monkeypatch.setattr("specbp.backends.cpu.training.time.sleep", slept.append)
    training = CpuTraining(experiment_from(FAST | {"threads": threads}), digits)
    training.advance(2)
    assert slept == ([REST_S] if threads > 1 else [])
    training.test_accuracy()  # on all cores
    assert slept[-1] == REST_S


def test_a_warm_up_epoch_is_sequential_to_the_bit(digits):
    method = {"schedule": "pipelined", "weight_prediction": True, "warmup_epochs": 1}
    warm, plain = (
        CpuTraining(experiment_from(FAST | fields), digits)
        for fields in (method, {"schedule": "sequential"})
    )
    for training in (warm, plain):
        training.advance(plain.steps_per_epoch)
    assert warm.weights_sha256() == plain.weights_sha256()
    for training in (warm, plain):
        training.advance(3)
        training.close()
    assert warm.weights_sha256() != plain.weights_sha256()


def test_digits_reach_97_percent_like_the_plain_loop(digits):
    fields = {"dataset": "digits", "model": "digits-cnn", "epochs": 10}
    agreement = compare_with_plain_loop(digits, fields, seeds=range(3))
    assert min(agreement.ours) >= 0.97
    assert agreement.within_seed_noise, agreement


@pytest.mark.parametrize(
    ("dataset", "model", "least"),
    [("fashion-mnist", "lenet5", 0.6), ("cifar100-coarse", "cifar-cnn-s", 0.1)],
)
def test_real_images_agree_with_the_plain_loop(real_data, dataset, model, least):
    """Small here; bench/test_agreement.py does it at full size."""
    fields = {"dataset": dataset, "model": model, "learning_rate": 0.02, "epochs": 3}
    loaded = real_data(dataset, train=2000, test=1000)
    agreement = compare_with_plain_loop(loaded, fields, seeds=range(3))
    assert min(agreement.ours) >= least
    assert agreement.within_seed_noise, agreement


def test_a_row_has_the_columns_of_the_frame(digits):
    (row,) = CpuTraining(experiment_from(FAST), digits).advance(1)
    not_of_a_backend = {"cell", "round", "joules"}
    only_of_the_overlay = {"cycles", "clock_mhz"}
    expected = {column.name for column in SCHEMAS["steps"]}
    assert row.keys() | not_of_a_backend | only_of_the_overlay == expected


@pytest.mark.parametrize("arm", ARMS, ids=str)
def test_a_training_gives_the_same_bits_twice(digits, arm):
    first, second = (CpuTraining(experiment_from(FAST | arm), digits) for _ in range(2))
    assert torch.equal(losses(first.advance(60)), losses(second.advance(60)))
    assert first.weights_sha256() == second.weights_sha256()
    assert first.test_accuracy() == second.test_accuracy()


@pytest.fixture
def load_on_the_machine():
    """Threads that keep every core busy with matrix products, a few milliseconds at a time."""
    idle = threading.Event()

    def work():
        matrix = torch.ones(150, 150)
        while not idle.is_set():
            matrix @ matrix

    threads = [threading.Thread(target=work) for _ in range(available_cores())]
    for thread in threads:
        thread.start()
    yield
    idle.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("arm", ARMS, ids=str)
def test_a_training_gives_the_same_bits_under_load(digits, arm, request):
    """Engines that are held up at other moments must not make a difference."""
    alone = CpuTraining(experiment_from(FAST | arm), digits)
    alone.advance(30)
    request.getfixturevalue("load_on_the_machine")
    loaded = CpuTraining(experiment_from(FAST | arm), digits)
    loaded.advance(30)
    assert loaded.weights_sha256() == alone.weights_sha256()


@pytest.mark.parametrize("arm", ARMS, ids=str)
@pytest.mark.parametrize("steps_before", [1, 30, 44])
def test_a_restored_training_goes_on_as_if_never_interrupted(digits, tmp_path, arm, steps_before):
    experiment = experiment_from(FAST | arm)
    whole, first, second = (CpuTraining(experiment, digits) for _ in range(3))
    whole.advance(60)
    first.advance(steps_before)
    torch.save(first.state(), tmp_path / "state.pt")
    second.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    second.advance(60 - steps_before)
    assert second.step == whole.step
    assert second.weights_sha256() == whole.weights_sha256()


def test_all_arms_start_from_equal_weights_in_equal_order_and_other_seeds_do_not(digits):
    trainings = [CpuTraining(experiment_from(FAST | arm), digits) for arm in ARMS]
    other = CpuTraining(experiment_from(FAST | {"seed": 1}), digits)
    for what in ("initial_weights_sha256", "sample_order_sha256"):
        assert len({getattr(training, what) for training in trainings}) == 1
        assert getattr(other, what) != getattr(trainings[0], what)


@pytest.mark.parametrize("clearing", [True, False])
def test_the_momenta_of_a_dead_channel_do_not_stay_subnormal(digits, monkeypatch, clearing):
    """Its weights do not move, whether its momenta are cleared or not."""
    if not clearing:
        monkeypatch.setattr("specbp.backends.cpu.training.CLEARING_STEPS", 1_000_000)
    tiny = torch.finfo(torch.float32).tiny
    training = CpuTraining(experiment_from(FAST | {"momentum": 0.9}), digits)
    training.advance(1)
    state = training.state()
    (kernel, bias), (momentum, _) = state["weights"][0], state["momentum_buffers"][0]
    kernel[0], bias[0], momentum[0] = 1.0, -1e6, 1.5 * tiny
    training.advance(CLEARING_STEPS)
    left = momentum[0]
    assert bool((left == 0).all()) if clearing else bool(((left > 0) & (left < tiny)).all())
    assert bool((kernel[0] == 1).all())


def test_a_batch_larger_than_the_training_set_is_refused(digits):
    with pytest.raises(UsageError, match="batch_size = 2000 is larger than the training set"):
        CpuTraining(experiment_from(FAST | {"batch_size": 2000}), digits)


def test_a_diverged_training_says_so(digits):
    training = CpuTraining(experiment_from(FAST | {"learning_rate": 1e6}), digits)
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        training.advance(50)
