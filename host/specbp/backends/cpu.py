"""Trains on the CPU: executes the plans of an experiment, natively where that can be compiled.

The successor of `specbp.backends.pytorch`, held to the same bits until it takes its place.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from specbp.arithmetic import UpdatePart
from specbp.arithmetic.float32 import clear_subnormals, predict, predicting_parts
from specbp.backends import StepRow
from specbp.backends.allocator import keep_freed_memory
from specbp.backends.divergence import require_finite_loss, require_finite_test_losses
from specbp.backends.recipe import Recipe, count_correct
from specbp.backends.simultaneity import usable_threads
from specbp.compiling import ToolError
from specbp.datasets.loading import Dataset
from specbp.experiment import Experiment
from specbp.network import Weights, weights_sha256
from specbp.plan.choosing import step_plans
from specbp.plan.tasks import KINDS
from specbp.runtime.accounting import phase_times, time_shares
from specbp.runtime.cache import cache_shape, expected_age, open_cache
from specbp.runtime.evaluation import logits
from specbp.runtime.execution import Executor, Trained
from specbp.runtime.gates import gate_of
from specbp.runtime.native.library import library
from specbp.runtime.native.runtime import NativeRuntime
from specbp.runtime.outlines import outline_of
from specbp.runtime.step import Runtime, StepParams, StepResults
from specbp.runtime.threads import ThreadsRuntime
from specbp.schedules.spans import Span

CLEARING_STEPS = 20
"""How often subnormal momentum is cleared: a pass over it, which must cost next to nothing."""
REST_S = 0.02
"""Intra-op threads spin this long, and less, after their last work: 5 to 9 ms were measured."""
EVALUATION_BATCH = 500

SPECULATIVE_COLUMNS = (
    "gate_ms", "redo_ms", "recall_ms", "store_ms", "wait_ms", "engine_1_forward_ms",
    "engine_1_input_gradient_ms", "engine_1_weight_gradient_ms",
)  # fmt: skip
"""Columns of the frame `steps` that mean something on two engines, or with a gate."""


class CpuTraining:
    """One experiment in progress on the CPU; see `specbp.backends.Training`.

    Args:
        experiment: what to train, and how.
        dataset: the loaded data set of the experiment.

    Attributes:
        results: of the last call of `advance`, None before the first.
        outline: the network as plans see it.

    Raises:
        UsageError: the model does not fit the data, or a batch is larger than the training set.
    """

    def __init__(self, experiment: Experiment, dataset: Dataset) -> None:
        keep_freed_memory()
        self._experiment = experiment
        self._dataset = dataset
        self._recipe = recipe = Recipe(experiment, dataset)
        self.steps_per_epoch = recipe.steps_per_epoch
        self._step = 0
        self._arithmetic = recipe.arithmetic(torch.channels_last)
        self._weights = self._arithmetic.encode_weights(recipe.initial)
        self._momentum_buffers = [_zeros_like(pair) for pair in self._weights]
        self._ahead: Sequence[Weights] = self._weights
        if experiment.weight_prediction:
            self._ahead = [(weight.clone(), bias.clone()) for weight, bias in self._weights]
        parts = self._update_parts()
        self.outline = outline_of(recipe.network, parts)
        self._plans = step_plans(experiment, self.outline)
        self._age = expected_age(experiment, dataset.info.classes)
        self.results: StepResults | None = None
        self._runtime = self._open_runtime(Trained(self._weights, self._ahead, parts))
        self.initial_weights_sha256 = recipe.identity.initial_weights_sha256
        self.sample_order_sha256 = recipe.sample_order_sha256
        self.dataset_sha256 = dataset.sha256
        self.about: Mapping[str, Any] = {
            "simulated": False, "board": None, "runtime": self._runtime.name,
        }  # fmt: skip

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
        rows: list[StepRow] = []
        while len(rows) < steps:
            # A block ends with the step after which subnormal momentum is cleared.
            until_clearing = -self._step % CLEARING_STEPS + 1
            rows += self._block(min(steps - len(rows), until_clearing))
        if self._experiment.threads > 1:
            _let_threads_sleep()
        return rows

    def test_accuracy(self) -> float:
        """Return the share of test samples classified rightly with the weights as they are."""
        torch.set_num_threads(usable_threads())
        correct = 0
        data = self._dataset
        for first in range(0, len(data.test_labels), EVALUATION_BATCH):
            batch = slice(first, first + EVALUATION_BATCH)
            images = self._arithmetic.encode_images(data.normalised(data.test_images[batch]))
            found = logits(self._recipe.network, self._arithmetic, self._weights, images)
            probabilities, losses = self._arithmetic.softmax_cross_entropy(
                found, data.test_labels[batch]
            )
            require_finite_test_losses(losses, self._step)
            correct += count_correct(probabilities, data.test_labels[batch])
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
            "momenta": self._momentum_buffers,
            "runtime": self._runtime.name,
            "schedule": self._runtime.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state` as if never interrupted.

        Raises:
            ToolError: the state is of the other runtime, which gives other bits.
        """
        if state["runtime"] != self._runtime.name:
            raise ToolError(
                f"the checkpoint was made by the {state['runtime']} runtime, this is "
                f"{self._runtime.name}: start with --fresh"
            )
        self._step = state["step"]
        _copy(state["weights"], self._weights)
        _copy(state["momenta"], self._momentum_buffers)
        if self._experiment.weight_prediction:
            predict(self._weights, self._momentum_buffers, self._ahead, self._distance(self._step))
        self._runtime.restore(state["schedule"])

    def close(self) -> None:
        """Give the engines back."""
        self._runtime.close()

    @property
    def spans(self) -> Sequence[Span]:
        """What the engines did in the last block of steps."""
        assert self.results is not None
        nodes = self.outline.nodes
        words = (*KINDS, "wait")
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
        experiment, dataset, network = self._experiment, self._dataset, self._recipe.network
        shape = cache_shape(experiment, dataset.info.classes)
        gate = gate_of(experiment)
        if experiment.arithmetic == "float32" and native_is_there():
            pixels = dataset.train_images[: experiment.batch_size]
            images = self._recipe.images(self._arithmetic, pixels)
            return NativeRuntime(
                network, self.outline, self._plans, trained, dataset, images, shape, gate,
                experiment.threads,
            )  # fmt: skip
        lookups = open_cache(shape)
        executor = Executor(network, self._arithmetic, self.outline, trained, lookups, gate)
        return ThreadsRuntime(
            executor, self._plans, lookups, dataset, self._arithmetic, experiment.threads
        )

    def _block(self, steps: int) -> list[StepRow]:
        """Do steps of which only the last may be followed by a clearing."""
        first = self._step
        numbers = range(first, first + steps)
        index = torch.stack([self._recipe.samples(step) for step in numbers])
        results = self.results = self._runtime.advance(index, list(map(self._params, numbers)))
        done = len(results.times)
        cleared_ms = 0.0
        if (first + done - 1) % CLEARING_STEPS == 0:
            started = time.perf_counter()
            clear_subnormals(self._momentum_buffers)
            cleared_ms = (time.perf_counter() - started) * 1e3
        rows = self._rows(results, self._dataset.train_labels[index[:done]], first)
        for column in ("step_ms", "update_ms", "share_update_ms"):
            rows[-1][column] += cleared_ms
        for row in rows:
            require_finite_loss(row["loss"], row["step"])
        self._step += done
        return rows

    def _rows(self, results: StepResults, labels: Tensor, first: int) -> list[StepRow]:
        experiment = self._experiment
        losses = results.losses.mean(1).tolist()
        columns = {**phase_times(results), **time_shares(results, experiment.engines)}
        if experiment.schedule in ("sequential", "selective"):
            for name in SPECULATIVE_COLUMNS:
                del columns[name]
        rows = []
        for number, loss in enumerate(losses):
            step = first + number
            row: StepRow = {"epoch": step // self.steps_per_epoch + 1, "step": step, "loss": loss}
            row["correct"] = count_correct(results.probabilities[number], labels[number])
            accepts = int(results.accepted[number].sum())
            speculative = experiment.schedule == "speculative"
            row["accepts"] = accepts if speculative else None
            row["rejects"] = experiment.batch_size - accepts if speculative else None
            rows.append(row | {name: float(column[number]) for name, column in columns.items()})
        return rows

    def _params(self, step: int) -> StepParams:
        warmup = step // self.steps_per_epoch < (self._experiment.warmup_epochs or 0)
        return StepParams(self._recipe.rule(step), self._distance(step + 1), warmup)

    def _distance(self, step: int) -> float:
        """Return how far ahead of the weights the forward of `step` looks, in momentum buffers."""
        return self._recipe.rule(step).learning_rate * self._age


@cache
def native_is_there() -> bool:
    """Return whether the native runtime can be used; say once why not where it cannot."""
    try:
        library()
    except ToolError as error:
        reason = str(error).splitlines()[0]
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


def _zeros_like(pair: Weights) -> Weights:
    return torch.zeros_like(pair[0]), torch.zeros_like(pair[1])


def _copy(source: Sequence[Weights], target: Sequence[Weights]) -> None:
    """Copy weights in place: update parts are views of them."""
    for pair, to in zip(source, target, strict=True):
        for one, other in zip(pair, to, strict=True):
            other.copy_(one)
