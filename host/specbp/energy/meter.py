"""Joules since a meter was opened; where nothing can be read, the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping

BLOCKS_OVER_RESOLUTION = 10
"""What is measured lasts at least so many times as long as the counter takes to be updated."""


class EnergyError(Exception):
    """A counter cannot be read; the message says why, in words for a user."""


class Meter:
    """Adds up counters of energy, which may wrap around.

    Args:
        source: what is counted, in words.
        counters: for each counter, what reads it, in joules, and where it wraps around to 0;
            0 for one that never does.
        resolution_s: time until a counter is updated.

    Attributes:
        source: what is counted, in words.
        resolution_s: time until a counter is updated.
        reason: why it cannot be read any more; empty while it can.
    """

    def __init__(
        self,
        source: str,
        counters: Mapping[Callable[[], float], float],
        resolution_s: float,
    ) -> None:
        self.source, self.resolution_s, self.reason = source, resolution_s, ""
        self._counters = counters
        self._joules = 0.0
        self._last: list[float] = []
        self.read()

    def read(self) -> float | None:
        """Return the joules since it was opened, None from the first time that it cannot."""
        if self.reason:
            return None
        try:
            now = [read() for read in self._counters]
        except EnergyError as error:
            self.reason = str(error)
            return None
        for before, after, span in zip(
            self._last or now, now, self._counters.values(), strict=True
        ):
            if after < before and not span:
                self.reason = f"the counter of {self.source} was set back meanwhile"
                return None
            self._joules += after - before + (span if after < before else 0.0)
        self._last = now
        return self._joules


class NoMeter(Meter):
    """Measures nothing.

    Args:
        reason: why not.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("", {}, 0.0)
        self.reason = reason


def long_enough(meter: Meter, seconds: float) -> str:
    """Return why what lasts `seconds` cannot be measured by `meter`; empty where it can."""
    least = BLOCKS_OVER_RESOLUTION * meter.resolution_s
    if seconds >= least:
        return ""
    return (
        f"blocks of {seconds * 1e3:.1f} ms are too short for {meter.source}, which is updated "
        f"every {meter.resolution_s * 1e3:g} ms: choose --block-steps so that a block takes "
        f"{least:g} s"
    )
