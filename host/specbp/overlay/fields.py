"""What fits a field of a descriptor."""

from __future__ import annotations

from specbp.errors import UsageError

ALIGNMENT = 8
"""Every address in a descriptor is a multiple of this many bytes."""


def unsigned(name: str, value: int, bits: int) -> None:
    """Refuse a `value` that does not fit `bits`."""
    within(name, value, 0, (1 << bits) - 1)


def signed(name: str, value: int, bits: int) -> None:
    """Refuse a `value` that does not fit `bits` with its sign."""
    within(name, value, -(1 << bits - 1), (1 << bits - 1) - 1)


def aligned(name: str, value: int) -> None:
    """Refuse a `value` that is not a multiple of `ALIGNMENT`."""
    if value % ALIGNMENT:
        raise UsageError(f"{name} = {value} is not a multiple of {ALIGNMENT}")


def within(name: str, value: int, least: int, most: int) -> None:
    """Refuse a `value` outside `least` to `most`."""
    if not least <= value <= most:
        raise UsageError(f"{name} = {value} is outside {least} to {most}")
