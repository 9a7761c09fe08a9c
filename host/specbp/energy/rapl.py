"""RAPL: what a processor of Intel or AMD says that its packages and its memory take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from specbp.energy.meter import EnergyError, Meter, NoMeter

POWERCAP = Path("/sys/class/powercap")
RESOLUTION_S = 0.001
_COUNTED = ("package-", "dram")
"""Zones by their names; cores and graphics are parts of a package, a platform is all of it."""


def open_rapl(root: Path = POWERCAP) -> Meter:
    """Return a meter of all packages and their memory, with whatever runs on them.

    Args:
        root: folder of the kernel's zones.
    """
    counters: dict[Callable[[], float], float] = {}
    names = []
    try:
        for zone in sorted(root.glob("intel-rapl:*")):
            name = (zone / "name").read_text().strip()
            if name.startswith(_COUNTED):
                span = int((zone / "max_energy_range_uj").read_text()) / 1e6
                counters[_reader(zone / "energy_uj")] = span
                names.append(name)
    except (OSError, ValueError) as error:
        return NoMeter(f"RAPL cannot be read: {error}")
    if not counters:
        return NoMeter(
            f"no RAPL counters in {root}: a virtual machine, or a processor without them"
        )
    return Meter(f"RAPL ({', '.join(names)})", counters, RESOLUTION_S)


def _reader(path: Path) -> Callable[[], float]:
    def read() -> float:
        try:
            return int(path.read_text()) / 1e6
        except PermissionError:
            raise EnergyError(
                f"{path} is for root: sudo chmod a+r {path.parent.parent}/intel-rapl:*/energy_uj"
            ) from None
        except (OSError, ValueError) as error:
            raise EnergyError(f"{path} cannot be read: {error}") from error

    return read
