"""Trains on the CPU: executes the plans of an experiment, natively where that can be compiled."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from specbp.arithmetic import UpdatePart
from specbp.arithmetic.float32 import clear_subnormals, predicting_parts
from specbp.backends import StepRow
from specbp.backends.cpu.allocator import keep_freed_memory
from specbp.backends.cpu.simultaneity import require_cores, usable_threads
from specbp.backends.divergence import require_finite_loss
from specbp.backends.recipe import correct_of_steps
from specbp.backends.trained import TrainedInPytorch
from specbp.compiling import ToolError
from specbp.datasets.loading import Dataset
from specbp.experiment import Experiment
from specbp.plan.choosing import step_plans
from specbp.plan.tasks import KINDS
from specbp.runtime.accounting import phase_times, time_shares
from specbp.runtime.cache import cache_shape, open_cache
from specbp.runtime.execution import Executor, Trained
from specbp.runtime.gates import gate_of
from specbp.runtime.native.library import library
from specbp.runtime.native.runtime import NativeRuntime
from specbp.runtime.outlines import outline_of
from specbp.runtime.restoring import runtime_form
from specbp.runtime.spans import Span
from specbp.runtime.step import Runtime, StepParams, StepResults
from specbp.runtime.threads import ThreadsRuntime, TrainingSamples
from specbp.sampling import augmentation_of

CLEARING_STEPS = 20
"""How often subnormal momentum is cleared: a pass over it, which must cost next to nothing."""
REST_S = 0.02
"""Intra-op threads spin this long, and less, after their last work: 5 to 9 ms were measured."""

SPECULATIVE_COLUMNS = (
    "gate_ms", "redo_ms", "recall_ms", "store_ms", "wait_ms", "engine_1_forward_ms",
    "engine_1_input_gradient_ms", "engine_1_weight_gradient_ms",
)  # fmt: skip
"""Columns of the frame `steps` that mean something on two engines, or with a gate."""


class CpuTraining(TrainedInPytorch):
    """One experiment in progress on the CPU; see `specbp.backends.Training`.

    Args:
        experiment: what to train, and how.
        dataset: the loaded data set of the experiment.

    Attributes:
        results: results of the last block of steps, None before the first.
        outline: the network as plans see it.

    Raises:
        UsageError: the model does not fit the data, a batch is larger than the training set, or
            engines and threads have no cores of their own.
    """

    def __init__(self, experiment: Experiment, dataset: Dataset) -> None:
        keep_freed_memory()
        cores = (
            {} if experiment.on_overlay else require_cores(experiment.engines, experiment.threads)
        )
        super().__init__(experiment, dataset, torch.device("cpu"), torch.channels_last)
        parts = self._update_parts()
        self.outline = outline_of(self._recipe.network, parts)
        self._plans = step_plans(experiment, self.outline)
        self.results: StepResults | None = None
        self._runtime = self._open_runtime(Trained(self._weights, self._ahead, parts))
        self.about = {**self.about, **cores, "runtime": self._runtime.name}

    def advance(self, steps: int) -> list[StepRow]:
        """Do the next `steps` training steps and return a row for each.

        Raises:
            FloatingPointError: the loss is no longer a number: the training has diverged.
        """
        started = time.perf_counter()
        torch.set_num_threads(self._experiment.threads)
        rows: list[StepRow] = []
        while len(rows) < steps:
            # A block ends with the step after which subnormal momentum is cleared.
            until_clearing = -self._step % CLEARING_STEPS + 1
            rows += self._block(min(steps - len(rows), until_clearing))
        between_ms = (time.perf_counter() - started) * 1e3 - sum(row["step_ms"] for row in rows)
        for row in rows:
            row["between_ms"] = between_ms / steps
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

    def state(self) -> Mapping[str, Any]:
        """Return all that is needed to go on later, as plain containers of tensors."""
        return {
            **super().state(),
            "runtime": self._runtime.name,
            "schedule": self._runtime.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state` as if never interrupted.

        Raises:
            ToolError: the state is of the other runtime, which gives other bits.
            StateError: it is none that this training could have saved.
        """
        if state["runtime"] != self._runtime.name:
            raise ToolError(
                f"the checkpoint was made by the {state['runtime']} runtime, this is "
                f"{self._runtime.name}: start with --fresh"
            )
        super().restore(state)
        form = runtime_form(
            self._experiment, self._recipe.network, self.outline, self._plans, self._arithmetic
        )
        self._runtime.restore(form.read(self._runtime.name, state["schedule"]))

    def close(self) -> None:
        """Give the engines back."""
        self._runtime.close()

    @property
    def spans(self) -> Sequence[Span]:
        """What the engines did in the last block of steps."""
        assert self.results is not None
        nodes = self.outline.nodes
        words = [kind.replace("_grad", " gradient") for kind in (*KINDS, "wait")]
        return [
            Span(
                int(engine),
                words[int(kind)],
                nodes[int(node)].name if node >= 0 and words[int(kind)] != "update" else "",
                started,
                ended,
            )
            for _, engine, kind, node, started, ended in self.results.spans.tolist()
        ]

    def _update_parts(self) -> Sequence[UpdatePart]:
        if self._experiment.weight_prediction:
            return predicting_parts(self._weights, self._momentum_buffers, self._ahead)
        return self._arithmetic.update_parts(self._weights, self._momentum_buffers)

    def _open_runtime(self, trained: Trained) -> Runtime:
        experiment, dataset, network = self._experiment, self._data, self._recipe.network
        shape = cache_shape(experiment, dataset.info.classes)
        gate = gate_of(experiment)
        if experiment.arithmetic == "float32" and native_is_there():
            pixels = dataset.train_images[: experiment.batch_size]
            images = self._recipe.images(self._arithmetic, pixels)
            return NativeRuntime(
                network, self.outline, self._plans, trained, dataset, images, shape, gate,
                experiment.threads, experiment.seed, augmentation_of(experiment),
                experiment.label_smoothing or 0.0,
            )  # fmt: skip
        lookups = open_cache(shape)
        executor = Executor(
            network, self._arithmetic, self.outline, trained, lookups, gate, experiment.seed
        )
        samples = TrainingSamples(dataset, self._arithmetic, augmentation_of(experiment))
        return ThreadsRuntime(executor, self._plans, lookups, samples, experiment.threads)

    def _block(self, steps: int) -> list[StepRow]:
        """Do steps of which only the last may be followed by a clearing."""
        first = self._step
        numbers = range(first, first + steps)
        index = torch.stack([self._recipe.samples(step) for step in numbers])
        places = None
        if self._experiment.augments:
            places = torch.stack([self._recipe.places(step) for step in numbers])
        self._work.begin(first, self._weights)
        params = list(map(self._params, numbers))
        results = self.results = self._runtime.advance(index, params, places)
        done = len(results.times)
        self._work.add(index[:done], None if places is None else places[:done])
        self.about = {**self.about, **self._work.columns}
        cleared_ms = 0.0
        if (first + done - 1) % CLEARING_STEPS == 0:
            started = time.perf_counter()
            clear_subnormals(self._momentum_buffers)
            cleared_ms = (time.perf_counter() - started) * 1e3
        rows = self._rows(results, self._data.train_labels[index[:done]], first)
        for column in ("step_ms", "update_ms", "share_update_ms"):
            rows[-1][column] += cleared_ms
        for row in rows:
            require_finite_loss(row["loss"], row["step"])
        self._step += done
        return rows

    def _rows(self, results: StepResults, labels: Tensor, first: int) -> list[StepRow]:
        experiment = self._experiment
        times = {**phase_times(results), **time_shares(results, experiment.engines)}
        columns = {name: column.tolist() for name, column in times.items()}
        columns |= {
            "loss": results.losses.mean(1).tolist(),
            "correct": correct_of_steps(results.probabilities, labels),
        }
        accepts = results.accepted.sum(1).tolist()
        alone = experiment.schedule in ("sequential", "selective")
        without = dict.fromkeys(SPECULATIVE_COLUMNS) if alone else {}
        return [
            self._counts(first + number, accepts[number])
            | {name: column[number] for name, column in columns.items()}
            | without
            for number in range(len(accepts))
        ]

    def _params(self, step: int) -> StepParams:
        rule, distance = self._recipe.rule(step), self._distance(step + 1)
        return StepParams(rule, distance, self._is_warmup(step), step)


@cache
def native_is_there() -> bool:
    """Return whether the native runtime can be used; say once why not where it cannot."""
    try:
        library()
    except ToolError as error:
        reason = " ".join(str(error).splitlines()[:2])
        logging.getLogger(__name__).warning(
            "the reference runtime in Python executes the steps: %s", reason
        )
        return False
    return True


def _let_threads_sleep() -> None:
    """Wait until intra-op threads no longer spin in the hope of more work.

    OpenMP's threads do so by default. In the turn of the next arm they would take a core from its
    second engine.
    """
    time.sleep(REST_S)
