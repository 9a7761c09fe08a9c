"""One training step on the overlay: what the host does before and after the program."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from specbp.arithmetic import UpdateRule
from specbp.arithmetic.int16 import Int16
from specbp.arithmetic.int16_update import step_integers
from specbp.backends.executors import Executor, Program, memory_needed
from specbp.network import Network, Weights
from specbp.overlay.compiler import Update, compile_forward, compile_step
from specbp.overlay.compiler.compile import NETWORK
from specbp.overlay.isa import Factors
from specbp.overlay.parameters import Parameters
from specbp.overlay.tensors import Tensors

OpenExecutor = Callable[[Parameters, int], Executor]
"""Opens what runs programs, given the overlay's parameters and the bytes of memory needed."""


class OverlayStep:
    """The programs of a network on an executor, and the memory they share.

    Args:
        network: the chain of layers.
        arithmetic: its number format.
        parameters: of the overlay.
        open_executor: opens what runs the programs.

    Attributes:
        compiled: the program of a step.
        tensors: what the host sees of its memory.

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
        self._arithmetic = arithmetic
        step = compile_step(network, scales, scales.batch_size, parameters)
        evaluation = compile_forward(network, scales, scales.batch_size, parameters)
        self.executor = open_executor(parameters, memory_needed([step, evaluation]))
        size = max(step.memory.size, evaluation.memory.size)
        base, memory = self.executor.allocate(size)
        self.compiled, evaluation = step.at(base), evaluation.at(base)
        self.tensors = Tensors(self.compiled, memory)
        self._forward_tensors = Tensors(evaluation, memory)
        given = ((NETWORK, "images"), (NETWORK, "labels"))
        shown = ((self.compiled.stages[-1].layer.name, "output"), (NETWORK, "probabilities"))
        self._step = Program(self.compiled, given, shown)
        self._forward = Program(evaluation, given, shown)
        self._updates = list(self.compiled.updates())

    def write_weights(self, weights: Sequence[Weights]) -> None:
        """Write the int32 masters."""
        self.tensors.write_weights([(w.numpy(), b.numpy()) for w, b in weights])
        self.executor.push()

    def restore(self, weights: Sequence[Weights], momenta: Sequence[Weights]) -> None:
        """Write the int32 masters and momenta."""
        self.executor.pull()
        self.tensors.write_momenta([(w.numpy(), b.numpy()) for w, b in momenta])
        self.write_weights(weights)

    def all_tensors(self) -> Tensors:
        """Return the tensors as the last run left them; `run` alone brings only its results."""
        self.executor.pull()
        return self.tensors

    def run(self, images: Tensor, labels: Tensor, rule: UpdateRule) -> int | None:
        """Do one training step on encoded `images`; return its clock cycles, if there is a clock.

        Afterwards `tensors` has logits and probabilities, and `all_tensors` everything.
        """
        self.tensors.write_batch(images.numpy(), labels.numpy())
        for update in self._updates:
            self._step.set_factors(update.position, self._factors(update, rule))
        return self.executor.run(self._step)

    def forward(self, images: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
        """Return the softmax of encoded `images`, at most a batch, in steps of 2^-14."""
        labels = np.zeros(len(images), np.int16)
        self._forward_tensors.write_batch(images.numpy(), labels)
        self.executor.run(self._forward)
        return self._forward_tensors.probabilities()[: len(images)]

    def _factors(self, update: Update, rule: UpdateRule) -> Factors:
        scales = self._arithmetic.scales
        trained = scales.layers[update.layer].trained
        if update.bias:
            bits = trained.bias, trained.bias_gradient
        else:
            bits = trained.weight_master, trained.weight_gradient
        step = step_integers(rule, scales.batch_size, *bits)
        return Factors(step.momentum, step.rate, step.rate_shift, step.decay, step.decay_shift)
