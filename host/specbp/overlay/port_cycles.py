"""Predicts when the load and the store unit of a core move words through its memory port.

The numbers come from the units' structure (`overlays/specbp/rtl`); tests hold sums of them against
the simulated hardware.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice, product

from specbp.overlay.core_state import WORD_BYTES

DESCRIPTOR_BEATS = 8
FETCHED_AHEAD = 8
"""Descriptors fetched and not yet handed to a unit."""
GRANT = 2
"""Cycles from what a unit waits for, its own last descriptor or a semaphore, to its start."""
LONGEST_BURST = 16
READ_TURN, WRITE_TURN = 1, 3
"""Beside the memory's latency, cycles from the end of a burst to the first data of the one that
found room then."""
LOOKED_AT = 4 * LONGEST_BURST
"""Runs of a load or store that are worked out burst by burst."""
FETCH_START = 3
"""Cycles from the request of descriptors to the memory port."""
REQUEST = 7
"""Cycles from the start of a load to its request at the memory port."""
GAP = 2
"""Cycles between the words of two descriptors, in the load unit."""
LOADS_AHEAD = 4
"""Loads whose words are still to come while another starts."""
STAGED_BLOCKS = 2
"""Blocks of four rows of LOAD_TRANSPOSED requested and not yet written."""
TRANSPOSED_REQUEST = 6
"""Cycles from the end of a block to its successor's request."""
STORES_AHEAD = 4
"""Stores that wait for their acknowledgement while another starts."""
STORE_START = 5
"""Cycles from the start of a store to its first word at the memory port."""
STORE_FIFO = 32
"""Words between output buffer and memory port."""
STORE_END = 4
"""Beside the memory's latency, cycles from the last word to the acknowledgement."""

Strides = Sequence[tuple[int, int]]
"""Count and stride in memory, bytes, of each loop of a move, innermost first."""


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
        left = float(words * WORD_BYTES)
        rate = left / max(end - first, 1.0)
        now = first
        while left > 1e-6:
            window = int(now // self.WINDOW)
            until = (window + 1) * self.WINDOW
            free = self._capacity - self._taken.get(window, 0.0)
            most = min(left, rate * (until - now), free)
            if most > 0:
                self._taken[window] = self._taken.get(window, 0.0) + most
                left -= most
            if left <= 1e-6:
                now += most / rate
                break
            now = until
        return max(end, now)


class Traffic:
    """A core's moves, beside those of the other core.

    Args:
        bandwidth: what the cores share; None for one core alone.
    """

    def __init__(self, bandwidth: Bandwidth | None) -> None:
        self._bandwidth = bandwidth
        self.late = 0.0
        """Cycles by which the other core made the moves of the last descriptor longer."""

    def end(self, first: float, end: float, words: int) -> float:
        """Return when a move that alone would end at `end` does."""
        if self._bandwidth is None:
            return end
        shared = self._bandwidth.end(first, end, words)
        self.late += shared - end
        return shared


@dataclass
class Recent:
    """Times of the last few of something."""

    size: int
    times: deque[float] = field(default_factory=deque)

    def oldest(self) -> float:
        """Return the time `size` before the next; 0 where there were fewer."""
        return self.times[0] if len(self.times) == self.size else 0.0

    def add(self, time: float) -> None:
        """Add the time of the next."""
        if len(self.times) == self.size:
            self.times.popleft()
        self.times.append(time)


class LoadCycles:
    """The load unit, and the fetching of descriptors, which share the port's reads.

    Args:
        latency: read latency of the memory, cycles.
        outstanding: bursts that the port takes before it has moved the first.
        traffic: traffic of the core.
    """

    def __init__(self, latency: int, outstanding: int, traffic: Traffic) -> None:
        self._latency, self._outstanding, self._traffic = latency, outstanding, traffic
        self.start = 0.0
        """When the last descriptor started."""
        self._fetch_end = 0.0
        self._requested = 0.0
        self._read_end = 0.0
        self._reading: deque[tuple[float, float]] = deque(maxlen=2 * FETCHED_AHEAD)
        self._words_end = 0.0
        self._ahead = Recent(LOADS_AHEAD)
        self._owed = 0.0
        self._transposed_end = 0.0

    def fetch(self, room: float, beats: int) -> float:
        """Read descriptors; return when their first beat comes.

        Args:
            room: when there is room for them.
            beats: number of beats that they take.
        """
        data = max(room + FETCH_START + self._latency, self._fetch_end)
        under_way = [end for start, end in self._reading if start <= data < end]
        if under_way:
            # Behind the bursts already requested, and before those that come.
            data += min(under_way[0] - data, self._outstanding * LONGEST_BURST)
            self._owed += beats
        else:
            # Into the beginning of a load that was taken to have the port to itself.
            begun = (start for start, _ in self._reading if data < start < data + beats)
            self._owed += sum(data + beats - start for start in begun)
        self._fetch_end = data + beats
        return data

    def begin(self, ready: float) -> None:
        """Start the next descriptor as soon as the unit can."""
        self.start = max(ready, self._requested + GRANT, self._ahead.oldest() + GRANT)

    def end(self) -> tuple[float, float]:
        """End the descriptor; return when its last request was made and when it is complete."""
        self._ahead.add(self._words_end)
        return self._requested, self._words_end + 1

    def fill(self, words: int) -> None:
        """Write so many words, a cycle each."""
        self._requested = self.start
        self._words_end = max(self.start + 1, self._words_end + GAP) + words

    def stream(self, run: int, address: int, strides: Strides) -> None:
        """Read runs as fast as the memory port gives them.

        Args:
            run: words of each run.
            address: address of the first word.
            strides: what repeats the run.
        """
        turn = self._latency + READ_TURN
        stream = streamed(run, address, strides, turn, self._outstanding)
        first = self._first_data()
        end = first + stream.cycles + self._owed
        self._owed = 0.0
        end = self._traffic.end(first, end, stream.words)
        self._read_end = self._words_end = end
        self._reading.append((first, end))
        behind = end - self._outstanding * stream.cycles / stream.bursts
        self._requested = max(
            self.start + 1 + stream.bursts, behind if stream.bursts > self._outstanding else 0.0
        )

    def transpose(self, words: int, blocks: int) -> None:
        """Read blocks of four rows; two blocks may be on their way.

        Args:
            words: words of a block.
            blocks: number of blocks.
        """
        self.start = max(self.start, self._transposed_end + GRANT)
        turn = self._latency + TRANSPOSED_REQUEST
        first = self._first_data()
        pairs, odd = divmod(blocks - 1, STAGED_BLOCKS)
        written = words + odd * words + pairs * (turn + STAGED_BLOCKS * words)
        end = first + words + written + self._owed
        self._words_end = self._traffic.end(first, end, words * blocks)
        self._owed = 0.0
        self._read_end = self._words_end - words
        self._reading.append((first, self._read_end))
        self._requested = self._read_end - (1 + odd) * words
        self._transposed_end = self._words_end

    def _first_data(self) -> float:
        """Return when the first data come of the load that has started."""
        data = self.start + REQUEST + self._latency
        if data < self._fetch_end <= data + 2 * DESCRIPTOR_BEATS:
            data = self._fetch_end
        return max(data, self._read_end, self._words_end + GAP)


class StoreCycles:
    """The store unit.

    Args:
        latency: write latency of the memory, cycles.
        outstanding: bursts that the port takes before it has moved the first.
        traffic: traffic of the core.
    """

    def __init__(self, latency: int, outstanding: int, traffic: Traffic) -> None:
        self._latency, self._outstanding, self._traffic = latency, outstanding, traffic
        self.start = 0.0
        """When the last descriptor started."""
        self._walked = 0.0
        self._write_end = 0.0
        self._ahead = Recent(STORES_AHEAD)

    def store(self, ready: float, run: int, address: int, strides: Strides) -> tuple[float, float]:
        """Return when the last word left the output buffer and when it is acknowledged.

        Args:
            ready: when the descriptor has all that it waits for.
            run: words of each run.
            address: address of the first word.
            strides: what repeats the run.
        """
        self.start = max(ready, self._walked + GRANT, self._ahead.oldest() + GRANT)
        turn = self._latency + WRITE_TURN
        stream = streamed(run, address, strides, turn, self._outstanding)
        first = max(self.start + STORE_START, self._write_end)
        self._write_end = self._traffic.end(first, first + stream.cycles, stream.words)
        self._walked = max(self.start + stream.words, self._write_end - STORE_FIFO)
        complete = self._write_end + self._latency + STORE_END
        self._ahead.add(complete)
        return self._walked, complete


@dataclass(frozen=True)
class Stream:
    """Runs as the memory port moves them.

    Attributes:
        words: total number of words.
        cycles: cycles from the first data to the last.
        bursts: number of bursts that they take.
    """

    words: int
    cycles: float
    bursts: float


def streamed(run: int, address: int, strides: Strides, turn: int, outstanding: int) -> Stream:
    """Return how runs are moved that a port begins when it has nothing else to do.

    Args:
        run: words of each run.
        address: address of the first word.
        strides: what repeats the run.
        turn: cycles from the last data of a burst to the first of the one that it made room for.
        outstanding: bursts that the port takes before it has moved the first.
    """
    # Only where they cross a boundary matters: much alike is worked out once.
    offset = address // WORD_BYTES % LONGEST_BURST
    loops = tuple((count, stride // WORD_BYTES % LONGEST_BURST) for count, stride in strides)
    return _streamed_alike(run, offset, loops, turn, outstanding)


@cache
def _streamed_alike(
    run: int, offset: int, loops: tuple[tuple[int, int], ...], turn: int, outstanding: int
) -> Stream:
    """Do what `streamed` says, burst by burst as long as it takes to see how it goes on.

    Args:
        run: words of each run.
        offset: words from the last boundary of bursts to the first word.
        loops: count and words from one to the next, of each move.
        turn: cycles from the last data of a burst to the first of the one that it made room for.
        outstanding: bursts that the port takes before it has moved the first.
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
        return Stream(run * runs, cycles, bursts)
    # The boundaries come round after as many runs as a burst is long, at the latest.
    before, fewer = at_run[-1 - LONGEST_BURST]
    more = (runs - looked_at) / LONGEST_BURST
    return Stream(run * runs, cycles + more * (cycles - before), bursts + more * (bursts - fewer))


def _cut(run: int, offset: int) -> Iterator[int]:
    """Yield the beats of the bursts of a run: they end at multiples of the longest."""
    while run:
        beats = min(run, LONGEST_BURST - offset)
        yield beats
        run, offset = run - beats, 0
