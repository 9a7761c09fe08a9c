"""Random graphs: what autograd computes, the same bits on both runtimes, resumed or not."""

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from specbp.arithmetic.float32 import Float32
from specbp.backends.cpu import training as cpu
from specbp.backends.cpu.training import CpuTraining
from specbp.datasets.loading import load
from specbp.errors import UsageError
from specbp.experiment import experiment_from
from specbp.network import pooled_first, trained_tensors
from specbp.network.lowering import lower, parameter_names
from specbp.network.models import MODELS, BuiltIn
from specbp.plan.checks import check
from specbp.plan.sequential import sequential
from specbp.runtime.evaluation import logits
from specbp.runtime.execution import Executor, Trained
from specbp.runtime.gates import Gate
from specbp.runtime.outlines import outline_of
from tests.graphs import CHANNELS, CLASSES, SIZE, Part, graphs, model_of

TOLERANCES = {torch.float64: 1e-12, torch.float32: 1e-5}
ARMS = [
    {"schedule": "sequential"},
    {"schedule": "pipelined"},
    {"schedule": "data-parallel"},
    {"schedule": "selective", "skip_loss": 1.3},
    {"schedule": "speculative", "gate_metric": "max", "gate_threshold": 0.2, "refresh": 0},
    {"schedule": "speculative", "gate_threshold": 0.2, "reuse": "replay", "refresh": 1},
    {"schedule": "deferred", "gate_threshold": 0.2, "refresh": 0},
]
STEPS = 7


def assert_close(actual, expected, dtype):
    scale = max(1.0, float(expected.abs().max()))
    assert float((actual - expected).abs().max()) <= TOLERANCES[dtype] * scale


def assert_as_autograd(parts, dtype):
    """One forward and backward of a batch, by the tasks of a sequential step and by autograd."""
    model = model_of(parts)
    network, weights = lower(model, (CHANNELS, SIZE, SIZE), CLASSES)
    network, weights = pooled_first(network), [tuple(map(dtype_to(dtype), one)) for one in weights]
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(6, CHANNELS, SIZE, SIZE, generator=generator).to(dtype)
    labels = torch.arange(6) % CLASSES

    outline = outline_of(network)
    plan = sequential(outline)
    check(plan)
    trained = Trained(weights, weights, parts=())
    executor = Executor(network, Float32(), outline, trained, cache=None, gate=Gate("none"))
    values = executor.begin(labels)
    for task in plan.tasks:
        if task.kind != "update":
            executor.execute(task, values, lambda: images, params=None)

    model = model.to(dtype)
    loss = functional.cross_entropy(model(images), labels)
    loss.backward()
    state = dict(model.named_parameters())
    assert_close(values.losses["batch"].mean(), loss.detach(), dtype)
    for node, layer, tensors in zip(outline.trained, network.trained, weights, strict=True):
        expected = [state[name].grad for name in parameter_names(layer)]
        for one, other in zip(executor.gradient(node, values), expected, strict=True):
            assert_close(one, other, dtype)
        path = layer.name.rpartition(":")[0]
        buffers = dict(model.get_submodule(path).named_buffers())
        running = tensors[len(trained_tensors(tensors)) :]
        for name, one in zip(("running_mean", "running_var"), running, strict=False):
            assert_close(one, buffers[name], dtype)
    with torch.no_grad():
        expected = model.eval()(images)
    assert_close(logits(network, Float32(), weights, images), expected, dtype)


def dtype_to(dtype):
    return lambda tensor: tensor.to(dtype)


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@settings(max_examples=20)
@given(graphs(without=("dropout",)))
def test_a_graph_computes_what_autograd_does(dtype, parts):
    assert_as_autograd(parts, dtype)


@pytest.fixture(scope="module")
def data():
    return load(f"random:{CHANNELS}x{SIZE}x{SIZE}/{CLASSES}", train=64, test=8)


def trained(data, model, arm):
    """Return an opened training; None where the schedule is none for the network."""
    fields = {"dataset": data.info.name, "train": 64, "test": 8, "batch_size": 8, "epochs": 1}
    try:
        return CpuTraining(experiment_from(fields | {"model": model, "momentum": 0.9} | arm), data)
    except UsageError as error:
        assert "normalises over the batch" in str(error) or "refresh = 1 evaluates" in str(error)
        return None


def assert_same_bits(data, parts, arm):
    """Train natively, natively with a break, and with the reference: weights and losses."""
    name = "graph"
    MODELS[name] = BuiltIn(lambda channels, classes: model_of(parts), SIZE)
    native_is_there = cpu.native_is_there
    try:
        native = trained(data, name, arm)
        if native is None:
            return
        rows = native.advance(STEPS)
        first, second = trained(data, name, arm), trained(data, name, arm)
        first.advance(3)
        second.restore(first.state())
        resumed = second.advance(STEPS - 3)
        cpu.native_is_there = lambda: False
        reference = trained(data, name, arm)
        expected = reference.advance(STEPS)
        assert [row["loss"] for row in rows] == [row["loss"] for row in expected]
        assert [row["loss"] for row in rows[3:]] == [row["loss"] for row in resumed]
        hashes = {one.weights_sha256() for one in (native, second, reference)}
        assert len(hashes) == 1
        assert native.test_accuracy() == reference.test_accuracy()
        for one in (native, first, second, reference):
            one.close()
    finally:
        cpu.native_is_there = native_is_there
        del MODELS[name]


CONVOLUTION = (4, 3, 1, 1, True)
RECTIFIED = (
    Part("convolution", (0,), CONVOLUTION), Part("relu", (1,)),
    Part("convolution", (2,), CONVOLUTION), Part("relu", (3,)), Part("add", (4, 2)),
)  # fmt: skip
"""A sum whose gradient a ReLU would overwrite for the other reader if it worked in place."""


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(parts=RECTIFIED, arm=ARMS[0])
@given(parts=graphs(most=8), arm=st.sampled_from(ARMS))
def test_a_graph_has_the_same_bits_on_both_runtimes_and_resumed(data, parts, arm):
    assert_same_bits(data, parts, arm)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=graphs(most=8, without=("batch norm",)), arm=st.sampled_from(ARMS[2:]))
def test_a_graph_whose_samples_are_apart_has_them_with_every_schedule(data, parts, arm):
    assert_same_bits(data, parts, arm)
