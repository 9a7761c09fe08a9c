"""Predicts the clock cycles of a core, without simulating hardware.

For each descriptor, in program order, it works out when it is fetched, handed to its unit, started
and complete. All it needs to know of others lies earlier in the program: the descriptor before it
in its unit, those whose semaphores it waits for, the one that must leave a full queue. What the
numbers are comes from the units' structure (`overlays/specbp/rtl`); tests hold the sum against the
simulated hardware.

What is simplified: the fetching of descriptors takes its beats from the loads without a turn of
its own.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from specbp.overlay.instructions import Descriptor, Semaphores, Store, Unit
from specbp.overlay.instructions.compute import ComputeDescriptor, Exclusive, Streamed
from specbp.overlay.instructions.descriptor import ControlDescriptor
from specbp.overlay.instructions.move import LoadDescriptor
from specbp.overlay.instructions.strides import in_memory
from specbp.overlay.parameters import Parameters
from specbp.overlay.port_cycles import (
    DESCRIPTOR_BEATS,
    FETCHED_AHEAD,
    GRANT,
    Bandwidth,
    LoadCycles,
    Recent,
    StoreCycles,
    Traffic,
)
from specbp.overlay.timing import MemoryTiming

DESCRIPTOR_CYCLES = 10
"""Cycles from one descriptor to the next, at least."""
HAND_OVER = 3
"""Cycles from the sequencer to the start of a unit that waits for nothing."""
FETCH_END = 3
"""Cycles from the last beat of descriptors to their being there."""
BARRIER = 2
SKIPPED = 3
"""Cycles from a skipped descriptor to the next."""


@dataclass(frozen=True)
class Event:
    """What the model knows of a descriptor.

    Attributes:
        position: number in its program.
        unit: unit that executes it; None for the sequencer.
        given: when its unit got it.
        started: cycle in which it started.
        ended: when it was complete.
        waited_for: what kept it from starting sooner: "fetch", "semaphore", "other core" or "unit".
        late: cycles by which the other core's traffic made its memory accesses longer.
    """

    position: int
    unit: Unit | None
    given: float
    started: float
    ended: float
    waited_for: str
    late: float = 0.0


@dataclass
class _Queue:
    """A unit's queue: when each descriptor left it; a full one takes no more."""

    depth: int
    left: list[float] = field(default_factory=list)

    def room(self) -> float:
        """Return when the next descriptor finds room."""
        return self.left[-self.depth] + 1 if len(self.left) >= self.depth else 0.0


class _ComputeCycles:
    """The compute unit."""

    def __init__(self) -> None:
        self.start = 0.0
        """When the last descriptor started."""
        self.issued = 0.0
        """When the last iteration of the last descriptor is issued."""
        self._back_end = 0.0

    def compute(self, ready: float, duration: Streamed | Exclusive) -> tuple[float, float]:
        """Return when the last iteration is issued and when the descriptor is complete."""
        start = max(ready, self.issued + GRANT)
        if isinstance(duration, Exclusive):
            start = max(start, self._back_end + GRANT)
            self.issued = self._back_end = start + duration.cycles
        else:
            # The first result waits until those of the descriptor before have left.
            first = max(start + duration.each, self._back_end + 2)
            each = max(duration.each, duration.leaving)
            self.issued = first + (duration.results - 1) * each
            self._back_end = self.issued + duration.tail + duration.leaving - 1
        self.start = start
        return self.issued, self._back_end + 1


class CoreModel:
    """The cycles of one core's program, descriptor by descriptor.

    Args:
        parameters: parameters of the overlay.
        timing: timing of the memory.
        clock_mhz: clock of the overlay, MHz.
        length: descriptors of the program.
        shared: when each signal of a shared semaphore was given and not taken yet.
        bandwidth: what the cores share of the memory; None for one core alone.
    """

    def __init__(
        self,
        parameters: Parameters,
        timing: MemoryTiming,
        clock_mhz: float,
        length: int,
        shared: dict[int, deque[float]] | None = None,
        bandwidth: Bandwidth | None = None,
    ) -> None:
        self._shared = {} if shared is None else shared
        self._traffic = Traffic(bandwidth)
        cycles = timing.at(clock_mhz * 1e6)
        reads = min(parameters.outstanding_reads, timing.outstanding)
        writes = min(parameters.outstanding_writes, timing.outstanding)
        self._load = LoadCycles(cycles.read_latency, reads, self._traffic)
        self._compute = _ComputeCycles()
        self._store = StoreCycles(cycles.write_latency, writes, self._traffic)
        self._queues = {unit: _Queue(parameters.queue_depth) for unit in Unit}
        self._given: dict[int, deque[float]] = {}
        self._complete: dict[Unit, float] = dict.fromkeys(Unit, 0.0)
        # Sequencer and fetcher.
        self._unfetched = length
        self._arrivals: deque[float] = deque()
        self._taken = Recent(FETCHED_AHEAD)
        self._dispatched = 0.0

    @property
    def computed(self) -> float:
        """When compute has nothing more to begin of what is there so far."""
        return self._compute.issued

    @property
    def complete(self) -> float:
        """When all so far is complete."""
        return max(self._dispatched, *self._complete.values())

    @property
    def dispatched(self) -> float:
        """When the last descriptor was handed out."""
        return self._dispatched

    def waits(self, descriptor: Descriptor) -> bool:
        """Return whether `descriptor` waits for what the other core has not signalled yet."""
        semaphore = descriptor.order.shared_wait
        return bool(semaphore) and not self._shared.get(semaphore)

    def skip(self) -> None:
        """Account for the next descriptor, which is skipped."""
        self._dispatched = self._arrival(SKIPPED)
        self._taken.add(self._dispatched)

    def append(self, descriptor: Descriptor, position: int = 0) -> Event:
        """Account for the next descriptor."""
        arrived = self._arrival()
        if isinstance(descriptor, ControlDescriptor):
            given = self._dispatched
            self._dispatched = max(arrived, self.complete) + BARRIER + descriptor.pause
            self._taken.add(self._dispatched)
            return Event(position, None, given, arrived, self._dispatched, "fetch")
        unit, order = descriptor.unit, descriptor.order
        assert unit is not None
        self._dispatched = max(arrived, self._queues[unit].room())
        self._taken.add(self._dispatched)
        given, own = self._dispatched + HAND_OVER, self._semaphores(order)
        other = 0.0
        if order.shared_wait:
            other = self._shared[order.shared_wait].popleft() + GRANT
        self._traffic.late = 0.0
        started, left, complete = self._executed(descriptor, max(given, own, other))
        self._queues[unit].left.append(left)
        self._complete[unit] = max(self._complete[unit], complete)
        for number in order.signals:
            self._given.setdefault(number, deque()).append(complete)
        if order.shared_signal:
            self._shared.setdefault(order.shared_signal, deque()).append(complete)
        reasons = {"fetch": given, "semaphore": own, "other core": other, "unit": started}
        waited_for = max(reasons, key=lambda name: (reasons[name], name != "unit"))
        late = self._traffic.late
        return Event(position, unit, given, started, complete, waited_for, late)

    def _executed(self, descriptor: Descriptor, ready: float) -> tuple[float, float, float]:
        """Return when a descriptor starts, leaves the queue of its unit and is complete."""
        if isinstance(descriptor, LoadDescriptor):
            self._load.begin(ready)
            descriptor.take(self._load)
            left, complete = self._load.end()
            return self._load.start, left, complete
        if isinstance(descriptor, Store):
            strides = in_memory(descriptor.moves)
            left, complete = self._store.store(ready, descriptor.run, descriptor.address, strides)
            return self._store.start, left, complete
        assert isinstance(descriptor, ComputeDescriptor)
        left, complete = self._compute.compute(ready, descriptor.duration)
        return self._compute.start, left, complete

    def _semaphores(self, order: Semaphores) -> float:
        """Return when all that a descriptor waits for has been signalled."""
        return max((self._given[number].popleft() + GRANT for number in order.waits), default=0.0)

    def _arrival(self, apart: int = DESCRIPTOR_CYCLES) -> float:
        """Return when the next descriptor is there, put together from its beats."""
        if not self._arrivals:
            # Two at a time, but for the last, requested as soon as there is room for them.
            count = min(self._unfetched, 2)
            self._unfetched -= count
            full = len(self._taken.times) == FETCHED_AHEAD
            room = self._taken.times[count - 1] + 1 if full else 0.0
            data = self._load.fetch(room, count * DESCRIPTOR_BEATS)
            first = data + DESCRIPTOR_BEATS + FETCH_END
            self._arrivals.extend(first + number * DESCRIPTOR_BEATS for number in range(count))
        return max(self._arrivals.popleft(), self._dispatched + apart)
