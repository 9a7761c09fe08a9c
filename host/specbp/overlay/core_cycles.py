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

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import islice, product

from specbp.overlay.isa import (
    MAC_REDUCING,
    WORD_BYTES,
    ComputeUnit,
    Copy,
    Descriptor,
    End,
    Fill,
    Gate,
    Load,
    LoadIndex,
    LoadTransposed,
    LoadUnit,
    Mac,
    Mask,
    Maximum,
    Moves,
    Nop,
    Result,
    Select,
    Semaphores,
    Sgd,
    Skip,
    Softmax,
    Store,
)
from specbp.overlay.parameters import Parameters
from specbp.overlay.races import Unit, unit_of
from specbp.overlay.timing import MemoryTiming

DESCRIPTOR_BEATS = 8
DESCRIPTOR_CYCLES = 10
"""From one descriptor to the next, at least."""
HAND_OVER = 3
"""From the sequencer to the start of a unit that waits for nothing."""
GRANT = 2
"""From what a unit waits for, its own last descriptor or a semaphore, to its start."""
FETCHED_AHEAD = 8
"""Descriptors fetched and not yet handed to a unit."""
LONGEST_BURST = 16
READ_TURN, WRITE_TURN = 1, 3
"""Beside the memory's latency, from the end of a burst to the first data of the one that found room
then."""
LOOKED_AT = 4 * LONGEST_BURST
"""Runs of a load or store that are worked out burst by burst."""
FETCH_START, FETCH_END = 3, 3
"""From the request of descriptors to the memory port, and from their last beat to being there."""
REQUEST = 7
"""From the start of a load to its request at the memory port."""
GAP = 2
"""Between the words of two descriptors, in the load unit."""
LOADS_AHEAD = 4
"""Loads whose words are still to come while another starts."""
STAGED_BLOCKS = 2
"""Blocks of four rows of LOAD_TRANSPOSED requested and not yet written."""
TRANSPOSED_REQUEST = 6
"""From the end of a block to its successor's request."""
STORES_AHEAD = 4
"""Stores that wait for their acknowledgement while another starts."""
STORE_START = 5
"""From the start of a store to its first word at the memory port."""
STORE_FIFO = 32
"""Words between output buffer and memory port."""
STORE_END = 4
"""Beside the memory's latency, from the last word to the acknowledgement."""
MAC_END = 13
"""From the last iteration of a MAC to its last result, beside the result's groups."""
ELEMENT_END = 11
"""Likewise of element-wise work."""
SGD_READS = 6
"""Words of scalar buffer for four elements."""
SGD_END = 22
SOFTMAX_START = 1
SOFTMAX_SAMPLE = 22
SOFTMAX_CLASS = 19
"""Cycles for each class: two passes over the logits, then a division of 16 cycles and more."""
BARRIER = 2


GATE_WORD, GATE_SAMPLE, GATE_END = 2, 5, 5
"""Cycles of a GATE for each word of a softmax, for each sample beside, and at the end."""
SKIPPED = 3
"""From a skipped descriptor to the next."""


@dataclass(frozen=True)
class Event:
    """What the model knows of a descriptor.

    Attributes:
        position: in its program.
        unit: that does it; None for the sequencer.
        given: when its unit got it.
        started: when it started.
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


class Bandwidth:
    """The memory's bytes for each cycle, which the ports of all cores share.

    Args:
        bytes_per_cycle: reads and writes together.
    """

    WINDOW = 64
    """Cycles in which it does not matter when a byte is moved."""

    def __init__(self, bytes_per_cycle: float) -> None:
        self._capacity = bytes_per_cycle * self.WINDOW
        self._taken: dict[int, float] = {}

    def end(self, first: float, end: float, words: int) -> float:
        """Take what a move of `words` from `first` to `end` needs; return when it really ends."""
        rest = float(words * WORD_BYTES)
        rate = rest / max(end - first, 1.0)
        now = first
        while rest > 1e-6:
            window = int(now // self.WINDOW)
            until = (window + 1) * self.WINDOW
            free = self._capacity - self._taken.get(window, 0.0)
            most = min(rest, rate * (until - now), free)
            if most > 0:
                self._taken[window] = self._taken.get(window, 0.0) + most
                rest -= most
            if rest <= 1e-6:
                now += most / rate
                break
            now = until
        return max(end, now)


@dataclass
class _Queue:
    """A unit's queue: when each descriptor left it; a full one takes no more."""

    depth: int
    left: list[float] = field(default_factory=list)

    def room(self) -> float:
        """Return when the next descriptor finds room."""
        return self.left[-self.depth] + 1 if len(self.left) >= self.depth else 0.0


@dataclass
class _Recent:
    """Times of the last few of something."""

    size: int
    times: deque[float] = field(default_factory=deque)

    def oldest(self) -> float:
        """Return the time `size` before the next; 0 where there were fewer."""
        return self.times[0] if len(self.times) == self.size else 0.0

    def add(self, time: float) -> None:
        if len(self.times) == self.size:
            self.times.popleft()
        self.times.append(time)


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
        self._bandwidth = bandwidth
        self._start = self._late = 0.0
        cycles = timing.at(clock_mhz * 1e6)
        self._read_latency = cycles.read_latency
        self._write_latency = cycles.write_latency
        self._reads = min(parameters.outstanding_reads, timing.outstanding)
        self._writes = min(parameters.outstanding_writes, timing.outstanding)
        self._queues = {unit: _Queue(parameters.queue_depth) for unit in Unit}
        self._given: dict[int, deque[float]] = {}
        self._complete: dict[Unit, float] = dict.fromkeys(Unit, 0.0)
        # Sequencer and fetcher.
        self._unfetched = length
        self._arrivals: deque[float] = deque()
        self._taken = _Recent(FETCHED_AHEAD)
        self._dispatched = 0.0
        self._fetch_end = 0.0
        # Load.
        self._requested = 0.0
        self._read_end = 0.0
        self._reading: deque[tuple[float, float]] = deque(maxlen=2 * FETCHED_AHEAD)
        self._words_end = 0.0
        self._loads = _Recent(LOADS_AHEAD)
        self._owed = 0.0
        self._transposed_end = 0.0
        # Compute.
        self._issued = 0.0
        self._back_end = 0.0
        # Store.
        self._walked = 0.0
        self._write_end = 0.0
        self._stores = _Recent(STORES_AHEAD)

    @property
    def computed(self) -> float:
        """When compute has nothing more to begin of what is there so far."""
        return self._issued

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
        if isinstance(descriptor, Nop | Copy | End | Skip) or not descriptor.order.shared_wait:
            return False
        return not self._shared.get(descriptor.order.shared_wait)

    def skip(self) -> None:
        """Account for the next descriptor, which is skipped."""
        self._dispatched = self._arrival(SKIPPED)
        self._taken.add(self._dispatched)

    def append(self, descriptor: Descriptor, position: int = 0) -> Event:
        """Account for the next descriptor."""
        unit = unit_of(descriptor)
        here = self._arrival()
        if unit is None:
            given = self._dispatched
            self._dispatched = max(here, self.complete) + BARRIER
            if isinstance(descriptor, Nop):
                self._dispatched += descriptor.cycles
            self._taken.add(self._dispatched)
            return Event(position, None, given, here, self._dispatched, "fetch")
        assert not isinstance(descriptor, Nop | Copy | End | Skip)
        self._dispatched = max(here, self._queues[unit].room())
        self._taken.add(self._dispatched)
        given, own = self._dispatched + HAND_OVER, self._semaphores(descriptor.order)
        other = 0.0
        if descriptor.order.shared_wait:
            other = self._shared[descriptor.order.shared_wait].popleft() + GRANT
        ready = max(given, own, other)
        self._late = 0.0
        match descriptor:
            case Load() | Fill() | LoadTransposed() | LoadIndex():
                complete = self._load(descriptor, ready)
            case Store():
                complete = self._store(descriptor, ready)
            case _:
                complete = self._compute(descriptor, ready)
        self._complete[unit] = max(self._complete[unit], complete)
        for number in descriptor.order.signals:
            self._given.setdefault(number, deque()).append(complete)
        if descriptor.order.shared_signal:
            self._shared.setdefault(descriptor.order.shared_signal, deque()).append(complete)
        reasons = {"fetch": given, "semaphore": own, "other core": other, "unit": self._start}
        waited_for = max(reasons, key=lambda name: (reasons[name], name != "unit"))
        return Event(position, unit, given, self._start, complete, waited_for, self._late)

    def _semaphores(self, order: Semaphores) -> float:
        """Return when all that a descriptor waits for has been signalled."""
        return max((self._given[number].popleft() + GRANT for number in order.waits), default=0.0)

    def _moved(self, first: float, end: float, words: int) -> float:
        """Return when a move that alone would end at `end` does, beside the other core's."""
        if self._bandwidth is None:
            return end
        late = self._bandwidth.end(first, end, words)
        self._late += late - end
        return late

    def _arrival(self, apart: int = DESCRIPTOR_CYCLES) -> float:
        """Return when the next descriptor is there, put together from its beats."""
        if not self._arrivals:
            # Two at a time, but for the last, requested as soon as there is room for them.
            count = min(self._unfetched, 2)
            self._unfetched -= count
            full = len(self._taken.times) == FETCHED_AHEAD
            room = self._taken.times[count - 1] + 1 if full else 0.0
            data = max(room + FETCH_START + self._read_latency, self._fetch_end)
            beats = count * DESCRIPTOR_BEATS
            under_way = [end for start, end in self._reading if start <= data < end]
            if under_way:
                # Behind the bursts already requested, and before those that come.
                data += min(under_way[0] - data, self._reads * LONGEST_BURST)
                self._owed += beats
            else:
                # Into the beginning of a load that was taken to have the port to itself.
                begun = (start for start, _ in self._reading if data < start < data + beats)
                self._owed += sum(data + beats - start for start in begun)
            self._fetch_end = data + beats
            first = data + DESCRIPTOR_BEATS + FETCH_END
            self._arrivals.extend(first + one * DESCRIPTOR_BEATS for one in range(count))
        return max(self._arrivals.popleft(), self._dispatched + apart)

    def _load(self, it: LoadUnit, ready: float) -> float:
        start = max(ready, self._requested + GRANT, self._loads.oldest() + GRANT)
        if isinstance(it, LoadTransposed):
            start = max(start, self._transposed_end + GRANT)
        self._start = start
        moves = () if isinstance(it, LoadIndex) else it.moves
        runs = math.prod(move.count for move in moves)
        if isinstance(it, Fill):
            self._requested = start
            self._words_end = max(start + 1, self._words_end + GAP) + it.run * runs
        elif isinstance(it, LoadTransposed):
            self._transpose(start, it.run, runs)
        elif isinstance(it, Load):
            self._stream(start, *it.requests, it.address)
        else:
            self._stream(start, it.run, (), it.address)
        self._queues[Unit.LOAD].left.append(self._requested)
        self._loads.add(self._words_end)
        return self._words_end + 1

    def _stream(self, start: float, run: int, moves: Moves, address: int) -> None:
        """Read runs as fast as the memory port gives them."""
        stream = _streamed(run, address, moves, self._read_latency + READ_TURN, self._reads)
        first = self._first_data(start)
        end = first + stream.cycles + self._owed
        self._owed = 0.0
        end = self._moved(first, end, stream.words)
        self._read_end = self._words_end = end
        self._reading.append((first, end))
        behind = end - self._reads * stream.cycles / stream.bursts
        self._requested = max(
            start + 1 + stream.bursts, behind if stream.bursts > self._reads else 0.0
        )

    def _first_data(self, start: float) -> float:
        """Return when the first data of a load come that starts at `start`."""
        data = start + REQUEST + self._read_latency
        if data < self._fetch_end <= data + 2 * DESCRIPTOR_BEATS:
            data = self._fetch_end
        return max(data, self._read_end, self._words_end + GAP)

    def _transpose(self, start: float, run: int, blocks: int) -> None:
        """Read four rows for each block; two blocks may be on their way."""
        words = 4 * run
        turn = self._read_latency + TRANSPOSED_REQUEST
        first = self._first_data(start)
        pairs, rest = divmod(blocks - 1, STAGED_BLOCKS)
        written = words + rest * words + pairs * (turn + STAGED_BLOCKS * words)
        end = first + words + written + self._owed
        self._words_end = self._moved(first, end, words * blocks)
        self._owed = 0.0
        self._read_end = self._words_end - words
        self._reading.append((first, self._read_end))
        self._requested = self._read_end - (1 + rest) * words
        self._transposed_end = self._words_end

    def _compute(self, it: ComputeUnit, ready: float) -> float:
        start = max(ready, self._issued + GRANT)
        if isinstance(it, Softmax | Sgd | Gate):
            start = max(start, self._back_end + GRANT)
        self._start = start
        if isinstance(it, Softmax | Sgd | Gate):
            self._issued = start + _own_time(it)
            self._back_end = self._issued
        else:
            self._issued, self._back_end = self._loops(it, start)
        self._queues[Unit.COMPUTE].left.append(self._issued)
        return self._back_end + 1

    def _loops(self, it: ComputeUnit, start: float) -> tuple[float, float]:
        """Return when the last iteration is issued and when the last result is written."""
        assert not isinstance(it, Softmax | Sgd | Gate)
        inner = MAC_REDUCING if isinstance(it, Mac) else len(it.reducing)
        reduced = math.prod(loop.count for loop in it.loops[:inner])
        results = math.prod(loop.count for loop in it.loops[inner:])
        if isinstance(it, Mask | Select):
            reduced *= 2
        leaving, end = 1, ELEMENT_END
        if isinstance(it, Mac):
            leaving = it.groups * (2 if it.kind == Result.INT32 else 1)
            end = MAC_END
        elif isinstance(it, Maximum) and it.index is not None:
            leaving = 2
        # The first result waits until those of the descriptor before have left.
        first = max(start + reduced, self._back_end + 2)
        issued = first + (results - 1) * max(reduced, leaving)
        return issued, issued + end + leaving - 1

    def _store(self, it: Store, ready: float) -> float:
        start = max(ready, self._walked + GRANT, self._stores.oldest() + GRANT)
        self._start = start
        turn = self._write_latency + WRITE_TURN
        stream = _streamed(it.run, it.address, it.moves, turn, self._writes)
        first = max(start + STORE_START, self._write_end)
        self._write_end = self._moved(first, first + stream.cycles, stream.words)
        self._walked = max(start + stream.words, self._write_end - STORE_FIFO)
        self._queues[Unit.STORE].left.append(self._walked)
        complete = self._write_end + self._write_latency + STORE_END
        self._stores.add(complete)
        return complete


def _own_time(it: Softmax | Sgd | Gate) -> float:
    if isinstance(it, Gate):
        words = it.samples * it.sample_words
        return GATE_WORD * words + GATE_SAMPLE * it.samples + GATE_END
    if isinstance(it, Sgd):
        return SGD_READS * it.fours + SGD_END
    return it.samples * (SOFTMAX_SAMPLE + SOFTMAX_CLASS * it.classes) + SOFTMAX_START


@dataclass(frozen=True)
class _Stream:
    """Runs as the memory port moves them.

    Attributes:
        words: total number of words.
        cycles: from the first data to the last.
        bursts: that they take.
    """

    words: int
    cycles: float
    bursts: float


def _streamed(run: int, address: int, moves: Moves, turn: int, outstanding: int) -> _Stream:
    """Return how runs are moved that a port begins when it has nothing else to do.

    Args:
        run: words of each.
        address: address of the first word.
        moves: what repeats it.
        turn: cycles from the last data of a burst to the first of the one that it made room for.
        outstanding: bursts that the port takes before it has moved the first.
    """
    # Only where they cross a boundary matters: much alike is worked out once.
    offset = address // WORD_BYTES % LONGEST_BURST
    loops = tuple((move.count, move.memory // WORD_BYTES % LONGEST_BURST) for move in moves)
    return _streamed_alike(run, offset, loops, turn, outstanding)


@cache
def _streamed_alike(
    run: int, offset: int, loops: tuple[tuple[int, int], ...], turn: int, outstanding: int
) -> _Stream:
    """Do what `_streamed` says, burst by burst as long as it takes to see how it goes on.

    Args:
        run: words in a burst, as the timing of the memory has them.
        offset: words of the first before it, from the last boundary of bursts.
        loops: count and words from one to the next, of each move.
        turn: cycles between two bursts, as the timing of the memory has them.
        outstanding: bursts under way at once, as the timing of the memory has them.
    """
    runs = math.prod(count for count, _ in loops)
    starts = product(*([number * step for number in range(count)] for count, step in loops[::-1]))
    ended: list[int] = []
    at_run: list[tuple[int, int]] = []
    for steps in islice(starts, LOOKED_AT):
        for beats in _cut(run, (offset + sum(steps)) % LONGEST_BURST):
            room = ended[-outstanding] + turn if len(ended) >= outstanding else 0
            ended.append(max(room, ended[-1] if ended else 0) + beats)
        at_run.append((ended[-1], len(ended)))
    looked_at = len(at_run)
    cycles, bursts = at_run[-1]
    if runs == looked_at:
        return _Stream(run * runs, cycles, bursts)
    # The boundaries come round after as many runs as a burst is long, at the latest.
    before, fewer = at_run[-1 - LONGEST_BURST]
    more = (runs - looked_at) / LONGEST_BURST
    return _Stream(run * runs, cycles + more * (cycles - before), bursts + more * (bursts - fewer))


def _cut(run: int, offset: int) -> Iterator[int]:
    """Yield the beats of the bursts of a run: they end at multiples of the longest."""
    while run:
        beats = min(run, LONGEST_BURST - offset)
        yield beats
        run, offset = run - beats, 0
