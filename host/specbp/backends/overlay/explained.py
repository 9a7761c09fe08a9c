"""The steps of an experiment on the overlay as predicted, beside the same on one core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from specbp.arithmetic.scales import LayerScales, Scales, WeightScales
from specbp.backends.overlay.programs import Programs, programs_of
from specbp.datasets.catalog import describe
from specbp.experiment import Experiment
from specbp.initial import initial
from specbp.network import Network
from specbp.overlay.compiler import Compiled, compile_step
from specbp.overlay.cycles import Prediction, predict
from specbp.overlay.explained import (
    CoreTime,
    SequentialCycles,
    core_spans,
    core_times,
    sequential_cycles,
)
from specbp.overlay.hwh import CLOCK_MHZ
from specbp.overlay.parameters import Parameters
from specbp.plan.bound import Passes, bound, costs_of_passes
from specbp.plan.choosing import step_plans
from specbp.runtime.outlines import outline_of

ANY_BITS = 12
"""Fraction bits of every tensor where it does not matter how many."""


@dataclass(frozen=True)
class CyclesOverBound:
    """What lies between the bound of a predicted step on two cores and the step, cycles.

    A part is negative where the step does better there than the bound has it.

    Attributes:
        waiting: a core waits at a semaphore for the other, or has ended before it; half of the
            cycles of each core, beyond what the bound has of them.
        gate: comparing softmax, half of the cycles of each core.
        passes: cycles that passes take longer than on one core: memory, barriers, contention.
        contention: cycles that transfers take longer beside the other core's, mean of the cores.
            They overlap with computing, so it is not time of its own; what it costs is in `passes`.
    """

    waiting: float
    gate: float
    passes: float
    contention: float


@dataclass(frozen=True)
class ExplainedStep:
    """A predicted step, held against the same in sequence on one core.

    Attributes:
        compiled: programs of the step.
        prediction: prediction of their cycles.
        sequential: cycles of the passes of the sequential step on one core.
        bound: the least that the step could take over that sequential one.
        balanced_bound: bound of the step if neither core ever had to wait.
    """

    compiled: Compiled
    prediction: Prediction
    sequential: SequentialCycles
    bound: float
    balanced_bound: float

    @property
    def cycles(self) -> int:
        """Until the last core has ended."""
        return self.prediction.total

    @property
    def over_sequential(self) -> float:
        """Its time over that of the sequential step on one core."""
        return self.cycles / self.sequential.total

    @property
    def bound_cycles(self) -> float:
        """The bound as a time."""
        return self.bound * self.sequential.total

    @property
    def times(self) -> list[CoreTime]:
        """Where the cycles of each core go."""
        return core_times(self.prediction)

    @property
    def over_bound(self) -> CyclesOverBound:
        """What the step takes beyond its bound; the parts but contention add up to it."""
        times = self.times
        computed = self.balanced_bound * self.sequential.total
        waiting = _mean([one.other_core + one.ended for one in times])
        working = _mean([one.computing + one.memory for one in times])
        gate = _mean([self._computing("gate", core) for core in range(len(times))])
        return CyclesOverBound(
            waiting - (self.bound_cycles - computed),
            gate,
            working - computed - gate,
            _mean([one.contention for one in times]),
        )

    def _computing(self, work: str, core: int) -> float:
        """Return the cycles in which a core computes for a pass."""
        program = self.compiled.programs[core]
        spans = core_spans(self.prediction.cores[core].events)
        return sum(
            one.cycles
            for one in spans
            if one.position is not None and program[one.position].tag.work == work
        )


@dataclass(frozen=True)
class Explained:
    """The programs of an experiment, and what to hold them against.

    Attributes:
        experiment: experiment of the steps.
        network: the chain of layers.
        programs: programs of a step.
        sequential: cycles of the passes of the sequential step on one core.
        clock_mhz: clock of the overlay, MHz.
    """

    experiment: Experiment
    network: Network
    programs: Programs
    sequential: SequentialCycles
    clock_mhz: float

    def step(self, rejects: int = 0) -> ExplainedStep:
        """Return the step in which the gate rejects so many samples."""
        compiled = self.programs.of(rejects)
        prediction = predict(compiled, clock_mhz=self.clock_mhz, rejects=rejects)
        rate = rejects / self.experiment.batch_size
        balanced = self._balanced_bound(rate)
        bound = balanced if self._is_shared else self._plan_bound(rejects, rate)
        return ExplainedStep(compiled, prediction, self.sequential, bound, balanced)

    @property
    def _is_shared(self) -> bool:
        """Whether the cores share every pass, so that no layer of one is a task of its own."""
        return self.experiment.schedule != "speculative" or bool(self.experiment.balanced)

    def _balanced_bound(self, reject_rate: float) -> float:
        if self.experiment.schedule != "speculative":
            return 1 / self.experiment.engines
        work = self.sequential.total + reject_rate * self.sequential.deltas
        return work / self.sequential.total / self.experiment.engines

    def _plan_bound(self, rejects: int, reject_rate: float) -> float:
        experiment, cycles = self.experiment, self.sequential
        outline = outline_of(self.network)
        plans = step_plans(experiment, outline)
        plan = plans.hit if self.programs.of(rejects) is self.programs.free else plans.missed
        passes = Passes(cycles.forward, cycles.deltas, cycles.weight_gradients, cycles.updates)
        return bound(plan, costs_of_passes(outline, passes), 1 - reject_rate) / passes.sequential


def explained(
    experiment: Experiment, network: Network, scales: Scales, clock_mhz: float = CLOCK_MHZ
) -> Explained:
    """Compile the steps of an experiment, and the same in sequence on one core.

    Args:
        experiment: experiment of the steps.
        network: the chain of layers.
        scales: scales of the tensors; what a step takes does not depend on them.
        clock_mhz: clock of the overlay, MHz.

    Raises:
        UsageError: the network does not fit the overlay.
    """
    assert experiment.lanes is not None
    one_core = Parameters(lanes=experiment.lanes)
    programs = programs_of(experiment, network, scales)
    alone = compile_step(network, scales, experiment.batch_size, one_core)
    passes = predict(alone, clock_mhz=clock_mhz).passes
    return Explained(experiment, network, programs, sequential_cycles(passes), clock_mhz)


def explained_without_data(experiment: Experiment, clock_mhz: float = CLOCK_MHZ) -> Explained:
    """Compile the steps of an experiment from the shape of its data alone; see `explained`.

    The programs do not train: their scales were not chosen for any data. They take the same cycles.

    Raises:
        UsageError: the network does not fit the data or the overlay.
    """
    network = initial(experiment.model, describe(experiment.dataset), experiment.seed).network
    return explained(experiment, network, _any_scales(network, experiment.batch_size), clock_mhz)


def _any_scales(network: Network, batch_size: int) -> Scales:
    bits = ANY_BITS
    weights = WeightScales(bits, bits, bits, bits)
    layers = {
        layer.name: LayerScales(bits, bits, bits, bits, weights if layer.has_weights else None)
        for layer in network.layers
    }
    return Scales(layers, bits, batch_size)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
