"""The programs that an experiment on the overlay runs."""

from __future__ import annotations

from dataclasses import dataclass

from specbp.arithmetic.scales import Scales
from specbp.backends.overlay.speculative_step import method_of
from specbp.backends.overlay.steps import parameters_of
from specbp.experiment import Experiment
from specbp.network import Network
from specbp.overlay.compiler import (
    Compiled,
    compile_on_two_cores,
    compile_speculation,
    compile_step,
)


@dataclass(frozen=True)
class Programs:
    """The programs of training steps.

    Attributes:
        step: programs of any step.
        free: programs of a step in which nothing can be rejected and all comes from the cache; None
            where
            there is no such program.
    """

    step: Compiled
    free: Compiled | None = None

    def of(self, rejects: int) -> Compiled:
        """Return the program of a step in which so many samples are rejected."""
        return self.step if rejects or self.free is None else self.free


def programs_of(experiment: Experiment, network: Network, scales: Scales) -> Programs:
    """Compile the training steps of an experiment.

    Raises:
        UsageError: the network does not fit the overlay.
    """
    samples, parameters = experiment.batch_size, parameters_of(experiment)
    if experiment.schedule == "speculative":
        method = method_of(experiment, network)
        compiled = compile_speculation(network, scales, samples, parameters, method)
        free = compiled.free if experiment.gate_metric == "none" else None
        return Programs(compiled.gated, free)
    if parameters.cores == 2:
        return Programs(compile_on_two_cores(network, scales, samples, parameters))
    return Programs(compile_step(network, scales, samples, parameters))
