"""The steps of an experiment on the overlay as predicted, beside the same on one core."""

from __future__ import annotations

from dataclasses import dataclass

from specbp.arithmetic.scales import Scales
from specbp.backends.programs import Programs, programs_of
from specbp.experiment import Experiment
from specbp.network import Network
from specbp.overlay.compiler import Compiled, compile_step
from specbp.overlay.cycles import Prediction, predict
from specbp.overlay.explained import CoreTime, SequentialCycles, core_times, sequential_cycles
from specbp.overlay.hwh import CLOCK_MHZ
from specbp.overlay.parameters import Parameters


@dataclass(frozen=True)
class ExplainedStep:
    """A predicted step, held against the same in sequence on one core.

    Attributes:
        compiled: its programs.
        prediction: of their cycles.
        sequential: cycles of the passes of the sequential step on one core.
        bound: the least that the step could take over that sequential one.
    """

    compiled: Compiled
    prediction: Prediction
    sequential: SequentialCycles
    bound: float

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


@dataclass(frozen=True)
class Explained:
    """The programs of an experiment, and what to hold them against.

    Attributes:
        experiment: whose steps.
        programs: of its steps.
        sequential: cycles of the passes of the sequential step on one core.
        clock_mhz: of the overlay.
    """

    experiment: Experiment
    programs: Programs
    sequential: SequentialCycles
    clock_mhz: float

    def step(self, rejects: int = 0) -> ExplainedStep:
        """Return the step in which the gate rejects so many samples."""
        compiled = self.programs.of(rejects)
        prediction = predict(compiled, clock_mhz=self.clock_mhz, rejects=rejects)
        return ExplainedStep(compiled, prediction, self.sequential, self._bound(rejects))

    def _bound(self, rejects: int) -> float:
        experiment = self.experiment
        if experiment.schedule != "speculative":
            return 1 / experiment.engines
        free = self.programs.of(rejects) is self.programs.free
        rate = rejects / experiment.batch_size
        return self.sequential.bound(bool(experiment.balanced), free, rate)


def explained(
    experiment: Experiment, network: Network, scales: Scales, clock_mhz: float = CLOCK_MHZ
) -> Explained:
    """Compile the steps of an experiment, and the same in sequence on one core.

    Args:
        experiment: whose steps.
        network: the chain of layers.
        scales: of its tensors; what a step takes does not depend on them.
        clock_mhz: of the overlay.

    Raises:
        UsageError: the network does not fit the overlay.
    """
    assert experiment.lanes is not None
    one_core = Parameters(lanes=experiment.lanes)
    programs = programs_of(experiment, network, scales)
    alone = compile_step(network, scales, experiment.batch_size, one_core)
    passes = predict(alone, clock_mhz=clock_mhz).passes
    return Explained(experiment, programs, sequential_cycles(passes), clock_mhz)
