"""Executes a schedule in PyTorch on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from specbp.backends import StepRow
from specbp.backends.allocator import keep_freed_memory
from specbp.backends.recipe import Recipe, count_correct, require_a_number, weights_sha256
from specbp.datasets.loading import Dataset
from specbp.experiment import Experiment, available_cores
from specbp.network import Weights
from specbp.schedules import build as build_schedule
from specbp.schedules.engines import Stopwatch
from specbp.schedules.passes import Outcome, forward

EVALUATION_BATCH = 500


class PytorchTraining:
    """One experiment in progress on the CPU; see `specbp.backends.Training`.

    Args:
        experiment: what to train, and how.
        dataset: the loaded data set of the experiment.

    Raises:
        UsageError: the model does not fit the data, or a batch is larger than the training set.
    """

    def __init__(self, experiment: Experiment, dataset: Dataset) -> None:
        keep_freed_memory()
        self._experiment = experiment
        self._dataset = dataset
        self._recipe = recipe = Recipe(experiment, dataset)
        self.steps_per_epoch = recipe.steps_per_epoch
        self._network = recipe.network
        self._step = 0
        self._arithmetic = recipe.arithmetic()
        self._weights = self._arithmetic.encode_weights(recipe.initial)
        self._momenta: list[Weights] = [
            (torch.zeros_like(weight), torch.zeros_like(bias)) for weight, bias in self._weights
        ]
        self._schedule = build_schedule(experiment, self._network, self._arithmetic)
        self.initial_weights_sha256 = weights_sha256(recipe.initial)
        self.sample_order_sha256 = recipe.sample_order_sha256
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
            images = self._recipe.images(self._arithmetic, data.test_images[batch])
            labels = data.test_labels[batch]
            outcome, _ = forward(self._network, self._arithmetic, self._weights, images, labels)
            correct += count_correct(outcome.probabilities, labels)
        return correct / len(data.test_labels)

    def weights_sha256(self) -> str:
        """Return the SHA-256 of the weights as they are."""
        return weights_sha256(self._weights)

    def state(self) -> Mapping[str, Any]:
        """Return all that is needed to go on later, as plain containers of tensors."""
        outcome = self._schedule.state()
        return {
            "step": self._step,
            "weights": self._weights,
            "momenta": self._momenta,
            "cache": None if outcome is None else _parts(outcome),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state` as if never interrupted."""
        self._step = state["step"]
        self._weights = state["weights"]
        self._momenta = state["momenta"]
        parts = state["cache"]
        self._schedule.restore(None if parts is None else Outcome(*parts))

    def close(self) -> None:
        """Give the engines back."""
        self._schedule.close()

    def _one_step(self) -> StepRow:
        rule = self._recipe.rule(self._step)
        watch = Stopwatch()
        pixels, labels = self._recipe.batch(self._step)
        images = self._recipe.images(self._arithmetic, pixels)
        load_ms = watch.lap_ms()
        batch = self._schedule.gradients(self._weights, images, labels)
        watch.lap_ms()
        self._arithmetic.update(self._weights, self._momenta, batch.gradients, rule)
        update_ms = watch.lap_ms()
        step_ms = watch.total_ms()
        loss = float(batch.losses.mean())
        require_a_number(loss, self._step)
        row = {
            "epoch": self._step // self.steps_per_epoch + 1,
            "step": self._step,
            "loss": loss,
            "correct": count_correct(batch.probabilities, labels),
            "accepts": batch.accepts,
            "rejects": None if batch.accepts is None else len(labels) - batch.accepts,
            "step_ms": step_ms,
            "load_ms": load_ms,
            "update_ms": update_ms,
            **asdict(batch.times),
        }
        self._step += 1
        return row


def _parts(outcome: Outcome) -> tuple[Tensor | Sequence[Tensor | None], ...]:
    return outcome.labels, outcome.probabilities, outcome.masks, outcome.inputs
