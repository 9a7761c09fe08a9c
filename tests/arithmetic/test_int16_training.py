"""int16 under the schedules and in the backend: exactness that whole training runs rely on."""

from collections.abc import Mapping

import pytest
import torch
from torch import nn

from specbp.arithmetic import UpdateRule
from specbp.arithmetic.calibration import calibrate
from specbp.arithmetic.int16 import Int16
from specbp.backends.cpu.training import CpuTraining
from specbp.datasets.loading import load
from specbp.experiment import experiment_from
from specbp.network.lowering import lower
from specbp.plan.choosing import step_plans
from specbp.runtime.cache import cache_shape, open_cache
from specbp.runtime.execution import Executor, Trained
from specbp.runtime.gates import gate_of
from specbp.runtime.outlines import outline_of
from specbp.runtime.step import StepParams
from specbp.runtime.threads import ThreadsRuntime
from specbp.schedules.chain import Chain
from specbp.schedules.passes import forward, weight_gradients
from tests.runtime.conftest import Batch

CLASSES, IMAGE, BATCH = 3, (2, 8, 8), 6
RULE = UpdateRule(0.05, 0.9, 1e-3)


def small_batches(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = [torch.randint(CLASSES, (BATCH,), generator=generator) for _ in range(count)]
    noise = [torch.randn(BATCH, *IMAGE, generator=generator) for _ in range(count)]
    return [
        (one + label[:, None, None, None], label) for one, label in zip(noise, labels, strict=True)
    ]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Keep the small tensors of these tests on one thread, and give back what a run has set."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def start():
    """A small network with both poolings, its int16 arithmetic and its encoded weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
            nn.Conv2d(4, 5, 3, stride=1), nn.ReLU(), nn.AvgPool2d(2, 1),
            nn.Flatten(), nn.Linear(5, CLASSES),
        )  # fmt: skip
    network, weights = lower(model, IMAGE, CLASSES)
    arithmetic = Int16(network, calibrate(network, weights, small_batches(2)))
    return network, arithmetic, arithmetic.encode_weights(weights)


def momenta_of(weights):
    return [(torch.zeros_like(weight), torch.zeros_like(bias)) for weight, bias in weights]


def assert_identical(first, second):
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])


def deltas_of(network, arithmetic, weights, outcome):
    found = Chain(network, arithmetic).deltas(weights, outcome, outcome.labels, BATCH)
    return [delta for _, delta in reversed(found)]


def backward(network, arithmetic, weights, images, labels):
    outcome, _ = forward(network, arithmetic, weights, images, labels)
    return outcome, deltas_of(network, arithmetic, weights, outcome)


def test_deltas_of_some_samples_are_the_rows_of_the_whole(start):
    network, arithmetic, weights = start
    ((images, labels),) = small_batches(1)
    outcome, deltas = backward(
        network, arithmetic, weights, arithmetic.encode_images(images), labels
    )
    some = torch.tensor([4, 1])
    part = deltas_of(network, arithmetic, weights, outcome.rows(some))
    for one, whole in zip(part, deltas, strict=True):
        assert torch.equal(one, whole[some])


def test_weight_gradients_can_be_split_and_taken_out_again_without_a_trace(start):
    network, arithmetic, weights = start
    ((images, labels),) = small_batches(1)
    outcome, deltas = backward(
        network, arithmetic, weights, arithmetic.encode_images(images), labels
    )

    def gradients(positions, sign=1):
        chosen = [sign * delta[positions] for delta in deltas]
        inputs = [None if one is None else one[positions] for one in outcome.inputs]
        return weight_gradients(network, arithmetic.weight_gradient, inputs, chosen)

    first, second, whole = torch.tensor([0, 3]), torch.tensor([1, 2, 4, 5]), torch.arange(BATCH)
    assert_identical(arithmetic.add(gradients(first), gradients(second)), gradients(whole))
    assert_identical(arithmetic.add(gradients(whole), gradients(first, -1)), gradients(second))


def trained(start, steps, **method):
    """Return weights and accepted samples after some steps of the schedule `method` names."""
    network, arithmetic, weights = start
    weights = [(weight.clone(), bias.clone()) for weight, bias in weights]
    momentum_buffers = momenta_of(weights)
    experiment = experiment_from({"dataset": f"random:2x8x8/{CLASSES}", **method})
    parts = arithmetic.update_parts(weights, momentum_buffers)
    outline, cache = outline_of(network, parts), open_cache(cache_shape(experiment, CLASSES))
    updated = Trained(weights, weights, parts)
    executor = Executor(network, arithmetic, outline, updated, cache, gate_of(experiment))
    samples, accepts = Batch(), 0
    runtime = ThreadsRuntime(executor, step_plans(experiment, outline), cache, samples)
    for images, labels in small_batches(steps, seed=1):
        samples.batch = arithmetic.encode_images(images), labels
        results = runtime.advance(torch.arange(len(labels))[None], [StepParams(RULE)])
        accepts += int(results.accepted.sum())
    runtime.close()
    return weights, momentum_buffers, accepts


@pytest.mark.parametrize("key", ["label", "batch"])
@pytest.mark.parametrize("reuse", ["outcomes", "replay"])
@pytest.mark.parametrize("engines", [1, 2])
def test_speculation_that_never_accepts_is_sequential_to_the_bit(start, key, reuse, engines):
    method = {"key": key, "reuse": reuse, "engines": engines, "gate_threshold": 0}
    speculated = trained(start, 8, schedule="speculative", **method)
    sequential = trained(start, 8, schedule="sequential")
    assert speculated[2] == 0
    assert_identical(speculated[0], sequential[0])
    assert_identical(speculated[1], sequential[1])
    assert not torch.equal(sequential[0][0][0], start[2][0][0])


def test_two_engines_speculate_as_one_to_the_bit(start):
    method = {"schedule": "speculative", "reuse": "replay", "gate_threshold": 0.3}
    one, two = (trained(start, 8, engines=engines, **method) for engines in (1, 2))
    assert 0 < one[2] < 8 * BATCH
    assert_identical(one[0], two[0])


def test_integers_stay_integers_in_range(start):
    weights, momenta, _ = trained(start, 8)
    for tensor in (one for pair in (*weights, *momenta) for one in pair):
        assert tensor.dtype == torch.float64
        assert torch.equal(tensor, tensor.round())
        assert tensor.abs().max() <= 2**31 - 1


def training(**fields):
    given = {"dataset": "digits", "epochs": 3, "learning_rate": 0.01, "arithmetic": "int16"}
    experiment = experiment_from({**given, **fields})
    return CpuTraining(experiment, load(experiment.dataset))


def test_the_backend_trains_digits_in_int16_as_well_as_in_float32():
    accuracy, initial = {}, {}
    for arithmetic in ("float32", "int16"):
        run = training(arithmetic=arithmetic)
        initial[arithmetic] = run.initial_weights_sha256
        run.advance(3 * run.steps_per_epoch)
        accuracy[arithmetic] = run.test_accuracy()
    assert initial["int16"] == initial["float32"]
    assert accuracy["float32"] > 0.9
    assert abs(accuracy["int16"] - accuracy["float32"]) < 0.02


def test_int16_runs_agree_to_the_bit_whatever_the_threads():
    runs = [training(threads=threads) for threads in (1, 2)]
    for run in runs:
        run.advance(3)
    assert runs[0].weights_sha256() == runs[1].weights_sha256()


def test_a_resumed_int16_run_goes_on_to_the_bit():
    whole, first, second = (training() for _ in range(3))
    whole.advance(8)
    first.advance(5)
    state = first.state()
    assert isinstance(state, Mapping)
    second.restore(state)
    second.advance(3)
    assert second.weights_sha256() == whole.weights_sha256()
