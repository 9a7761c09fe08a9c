"""A program for two cores that hand tiles to each other through memory: a part of the self-test.

Each tile goes from core 0 to core 1 and back, through the same two places in memory. A core that
reads before the other core's write has arrived reads the tile before, which is another one: so it
shows whether a write that was acknowledged is visible at the other core's memory port.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specbp.onboard import messages
from specbp.overlay.core_state import WORD_BYTES
from specbp.overlay.faults import DEFAULT_WATCHDOG
from specbp.overlay.instructions import (
    Buffer,
    Descriptor,
    End,
    Load,
    Loop,
    Mask,
    Nop,
    Semaphores,
    Store,
    encode,
)
from specbp.overlay.interpreter import Interpreter
from specbp.overlay.parameters import Parameters

TILES, TILE_WORDS = 32, 64
TILE = TILE_WORDS * WORD_BYTES
BASE = 1 << 20
_THERE, _BACK = 1, 2
"""Shared semaphores: a tile is in its place for core 1, for core 0."""


def exchange(parameters: Parameters, deadline_s: float) -> bytes:
    """Return the exchange of `TILES` tiles as a message of the self-test.

    Args:
        parameters: those of an overlay with two cores.
        deadline_s: seconds that the program may take.
    """
    size = (2 * TILES + 2) * TILE
    memory = np.zeros(size, np.uint8)
    tiles = np.random.default_rng(0).integers(1, 32767, TILES * TILE // 2, np.int16)
    memory[: TILES * TILE] = tiles.view(np.uint8)
    after = memory.copy()
    Interpreter(parameters, after, BASE).run(*programs(BASE))
    words, moved, program = (
        np.concatenate([encode(core) for core in programs(base)]) for base in (BASE, 2 * BASE, 0)
    )
    expected = [["cores 0 and 1", f"tile {n}", _result(n), TILE] for n in range(TILES)]
    header: dict[str, Any] = {
        "size": size,
        "lengths": [len(core) for core in programs(BASE)],
        "valid": [],
        "relocated": np.flatnonzero(words.reshape(-1) != moved.reshape(-1)).tolist(),
        "watchdog": DEFAULT_WATCHDOG,
        "deadline_s": deadline_s,
        "steps": [{"given": [], "expected": expected}],
    }
    arrays: dict[str, NDArray[Any]] = {
        "program": program,
        "memory": memory,
        "at_0": np.empty(0, np.int64),
        "factors_0": np.empty(0, np.uint32),
        "given_0": np.empty(0, np.uint8),
        "expected_0": after[_result(0) : _result(TILES)],
    }
    return messages.encode(header, arrays)


def programs(base: int) -> tuple[Sequence[Descriptor], Sequence[Descriptor]]:
    """Return the programs of both cores, for memory at `base`."""
    there, back = (base + (2 * TILES + place) * TILE for place in (0, 1))
    first: list[Descriptor] = []
    second: list[Descriptor] = []
    for number in range(TILES):
        first += _through(base + number * TILE, there, Semaphores(shared_signal=_THERE))
        second += _through(
            there, back, Semaphores(shared_signal=_BACK), Semaphores(shared_wait=_THERE)
        )
        first += _through(back, base + _result(number), Semaphores(), Semaphores(shared_wait=_BACK))
    return [*first, End()], [*second, End()]


def _through(
    source: int, destination: int, stored: Semaphores, loaded: Semaphores | None = None
) -> list[Descriptor]:
    """Take a tile through the core: all its elements are above 0, so that MASK keeps them."""
    return [
        Load(source, Buffer.SCALAR, 0, TILE_WORDS, order=loaded or Semaphores()),
        Nop(),
        Mask(0, 0, (Loop(TILE_WORDS, 1, 1),), 0),
        Nop(),
        Store(destination, 0, TILE_WORDS, order=stored),
    ]


def _result(number: int) -> int:
    return (TILES + number) * TILE
