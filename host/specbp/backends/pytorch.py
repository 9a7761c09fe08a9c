"""Executes a schedule in PyTorch on the CPU."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from specbp.arithmetic import Arithmetic, UpdateRule
from specbp.arithmetic.calibration import calibrate
from specbp.arithmetic.float32 import Float32, weights_ahead
from specbp.arithmetic.int16 import Int16
from specbp.backends import StepRow
from specbp.backends.allocator import keep_freed_memory
from specbp.datasets.loading import Dataset
from specbp.errors import UsageError
from specbp.experiment import Experiment, available_cores
from specbp.learning_rate import learning_rate
from specbp.models import build as build_model
from specbp.network import Weights, lower, pooled_first
from specbp.sampling import sample_order, sample_order_sha256, steps_per_epoch
from specbp.schedules import build as build_schedule
from specbp.schedules.cache import expected_age
from specbp.schedules.chain import Chain
from specbp.schedules.sequential import Sequential
from specbp.schedules.spans import Recorder, Span
from specbp.schedules.step import StepWeights

EVALUATION_BATCH = 500

CALIBRATION_SAMPLES = 256
"""int16 scales are chosen on the first batches of the first epoch, at least this many samples."""


class PytorchTraining:
    """One experiment in progress on the CPU; see `specbp.backends.Training`.

    Args:
        experiment: what to train, and how.
        dataset: the loaded data set of the experiment.

    Raises:
        UsageError: the model does not fit the data, or a batch is larger than the training set.
    """

    spans: tuple[Span, ...] = ()
    """What the engines did in the last step."""

    def __init__(self, experiment: Experiment, dataset: Dataset) -> None:
        keep_freed_memory()
        self._experiment = experiment
        self._dataset = dataset
        samples = len(dataset.train_labels)
        self.steps_per_epoch = steps_per_epoch(samples, experiment.batch_size)
        if not self.steps_per_epoch:
            raise UsageError(
                f"batch_size = {experiment.batch_size} is larger than the training set "
                f"({samples} samples)"
            )
        info = dataset.info
        model = build_model(experiment.model, info.image_shape[0], info.classes, experiment.seed)
        network, initial = lower(model, info.image_shape, info.classes)
        # The overlay's number format keeps the model's own order: the hardware is compared to it.
        self._network = pooled_first(network) if experiment.arithmetic == "float32" else network
        self._step = 0
        self._order = sample_order(experiment, dataset.train_labels, 0)
        self._order_epoch = 0
        self._arithmetic = self._build_arithmetic(initial)
        self._weights = self._arithmetic.encode_weights(initial)
        self._momenta: list[Weights] = [
            (torch.zeros_like(weight), torch.zeros_like(bias)) for weight, bias in self._weights
        ]
        self._schedule = build_schedule(experiment, self._network, self._arithmetic)
        self._chain = Chain(self._network, self._arithmetic)
        self._warmup = Sequential(self._chain)
        self._ages = expected_age(experiment, info.classes)
        self.initial_weights_sha256 = _sha256(initial)
        self.sample_order_sha256 = sample_order_sha256(experiment, dataset.train_labels)
        self.dataset_sha256 = dataset.sha256

    @property
    def step(self) -> int:
        """Number of steps done."""
        return self._step

    def advance(self, steps: int) -> list[StepRow]:
        """Do the next `steps` training steps and return a row for each.

        Raises:
            FloatingPointError: the loss is no longer a number: the training has diverged.
        """
        torch.set_num_threads(self._experiment.threads)
        return [self._one_step() for _ in range(steps)]

    def test_accuracy(self) -> float:
        """Return the share of test samples classified rightly with the weights as they are."""
        torch.set_num_threads(available_cores())
        correct = 0
        data = self._dataset
        for first in range(0, len(data.test_labels), EVALUATION_BATCH):
            batch = slice(first, first + EVALUATION_BATCH)
            images = self._images(data.test_images[batch])
            labels = data.test_labels[batch]
            outcome, _ = self._chain.forward(self._weights, images, labels)
            correct += _count_correct(outcome.probabilities, labels)
        return correct / len(data.test_labels)

    def weights_sha256(self) -> str:
        """Return the SHA-256 of the weights as they are."""
        return _sha256(self._weights)

    def state(self) -> Mapping[str, Any]:
        """Return all that is needed to go on later, as plain containers of tensors."""
        return {
            "step": self._step,
            "weights": self._weights,
            "momenta": self._momenta,
            "schedule": self._schedule.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state` as if never interrupted."""
        self._step = state["step"]
        self._weights = state["weights"]
        self._momenta = state["momenta"]
        self._schedule.restore(state["schedule"])

    def close(self) -> None:
        """Give the engines back."""
        self._schedule.close()

    def _one_step(self) -> StepRow:
        experiment = self._experiment
        epoch, step_in_epoch = divmod(self._step, self.steps_per_epoch)
        rule = UpdateRule(
            learning_rate(experiment, self._step, self.steps_per_epoch * experiment.epochs),
            experiment.momentum,
            experiment.weight_decay,
        )
        recorder = Recorder()
        with recorder.span(0, "load"):
            pixels, labels = self._batch(epoch, step_in_epoch)
            images = self._images(pixels)
        schedule = self._warmup if epoch < (experiment.warmup_epochs or 0) else self._schedule
        batch = schedule.gradients(self._step_weights(rule), images, labels)
        with recorder.span(0, "update"):
            self._arithmetic.update(self._weights, self._momenta, batch.gradients, rule)
        load, update = recorder.spans
        self.spans = (load, *batch.spans, update)
        loss = float(batch.losses.mean())
        if loss != loss:
            raise FloatingPointError(
                f"the loss is not a number at step {self._step}: the training has diverged, "
                "lower the learning rate"
            )
        accepts = batch.accepts
        if accepts is None and experiment.schedule == "speculative":
            accepts = 0  # a warm-up epoch
        row = {
            "epoch": epoch + 1,
            "step": self._step,
            "loss": loss,
            "correct": _count_correct(batch.probabilities, labels),
            "accepts": accepts,
            "rejects": None if accepts is None else len(labels) - accepts,
            "step_ms": (update.ended - load.started) * 1e3,
            "load_ms": load.duration_ms,
            "update_ms": update.duration_ms,
            **asdict(batch.times),
        }
        self._step += 1
        return row

    def _step_weights(self, rule: UpdateRule) -> StepWeights:
        if not self._experiment.weight_prediction:
            return StepWeights(self._weights, self._weights)
        ahead = weights_ahead(self._weights, self._momenta, rule.learning_rate * self._ages)
        return StepWeights(self._weights, ahead)

    def _batch(self, epoch: int, step_in_epoch: int) -> tuple[Tensor, Tensor]:
        data = self._dataset
        if epoch != self._order_epoch:
            self._order = sample_order(self._experiment, data.train_labels, epoch)
            self._order_epoch = epoch
        first = step_in_epoch * self._experiment.batch_size
        index = self._order[first : first + self._experiment.batch_size]
        return data.train_images.index_select(0, index), data.train_labels.index_select(0, index)

    def _images(self, pixels: Tensor) -> Tensor:
        return self._arithmetic.encode_images(self._dataset.normalised(pixels))

    def _build_arithmetic(self, initial: Sequence[Weights]) -> Arithmetic:
        if self._experiment.arithmetic == "float32":
            return Float32(torch.channels_last)
        wanted = -(-CALIBRATION_SAMPLES // self._experiment.batch_size)
        batches = (self._batch(0, step) for step in range(min(wanted, self.steps_per_epoch)))
        return Int16(
            self._network,
            calibrate(
                self._network,
                initial,
                [(self._dataset.normalised(pixels), labels) for pixels, labels in batches],
            ),
        )


def _sha256(weights: Sequence[Weights]) -> str:
    digest = hashlib.sha256()
    for weight, bias in weights:
        digest.update(weight.numpy().tobytes())
        digest.update(bias.numpy().tobytes())
    return digest.hexdigest()


def _count_correct(probabilities: Tensor, labels: Tensor) -> int:
    return int((probabilities.argmax(1) == labels).sum())
