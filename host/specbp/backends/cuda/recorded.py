"""Training steps recorded as graphs: whole ones, and those that ask the host at the gate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, get_args

import torch
from torch import Tensor

from specbp.backends.cuda.graphs import Graph
from specbp.runtime.spans import Span
from specbp.schedules.speculative import Begun
from specbp.schedules.step import PhaseTimes
from specbp.schedules.verdict import Accepts, how_many


@dataclass(frozen=True)
class Recorded:
    """What is known of a step from its recording.

    Attributes:
        spans: what its engines do, in moments of the clock that ran meanwhile.
        sum_up: makes phase times of the spans.
    """

    spans: Sequence[Span]
    sum_up: Callable[[Sequence[Span]], PhaseTimes]


class Recording(Protocol):
    """A recorded step."""

    def replay(self) -> None:
        """Launch the step."""
        ...

    @property
    def recorded(self) -> Recorded:
        """What is known of the step launched last."""
        ...


class WholeStep:
    """A step in which nothing depends on values: one launch."""

    def __init__(self, step: Callable[[], Recorded]) -> None:
        self._graph = Graph(step)

    def replay(self) -> None:
        """Launch the step."""
        self._graph.replay()

    @property
    def recorded(self) -> Recorded:
        """What is known of the step launched last."""
        return self._graph.value


@dataclass(frozen=True)
class Beginning:
    """A step up to the gate's decision.

    Attributes:
        begun: joined.
        accepted: whether each sample was accepted, bool [batch].
        rates: learning rate of each step, on the GPU.
        spans: spans before the schedule began.
        phase: phase of the step, see `CudaTraining`.
    """

    begun: Begun
    accepted: Tensor
    rates: Tensor
    spans: Sequence[Span]
    phase: int


class StepWithGate:
    """A step in two launches; the host waits for the gate, then launches one of three ends.

    Args:
        begin: does the first part.
        end: does the rest, for so many accepted samples.
    """

    def __init__(
        self,
        begin: Callable[[], Beginning],
        end: Callable[[Beginning, Accepts], Recorded],
    ) -> None:
        accepts = torch.zeros(1, dtype=torch.int64, pin_memory=True)

        def begin_and_tell() -> Beginning:
            beginning = begin()
            accepts.copy_(beginning.accepted.sum(0, keepdim=True), non_blocking=True)
            return beginning

        self._accepts = accepts
        self._beginning = Graph(begin_and_tell)
        self._samples = len(self._beginning.value.accepted)
        pool, beginning = self._beginning.pool, self._beginning.value
        self._ends = {
            kind: Graph(partial(end, beginning, kind), pool) for kind in get_args(Accepts)
        }
        self._decided = torch.cuda.Event()
        self._last = self._ends["all"]

    def replay(self) -> None:
        """Launch the step."""
        self._beginning.replay()
        self._decided.record()
        self._decided.synchronize()
        self._last = self._ends[how_many(int(self._accepts), self._samples)]
        self._last.replay()

    @property
    def recorded(self) -> Recorded:
        """What is known of the step launched last."""
        return self._last.value
