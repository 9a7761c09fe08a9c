"""What can go wrong with the overlay, as exceptions that carry its registers."""

from __future__ import annotations

from collections.abc import Mapping

from specbp.errors import SpecbpError
from specbp.overlay import register_map as registers
from specbp.overlay.register_map import Error, Opcode, Response


class OverlayError(SpecbpError):
    """The overlay stopped at an error.

    Args:
        cause: what happened, in words.
        dump: the registers' values then, by name.

    Attributes:
        registers: the registers' values when it happened, by name.
        code: the overlay's own error code; NONE where the driver found out.
    """

    def __init__(self, cause: str, dump: Mapping[str, int] | None = None) -> None:
        self.registers = dict(dump or {})
        status = self.registers.get("STATUS", 0)
        self.code = Error(registers.STATUS.field("error").of(status))
        super().__init__(f"{cause}\n{described(self.registers)}" if dump else cause)


class BuildMismatchError(OverlayError):
    """The programmed logic is not what this package was made for."""


class DeadlineError(OverlayError):
    """The overlay did not end, or did not stop, in time."""


def from_status(status: int, dump: Mapping[str, int]) -> OverlayError:
    """Return the exception for what `status`, a value of STATUS, reports."""
    code = Error(registers.STATUS.field("error").of(status))
    response = registers.STATUS.field("response").of(status)
    number = registers.STATUS.field("opcode").of(status)
    opcode = Opcode(number).name if number in set(Opcode) else f"opcode 0x{number:02X}"
    where = f"descriptor {dump['INDEX']} ({opcode})"
    bus = f" ({Response(response).name})" if response else ""
    causes = {
        Error.OPCODE: f"{where}: unknown opcode",
        Error.RANGE: f"{where}: a field is out of range, or memory outside the buffers",
        Error.READ: f"{where}: bus error on a read{bus}",
        Error.WRITE: f"{where}: bus error on a write{bus}",
        Error.FETCH: f"descriptor {dump['INDEX']}: bus error while it was fetched{bus}",
        Error.WATCHDOG: f"{where}: nothing went on for more than {dump['WATCHDOG']} cycles",
        Error.NO_END: f"the program of {dump['PROGRAM_LENGTH']} descriptors has no END",
    }
    return OverlayError(causes.get(code, f"error {code}"), dump)


def described(dump: Mapping[str, int]) -> str:
    """Return the registers as text, one on each line, fields spelled out."""
    return "\n".join(
        f"  {register.name:<16} 0x{dump[register.name]:0{register.bits // 4}X}"
        + "".join(
            f" {field.name}={field.of(dump[register.name])}"
            for field in register.fields
            if len(register.fields) > 1
        )
        for register in registers.REGISTERS
        if register.name in dump
    )
