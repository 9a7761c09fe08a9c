"""One speculative training step on the overlay: what the host does before and after."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from specbp.arithmetic import UpdateRule
from specbp.arithmetic.int16 import Int16
from specbp.arithmetic.scales import PROBABILITY_BITS
from specbp.backends.overlay.step import Step, TrainingProgram
from specbp.experiment import Experiment, GateMetric
from specbp.network import Network
from specbp.overlay.compiler import Method, compile_speculation
from specbp.overlay.executors import OpenExecutor
from specbp.overlay.instructions.gate import MOST_LIMIT
from specbp.overlay.parameters import Parameters
from specbp.overlay.program import Program, memory_needed
from specbp.overlay.slots import NOTHING, Slots
from specbp.overlay.tensors import Tensors
from specbp.saved_state import StateError, fields, integers, tensor_like


def method_of(experiment: Experiment, network: Network) -> Method:
    """Return how a speculative `experiment` on the overlay speculates."""
    assert experiment.refresh is not None
    return Method(
        replay=experiment.reuse == "replay",
        refresh=experiment.refresh,
        total=experiment.gate_metric in ("tv", "mean"),
        balanced=bool(experiment.balanced),
        keys=experiment.batch_size if experiment.key == "batch" else network.classes,
    )


def gate_limit(metric: GateMetric | None, threshold: float | None, classes: int) -> int:
    """Return the integer below which a distance is accepted; ARITHMETIC.md, section 6."""
    if metric in (None, "none") or threshold is None:
        return MOST_LIMIT
    one = 2.0**PROBABILITY_BITS
    match metric:
        case "max":
            return math.ceil(threshold * one)
        case "tv":
            return math.ceil(threshold * 2 * one)
        case _:
            guess = max(0, int(threshold * classes * one) - 2)
            return next(d for d in range(guess, guess + 8) if d / one / classes >= threshold)


class SpeculativeStep(Step):
    """The speculative programs of a network on an executor, and the memory they share.

    Args:
        network: the chain of layers.
        arithmetic: number format of the training.
        experiment: what to train, and how.
        parameters: parameters of the overlay, with two cores.
        open_executor: opens what runs the programs.

    Attributes:
        speculation: the programs.

    Raises:
        UsageError: the network does not fit the overlay.
    """

    def __init__(
        self,
        network: Network,
        arithmetic: Int16,
        experiment: Experiment,
        parameters: Parameters,
        open_executor: OpenExecutor,
    ) -> None:
        scales, samples = arithmetic.scales, experiment.batch_size
        method = method_of(experiment, network)
        self.speculation = compiled = compile_speculation(
            network, scales, samples, parameters, method
        )
        programs = [compiled.gated, compiled.forward, compiled.free or compiled.gated]
        executor = open_executor(parameters, memory_needed(programs))
        base, memory = executor.allocate(compiled.gated.memory.size)
        super().__init__(executor, Tensors(compiled.gated.at(base), memory))
        self._slots = Slots(method.keys, samples, by_place=experiment.key == "batch")
        self._gated = TrainingProgram(compiled.gated.at(base), arithmetic)
        self._forward = Program(compiled.forward.at(base))
        limit = gate_limit(experiment.gate_metric, experiment.gate_threshold, network.classes)
        gate = compiled.gated.gate()
        assert gate is not None
        self._gated.set_limit(*gate, limit)
        self._free: TrainingProgram | None = None
        if compiled.free is not None and limit == MOST_LIMIT:
            self._free = TrainingProgram(compiled.free.at(base), arithmetic)
        self.executor.set_valid(self._slots.valid)

    def run(self, images: Tensor, labels: Tensor, rule: UpdateRule) -> int | None:
        """Do one training step; see `Step`."""
        records = self._slots.records(labels.numpy())
        self.tensors.write_records(records)
        self.tensors.write_batch(images.numpy(), labels.numpy())
        free = self._free if records.seen.all() else None
        program = free or self._gated
        program.set_rule(rule)
        cycles = self.executor.run(program)
        self._slots.take_in(records, labels.numpy())
        self.accepted = self.tensors.accepted() if free is None else records.seen
        return cycles

    def forward(self, images: Tensor) -> NDArray[np.int16]:
        """Return softmax; see `Step`. Cached outcomes stay as they are."""
        labels = np.zeros(self.tensors.samples, np.int64)
        self.tensors.write_records(self._slots.records(labels))
        self.tensors.write_batch(images.numpy(), labels[: len(images)])
        self.executor.run(self._forward)
        return self.tensors.probabilities()[: len(images)]

    def state(self) -> Mapping[str, Any]:
        """Return the cache, as plain containers of tensors."""
        outcomes = self.all_tensors().read_outcomes(self._slots.held)
        return {
            "slots": {name: torch.from_numpy(one) for name, one in self._slots.state().items()},
            "outcomes": {name: torch.from_numpy(one) for name, one in outcomes.items()},
        }

    def recall(self, state: Mapping[str, Any]) -> None:
        """Write the cache.

        Raises:
            StateError: `state` is none that this training could have saved.
        """
        parts = fields(state, ("slots", "outcomes"), "the cache")
        slots = fields(parts["slots"], ("held", "labels"), "the cache")
        keys, classes = self._slots.keys, self.tensors.compiled.stages[-1].result.channels
        held = integers(slots["held"], keys, NOTHING, self._slots.spare - 1, "slots of keys")
        labels = integers(slots["labels"], keys, 0, classes - 1, "labels of keys")
        if len(held[held != NOTHING].unique()) != int((held != NOTHING).sum()):
            raise StateError("two keys have the same slot")
        self._slots.restore({"held": held.numpy(), "labels": labels.numpy()})
        models = self.tensors.read_outcomes(self._slots.held)
        saved = fields(parts["outcomes"], models, "the cache")
        outcomes = {
            name: tensor_like(saved[name], torch.from_numpy(model), name).numpy()
            for name, model in models.items()
        }
        self.tensors.write_outcomes(self._slots.held, outcomes)
        self.executor.set_valid(self._slots.valid)
