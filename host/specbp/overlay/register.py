"""What a register is: where it lies and which fields it has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Field:
    """Some bits of a register.

    Attributes:
        name: lower-case name.
        low: number of the lowest bit.
        width: number of bits.
        access: ``ro``, ``rw``, ``wo`` or ``w1c`` (writing 1 clears).
        codes: name of the enumeration that says what its values mean, or an empty string.
        description: what it means.
    """

    name: str
    low: int
    width: int
    access: str
    codes: str
    description: str

    def of(self, word: int) -> int:
        """Return the field's value in the register's value `word`."""
        return word >> self.low & (1 << self.width) - 1

    @property
    def mask(self) -> int:
        """The bits of the field, set."""
        return (1 << self.width) - 1 << self.low


@dataclass(frozen=True)
class Register:
    """A register, or one that every core has.

    Attributes:
        name: upper-case name.
        offset: first byte of the register of core 0, from the base of the map.
        bits: 32 or 64; 64 bits are read low half first, which keeps the high half for the next.
        description: purpose of the register.
        fields: the fields, lowest first.
        stride: bytes from one core's to the next core's; 0 where there is one for all cores.
    """

    name: str
    offset: int
    bits: int
    description: str
    fields: tuple[Field, ...]
    stride: int = 0

    def of_core(self, core: int) -> Register:
        """Return that of `core`, with the core in its name."""
        offset = self.offset + core * self.stride
        return replace(self, name=f"CORE{core}_{self.name}", offset=offset, stride=0)

    def field(self, name: str) -> Field:
        """Return the field `name`."""
        return next(field for field in self.fields if field.name == name)


def of_cores(registers: Iterable[Register], cores: int) -> list[Register]:
    """Return `registers` of an overlay with so many cores, each by itself."""
    found = [one for one in registers if not one.stride]
    per_core = [one for one in registers if one.stride]
    return found + [one.of_core(core) for core in range(cores) for one in per_core]
