"""The training everyone knows: a plain PyTorch loop with autograd and torch.optim.SGD."""

import math
from dataclasses import dataclass
from statistics import mean, stdev

import torch
from torch.nn import functional

from specbp.backends.cpu.training import CpuTraining
from specbp.experiment import experiment_from
from specbp.learning_rate import learning_rate
from specbp.network.models import build
from specbp.sampling import sample_order, steps_per_epoch


class PlainLoop:
    """Trains `experiment` on `dataset` with nothing of specbp but its recipe.

    As fast as plain PyTorch goes on a CPU: channels last, which is no worse for any of the models.
    """

    def __init__(self, experiment, dataset, memory_format=torch.channels_last):
        info = dataset.info
        self.experiment, self.dataset = experiment, dataset
        self.memory_format = memory_format
        model = build(experiment.model, info.image_shape[0], info.classes, experiment.seed)
        self.model = model.to(memory_format=memory_format)
        self.optimizer = torch.optim.SGD(
            self.model.parameters(),
            lr=experiment.learning_rate,
            momentum=experiment.momentum,
            weight_decay=experiment.weight_decay,
        )
        self.steps_per_epoch = steps_per_epoch(len(dataset.train_labels), experiment.batch_size)
        self.step = 0

    def advance(self, steps):
        """Train and return the loss of each step."""
        torch.set_num_threads(self.experiment.threads)
        return [self._one_step() for _ in range(steps)]

    def _one_step(self):
        experiment, data = self.experiment, self.dataset
        epoch, position = divmod(self.step, self.steps_per_epoch)
        if position == 0:
            self.order = sample_order(experiment, data.train_labels, epoch)
        first = position * experiment.batch_size
        index = self.order[first : first + experiment.batch_size]
        images = self._images(data.train_images[index])
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(
                experiment, self.step, self.steps_per_epoch * experiment.epochs
            )
        loss = functional.cross_entropy(self.model(images), data.train_labels[index])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.step += 1
        return loss.item()

    @torch.no_grad()
    def test_accuracy(self):
        data = self.dataset
        correct = 0
        for first in range(0, len(data.test_labels), 500):
            images = self._images(data.test_images[first : first + 500])
            predicted = self.model(images).argmax(1)
            correct += int((predicted == data.test_labels[first : first + 500]).sum())
        return correct / len(data.test_labels)

    def _images(self, pixels):
        return self.dataset.normalised(pixels).contiguous(memory_format=self.memory_format)


@dataclass
class Agreement:
    """Test accuracies by seed: of our training, and of the plain loop of the same recipe."""

    ours: list
    plain: list
    test_samples: int

    @property
    def within_seed_noise(self):
        """The mean difference is below twice the noise of seeds, or of so few test samples."""
        difference = mean(a - b for a, b in zip(self.ours, self.plain, strict=True))
        accuracy = mean(self.plain)
        seen = self.test_samples * len(self.plain)
        sampling = math.sqrt(2 * accuracy * (1 - accuracy) / seen)
        return abs(difference) <= 2 * max(stdev(self.plain), sampling)


def compare_with_plain_loop(dataset, fields, seeds):
    """Train both for each seed."""
    agreement = Agreement([], [], len(dataset.test_labels))
    for seed in seeds:
        experiment = experiment_from(fields | {"seed": seed})
        for make, accuracies in (
            (CpuTraining, agreement.ours),
            (PlainLoop, agreement.plain),
        ):
            training = make(experiment, dataset)
            training.advance(training.steps_per_epoch * experiment.epochs)
            accuracies.append(training.test_accuracy())
    return agreement
