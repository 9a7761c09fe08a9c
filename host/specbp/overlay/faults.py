"""What can go wrong with the overlay, as exceptions that carry its registers."""

from __future__ import annotations

from collections.abc import Mapping

from specbp.errors import SpecbpError
from specbp.overlay import register_map as registers
from specbp.overlay.hwh import MOST_CORES
from specbp.overlay.register import Register, of_cores
from specbp.overlay.register_map import Error, Opcode, Response

DEFAULT_WATCHDOG = 100_000_000
"""Cycles in which nothing may be dispatched or completed: 1 s at 100 MHz."""


class OverlayError(SpecbpError):
    """The overlay stopped at an error.

    Args:
        cause: what happened, in words.
        dump: the registers' values then, by name.

    Attributes:
        registers: the registers' values when it happened, by name.
        core: the core that stopped at an error; None where the driver found out.
        code: error code of the overlay; NONE where the driver found out.
    """

    def __init__(self, cause: str, dump: Mapping[str, int] | None = None) -> None:
        self.registers = dict(dump or {})
        self.core = _at_fault(self.registers)
        status = self.registers.get(registers.STATUS.of_core(self.core or 0).name, 0)
        self.code = Error(registers.STATUS.field("error").of(status))
        super().__init__(f"{cause}\n{described(self.registers)}" if dump else cause)


class BuildMismatchError(OverlayError):
    """The programmed logic is not what this package was made for."""


class ForeignUseError(OverlayError):
    """Somebody else has used or programmed the overlay meanwhile."""


class OutOfReachError(OverlayError):
    """Memory lies where the overlay's addresses do not reach."""


class DeadlineError(OverlayError):
    """The overlay did not end, or did not stop, in time."""


def from_registers(dump: Mapping[str, int]) -> OverlayError | None:
    """Return the exception for the error that STATUS of a core reports; None where none does."""
    core = _at_fault(dump)
    if core is None:
        return None

    def value(register: Register) -> int:
        return dump[register.of_core(core).name]

    status = value(registers.STATUS)
    code = Error(registers.STATUS.field("error").of(status))
    response = registers.STATUS.field("response").of(status)
    number = registers.STATUS.field("opcode").of(status)
    opcode = Opcode(number).name if number in set(Opcode) else f"opcode 0x{number:02X}"
    of_core = f"core {core}, " if registers.STATUS.of_core(1).name in dump else ""
    place = f"{of_core}descriptor {value(registers.INDEX)}"
    where = f"{place} ({opcode})"
    length = value(registers.PROGRAM_LENGTH)
    bus = f" ({Response(response).name})" if response else ""
    causes = {
        Error.OPCODE: f"{where}: unknown opcode",
        Error.RANGE: f"{where}: a field is out of range, or memory outside the buffers",
        Error.READ: f"{where}: bus error on a read{bus}",
        Error.WRITE: f"{where}: bus error on a write{bus}",
        Error.FETCH: f"{place}: bus error while it was fetched{bus}",
        Error.WATCHDOG: f"{where}: nothing went on for more than {dump['WATCHDOG']} cycles",
        Error.NO_END: f"{of_core}the program of {length} descriptors has no END",
    }
    return OverlayError(causes.get(code, f"error {code}"), dump)


def described(dump: Mapping[str, int]) -> str:
    """Return the registers as text, one on each line, fields spelled out."""
    return "\n".join(
        f"  {register.name:<22} 0x{dump[register.name]:0{register.bits // 4}X}"
        + "".join(
            f" {field.name}={field.of(dump[register.name])}"
            for field in register.fields
            if len(register.fields) > 1
        )
        for register in of_cores(registers.REGISTERS, MOST_CORES)
        if register.name in dump
    )


def _at_fault(dump: Mapping[str, int]) -> int | None:
    """Return the first core whose STATUS shows an error."""
    for core in range(MOST_CORES):
        status = dump.get(registers.STATUS.of_core(core).name, 0)
        if registers.STATUS.field("error").of(status):
            return core
    return None
