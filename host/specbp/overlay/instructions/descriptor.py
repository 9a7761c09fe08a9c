"""What all descriptors have in common: an opcode, the unit that executes it, and its order.

`overlays/specbp/ISA.md` says what each descriptor does. A descriptor is 16 words of 32 bits, little
endian; the opcodes come from `specbp.rdl`. What does not fit its field is refused where it is
written.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import Field, dataclass
from enum import Enum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from specbp.errors import UsageError
from specbp.overlay.core_state import SEMAPHORES, CoreState
from specbp.overlay.fields import within
from specbp.overlay.instructions.access import Access, Extent
from specbp.overlay.register_map import Opcode

DESCRIPTOR_WORDS = 16
DESCRIPTOR_BYTES = 4 * DESCRIPTOR_WORDS


class Unit(Enum):
    """The parts of a core that work on their own."""

    LOAD = "load"
    COMPUTE = "compute"
    STORE = "store"


@dataclass(frozen=True)
class Semaphores:
    """How a descriptor is ordered against those of other units.

    Attributes:
        waits: up to two semaphores, from each of which it takes one before it starts.
        signals: up to two semaphores, to each of which it adds one when it is complete.
        shared_wait: semaphore of all cores that it takes before it starts; 0 is none.
        shared_signal: semaphore of all cores that it adds to when it is complete; 0 is none.
    """

    waits: tuple[int, ...] = ()
    signals: tuple[int, ...] = ()
    shared_wait: int = 0
    shared_signal: int = 0

    def __post_init__(self) -> None:
        for name, numbers in (("waits", self.waits), ("signals", self.signals)):
            if len(numbers) > 2 or len(set(numbers)) != len(numbers):
                raise UsageError(f"{name} = {numbers}: at most two different semaphores")
            for number in numbers:
                within(f"a semaphore of {name}", number, 1, SEMAPHORES)
        within("the shared wait", self.shared_wait, 0, SEMAPHORES)
        within("the shared signal", self.shared_signal, 0, SEMAPHORES)

    @property
    def bits(self) -> int:
        """The bits of word 0 that hold the semaphores."""
        numbers = [*self.waits, 0, 0][:2] + [*self.signals, 0, 0][:2]
        numbers += [self.shared_wait, self.shared_signal]
        return sum(number << 8 + 4 * place for place, number in enumerate(numbers))


UNORDERED = Semaphores()


class Descriptor(ABC):
    """One instruction: what it is in memory and in words, what it touches, and what it does."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    """Every descriptor is a frozen dataclass, so `dataclasses.replace` changes one."""
    opcode: ClassVar[Opcode]
    unit: ClassVar[Unit | None]
    """The unit that executes it; None for the sequencer, which waits for all units first."""

    @property
    @abstractmethod
    def order(self) -> Semaphores:
        """What it waits for and signals."""

    @property
    @abstractmethod
    def words(self) -> tuple[int, ...]:
        """The words of its encoding from word 0 on; those left out are 0."""

    @property
    @abstractmethod
    def text(self) -> str:
        """Its operands, for a listing."""

    @property
    @abstractmethod
    def work(self) -> int:
        """Rough cycles of its unit, by which programs are shared out; 0 where nothing is shared."""

    @property
    def products(self) -> int:
        """Cycles in which the lanes multiply."""
        return 0

    @abstractmethod
    def accesses(self, groups: int, extent: Extent) -> Iterator[Access]:
        """Yield the ranges of words that it reads and writes.

        What goes through the index table touches a whole tensor. The table itself is left out:
        the compiler puts barriers around what loads it.

        Args:
            groups: fours of lanes of the overlay.
            extent: extent of the tensors.
        """

    @abstractmethod
    def execute(self, core: CoreState) -> None:
        """Do on numpy arrays what the hardware does, exact to the bit.

        Raises:
            ProgramError: it reaches outside a buffer, or reads what nothing has written.
        """


class ControlDescriptor(Descriptor):
    """What the sequencer executes itself, when all units are idle."""

    unit = None

    @property
    def order(self) -> Semaphores:
        """Nothing: the sequencer waits for all units."""
        return UNORDERED

    @property
    def work(self) -> int:
        """Nothing: no unit works."""
        return 0

    @property
    def pause(self) -> int:
        """Cycles that the sequencer waits beside those of a barrier."""
        return 0

    def accesses(self, groups: int, extent: Extent) -> Iterator[Access]:
        """Yield nothing: all units are idle, so nothing has to be ordered."""
        return iter(())


def encode(program: Sequence[Descriptor]) -> NDArray[np.uint32]:
    """Return the words of `program`, a row for each descriptor.

    Example:
        >>> from specbp.overlay.instructions import End, Nop, encode
        >>> encode([Nop(9), End()])[:, :2].tolist()
        [[0, 9], [1, 0]]
    """
    words = np.zeros((len(program), DESCRIPTOR_WORDS), np.uint32)
    for row, descriptor in zip(words, program, strict=True):
        row[: len(descriptor.words)] = descriptor.words
    return words
