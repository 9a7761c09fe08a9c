"""Executes a schedule in PyTorch on the CPU."""

from __future__ import annotations

import time
from dataclasses import asdict

import torch
from torch import Tensor

from specbp.arithmetic import Numbers
from specbp.arithmetic.float32 import clear_subnormals
from specbp.backends import StepRow
from specbp.backends.allocator import keep_freed_memory
from specbp.backends.batches import Batches
from specbp.backends.divergence import require_finite_loss
from specbp.backends.recipe import count_correct
from specbp.backends.simultaneity import require_cores, usable_threads
from specbp.backends.trained import TrainedInPytorch
from specbp.backends.updates import PlainUpdate, PredictingUpdate
from specbp.datasets.loading import Dataset
from specbp.experiment import Experiment
from specbp.schedules.accounting import time_shares
from specbp.schedules.device import PROCESSOR
from specbp.schedules.spans import Recorder
from specbp.schedules.step import total_ms

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
        UsageError: the model does not fit the data, a batch is larger than the training set, or
            engines and threads have no cores of their own.
    """

    def __init__(self, experiment: Experiment, dataset: Dataset) -> None:
        keep_freed_memory()
        cores = (
            {} if experiment.on_overlay else require_cores(experiment.engines, experiment.threads)
        )
        super().__init__(experiment, dataset, PROCESSOR, torch.channels_last)
        self.about = {**self.about, **cores}
        self._batches = Batches(self._recipe, self._arithmetic, self._numbers)
        state = self._arithmetic, self._weights, self._momenta
        self._update = (
            PredictingUpdate(*state, self._ahead)
            if experiment.weight_prediction
            else PlainUpdate(*state)
        )

    def advance(self, steps: int) -> list[StepRow]:
        """Do the next `steps` training steps and return a row for each.

        Raises:
            FloatingPointError: the loss is no longer finite: the training has diverged.
        """
        torch.set_num_threads(self._experiment.threads)
        rows = [self._one_step() for _ in range(steps)]
        if self._experiment.threads > 1:
            _let_threads_sleep()
        return rows

    def test_accuracy(self) -> float:
        """Return the share of test samples classified rightly with the weights as they are.

        Raises:
            FloatingPointError: the training has diverged, or no weight has moved.
        """
        torch.set_num_threads(usable_threads())
        accuracy = super().test_accuracy()
        _let_threads_sleep()
        return accuracy

    def _one_step(self) -> StepRow:
        started = time.perf_counter()
        recorder = Recorder()

        def load() -> Tensor:
            with recorder.span(0, "load"):
                return self._batches.images(self._step)

        schedule, weights = self._of_step(self._step)
        labels = self._batches.labels(self._step)
        self._update.numbers = self._batches.numbers(self._step)
        batch = schedule.gradients(weights, load, labels, self._update)
        if self._step % CLEARING_STEPS == 0:
            with recorder.span(0, "update"):
                clear_subnormals(self._momenta)
        ended = time.perf_counter()
        self.spans = (*recorder.spans, *batch.spans)
        loss = float(batch.losses.mean())
        require_finite_loss(loss, self._step)
        row = {
            **self._counts(self._step, batch.accepts),
            "loss": loss,
            "correct": count_correct(batch.probabilities, labels),
            "step_ms": (ended - started) * 1e3,
            "load_ms": total_ms(self.spans, "load"),
            "update_ms": total_ms(self.spans, "update"),
            **asdict(batch.times),
            **asdict(time_shares(self.spans, self._experiment.engines, started, ended)),
        }
        self._step += 1
        return row

    def _numbers(self, step: int) -> Numbers:
        return Numbers(self._recipe.rule(step), self._distance(step + 1))


def _let_threads_sleep() -> None:
    """Wait until intra-op threads no longer spin in the hope of more work.

    OpenMP's threads do so by default. In the turn of the next arm they would take a core from its
    second engine.
    """
    time.sleep(REST_S)
