"""The energy that a board takes, from the sensors on its power rails (PMBus), through pynq."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from specbp.overlay.quiet import pynq_imports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specbp.boards.board import Board

SAMPLE_S = 0.02


class RailMeter:
    """Integrates the power of rails over time, in a thread of its own.

    Args:
        rails: pynq's rails by name.
        board: board whose file says which rail feeds all others; None for the sum of all.

    Attributes:
        source: what is counted, in words; empty if nothing is.
        reason: why nothing is.
    """

    def __init__(self, rails: Mapping[str, Any], board: Board | None) -> None:
        powers = {name: rail.power for name, rail in rails.items() if rail.power is not None}
        whole = None if board is None else board.power_rail
        if whole in powers:
            powers = {whole: powers[whole]}
        self._sensors = list(powers.values())
        self.source = f"power rails ({', '.join(sorted(powers))})" if powers else ""
        self.reason = "" if powers else "pynq finds no power sensors on the rails of this board"
        self._joules = 0.0
        self._at, self._watts = 0.0, 0.0
        self._lock = threading.Lock()
        if powers and self.joules() is not None:
            threading.Thread(target=self._sample, daemon=True).start()

    def joules(self) -> float | None:
        """Return the joules so far; None where they cannot be read, or not any more."""
        with self._lock:
            if self.reason:
                return None
            try:
                watts = sum(float(sensor.value) for sensor in self._sensors)
            except Exception as error:
                # What libsensors' bindings raise, no two versions agree on.
                self.reason = f"a power sensor cannot be read: {error}"[:200]
                return None
            now = time.monotonic()
            if self._at:
                # The mean of the power then and now.
                self._joules += (now - self._at) * (watts + self._watts) / 2
            self._at, self._watts = now, watts
            return self._joules

    def _sample(self) -> None:
        while self.joules() is not None:
            time.sleep(SAMPLE_S)


def open_rails(board: Board | None, simulated: bool) -> RailMeter:
    """Return the meter of this board.

    Args:
        board: this board, None where no file is about it.
        simulated: whether there is no board.
    """
    if simulated:
        meter = RailMeter({}, board)
        meter.reason = "the board is simulated"
        return meter
    try:
        with pynq_imports():
            import pynq

            rails = pynq.get_rails()
    except Exception as error:
        # Without libsensors, or on an image without it.
        meter = RailMeter({}, board)
        meter.reason = f"pynq cannot look for power rails: {error}"[:200]
        return meter
    return RailMeter(rails, board)
