"""What runs a program of the overlay: the interpreter, or the overlay through its driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from specbp.overlay.interpreter import Interpreter
from specbp.overlay.parameters import Parameters
from specbp.overlay.program import Program

if TYPE_CHECKING:
    from specbp.overlay.driver import Run

LEAST_DEADLINE_S = 60.0
SLOWEST_CYCLES_PER_S = 50_000
"""What simulates fewer cycles in a second counts as hung."""


class Executor(Protocol):
    """Runs programs on memory that it hands out."""

    @property
    def clock_mhz(self) -> float | None:
        """The clock of the overlay, None where there is none."""
        ...

    def allocate(self, size: int) -> tuple[int, NDArray[np.uint8]]:
        """Return the physical address and the host's view of `size` bytes of zeros."""
        ...

    @property
    def about(self) -> Mapping[str, Any]:
        """Columns of the frame `runs` that say what ran the programs."""
        ...

    def run(self, program: Program) -> int | None:
        """Run `program`; return its clock cycles, None where there is no clock.

        The overlay sees of the host's writes at least those to ``program.given``, and the host
        afterwards at least ``program.shown``. All else needs `push` and `pull`.
        """
        ...

    def push(self) -> None:
        """Bring all that the host has written to the overlay."""
        ...

    def pull(self) -> None:
        """Bring all that the overlay has written to the host."""
        ...

    def set_valid(self, valid: NDArray[np.bool_]) -> None:
        """Write which labels may be accepted, and clear the counters of all."""
        ...

    def close(self) -> None:
        """Give memory back."""
        ...


OpenExecutor = Callable[[Parameters, int], Executor]
"""Opens what runs programs, given the overlay's parameters and the bytes of memory needed."""


class InterpreterExecutor:
    """Runs programs on numpy, and finds races while it does.

    Args:
        parameters: parameters of the overlay.
        detect_races: whether to look for races.
    """

    BASE = 1 << 28

    def __init__(self, parameters: Parameters, detect_races: bool = False) -> None:
        self._parameters = parameters
        self._detect_races = detect_races
        self._interpreter: Interpreter | None = None

    @property
    def clock_mhz(self) -> None:
        """There is none."""

    def allocate(self, size: int) -> tuple[int, NDArray[np.uint8]]:
        """Return memory; once."""
        memory = np.zeros(size, np.uint8)
        self._interpreter = Interpreter(self._parameters, memory, self.BASE, self._detect_races)
        return self.BASE, memory

    def run(self, program: Program) -> None:
        """Run `program`."""
        assert self._interpreter is not None
        self._interpreter.run(*program.descriptors)

    def set_valid(self, valid: NDArray[np.bool_]) -> None:
        """Write which labels may be accepted, and clear the counters of all."""
        assert self._interpreter is not None
        labels = self._interpreter.labels
        labels.valid[:] = False
        labels.valid[: len(valid)] = valid
        labels.judged[:] = 0

    @property
    def about(self) -> Mapping[str, Any]:
        """It is simulated."""
        return {"simulated": True, "board": "interpreter"}

    def push(self) -> None:
        """Do nothing: there is one memory."""

    def pull(self) -> None:
        """Do nothing: there is one memory."""

    def close(self) -> None:
        """Do nothing."""


class DriverExecutor:
    """Runs programs through the overlay's driver in this process.

    Args:
        driver: driver of an overlay that is programmed.
        delays: yields for each run how many cycles each core waits after the start, to look for
            races between cores; none wait unless given.
    """

    def __init__(self, driver: Any, delays: Callable[[], Sequence[int]] = tuple) -> None:
        self._held_driver = driver
        self._delays = delays
        self._buffers: list[Any] = []

    @property
    def clock_mhz(self) -> float:
        """The overlay's clock, as it is set."""
        return float(self._driver().clock_hz) / 1e6

    def allocate(self, size: int) -> tuple[int, NDArray[np.uint8]]:
        """Return memory of the board."""
        buffer = self._driver().allocate(size)
        buffer[:] = 0
        self._buffers.append(buffer)
        return int(buffer.device_address), np.asarray(buffer)

    def run(self, program: Program) -> int:
        """Run `program`."""
        done = self._run(program.words, deadline_s(program.products))
        return max(int(one.cycles) for one in done)

    def set_valid(self, valid: NDArray[np.bool_]) -> None:
        """Write which labels may be accepted, and clear the counters of all."""
        self._driver().clear_labels(np.flatnonzero(valid).tolist())

    def push(self) -> None:
        """Do nothing: `run` brings everything."""

    def pull(self) -> None:
        """Do nothing: `run` brings everything back."""

    def _driver(self) -> Any:
        """Return the driver, ready to be used."""
        return self._held_driver

    def _run(self, words: Sequence[NDArray[np.uint32]], deadline: float) -> list[Run]:
        driver = self._driver()
        for buffer in self._buffers:
            buffer.flush()
        done: list[Run] = driver.run_cores(words, self._buffers, deadline, delays=self._delays())
        for buffer in self._buffers:
            buffer.invalidate()
        return done


class NamedExecutor:
    """An executor of a board that a fleet calls by a name; all else is the executor's own.

    Args:
        executor: the executor.
        name: what the fleet calls its board.
    """

    def __init__(self, executor: Executor, name: str) -> None:
        self._executor, self._name = executor, name

    @property
    def about(self) -> Mapping[str, Any]:
        """What the executor says, with the name before the board's own."""
        about = self._executor.about
        return {**about, "board": f"{self._name}: {about['board']}"}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._executor, name)


def deadline_s(products: int) -> float:
    """Return how long a run may take that multiplies for so many cycles, wall time."""
    return LEAST_DEADLINE_S + products / SLOWEST_CYCLES_PER_S
