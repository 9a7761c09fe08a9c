"""Runs programs of the overlay on numpy arrays, exact to the bit.

An executable reading of `overlays/specbp/ISA.md`, one descriptor after the other; with two cores
one of them goes on until it waits for the other. It is stricter than the hardware: what reads a
word that nothing has written, and what nothing orders (`specbp.overlay.races`), is an error here,
so that programs that pass are right on hardware, whatever the timing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from specbp.overlay.core_state import LABELS, SEMAPHORES, CoreState, ProgramError, Shared, spaces
from specbp.overlay.instructions import Descriptor, End, Skip
from specbp.overlay.parameters import Parameters
from specbp.overlay.races import RaceDetector

__all__ = ["Interpreter", "ProgramError"]


class Interpreter:
    """The cores and their memory.

    Args:
        parameters: parameters of the overlay.
        memory: bytes; a multiple of 8.
        base: physical address of the first byte.
        detect_races: whether to check the order of units, which takes time.
    """

    def __init__(
        self,
        parameters: Parameters,
        memory: NDArray[np.uint8],
        base: int = 0,
        detect_races: bool = True,
    ) -> None:
        self._shared = Shared(memory.view(np.int16).reshape(-1, 4), base)
        self._cores = [CoreState(parameters, self._shared) for _ in range(parameters.cores)]
        self._detect_races = detect_races
        self._sizes = {**spaces(parameters), "memory": len(memory) // 8, "labels": LABELS}
        del self._sizes["table"]

    @property
    def labels(self) -> Shared:
        """Validity, accepts and rejects of each label; written in place."""
        return self._shared

    def run(self, *programs: Sequence[Descriptor]) -> None:
        """Run a program for each core; buffers and label table keep what an earlier one left.

        Raises:
            ProgramError: a program is not valid, or both cores wait; the message names the
                descriptor.
            RaceError: the result would depend on timing.
        """
        cores = len(self._cores)
        detector = RaceDetector(self._sizes, cores) if self._detect_races else None
        self._shared.listener = detector
        semaphores = [0] * (SEMAPHORES + 1)
        running = [
            _RunningCore(number, self._cores[number], detector, program, semaphores)
            for number, program in enumerate(programs)
        ]
        while not all(one.ended for one in running):
            went_on = [one.go_on() for one in running]
            if not any(went_on):
                waiting = ", ".join(str(one) for one in running if not one.ended)
                raise ProgramError(f"no core can go on: {waiting}")


class _RunningCore:
    """A core's program in progress."""

    def __init__(
        self,
        number: int,
        core: CoreState,
        detector: RaceDetector | None,
        program: Sequence[Descriptor],
        semaphores: list[int],
    ) -> None:
        self._number, self._core, self._detector = number, core, detector
        self._program, self._semaphores = program, semaphores
        self._position = 0
        self.ended = False

    def __str__(self) -> str:
        it = self._program[self._position]
        return f"core {self._number} waits at descriptor {self._position}: {it}"

    def go_on(self) -> bool:
        """Go on until the end or a shared semaphore; return whether anything was done."""
        done = False
        while not self.ended:
            if self._position >= len(self._program):
                raise ProgramError("the program has no END")
            descriptor = self._program[self._position]
            if not self._takes(descriptor):
                break
            self._one(descriptor)
            done = True
        return done

    def _takes(self, descriptor: Descriptor) -> bool:
        """Take the shared semaphore that `descriptor` waits for; return whether it was there."""
        semaphore = descriptor.order.shared_wait
        if not semaphore:
            return True
        if not self._semaphores[semaphore]:
            return False
        self._semaphores[semaphore] -= 1
        return True

    def _one(self, descriptor: Descriptor) -> None:
        if isinstance(descriptor, End):
            self.ended = True
            return
        if self._detector:
            self._detector.begin(self._position, descriptor, self._number)
        skipped = 0
        try:
            descriptor.execute(self._core)
            if isinstance(descriptor, Skip):
                (value,) = self._core.entries(np.array([descriptor.entry]))
                skipped = descriptor.count if descriptor.skips(int(value)) else 0
        except ProgramError as error:
            where = f"descriptor {self._position}"
            raise ProgramError(f"{where}: {error}: {descriptor}") from None
        if self._detector:
            self._detector.end()
        self._semaphores[descriptor.order.shared_signal] += 1
        self._position += 1 + skipped
