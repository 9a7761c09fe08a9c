"""Numbers of things, in words."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """Return `number` and `noun`, in the plural unless there is one."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
