"""NOP, SKIP, COPY and END: what the sequencer executes itself, between the units' work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from specbp.overlay.core_state import TABLE_ENTRIES, CoreState
from specbp.overlay.fields import unsigned, within
from specbp.overlay.instructions.descriptor import ControlDescriptor
from specbp.overlay.instructions.strides import MOST_COUNT
from specbp.overlay.register_map import Opcode

MAX_COPY_BYTES = 1 << 26


@dataclass(frozen=True)
class Nop(ControlDescriptor):
    """Wait until all units are idle, then for some cycles: a barrier.

    Attributes:
        cycles: how long, 0 to 2^32 - 1.
    """

    opcode: ClassVar = Opcode.NOP

    cycles: int = 0

    @property
    def words(self) -> tuple[int, ...]:
        """Opcode and cycles."""
        return Opcode.NOP, self.cycles

    @property
    def text(self) -> str:
        """How long it waits."""
        return "barrier" if not self.cycles else f"{self.cycles} cycles"

    @property
    def pause(self) -> int:
        """Its cycles."""
        return self.cycles

    def execute(self, core: CoreState) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Copy(ControlDescriptor):
    """Copy memory; source and destination are equal or do not overlap.

    Attributes:
        source: physical address, a multiple of 8.
        destination: physical address, a multiple of 8.
        size: bytes, 1 to 2^26; exactly these are written.
    """

    opcode: ClassVar = Opcode.COPY

    source: int
    destination: int
    size: int

    @property
    def words(self) -> tuple[int, ...]:
        """Opcode, addresses and size."""
        return Opcode.COPY, self.source, self.destination, self.size

    @property
    def text(self) -> str:
        """Addresses and size."""
        return f"0x{self.source:08X} to 0x{self.destination:08X}, {self.size} bytes"

    def execute(self, core: CoreState) -> None:
        """Copy in memory."""
        core.copy_memory(self.source, self.destination, self.size)


@dataclass(frozen=True)
class End(ControlDescriptor):
    """End of the program."""

    opcode: ClassVar = Opcode.END

    @property
    def words(self) -> tuple[int, ...]:
        """The opcode."""
        return (Opcode.END,)

    @property
    def text(self) -> str:
        """Nothing."""
        return ""

    def execute(self, core: CoreState) -> None:
        """Do nothing: whoever runs the program stops."""


@dataclass(frozen=True)
class Skip(ControlDescriptor):
    """Wait until all units are idle, then skip some descriptors or not.

    Attributes:
        count: descriptors that follow, 1 to 65535; END is not among them.
        entry: entry of the index table that decides.
        limit: they are skipped where the entry is at most this, 0 to 65535.
        above: they are skipped where the entry is above the limit instead.
    """

    opcode: ClassVar = Opcode.SKIP

    count: int
    entry: int
    limit: int
    above: bool = False

    def __post_init__(self) -> None:
        within("count", self.count, 1, MOST_COUNT)
        within("entry", self.entry, 0, TABLE_ENTRIES - 1)
        unsigned("limit", self.limit, 16)

    @property
    def words(self) -> tuple[int, ...]:
        """Opcode, count and condition."""
        return Opcode.SKIP, self.count, self.entry | self.above << 15 | self.limit << 16

    @property
    def text(self) -> str:
        """Count and condition."""
        when = "above" if self.above else "at most"
        return f"{self.count} descriptors where table[{self.entry}] is {when} {self.limit}"

    def skips(self, value: int) -> bool:
        """Return whether it skips what follows, given the value of its entry."""
        return (value > self.limit) == self.above

    def execute(self, core: CoreState) -> None:
        """Do nothing: whoever runs the program asks `skips`."""
