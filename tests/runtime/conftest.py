"""A small network, its weights, and steps of it by the reference runtime."""

from dataclasses import dataclass, field

import pytest
import torch
from torch import nn

from specbp.arithmetic.float32 import Float32
from specbp.experiment import experiment_from
from specbp.network.lowering import lower
from specbp.plan.choosing import step_plans
from specbp.plan.tasks import KINDS
from specbp.runtime.cache import cache_shape, open_cache
from specbp.runtime.execution import Executor, Trained
from specbp.runtime.gates import gate_of
from specbp.runtime.outlines import outline_of
from specbp.runtime.step import ENGINE, KIND, NODE, WAIT, StepParams
from specbp.runtime.threads import ThreadsRuntime

CLASSES = 4


class Kept:
    """A part of an update that keeps the gradient which it is given, and updates nothing."""

    def __init__(self, position):
        self.layers = (position,)

    def do(self, gradients, numbers):
        ((weight, bias),) = gradients
        self.gradient = torch.cat([weight.flatten(), bias.flatten()])


@dataclass
class Batch:
    """What a runtime loads in its next step."""

    batch: tuple = ()

    def images(self, index):
        return self.batch[0]

    def labels(self, index):
        return self.batch[1]


@dataclass
class Result:
    """What a step gives: all weight gradients as one vector, and what each engine did."""

    gradient: torch.Tensor
    losses: torch.Tensor
    probabilities: torch.Tensor
    accepts: int
    done: list


class Steps:
    """Steps of one schedule, whose weights stay as they are unless a test changes them."""

    def __init__(self, bench, ahead=None, **fields):
        experiment = experiment_from(fields)
        self.parts = [Kept(position) for position in range(len(bench.weights))]
        outline = outline_of(bench.network, self.parts)
        cache = open_cache(cache_shape(experiment, CLASSES))
        trained = Trained(bench.weights, ahead or bench.weights, self.parts)
        gate = gate_of(experiment)
        self.executor = Executor(bench.network, bench.arithmetic, outline, trained, cache, gate)
        self.samples = Batch()
        plans = step_plans(experiment, outline)
        self.runtime = ThreadsRuntime(self.executor, plans, cache, self.samples)

    def step(self, images, labels):
        self.samples.batch = images, labels
        results = self.runtime.advance(torch.arange(len(labels))[None], [StepParams(rule=None)])
        words = (*KINDS, "wait")
        done = [
            (int(span[ENGINE]), words[int(span[KIND])], int(span[NODE])) for span in results.spans
        ]
        assert len(KINDS) == WAIT
        return Result(
            torch.cat([part.gradient for part in self.parts]),
            results.losses[0],
            results.probabilities[0],
            int(results.accepted.sum()),
            done,
        )


@dataclass
class Saved:
    """What a forward leaves: softmax, and input and output of each layer."""

    probabilities: torch.Tensor
    losses: torch.Tensor
    inputs: list
    masks: list

    def rows(self, index):
        return Saved(
            self.probabilities[index],
            self.losses[index],
            [one[index] for one in self.inputs],
            [None if one is None else one[index] for one in self.masks],
        )


@dataclass
class Bench:
    network: object
    weights: list
    arithmetic: Float32
    opened: list = field(default_factory=list)

    def steps(self, **fields):
        self.opened.append(Steps(self, **fields))
        return self.opened[-1]

    def batch(self, seed, labels):
        """Images [batch, 1, 6, 6] and labels that are the same for the same seed."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(len(labels), 1, 6, 6, generator=generator), torch.tensor(labels)

    def saved(self, images, labels, weights=None, first=0):
        """Return what the forward leaves, layer by layer, from the layer `first` on."""
        inputs, masks, x = [], [], images
        for layer, own in list(self.layers(weights))[first:]:
            inputs.append(x)
            x, mask = self.arithmetic.forward(layer, own, x)
            masks.append(mask)
        return Saved(*self.arithmetic.softmax_cross_entropy(x, labels), inputs, masks)

    def gradient_of(self, saved, labels, inputs, batch_size):
        """Weight gradients from masks and softmax of `saved` and the layer inputs `inputs`."""
        delta = self.arithmetic.logit_gradient(saved.probabilities, labels, batch_size)
        found = []
        layers = list(self.layers())
        for index in reversed(range(len(layers))):
            layer, own = layers[index]
            if layer.has_weights:
                pair = self.arithmetic.weight_gradient(layer, inputs[index], delta)
                found.insert(0, torch.cat([one.flatten() for one in pair]))
            if index:
                delta = self.arithmetic.input_gradient(layer, own, saved.masks[index], delta)
        return torch.cat(found)

    def layers(self, weights=None):
        """Return each layer with its weights, None for a layer without."""
        left = iter(weights or self.weights)
        return [(one, next(left) if one.has_weights else None) for one in self.network.layers]


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
    for steps in made.opened:
        steps.runtime.close()
