"""Executes a schedule in PyTorch on the CPU."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import torch

from specbp.arithmetic import UpdateRule
from specbp.arithmetic.float32 import predict, predicting_tasks
from specbp.backends import StepRow
from specbp.backends.allocator import keep_freed_memory
from specbp.backends.recipe import Recipe, count_correct, require_a_number, weights_sha256
from specbp.datasets.loading import Dataset
from specbp.experiment import Experiment, available_cores
from specbp.network import Weights
from specbp.schedules import build as build_schedule
from specbp.schedules.accounting import time_shares
from specbp.schedules.cache import expected_age
from specbp.schedules.chain import Chain
from specbp.schedules.sequential import Sequential
from specbp.schedules.spans import Recorder, Span
from specbp.schedules.step import Schedule, StepWeights, Task

EVALUATION_BATCH = 500
REST_S = 0.02
"""Intra-op threads spin this long, and less, after their last work: 5 to 9 ms were measured."""


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
        self._recipe = recipe = Recipe(experiment, dataset)
        self.steps_per_epoch = recipe.steps_per_epoch
        self._step = 0
        self._arithmetic = recipe.arithmetic()
        self._weights = self._arithmetic.encode_weights(recipe.initial)
        self._momenta: list[Weights] = [
            (torch.zeros_like(weight), torch.zeros_like(bias)) for weight, bias in self._weights
        ]
        self._ahead = self._weights
        if experiment.weight_prediction:
            self._ahead = [(weight.clone(), bias.clone()) for weight, bias in self._weights]
        self._schedule = build_schedule(experiment, recipe.network, self._arithmetic)
        self._chain = Chain(recipe.network, self._arithmetic)
        self._warmup: Schedule = Sequential(self._chain)
        self._age = expected_age(experiment, dataset.info.classes)
        self.initial_weights_sha256 = weights_sha256(recipe.initial)
        self.sample_order_sha256 = recipe.sample_order_sha256
        self.dataset_sha256 = dataset.sha256
        self.about: Mapping[str, Any] = {"simulated": False, "board": None}

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
        rows = [self._one_step() for _ in range(steps)]
        if self._experiment.threads > 1:
            _let_threads_sleep()
        return rows

    def test_accuracy(self) -> float:
        """Return the share of test samples classified rightly with the weights as they are."""
        torch.set_num_threads(available_cores())
        correct = 0
        data = self._dataset
        for first in range(0, len(data.test_labels), EVALUATION_BATCH):
            batch = slice(first, first + EVALUATION_BATCH)
            images = self._recipe.images(self._arithmetic, data.test_images[batch])
            labels = data.test_labels[batch]
            outcome, _ = self._chain.forward(self._weights, images, labels)
            correct += count_correct(outcome.probabilities, labels)
        _let_threads_sleep()
        return correct / len(data.test_labels)

    def weights_sha256(self) -> str:
        """Return the SHA-256 of the weights as they are."""
        return weights_sha256(self._weights)

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
        if self._experiment.weight_prediction:
            predict(self._weights, self._momenta, self._ahead, self._distance(self._step))
        else:
            self._ahead = self._weights
        self._schedule.restore(state["schedule"])

    def close(self) -> None:
        """Give the engines back."""
        self._schedule.close()

    def _one_step(self) -> StepRow:
        experiment = self._experiment
        rule = self._recipe.rule(self._step)
        recorder = Recorder()
        with recorder.span(0, "load"):
            pixels, labels = self._recipe.batch(self._step)
            images = self._recipe.images(self._arithmetic, pixels)
        epoch = self._step // self.steps_per_epoch
        if epoch < (experiment.warmup_epochs or 0):  # sequential: what forward reads is current
            schedule, weights = self._warmup, StepWeights(self._weights, self._weights)
        else:
            schedule, weights = self._schedule, StepWeights(self._weights, self._ahead)
        batch = schedule.gradients(weights, images, labels)
        begun = time.perf_counter()
        updates = schedule.share(self._update_tasks(batch.gradients, rule))
        ended = time.perf_counter()
        (load,) = recorder.spans
        self.spans = (load, *batch.spans, *updates)
        loss = float(batch.losses.mean())
        require_a_number(loss, self._step)
        accepts = batch.accepts
        if accepts is None and experiment.schedule == "speculative":
            accepts = 0  # a warm-up epoch
        row = {
            "epoch": epoch + 1,
            "step": self._step,
            "loss": loss,
            "correct": count_correct(batch.probabilities, labels),
            "accepts": accepts,
            "rejects": None if accepts is None else len(labels) - accepts,
            "step_ms": (ended - load.started) * 1e3,
            "load_ms": load.duration_ms,
            "update_ms": (ended - begun) * 1e3,
            **asdict(batch.times),
            **asdict(time_shares(self.spans, experiment.engines, load.started, ended)),
        }
        self._step += 1
        return row

    def _update_tasks(self, gradients: Sequence[Weights], rule: UpdateRule) -> list[Task]:
        """Return the update in pieces for the engines; as one where there is a single engine."""
        arithmetic, state = self._arithmetic, (self._weights, self._momenta, gradients)
        if self._experiment.weight_prediction:
            return predicting_tasks(*state, self._ahead, rule, self._distance(self._step + 1))
        if self._experiment.engines == 1:
            return [partial(arithmetic.update, *state, rule)]
        return arithmetic.update_tasks(*state, rule)

    def _distance(self, step: int) -> float:
        """Return how far ahead of the weights the forward of `step` looks, in momenta."""
        return self._recipe.rule(step).learning_rate * self._age


def _let_threads_sleep() -> None:
    """Wait until intra-op threads no longer spin in the hope of more work.

    OpenMP's threads do so by default. In the turn of the next arm they would take a core from its
    second engine.
    """
    time.sleep(REST_S)
