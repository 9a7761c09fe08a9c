"""A small network, its weights, and batches of random images."""

import time
from dataclasses import dataclass, field

import pytest
import torch
from torch import nn

from specbp.arithmetic.float32 import Float32
from specbp.experiment import experiment_from
from specbp.network.lowering import lower
from specbp.schedules import StepWeights, build
from specbp.schedules.cache import BatchSlots
from specbp.schedules.device import Device
from specbp.schedules.engines import Done, SameEngine
from specbp.schedules.passes import propagate, weight_gradients
from specbp.schedules.sharing import DividedWork
from specbp.schedules.verdict import decided

CLASSES = 4
LIKE_A_GPU = Device(
    place=torch.device("cpu"),
    now=time.perf_counter,
    open_engine=lambda threads: SameEngine(),
    open_work=lambda *given: DividedWork(*given, mark=lambda: Done(None)),
    open_batch_cache=lambda: BatchSlots(SameEngine()),
    decide=decided,
)
"""Streams that do everything at once, on the processor."""


def flat(gradients):
    return torch.cat([one.flatten() for pair in gradients for one in pair])


def taking_images(gradients):
    """Let tests give images where backends give what loads them."""
    return lambda weights, images, labels: gradients(weights, lambda: images, labels)


@dataclass
class Bench:
    network: object
    weights: list
    arithmetic: Float32
    opened: list = field(default_factory=list)

    def schedule(self, **fields):
        schedule = build(experiment_from(fields), self.network, self.arithmetic, LIKE_A_GPU)
        self.opened.append(schedule)
        schedule.gradients = taking_images(schedule.gradients)
        return schedule

    flat = staticmethod(flat)

    @property
    def step_weights(self):
        return StepWeights(self.weights, self.weights)

    def gradient_of(self, outcome, labels, inputs, batch_size):
        """Weight gradients from masks and softmax of `outcome` and the layer inputs `inputs`."""
        deltas = self.deltas_of(outcome, labels, batch_size)
        return flat(weight_gradients(self.network, self.arithmetic.weight_gradient, inputs, deltas))

    def deltas_of(self, outcome, labels, batch_size):
        """The delta of each layer with weights, in forward order."""
        delta = self.arithmetic.logit_gradient(outcome.probabilities, labels, batch_size)
        found = propagate(self.network, self.arithmetic, self.weights, outcome.masks, delta)
        return [one for _, one in found][::-1]

    def batch(self, seed, labels):
        """Images [batch, 1, 6, 6] and labels that are the same for the same seed."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(len(labels), 1, 6, 6, generator=generator), torch.tensor(labels)


@pytest.fixture
def bench():
    torch.set_num_threads(1)  # as on engine 1: sums are added up in another order on more
    torch.manual_seed(5)  # with 0, one ReLU lets nothing through
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(), nn.AvgPool2d(3), nn.Flatten(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, CLASSES),
    )  # fmt: skip
    network, weights = lower(model, (1, 6, 6), CLASSES)
    # Large enough for images to make a difference to the softmax.
    made = Bench(network, [(3 * weight, bias) for weight, bias in weights], Float32())
    yield made
    for schedule in made.opened:
        schedule.close()
