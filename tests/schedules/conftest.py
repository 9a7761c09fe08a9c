"""A small network, its weights, and batches of random images."""

from dataclasses import dataclass, field

import pytest
import torch
from torch import nn

from specbp.arithmetic.float32 import Float32
from specbp.experiment import experiment_from
from specbp.network import lower
from specbp.schedules import StepWeights, build

CLASSES = 4


@dataclass
class Bench:
    network: object
    weights: list
    arithmetic: Float32
    opened: list = field(default_factory=list)

    def schedule(self, **fields):
        schedule = build(experiment_from(fields), self.network, self.arithmetic)
        self.opened.append(schedule)
        return schedule

    @property
    def step_weights(self):
        return StepWeights(self.weights, self.weights)

    def batch(self, seed, labels):
        """Images [batch, 1, 6, 6] and labels that are the same for the same seed."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(len(labels), 1, 6, 6, generator=generator), torch.tensor(labels)


@pytest.fixture
def bench():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(), nn.AvgPool2d(3), nn.Flatten(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, CLASSES),
    )  # fmt: skip
    network, weights = lower(model, (1, 6, 6), CLASSES)
    made = Bench(network, weights, Float32())
    yield made
    for schedule in made.opened:
        schedule.close()
