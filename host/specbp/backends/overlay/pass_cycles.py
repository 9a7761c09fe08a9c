"""What each pass of a step takes on the simulated overlay, beside what is predicted.

Passes overlap: one that hides behind its neighbours adds little to a step. So that each can be held
against its prediction they are measured apart, with a barrier behind each: the program is run up to
the end of a pass and once more up to its beginning, and the difference is what the pass takes. The
prediction is made of the same two programs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from specbp.overlay.compiler import Compiled
from specbp.overlay.compiler.emitter import Tag
from specbp.overlay.cycles import predict_descriptors
from specbp.overlay.instructions import Descriptor, End, Nop
from specbp.simulation.executor import SimulatedExecutor


@dataclass(frozen=True)
class Measured:
    """What a program takes.

    Attributes:
        cycles: clock cycles, simulated.
        predicted: predicted cycles of each pass.
        multiplying: simulated cycles in which the lanes multiply, by the overlay's own
            counter.
    """

    cycles: int
    predicted: int
    multiplying: int

    @property
    def error(self) -> float:
        """The prediction's relative error."""
        return self.predicted / self.cycles - 1 if self.cycles else 0.0


@dataclass(frozen=True)
class MeasuredPass(Measured):
    """What a pass takes.

    Attributes:
        tag: layer and work.
    """

    tag: Tag


def measure_passes(compiled: Compiled, executor: SimulatedExecutor) -> Iterator[MeasuredPass]:
    """Run ever longer parts of `compiled` and yield what each pass takes by itself.

    Args:
        compiled: the program, placed in the executor's memory.
        executor: executor whose memory holds the tensors; their values do not change the time.
    """
    before = Measured(0, 0, 0)
    for tag, part in _parts(compiled):
        now = measure(part, compiled, executor)
        yield MeasuredPass(
            now.cycles - before.cycles,
            now.predicted - before.predicted,
            now.multiplying - before.multiplying,
            tag,
        )
        before = now


def measure_step(compiled: Compiled, executor: SimulatedExecutor) -> Measured:
    """Run all of `compiled`, its passes overlapping as they do in training."""
    return measure(compiled.descriptors, compiled, executor)


def measure(program: list[Descriptor], compiled: Compiled, executor: SimulatedExecutor) -> Measured:
    """Run `program`, made of `compiled`."""
    run = executor.measure(program)
    return Measured(run.cycles, predict_descriptors(program, compiled.parameters), run.multiplying)


def _parts(compiled: Compiled) -> Iterator[tuple[Tag, list[Descriptor]]]:
    """Yield each pass with the program up to its end; barriers are between passes."""
    program: list[Descriptor] = []
    for _, tagged in groupby(compiled.tagged, lambda one: one.tag.of_pass):
        some = [one for one in tagged if not isinstance(one.descriptor, End)]
        if some:
            program += [*(one.descriptor for one in some), Nop()]
            yield some[0].tag, [*program, End()]
