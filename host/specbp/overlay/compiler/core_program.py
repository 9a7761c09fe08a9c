"""The program of one of two cores: passes, and what orders them against the other core's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from specbp.overlay.compiler.emitter import Emitter, SkipEnd, Tagged
from specbp.overlay.compiler.maps import NetworkMaps
from specbp.overlay.compiler.passes import Passes
from specbp.overlay.core_state import TABLE_ENTRIES
from specbp.overlay.instructions import (
    Buffer,
    Fill,
    LoadIndex,
    Loop,
    Nop,
    Semaphores,
    Skip,
    Store,
    Total,
)
from specbp.overlay.parameters import Parameters

SPARE_ENTRY = TABLE_ENTRIES - 1
"""Of the index table; what a wait loads."""
SYNCHRONISING = "two cores"
"""The "layer" of what keeps the cores in step."""


class CoreProgram:
    """A program in the making.

    Args:
        parameters: parameters of the overlay.
        maps: where the tensors lie.
        token: address of a word that nobody reads, for this core alone.

    Attributes:
        emitter: takes the descriptors.
        passes: emits the passes of the network.
    """

    def __init__(self, parameters: Parameters, maps: NetworkMaps, token: int) -> None:
        self.emitter = Emitter(parameters)
        self.passes = Passes(self.emitter, maps)
        self._token = token

    def signal(self, semaphore: int) -> None:
        """Signal a shared semaphore when all that was emitted so far is in memory."""
        program = self.emitter.program
        place = next(
            (
                place
                for place in range(len(program) - 1, -1, -1)
                if isinstance(one := program[place], SkipEnd) or isinstance(one.descriptor, Store)
            ),
            None,
        )
        last = None if place is None else program[place]
        if (
            not isinstance(last, Tagged)
            or not isinstance(last.descriptor, Store)
            or last.descriptor.order.shared_signal
        ):
            self._store_token()
            place = len(program) - 1
            last = program[place]
        assert place is not None and isinstance(last, Tagged)
        assert isinstance(last.descriptor, Store)
        order = Semaphores(shared_signal=semaphore)
        program[place] = replace(last, descriptor=replace(last.descriptor, order=order))

    def wait(self, semaphore: int, work: str) -> None:
        """Let nothing that follows start before a shared semaphore was signalled."""
        self.emitter.begin(SYNCHRONISING, work)
        order = Semaphores(shared_wait=semaphore)
        self.emitter.emit(LoadIndex(self._token, 0, SPARE_ENTRY, 1, order))
        self.emitter.emit(Nop())

    def load_tables(self, *tables: tuple[int, int, int, int]) -> None:
        """Load index tables: (address, int16 of each word, first entry, count) each.

        Their entries were not used before.
        """
        self.emitter.begin(SYNCHRONISING, "index tables")
        for address, element, base, count in tables:
            self.emitter.emit(LoadIndex(address, element, base, count))
        self.emitter.emit(Nop())

    @contextmanager
    def skipped_up_to(self, entry: int, limit: int) -> Iterator[None]:
        """Emit what is skipped where an entry of the index table is at most `limit`."""
        self.emitter.begin(SYNCHRONISING, "redo, if any")
        self.emitter.emit(Skip(1, entry, limit))
        self.emitter.forget()
        yield
        self.emitter.program.append(SkipEnd())
        self.emitter.forget()

    def _store_token(self) -> None:
        emitter = self.emitter
        emitter.begin(SYNCHRONISING, "signal")
        word, result = emitter.scalar.take(1), emitter.output.take(1)
        emitter.emit(Fill(0, Buffer.SCALAR, word, 1))
        emitter.emit(Total(word, (), (Loop(1),), result, 0))
        emitter.emit(Store(self._token, result, 1))
