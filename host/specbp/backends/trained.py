"""What a training in PyTorch consists of, on whichever device: weights, momentum buffers, data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from specbp.arithmetic.float32 import predict
from specbp.backends.divergence import (
    require_finite_test_losses,
    require_movement,
    require_sound_weights,
)
from specbp.backends.recipe import Recipe, count_correct
from specbp.backends.work import WorkRecord
from specbp.datasets.loading import Dataset
from specbp.experiment import Experiment
from specbp.network import Weights, trained_tensors, weights_sha256
from specbp.runtime.cache import expected_age
from specbp.runtime.evaluation import logits
from specbp.runtime.spans import Span
from specbp.saved_state import MOST_STEPS, require_weights_like, whole_number
from specbp.weights import SavedWeights, saved_weights

EVALUATION_BATCH = 500


class TrainedInPytorch:
    """One experiment in progress, but for how its steps are done.

    Args:
        experiment: what to train, and how.
        dataset: the loaded data set of the experiment.
        device: where weights, momentum buffers and data lie.
        memory_format: memory format in which images and kernels are fastest there.

    Raises:
        UsageError: the model does not fit the data, or a batch is larger than the training set.
    """

    def __init__(
        self,
        experiment: Experiment,
        dataset: Dataset,
        device: torch.device,
        memory_format: torch.memory_format,
    ) -> None:
        self._experiment = experiment
        self._recipe = recipe = Recipe(experiment, dataset)
        self._device = device
        self._data = dataset.to(device)
        self.steps_per_epoch = recipe.steps_per_epoch
        self._step = 0
        self._arithmetic = recipe.arithmetic(memory_format)
        here = [tuple(one.to(device) for one in tensors) for tensors in recipe.initial]
        self._weights = self._arithmetic.encode_weights(here)
        self._initial_sha256 = self._trained_sha256()
        self._momentum_buffers = [_zeros_like(tensors) for tensors in self._weights]
        self._ahead: Sequence[Weights] = self._weights
        if experiment.weight_prediction:
            self._ahead = [_ahead_of(tensors) for tensors in self._weights]
        self._age = expected_age(experiment, dataset.info.classes)
        self.initial_weights_sha256 = recipe.identity.initial_weights_sha256
        self.sample_order_sha256 = recipe.sample_order_sha256
        self.dataset_sha256 = dataset.sha256
        self.about: Mapping[str, Any] = {**recipe.about, "simulated": False, "board": None}
        self._work = WorkRecord()

    @property
    def step(self) -> int:
        """Number of steps done."""
        return self._step

    @property
    def spans(self) -> Sequence[Span]:
        """What the engines did in the last step of which that is known."""
        return ()

    def test_accuracy(self) -> float:
        """Return the share of test samples classified rightly with the weights as they are.

        Raises:
            FloatingPointError: the training has diverged, or no weight has moved.
        """
        self._require_sound_weights()
        correct = 0
        data = self._data
        for first in range(0, len(data.test_labels), EVALUATION_BATCH):
            batch = slice(first, first + EVALUATION_BATCH)
            images = self._arithmetic.encode_images(data.normalised(data.test_images[batch]))
            labels = data.test_labels[batch]
            found = logits(self._recipe.network, self._arithmetic, self._weights, images)
            probabilities, losses = self._arithmetic.softmax_cross_entropy(found, labels)
            require_finite_test_losses(losses, self._step)
            correct += count_correct(probabilities, labels)
        return correct / len(data.test_labels)

    def weights_sha256(self) -> str:
        """Return the SHA-256 of the weights as they are."""
        return weights_sha256(self._weights)

    def saved_weights(self, about: Mapping[str, Any]) -> SavedWeights:
        """Return the weights as they are, to be kept; `about` says what they are of."""
        return saved_weights(self._recipe.network, self._arithmetic, self._weights, about)

    def state(self) -> Mapping[str, Any]:
        """Return all that is needed to go on later, as plain containers of tensors."""
        return {
            "step": self._step,
            "weights": self._weights,
            "momentum_buffers": self._momentum_buffers,
            "work": self._work.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state` as if never interrupted.

        Raises:
            StateError: it is none that this training could have saved.
        """
        require_weights_like(state["weights"], self._weights, "weights")
        require_weights_like(state["momentum_buffers"], self._momentum_buffers, "momentum_buffers")
        self._step = whole_number(state["step"], 0, MOST_STEPS, "step")
        self._work.restore(state["work"])
        self.about = {**self.about, **self._work.columns}
        _copy(state["weights"], self._weights)
        _copy(state["momentum_buffers"], self._momentum_buffers)
        if self._experiment.weight_prediction:
            self._predict()

    def _require_sound_weights(self) -> None:
        limit = self._arithmetic.weight_limit
        require_sound_weights(self._recipe.network, self._weights, limit, self._step)
        rate = self._experiment.learning_rate
        require_movement(self._trained_sha256(), self._initial_sha256, self._step, rate)

    def _trained_sha256(self) -> str:
        """Return the SHA-256 of what updates change: not the statistics that forwards change."""
        return weights_sha256([trained_tensors(tensors) for tensors in self._weights])

    def _predict(self) -> None:
        """Bring the weights of the next forward to where they are expected."""
        predict(self._weights, self._momentum_buffers, self._ahead, self._distance(self._step))

    def _distance(self, step: int) -> float:
        """Return how far ahead of the weights the forward of `step` looks, in momentum buffers."""
        return self._recipe.rule(step).learning_rate * self._age

    def _is_warmup(self, step: int) -> bool:
        """Return whether a step is in an epoch that is trained sequentially."""
        return step // self.steps_per_epoch < (self._experiment.warmup_epochs or 0)

    def _counts(self, step: int, accepts: int) -> dict[str, int | None]:
        """Return the columns about epoch, step and accepted samples, null without speculation."""
        speculative = self._experiment.speculates
        return {
            "epoch": step // self.steps_per_epoch + 1,
            "step": step,
            "accepts": accepts if speculative else None,
            "rejects": self._experiment.batch_size - accepts if speculative else None,
        }


def _zeros_like(weights: Weights) -> Weights:
    return tuple(torch.zeros_like(one) for one in trained_tensors(weights))


def _ahead_of(weights: Weights) -> Weights:
    """Return what a predicted forward reads: copies, but for the statistics that it changes."""
    trained = trained_tensors(weights)
    return (*(one.clone() for one in trained), *weights[len(trained) :])


def _copy(source: Sequence[Weights], target: Sequence[Weights]) -> None:
    """Copy weights in place: parts of the update, and recorded steps, read them where they are."""
    for pair, to in zip(source, target, strict=True):
        for one, other in zip(pair, to, strict=True):
            other.copy_(one)
