"""The numbers that an option accepts: finite ones in its range, checked here for every verb."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import typer


def real(
    help_text: str,
    least: float = -math.inf,
    most: float = math.inf,
    above: float = -math.inf,
    **settings: Any,
) -> Any:
    """Return an option for a real number.

    Args:
        help_text: what the number is.
        least: smallest value accepted.
        most: largest value accepted.
        above: value that the number must be above.
        settings: more arguments of `typer.Option`.
    """

    def parse(text: str) -> float:
        value: float = _number(float, text)
        if not math.isfinite(value) or not above < value or not least <= value <= most:
            raise typer.BadParameter(f"{text} is not {_range(least, most, above)}")
        return value

    return typer.Option(parser=parse, metavar="NUMBER", help=help_text, **settings)


def whole(help_text: str, least: int = 0, most: float = math.inf, **settings: Any) -> Any:
    """Return an option for a whole number; see `real`."""

    def parse(text: str) -> int:
        value: int = _number(int, text)
        if not least <= value <= most:
            raise typer.BadParameter(f"{text} is not {_range(least, most)}")
        return value

    return typer.Option(parser=parse, metavar="NUMBER", help=help_text, **settings)


def _number(kind: Callable[[Any], Any], text: Any) -> Any:
    try:
        return kind(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise typer.BadParameter(f"{text} is not {what}") from None


def _range(least: float, most: float, above: float = -math.inf) -> str:
    """Name a range of numbers."""
    lower = f"above {above:g}" if above > -math.inf else f"from {least:g}"
    return f"a number {lower}" + (f" to {most:g}" if most < math.inf else "")
