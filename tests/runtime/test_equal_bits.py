"""Both runtimes give the same bits, and a resumed training those of an undisturbed one."""

import numpy as np
import pytest
from torch import nn

from specbp.backends.cpu import training as cpu
from specbp.backends.cpu.training import CpuTraining
from specbp.datasets.loading import load
from specbp.experiment import experiment_from
from specbp.network.models import MODELS, BuiltIn
from specbp.runtime.accounting import time_shares
from specbp.runtime.spans import Span
from specbp.runtime.step import StepResults
from specbp.schedules.accounting import time_shares as of_spans

FIELDS = {"dataset": "digits", "train": 160, "test": 50, "batch_size": 8, "epochs": 3}
STEPS = 30
SPECULATIVE = {"schedule": "speculative", "gate_metric": "max", "gate_threshold": 0.3}
DEFERRED = {"schedule": "deferred", "gate_threshold": 0.3}
ARMS = [
    {"schedule": "sequential"},
    {"schedule": "data-parallel"},
    {"schedule": "selective", "skip_loss": 0.5},
    {"schedule": "pipelined"},
    {"schedule": "pipelined", "balanced": False},
    SPECULATIVE,
    SPECULATIVE | {"reuse": "replay", "refresh": 1},
    SPECULATIVE | {"reuse": "replay", "balanced": False},
    SPECULATIVE | {"key": "other-label", "reuse": "replay"},
    SPECULATIVE | {"key": "bucket"},
    SPECULATIVE | {"key": "batch", "reuse": "outcomes"},
    SPECULATIVE | {"engines": 1},
    SPECULATIVE | {"max_age": 3},
    {"schedule": "speculative", "reuse": "replay", "gate_metric": "none"},
    DEFERRED,
    DEFERRED | {"reuse": "replay", "refresh": 1},
    DEFERRED | {"key": "batch", "gate_target": 0.6},
]


@pytest.fixture(scope="module")
def digits():
    return load("digits", train=160, test=50)


def trained(experiment, dataset, runtime="native"):
    training = CpuTraining(experiment, dataset)
    assert training.about["runtime"] == runtime
    rows = training.advance(STEPS)
    weights = training.weights_sha256()
    training.close()
    return weights, [(row["loss"], row["correct"], row["accepts"]) for row in rows]


@pytest.mark.parametrize("arm", ARMS, ids=str)
def test_native_gives_the_bits_of_the_reference(digits, arm, monkeypatch):
    experiment = experiment_from(FIELDS | arm)
    native = trained(experiment, digits)
    monkeypatch.setattr(cpu, "native_is_there", lambda: False)
    assert native == trained(experiment, digits, runtime="threads")


def test_a_strided_convolution_of_single_pixels_has_the_same_bits_too(digits, monkeypatch):
    """Its weight gradient is made from the pixels that are read, side by side."""
    layers = lambda *_: nn.Sequential(  # noqa: E731
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 5, 1, stride=(2, 1)), nn.ReLU(), nn.Flatten(),
        nn.Linear(5 * 3 * 6, 10),
    )  # fmt: skip
    monkeypatch.setitem(MODELS, "strided", BuiltIn(layers, 8))
    experiment = experiment_from(FIELDS | {"model": "strided"})
    native = trained(experiment, digits)
    monkeypatch.setattr(cpu, "native_is_there", lambda: False)
    assert native == trained(experiment, digits, runtime="threads")


@pytest.mark.parametrize("arm", [ARMS[0], ARMS[3], ARMS[6], DEFERRED], ids=str)
def test_a_resumed_training_has_the_bits_of_an_undisturbed_one(digits, arm):
    experiment = experiment_from(FIELDS | arm)
    expected, _ = trained(experiment, digits)
    first = CpuTraining(experiment, digits)
    first.advance(17)
    second = CpuTraining(experiment, digits)
    second.restore(first.state())
    first.close()
    second.advance(STEPS - 17)
    assert second.weights_sha256() == expected
    second.close()


def test_shares_of_many_steps_at_once_are_those_of_each(digits):
    generator = np.random.default_rng(0)
    phases = (
        "load", "forward", "recall", "recall", "gate", "input gradient", "redo", "weight gradient",
        "update", "update", "store", "wait",
    )  # fmt: skip
    for engines in (1, 2):
        spans, times, started = [], [], 0.0
        for step in range(20):
            ended = started + 1 + generator.random()
            for engine in range(engines):
                cuts = np.sort(generator.choice(40, 8, replace=False)) / 40 * (ended - started)
                for first, last in (started + cuts).reshape(4, 2):
                    spans.append((step, engine, generator.integers(len(phases)), -1, first, last))
            times.append((started, ended))
            started = ended + generator.random()
        given = StepResults(None, None, None, np.array(times), np.array(spans, float))
        found = time_shares(given, engines)
        for step, moment in enumerate(times):
            of_step = [
                Span(int(engine), phases[int(kind)], "", first, last)
                for which, engine, kind, _, first, last in spans
                if which == step
            ]
            expected = of_spans(of_step, engines, *moment)
            for name, column in found.items():
                assert column[step] == pytest.approx(getattr(expected, name), abs=1e-9)
