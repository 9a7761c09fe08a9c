"""Trains on the overlay: every step is one program, the host only gives batches and looks on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from specbp.arithmetic.float32 import Float32
from specbp.arithmetic.int16 import Int16
from specbp.backends import StepRow
from specbp.backends.divergence import (
    require_finite_loss,
    require_movement,
    require_sound_weights,
)
from specbp.backends.overlay.steps import open_step, parameters_of
from specbp.backends.recipe import Recipe, count_correct
from specbp.backends.work import WorkRecord
from specbp.datasets.loading import Dataset
from specbp.experiment import Experiment
from specbp.network import Weights, weights_sha256
from specbp.overlay.executors import OpenExecutor
from specbp.overlay.tensors import ArrayPair
from specbp.runtime.spans import Recorder
from specbp.saved_state import require_weights_like
from specbp.weights import SavedWeights, saved_weights


class OverlayTraining:
    """One experiment in progress on the overlay; see `specbp.backends.Training`.

    Args:
        experiment: what to train, and how.
        dataset: the loaded data set of the experiment.
        open_executor: opens what runs the programs.

    Raises:
        UsageError: the model does not fit the data or the overlay, or a batch is larger than the
            training set.
    """

    def __init__(
        self, experiment: Experiment, dataset: Dataset, open_executor: OpenExecutor
    ) -> None:
        self._dataset = dataset
        self._recipe = recipe = Recipe(experiment, dataset)
        arithmetic = recipe.arithmetic()
        assert isinstance(arithmetic, Int16)
        self._arithmetic = arithmetic
        self._overlay = open_step(recipe, arithmetic, parameters_of(experiment), open_executor)
        encoded = arithmetic.encode_weights(recipe.initial)
        self._initial_sha256 = weights_sha256(encoded)
        self._overlay.write_weights(encoded)
        self._step = 0
        self.steps_per_epoch = recipe.steps_per_epoch
        self.initial_weights_sha256 = recipe.identity.initial_weights_sha256
        self.sample_order_sha256 = recipe.sample_order_sha256
        self.dataset_sha256 = dataset.sha256
        self.about: Mapping[str, Any] = {**recipe.about, **self._overlay.executor.about}
        self._work = WorkRecord()

    @property
    def step(self) -> int:
        """Number of steps done."""
        return self._step

    def advance(self, steps: int) -> list[StepRow]:
        """Do the next `steps` training steps and return a row for each.

        Raises:
            FloatingPointError: the loss is no longer finite: the training has diverged.
            OverlayError: the overlay stopped at an error, or did not end in time.
        """
        return [self._one_step() for _ in range(steps)]

    def test_accuracy(self) -> float:
        """Return the share of test samples classified rightly with the weights as they are.

        Raises:
            FloatingPointError: the training has diverged, or no weight has moved.
        """
        self._require_sound_weights()
        data, size = self._dataset, self._recipe.experiment.batch_size
        correct = 0
        for first in range(0, len(data.test_labels), size):
            batch = slice(first, first + size)
            images = self._recipe.images(self._arithmetic, data.test_images[batch])
            probabilities = self._overlay.forward(images)
            correct += count_correct(probabilities, data.test_labels[batch].numpy())
        return correct / len(data.test_labels)

    def weights_sha256(self) -> str:
        """Return the SHA-256 of the weights as they are."""
        return weights_sha256(self._weights())

    def saved_weights(self, about: Mapping[str, Any]) -> SavedWeights:
        """Return the weights as they are, to be kept; `about` says what they are of."""
        return saved_weights(self._recipe.network, self._arithmetic, self._weights(), about)

    def state(self) -> Mapping[str, Any]:
        """Return all that is needed to go on later, as plain containers of tensors."""
        tensors = self._overlay.all_tensors()
        return {
            "step": self._step,
            "weights": _as_tensors(tensors.read_state("master")),
            "momentum_buffers": _as_tensors(tensors.read_state("momentum")),
            "schedule": self._overlay.state(),
            "work": self._work.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state` as if never interrupted.

        Raises:
            StateError: it is none that this training could have saved.
        """
        masters = self._arithmetic.encode_weights(self._recipe.initial)
        for name in ("weights", "momentum_buffers"):
            require_weights_like(state[name], masters, name)
        self._work.restore(state["work"])
        self.about = {**self.about, **self._work.columns}
        self._step = state["step"]
        self._overlay.restore(state["weights"], state["momentum_buffers"], state["schedule"])

    def close(self) -> None:
        """Give the overlay back."""
        self._overlay.executor.close()

    def _weights(self) -> list[Weights]:
        return _as_tensors(self._overlay.all_tensors().read_state("master"))

    def _require_sound_weights(self) -> None:
        weights, limit = self._weights(), self._arithmetic.weight_limit
        require_sound_weights(self._recipe.network, weights, limit, self._step)
        rate = self._recipe.experiment.learning_rate
        require_movement(weights_sha256(weights), self._initial_sha256, self._step, rate)

    def _one_step(self) -> StepRow:
        rule, index = self._recipe.rule(self._step), self._recipe.samples(self._step)
        if self._step == 0:
            self._work.begin(0, self._weights())
        recorder = Recorder()
        with recorder.span(0, "load"):
            labels = self._dataset.train_labels.index_select(0, index)
            pixels = self._dataset.train_images.index_select(0, index)
            images = self._recipe.images(self._arithmetic, pixels)
        with recorder.span(0, "overlay"):
            cycles = self._overlay.run(images, labels, rule)
        self._work.add(index[None])
        self.about = {**self.about, **self._work.columns}
        load, run = recorder.spans
        tensors, accepted = self._overlay.tensors, self._overlay.accepted
        loss = self._loss(torch.from_numpy(tensors.logits().copy()), labels)
        require_finite_loss(loss, self._step)
        row = {
            "epoch": self._step // self.steps_per_epoch + 1,
            "step": self._step,
            "loss": loss,
            "correct": count_correct(tensors.probabilities(), labels.numpy()),
            "accepts": None if accepted is None else int(accepted.sum()),
            "rejects": None if accepted is None else int((~accepted).sum()),
            "step_ms": (run.ended - load.started) * 1e3,
            "load_ms": load.duration_ms,
            "cycles": cycles,
            "clock_mhz": None if cycles is None else self._overlay.executor.clock_mhz,
        }
        self._step += 1
        return row

    def _loss(self, logits: Tensor, labels: Tensor) -> float:
        """Return the mean loss of a batch, as `Int16` reports it."""
        real = logits.double() * 2.0**-self._arithmetic.scales.logits
        _, losses = Float32().softmax_cross_entropy(real, labels)
        return float(losses.mean())


def _as_tensors(pairs: Sequence[ArrayPair]) -> list[Weights]:
    """Return integers as int16 arithmetic holds them: in float64."""
    return [
        (torch.from_numpy(weight).double(), torch.from_numpy(bias).double())
        for weight, bias in pairs
    ]
