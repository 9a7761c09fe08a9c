"""Executes a schedule in PyTorch on the CPU."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import torch
from torch import Tensor

from specbp.arithmetic import UpdateRule
from specbp.arithmetic.float32 import clear_subnormals, predicting_tasks
from specbp.backends import StepRow
from specbp.backends.allocator import keep_freed_memory
from specbp.backends.recipe import count_correct, require_a_number
from specbp.backends.trained import TrainedInPytorch
from specbp.datasets.loading import Dataset
from specbp.experiment import Experiment, available_cores
from specbp.network import Weights
from specbp.schedules.accounting import time_shares
from specbp.schedules.device import PROCESSOR
from specbp.schedules.spans import Recorder
from specbp.schedules.step import Task

CLEARING_STEPS = 20
"""How often subnormal momenta are cleared: a pass over them, which must cost next to nothing."""
REST_S = 0.02
"""Intra-op threads spin this long, and less, after their last work: 5 to 9 ms were measured."""


class PytorchTraining(TrainedInPytorch):
    """One experiment in progress on the CPU; see `specbp.backends.Training`.

    Args:
        experiment: what to train, and how.
        dataset: the loaded data set of the experiment.

    Raises:
        UsageError: the model does not fit the data, or a batch is larger than the training set.
    """

    def __init__(self, experiment: Experiment, dataset: Dataset) -> None:
        keep_freed_memory()
        super().__init__(experiment, dataset, PROCESSOR, torch.channels_last)

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
        accuracy = super().test_accuracy()
        _let_threads_sleep()
        return accuracy

    def _one_step(self) -> StepRow:
        rule = self._recipe.rule(self._step)
        recorder = Recorder()

        def load() -> Tensor:
            with recorder.span(0, "load"):
                return self._recipe.images(self._arithmetic, self._recipe.pixels(self._step))

        started = time.perf_counter()
        schedule, weights = self._of_step(self._step)
        labels = self._recipe.labels(self._step)
        batch = schedule.gradients(weights, load, labels)
        begun = time.perf_counter()
        distance = self._distance(self._step + 1)
        updates = schedule.share(self._update_tasks(batch.gradients, rule, distance))
        if self._step % CLEARING_STEPS == 0:
            clear_subnormals(self._momenta)
        ended = time.perf_counter()
        (loaded,) = recorder.spans
        self.spans = (loaded, *batch.spans, *updates)
        loss = float(batch.losses.mean())
        require_a_number(loss, self._step)
        row = {
            **self._counts(self._step, batch.accepts),
            "loss": loss,
            "correct": count_correct(batch.probabilities, labels),
            "step_ms": (ended - started) * 1e3,
            "load_ms": loaded.duration_ms,
            "update_ms": (ended - begun) * 1e3,
            **asdict(batch.times),
            **asdict(time_shares(self.spans, self._experiment.engines, started, ended)),
        }
        self._step += 1
        return row

    def _update_tasks(
        self, gradients: Sequence[Weights], rule: UpdateRule, distance: float
    ) -> list[Task]:
        """Return the update in pieces for the engines; as one where there is a single engine.

        Args:
            gradients: of each layer with weights.
            rule: of this step.
            distance: how far the forward of the next one looks ahead, in momenta.
        """
        arithmetic, state = self._arithmetic, (self._weights, self._momenta, gradients)
        if self._experiment.weight_prediction:
            return predicting_tasks(*state, self._ahead, rule, distance)
        if self._experiment.engines == 1:
            return [partial(arithmetic.update, *state, rule)]
        return arithmetic.update_tasks(*state, rule)


def _let_threads_sleep() -> None:
    """Wait until intra-op threads no longer spin in the hope of more work.

    OpenMP's threads do so by default. In the turn of the next arm they would take a core from its
    second engine.
    """
    time.sleep(REST_S)
