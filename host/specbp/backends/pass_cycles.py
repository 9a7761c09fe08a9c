"""What each pass of a step takes on the simulated overlay, beside what is predicted.

A pass is measured by running the program up to its end and once more up to its beginning, each with
an END behind: the difference is what the pass adds. Passes overlap, so one that hides behind its
neighbours adds little. The prediction is made of the same two programs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from specbp.backends.executors import SimulatedExecutor
from specbp.overlay.compiler import Compiled
from specbp.overlay.compiler.emitter import Tag
from specbp.overlay.cycles import predict_descriptors
from specbp.overlay.isa import End


@dataclass(frozen=True)
class MeasuredPass:
    """A pass of a layer.

    Attributes:
        tag: layer and work.
        cycles: clock cycles that it adds to the program, simulated.
        predicted: likewise, predicted.
        multiplying: of the simulated ones, cycles in which the lanes multiply, by the overlay's own
            counter.
    """

    tag: Tag
    cycles: int
    predicted: int
    multiplying: int

    @property
    def error(self) -> float:
        """The prediction's relative error."""
        return self.predicted / self.cycles - 1 if self.cycles else 0.0


def measure_passes(compiled: Compiled, executor: SimulatedExecutor) -> Iterator[MeasuredPass]:
    """Run ever longer parts of `compiled` and yield what each pass adds.

    Args:
        compiled: the program, placed in the executor's memory.
        executor: whose memory holds the tensors; their values do not change how long it takes.
    """
    cycles = predicted = multiplying = 0
    for end in _ends(compiled):
        part = [*compiled.descriptors[:end], End()]
        run = executor.measure(part)
        expected = predict_descriptors(part, compiled.parameters)
        yield MeasuredPass(
            compiled.tagged[end - 1].tag,
            run.cycles - cycles,
            expected - predicted,
            run.multiplying - multiplying,
        )
        cycles, predicted, multiplying = run.cycles, expected, run.multiplying


def _ends(compiled: Compiled) -> Iterator[int]:
    """Yield how many descriptors there are up to the end of each pass; END is in none."""
    tagged = compiled.tagged
    last = len(tagged) - isinstance(tagged[-1].descriptor, End)
    for place in range(1, last + 1):
        if place == last or tagged[place].tag.of_pass != tagged[place - 1].tag.of_pass:
            yield place
