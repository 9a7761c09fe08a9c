"""LOAD, LOAD_INDEX, LOAD_TRANSPOSED, FILL and STORE: data moves between memory and buffers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

import numpy as np

from specbp.overlay.core_state import PER_WORD, TABLE_ENTRIES, WORD_BYTES, CoreState, outer
from specbp.overlay.fields import aligned, signed, within
from specbp.overlay.instructions.access import Access, Extent, hull, memory
from specbp.overlay.instructions.descriptor import UNORDERED, Descriptor, Semaphores, Unit
from specbp.overlay.instructions.strides import (
    MOST_COUNT,
    SHORTEST_BURST,
    Moves,
    buffer_access,
    check_address,
    check_moves,
    in_buffer,
    in_memory,
    memory_access,
    move_words,
    moves_text,
    pattern,
    places,
    repeats,
)
from specbp.overlay.port_cycles import LoadCycles
from specbp.overlay.register_map import Opcode

MOST_TRANSPOSED_RUN = 16


class Buffer(IntEnum):
    """The buffers that LOAD and FILL write."""

    SCALAR = 0
    VECTOR = 1
    BIAS = 2

    @property
    def space(self) -> str:
        """The name of the buffer."""
        return self.name.lower()


class LoadDescriptor(Descriptor):
    """What the load unit executes."""

    unit = Unit.LOAD

    @abstractmethod
    def take(self, unit: LoadCycles) -> None:
        """Take the cycles of the load unit that it needs, from the start on that the unit knows."""


@dataclass(frozen=True)
class Load(LoadDescriptor):
    """Move memory into a buffer.

    Attributes:
        address: physical address, a multiple of 8.
        buffer: the buffer to write.
        base: first word in the buffer.
        run: consecutive words, 1 to 65535.
        moves: what repeats the run.
        order: waits and signals.
    """

    opcode: ClassVar = Opcode.LOAD

    address: int
    buffer: Buffer
    base: int
    run: int
    moves: Moves = ()
    order: Semaphores = UNORDERED

    def __post_init__(self) -> None:
        check_address(self.address)
        within("run", self.run, 1, MOST_COUNT)
        check_moves(self.base, self.moves)

    @property
    def words(self) -> tuple[int, ...]:
        """Addresses, moves, and the run that is asked of memory where it is a longer one."""
        moving = move_words(self.base, self.buffer, self.run, self.moves)
        run, _ = self.requests
        head = Opcode.LOAD | self.order.bits
        return head, self.address, *moving, run if run > self.run else 0

    @property
    def requests(self) -> tuple[int, Moves]:
        """Run and moves as they are asked of memory: runs without a gap between them are joined."""
        if self.moves and self.moves[0].table is None:
            first, *others = self.moves
            joined = self.run * first.count
            if first.memory == self.run * WORD_BYTES and joined <= MOST_COUNT:
                return joined, tuple(others)
        return self.run, self.moves

    @property
    def text(self) -> str:
        """Address, buffer and moves."""
        where = f"{Buffer(self.buffer).space}[{self.base}]"
        return f"0x{self.address:08X} -> {where}, {self.run}{moves_text(self.moves)}"

    @property
    def work(self) -> int:
        """A word a cycle, as far as bursts are long."""
        run, moves = self.requests
        return max(run, SHORTEST_BURST) * repeats(moves)

    def take(self, unit: LoadCycles) -> None:
        """Stream what is asked of memory."""
        run, moves = self.requests
        unit.stream(run, self.address, in_memory(moves))

    def accesses(self, groups: int, extent: Extent) -> Iterator[Access]:
        """Yield memory and buffer."""
        yield memory_access(self.address, self.run, self.moves, extent, write=False)
        yield buffer_access(self.buffer.space, self.base, self.run, self.moves, groups)

    def execute(self, core: CoreState) -> None:
        """Read memory, write the buffer."""
        values = core.read_memory(self.address + places(self.run, self.moves, core))
        core.write(Buffer(self.buffer).space, self.base + pattern(self.run, self.moves), values)


@dataclass(frozen=True)
class LoadIndex(LoadDescriptor):
    """Move one int16 of each word of memory into the index table.

    Attributes:
        address: physical address, a multiple of 8.
        element: which int16 of a word, 0 to 3.
        base: first entry of the table.
        run: consecutive words, each for an entry.
        order: waits and signals.
    """

    opcode: ClassVar = Opcode.LOAD_INDEX

    address: int
    element: int
    base: int
    run: int
    order: Semaphores = UNORDERED

    def __post_init__(self) -> None:
        check_address(self.address)
        within("element", self.element, 0, 3)
        within("run", self.run, 1, TABLE_ENTRIES)
        within("base", self.base, 0, TABLE_ENTRIES - self.run)

    @property
    def words(self) -> tuple[int, ...]:
        """Address, element and entries."""
        head = Opcode.LOAD_INDEX | self.order.bits
        return head, self.address, *move_words(self.base, self.element, self.run, ())

    @property
    def text(self) -> str:
        """Address, element and entries."""
        return f"0x{self.address:08X} int16 {self.element} -> table[{self.base}], {self.run}"

    @property
    def work(self) -> int:
        """Nothing: what fills the table is not shared out over the cores."""
        return 0

    def take(self, unit: LoadCycles) -> None:
        """Stream its words."""
        unit.stream(self.run, self.address, [])

    def accesses(self, groups: int, extent: Extent) -> Iterator[Access]:
        """Yield memory."""
        yield memory(self.address, self.run, ())

    def execute(self, core: CoreState) -> None:
        """Read memory, write entries."""
        values = core.read_memory(self.address + np.arange(self.run) * WORD_BYTES)
        entries = self.base + np.arange(self.run)
        core.write_entries(entries, values[:, self.element].view(np.uint16))


@dataclass(frozen=True)
class Fill(LoadDescriptor):
    """Write one int16 into every element of a pattern of words of a buffer.

    Attributes:
        value: int16 to write.
        buffer: the buffer to write.
        base: first word in the buffer.
        run: consecutive words, 1 to 65535.
        moves: what repeats the run; their strides in memory are 0.
        order: waits and signals.
    """

    opcode: ClassVar = Opcode.FILL

    value: int
    buffer: Buffer
    base: int
    run: int
    moves: Moves = ()
    order: Semaphores = UNORDERED

    def __post_init__(self) -> None:
        signed("value", self.value, 16)
        within("run", self.run, 1, MOST_COUNT)
        check_moves(self.base, self.moves)

    @property
    def words(self) -> tuple[int, ...]:
        """Value and moves."""
        head, value = Opcode.FILL | self.order.bits, self.value & 0xFFFF
        return head, value, *move_words(self.base, self.buffer, self.run, self.moves)

    @property
    def text(self) -> str:
        """Value, buffer and moves."""
        where = f"{Buffer(self.buffer).space}[{self.base}]"
        return f"{self.value} -> {where}, {self.run}{moves_text(self.moves)}"

    @property
    def work(self) -> int:
        """A word a cycle."""
        return self.run * repeats(self.moves)

    def take(self, unit: LoadCycles) -> None:
        """Write a word a cycle; memory is not asked."""
        unit.fill(self.run * repeats(self.moves))

    def accesses(self, groups: int, extent: Extent) -> Iterator[Access]:
        """Yield the buffer."""
        yield buffer_access(self.buffer.space, self.base, self.run, self.moves, groups)

    def execute(self, core: CoreState) -> None:
        """Write the buffer."""
        words = self.base + pattern(self.run, self.moves)
        values = np.full((len(words), PER_WORD), self.value, np.int16)
        core.write(Buffer(self.buffer).space, words, values)


@dataclass(frozen=True)
class LoadTransposed(LoadDescriptor):
    """Move rows of memory into columns of the vector buffer.

    Each repeat reads a run of four rows, and writes for each of the 4 * run elements of a run one
    word: that element of the four rows.

    Attributes:
        address: physical address of row 0, a multiple of 8.
        base: first word in the vector buffer.
        run: words of each row, 1 to 16.
        row: stride from row to row, signed bytes, a multiple of 8.
        moves: what repeats it.
        order: waits and signals.
    """

    opcode: ClassVar = Opcode.LOAD_TRANSPOSED

    address: int
    base: int
    run: int
    row: int
    moves: Moves = ()
    order: Semaphores = UNORDERED

    def __post_init__(self) -> None:
        check_address(self.address)
        within("run", self.run, 1, MOST_TRANSPOSED_RUN)
        signed("row", self.row, 32)
        aligned("row", self.row)
        check_moves(self.base, self.moves)

    @property
    def words(self) -> tuple[int, ...]:
        """Address, moves and stride of the rows."""
        head = Opcode.LOAD_TRANSPOSED | self.order.bits
        moving = move_words(self.base, Buffer.VECTOR, self.run, self.moves)
        return head, self.address, *moving, self.row & 0xFFFFFFFF

    @property
    def text(self) -> str:
        """Address, rows and moves."""
        row = f"rows {self.row:+d}"
        where = f"vector[{self.base}]"
        return f"0x{self.address:08X} {row} -> {where}, {self.run}{moves_text(self.moves)}"

    @property
    def work(self) -> int:
        """A word a cycle, as far as bursts are long."""
        return PER_WORD * max(self.run, SHORTEST_BURST) * repeats(self.moves)

    def take(self, unit: LoadCycles) -> None:
        """Read four rows at each repeat."""
        unit.transpose(PER_WORD * self.run, repeats(self.moves))

    def accesses(self, groups: int, extent: Extent) -> Iterator[Access]:
        """Yield memory and buffer."""
        rows = [(PER_WORD, self.row), *in_memory(self.moves)]
        yield memory(self.address, self.run, rows)
        columns = [(PER_WORD * self.run, groups), *in_buffer(self.moves)]
        low, high = hull(self.base, 1, columns)
        yield Access("vector", low // groups, -(-high // groups), True)

    def execute(self, core: CoreState) -> None:
        """Read rows of memory, write columns of the buffer."""
        starts = self.address + places(self.run, self.moves, core)
        rows = [core.read_memory(starts + row * self.row) for row in range(PER_WORD)]
        # [repeats, elements of a run, row]
        elements = self.run * PER_WORD
        values = np.stack([row.reshape(-1, elements) for row in rows], axis=2)
        first = self.base + pattern(1, self.moves)
        words = outer(first, np.arange(elements) * core.groups)
        core.write("vector", words.ravel(), values.reshape(-1, PER_WORD))


@dataclass(frozen=True)
class Store(Descriptor):
    """Move words of the output buffer to memory.

    Attributes:
        address: physical address, a multiple of 8.
        base: first word in the output buffer.
        run: consecutive words, 1 to 65535.
        moves: what repeats the run.
        order: waits and signals.
    """

    opcode: ClassVar = Opcode.STORE
    unit: ClassVar = Unit.STORE

    address: int
    base: int
    run: int
    moves: Moves = ()
    order: Semaphores = UNORDERED

    def __post_init__(self) -> None:
        check_address(self.address)
        within("run", self.run, 1, MOST_COUNT)
        check_moves(self.base, self.moves)

    @property
    def words(self) -> tuple[int, ...]:
        """Address and moves."""
        head = Opcode.STORE | self.order.bits
        return head, self.address, *move_words(self.base, 0, self.run, self.moves)

    @property
    def text(self) -> str:
        """Buffer, address and moves."""
        where = f"0x{self.address:08X}"
        return f"output[{self.base}] -> {where}, {self.run}{moves_text(self.moves)}"

    @property
    def work(self) -> int:
        """A word a cycle, as far as bursts are long."""
        return max(self.run, SHORTEST_BURST) * repeats(self.moves)

    def accesses(self, groups: int, extent: Extent) -> Iterator[Access]:
        """Yield buffer and memory."""
        yield Access("output", *hull(self.base, self.run, in_buffer(self.moves)), False)
        yield memory_access(self.address, self.run, self.moves, extent, write=True)

    def execute(self, core: CoreState) -> None:
        """Read the buffer, write memory."""
        values = core.read("output", self.base + pattern(self.run, self.moves))
        core.write_memory(self.address + places(self.run, self.moves, core), values)
