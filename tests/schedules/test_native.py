"""Native schedules beside those in Python: what is fetched later, errors, and the end."""

import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch

from specbp.arithmetic import Numbers, UpdateRule
from specbp.arithmetic.float32 import Float32
from specbp.backends.updates import PlainUpdate
from specbp.experiment import experiment_from
from specbp.schedules import StepWeights, build
from specbp.schedules.native import Later

RULE = UpdateRule(learning_rate=0.05, momentum=0.9, weight_decay=0.001)
SCHEDULES = ["sequential", "data-parallel", "pipelined"]


@dataclass
class Training:
    """A schedule, weights of its own, and their update."""

    schedule: object
    weights: StepWeights
    update: PlainUpdate
    bench: object

    def step(self, seed):
        images, labels = self.bench.batch(seed, [seed % 4, 1, 2, 3])
        return self.schedule.gradients(self.weights, lambda: images, labels, self.update)


def opened(bench, schedule, backend="native"):
    arithmetic = Float32()
    weights = [(weight.clone(), bias.clone()) for weight, bias in bench.weights]
    momenta = [(torch.zeros_like(weight), torch.zeros_like(bias)) for weight, bias in weights]
    update = PlainUpdate(arithmetic, weights, momenta)
    update.numbers = Numbers(RULE, 0.0)
    experiment = experiment_from({"schedule": schedule, "backend": backend})
    built = build(experiment, bench.network, arithmetic)
    return Training(built, StepWeights(weights, weights), update, bench)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_step_gives_what_it_gives_in_python(bench, schedule):
    python, native = (opened(bench, schedule, backend) for backend in ("cpu", "native"))
    for seed in range(4):
        expected, found = python.step(seed), native.step(seed)
        assert torch.equal(found.losses, expected.losses)
        assert torch.equal(found.probabilities, expected.probabilities)
        assert bench.flat(found.gradients).equal(bench.flat(expected.gradients))
        assert found.accepts == expected.accepts
        assert found.times.forward_ms > 0 and found.times.backward_ms > 0
        layers = {span.layer for span in found.spans if span.phase == "weight gradient"}
        assert layers == {layer.name for layer in bench.network.trained}
    assert bench.flat(native.weights.current).equal(bench.flat(python.weights.current))
    for training in (python, native):
        training.schedule.close()


def test_another_batch_size_is_an_error_on_either_engine(bench):
    training = opened(bench, "pipelined")
    training.step(0)
    images, labels = bench.batch(1, [0, 1])
    with pytest.raises(RuntimeError):
        training.schedule.gradients(
            training.weights, lambda: images[:, :, :2], labels, training.update
        )
    training.schedule.close()


def test_items_are_fetched_once_and_not_before_they_are_looked_at():
    asked = []
    later = Later(lambda: asked.append(1) or ["a", "b"])
    assert not asked
    assert (len(later), list(later), later[1]) == (2, ["a", "b"], "b")
    assert asked == [1]


CLOSED_AT_ONCE = """
from specbp.datasets.loading import load
from specbp.backends.pytorch import PytorchTraining
from specbp.experiment import experiment_from

fields = {"dataset": "digits", "train": 64, "test": 10, "batch_size": 4}
experiment = experiment_from(fields | {"schedule": "pipelined", "backend": "native"})
for _ in range(20):
    training = PytorchTraining(experiment, load("digits", train=64, test=10))
    training.advance(1)
    training.state()  # what engine 1 gives back after the next step is Python's, too
    schedule, weights = training._of_step(1)
    images = training._batches._images[1]
    labels = training._batches.labels(1)
    schedule.gradients(weights, lambda: images, labels, training._update)
    training.close()
print("closed")
"""


def test_the_end_of_a_training_waits_for_nothing_that_waits_for_python():
    done = subprocess.run(
        [sys.executable, "-c", CLOSED_AT_ONCE], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "closed", done.stderr
