"""One training step on the overlay: what the host does before and after the program."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from specbp.arithmetic import UpdateRule
from specbp.arithmetic.int16 import Int16
from specbp.arithmetic.int16_update import step_integers
from specbp.network import Network, Weights
from specbp.overlay.compiler import (
    Compiled,
    Update,
    compile_forward,
    compile_on_two_cores,
    compile_step,
)
from specbp.overlay.executors import Executor, OpenExecutor
from specbp.overlay.instructions import Factors
from specbp.overlay.parameters import Parameters
from specbp.overlay.program import Program, memory_needed
from specbp.overlay.tensors import Tensors


class Step(ABC):
    """Training steps on the overlay, whatever the schedule.

    Args:
        executor: what runs the programs.
        tensors: what the host sees of the memory.

    Attributes:
        executor: what runs the programs.
        tensors: what the host sees of the memory; logits, probabilities and the gate's verdicts
            are those of the last run, and `all_tensors` has everything else.
        accepted: whether the speculated gradient of each sample of the last step was kept, bool
            [samples]; None where nothing is speculated.
    """

    def __init__(self, executor: Executor, tensors: Tensors) -> None:
        self.executor = executor
        self.tensors = tensors
        self.accepted: NDArray[np.bool_] | None = None

    @abstractmethod
    def run(self, images: Tensor, labels: Tensor, rule: UpdateRule) -> int | None:
        """Do one step on encoded `images`; return its clock cycles, if there is a clock."""

    @abstractmethod
    def forward(self, images: Tensor) -> NDArray[np.int16]:
        """Return the softmax of encoded `images`, at most a batch, in steps of 2^-14."""

    @abstractmethod
    def state(self) -> Mapping[str, Any]:
        """Return what is remembered from earlier batches, as plain containers of tensors."""

    @abstractmethod
    def recall(self, state: Mapping[str, Any]) -> None:
        """Write into the memory, as the host sees it, what `state` remembers."""

    def write_weights(self, weights: Sequence[Weights]) -> None:
        """Write the int32 masters."""
        self.tensors.write_weights([(w.numpy(), b.numpy()) for w, b in weights])
        self.executor.push()

    def restore(
        self, weights: Sequence[Weights], momenta: Sequence[Weights], state: Mapping[str, Any]
    ) -> None:
        """Go on from int32 masters and momenta, and what `state` remembers."""
        self.executor.pull()
        self.tensors.write_momenta([(w.numpy(), b.numpy()) for w, b in momenta])
        self.recall(state)
        self.write_weights(weights)

    def all_tensors(self) -> Tensors:
        """Return the tensors as the last run left them; `run` alone brings only its results."""
        self.executor.pull()
        return self.tensors


class OverlayStep(Step):
    """The sequential programs of a network on an executor, and the memory they share.

    Args:
        network: the chain of layers.
        arithmetic: number format of the training.
        parameters: parameters of the overlay; all cores are used.
        open_executor: opens what runs the programs.

    Attributes:
        compiled: the program of a step.

    Raises:
        UsageError: the network does not fit the overlay.
    """

    def __init__(
        self,
        network: Network,
        arithmetic: Int16,
        parameters: Parameters,
        open_executor: OpenExecutor,
    ) -> None:
        scales = arithmetic.scales
        compile_ = compile_on_two_cores if parameters.cores == 2 else compile_step
        step = compile_(network, scales, scales.batch_size, parameters)
        evaluation = compile_forward(network, scales, scales.batch_size, parameters)
        executor = open_executor(parameters, memory_needed([step, evaluation]))
        size = max(step.memory.size, evaluation.memory.size)
        base, memory = executor.allocate(size)
        self.compiled, evaluation = step.at(base), evaluation.at(base)
        super().__init__(executor, Tensors(self.compiled, memory))
        self._forward_tensors = Tensors(evaluation, memory)
        self._step = TrainingProgram(self.compiled, arithmetic)
        self._forward = Program(evaluation)

    def run(self, images: Tensor, labels: Tensor, rule: UpdateRule) -> int | None:
        """Do one training step; see `Step`."""
        self.tensors.write_batch(images.numpy(), labels.numpy())
        self._step.set_rule(rule)
        return self.executor.run(self._step)

    def forward(self, images: Tensor) -> NDArray[np.int16]:
        """Return softmax; see `Step`."""
        labels = np.zeros(len(images), np.int16)
        self._forward_tensors.write_batch(images.numpy(), labels)
        self.executor.run(self._forward)
        return self._forward_tensors.probabilities()[: len(images)]

    def state(self) -> Mapping[str, Any]:
        """Return nothing: nothing is remembered."""
        return {}

    def recall(self, state: Mapping[str, Any]) -> None:
        """Do nothing."""


class TrainingProgram(Program):
    """A compiled program that updates weights.

    Args:
        compiled: the program.
        arithmetic: number format of the training.
    """

    def __init__(self, compiled: Compiled, arithmetic: Int16) -> None:
        super().__init__(compiled)
        self._arithmetic = arithmetic
        self._updates = list(compiled.updates())

    def set_rule(self, rule: UpdateRule) -> None:
        """Put the numbers of an update into the program."""
        for update in self._updates:
            self.set_factors(update.core, update.position, self._factors(update, rule))

    def _factors(self, update: Update, rule: UpdateRule) -> Factors:
        scales = self._arithmetic.scales
        trained = scales.layers[update.layer].trained
        if update.bias:
            bits = trained.bias, trained.bias_gradient
        else:
            bits = trained.weight_master, trained.weight_gradient
        step = step_integers(rule, scales.batch_size, *bits)
        return Factors(step.momentum, step.rate, step.rate_shift, step.decay, step.decay_shift)
