"""What an experiment trains on, step by step, whoever executes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from specbp.arithmetic import Arithmetic, UpdateRule
from specbp.arithmetic.calibration import calibrate
from specbp.arithmetic.float32 import Float32
from specbp.arithmetic.int16 import Int16
from specbp.arithmetic.scales import Scales
from specbp.backends.agreement import require_agreement
from specbp.datasets.loading import Dataset
from specbp.errors import UsageError
from specbp.experiment import Experiment
from specbp.initial import identity, initial
from specbp.learning_rate import learning_rate
from specbp.network import Network, chain_fault, pooled_first
from specbp.sampling import augmentation_of, sample_order, sample_order_sha256, steps_per_epoch

CALIBRATION_SAMPLES = 256
"""int16 scales are chosen on the first batches of the first epoch, at least this many samples."""


class Recipe:
    """The network with its initial weights, and the batch and the update rule of every step.

    Args:
        experiment: what to train, and how.
        dataset: the loaded data set of the experiment.

    Attributes:
        experiment: what to train, and how.
        dataset: the data set.
        network: the graph of layers.
        initial: initial weights of the network, float32.
        identity: what tells the model, as the user made it, from others.
        steps_per_epoch: number of steps.
        sample_order_sha256: SHA-256 of the order in which samples are drawn.
        about: columns of the frame `runs` that say what it is tested on.

    Raises:
        UsageError: the model is not supported, computes something else than its layers, is not the
            same each time or does not fit the data, or a batch is larger than the training set.
    """

    def __init__(self, experiment: Experiment, dataset: Dataset) -> None:
        self.experiment = experiment
        self.dataset = dataset
        samples = len(dataset.train_labels)
        self.steps_per_epoch = steps_per_epoch(samples, experiment.batch_size)
        if not self.steps_per_epoch:
            raise UsageError(
                f"batch_size = {experiment.batch_size} is larger than the training set "
                f"({samples} samples)"
            )
        what = (experiment.model, dataset.info, experiment.seed, experiment.initial_weights)
        start = initial(*what)
        self.initial, self.identity = start.weights, start.identity
        if self.identity != identity(*what):
            raise UsageError(
                f'model "{experiment.model}" is another each time it is built from the seed '
                f"{experiment.seed}: draw what is random in it from PyTorch's generator, which "
                "is seeded, not from NumPy's or Python's"
            )
        _require_refresh(experiment, start.network)
        _require_chain_on_gpu(experiment, start.network)
        # The overlay's number format keeps the model's own order: the hardware is compared to it.
        float32 = experiment.arithmetic == "float32"
        self.network = pooled_first(start.network) if float32 else start.network
        require_agreement(experiment.model, start, self.network)
        shape = dataset.info.image_shape
        self.sample_order_sha256 = sample_order_sha256(experiment, dataset.train_labels, shape)
        self.rule(0)  # a scheduler that cannot be used is refused before the first step
        self.about = {"test_samples": len(dataset.test_labels), "chance": dataset.chance}
        self._epoch = -1
        self._go_to(0)

    def arithmetic(self, memory_format: torch.memory_format = torch.channels_last) -> Arithmetic:
        """Return the number format of the experiment, calibrated.

        Args:
            memory_format: memory format of float32 images and kernels; int16 has its own.

        Raises:
            UsageError: int16 cannot express the learning rate, momentum or weight decay.
        """
        if self.experiment.arithmetic == "float32":
            return Float32(memory_format, self.experiment.label_smoothing or 0.0)
        arithmetic = Int16(self.network, self.scales())
        arithmetic.require_effect(self._peak_rule())
        return arithmetic

    def scales(self) -> Scales:
        """Return the scales of int16 arithmetic."""
        wanted = -(-CALIBRATION_SAMPLES // self.experiment.batch_size)
        batches = (self.batch(step) for step in range(min(wanted, self.steps_per_epoch)))
        return calibrate(
            self.network,
            self.initial,
            [(self.dataset.normalised(pixels), labels) for pixels, labels in batches],
        )

    def rule(self, step: int) -> UpdateRule:
        """Return the numbers of the update of `step`."""
        steps = self.steps_per_epoch * self.experiment.epochs
        rate = learning_rate(self.experiment, step, steps, self.steps_per_epoch)
        return replace(self._peak_rule(), learning_rate=rate)

    def _peak_rule(self) -> UpdateRule:
        experiment = self.experiment
        return UpdateRule(
            experiment.learning_rate,
            experiment.momentum,
            experiment.weight_decay,
            experiment.nesterov,
        )

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the pixels, as the data set has them, and the labels of `step`."""
        return self.pixels(step), self.labels(step)

    def labels(self, step: int, steps: int = 1) -> Tensor:
        """Return the labels of `step`, int64 [batch], and of steps after it; see `pixels`."""
        chosen = self._samples(step, steps)
        return self._labels[chosen]

    def pixels(self, step: int, steps: int = 1) -> Tensor:
        """Return the images of `step` as the data set has them, uint8, and of steps after it.

        Args:
            step: number of the first step.
            steps: how many, all of one epoch.
        """
        chosen = self._samples(step, steps)
        return self.dataset.train_images.index_select(0, self._order[chosen])

    def samples(self, step: int) -> Tensor:
        """Return the indices of the training samples of `step`, int64 [batch]."""
        chosen = self._samples(step, 1)
        return self._order[chosen]

    def places(self, step: int) -> Tensor:
        """Return what happens to the images of `step`, int64 [batch, 5]: see `Augmentation`."""
        epoch = step // self.steps_per_epoch
        shape, seed = self.dataset.info.image_shape, self.experiment.seed
        return augmentation_of(self.experiment).places(self.samples(step), shape, seed, epoch)

    def order(self, epoch: int) -> Tensor:
        """Return the indices of the training samples in the order of `epoch`, from 0: int64 [N]."""
        self._go_to(epoch)
        return self._order

    def _samples(self, step: int, steps: int) -> slice:
        """Return where samples of some steps are in the order of their epoch, after going to it."""
        epoch, step_in_epoch = divmod(step, self.steps_per_epoch)
        self._go_to(epoch)
        size = self.experiment.batch_size
        return slice(step_in_epoch * size, (step_in_epoch + steps) * size)

    def _go_to(self, epoch: int) -> None:
        """Bring order and labels to those of `epoch`."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = sample_order(self.experiment, self.dataset.train_labels, epoch)
            self._labels = self.dataset.train_labels.index_select(0, self._order)

    def images(self, arithmetic: Arithmetic, pixels: Tensor) -> Tensor:
        """Return `pixels` as the first layer takes them."""
        return arithmetic.encode_images(self.dataset.normalised(pixels))


def _require_refresh(experiment: Experiment, network: Network) -> None:
    """Refuse to refresh more layers than there are."""
    trained = len(network.trained)
    if experiment.refresh is not None and experiment.refresh > trained:
        raise UsageError(
            f"refresh = {experiment.refresh}: {experiment.model} has {trained} layers with weights"
        )


def _require_chain_on_gpu(experiment: Experiment, network: Network) -> None:
    """Refuse on a GPU what its passes cannot represent."""
    on_gpu = experiment.backend_record.engine == "stream"
    fault = chain_fault(network) if on_gpu else None
    if fault:
        raise UsageError(
            f'model "{experiment.model}": {fault}: a GPU trains chains of convolutions and linear '
            "layers with biases, ReLU and poolings; take --backend cpu for it, or a model such as "
            "cifar-cnn"
        )


def correct_of_steps(probabilities: Tensor, labels: Tensor) -> list[int]:
    """Return `count_correct` of each step.

    Args:
        probabilities: softmax [steps, batch, classes].
        labels: int64 [steps, batch].
    """
    is_known = (probabilities == probabilities).all(2)
    correct: list[int] = ((probabilities.argmax(2) == labels) & is_known).sum(1).tolist()
    return correct


def count_correct(probabilities: Any, labels: Any) -> int:
    """Return how many samples are classified rightly; of equals the first class counts.

    A sample with a probability that is not a number has no class.
    """
    is_known = (probabilities == probabilities).all(1)
    return int(((probabilities.argmax(1) == labels) & is_known).sum())
