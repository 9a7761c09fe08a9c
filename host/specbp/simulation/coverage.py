"""Which lines of the RTL a simulation reached, read from what Verilator wrote.

A line counts as reached when a statement that lies on it was executed, in any instance of its
module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from specbp.errors import SpecbpError

_POINT = re.compile(r"^C '(?P<fields>.*)' (?P<count>\d+)$")


@dataclass(frozen=True)
class FileCoverage:
    """The lines of one file with statements.

    Attributes:
        name: name of the file.
        reached: numbers of the lines that were executed.
        missed: lines that were not reached.
    """

    name: str
    reached: frozenset[int]
    missed: frozenset[int]

    @property
    def lines(self) -> int:
        """How many lines have statements."""
        return len(self.reached) + len(self.missed)

    @property
    def share(self) -> float:
        """Share of the lines that were reached."""
        return len(self.reached) / self.lines


def read_coverage(text: str) -> tuple[FileCoverage, ...]:
    """Return the coverage of each file in ``coverage.dat``, by name.

    Raises:
        SpecbpError: `text` is not of Verilator's coverage format.
    """
    if not text.startswith("# SystemC::Coverage-3"):
        raise SpecbpError("this is not coverage data of Verilator")
    counts: dict[str, dict[int, int]] = {}
    for line in text.splitlines()[1:]:
        if not (match := _POINT.match(line)):
            raise SpecbpError(f"coverage data has a line of another kind: {line[:60]}")
        fields = dict(field.split("\x02", 1) for field in match["fields"].split("\x01")[1:])
        numbers = counts.setdefault(Path(fields["f"]).name, {})
        for number in _lines(fields.get("S", "")):
            numbers[number] = numbers.get(number, 0) + int(match["count"])
    return tuple(
        FileCoverage(
            name,
            frozenset(number for number, count in numbers.items() if count),
            frozenset(number for number, count in numbers.items() if not count),
        )
        for name, numbers in sorted(counts.items())
        if numbers
    )


def ranges(numbers: Iterable[int]) -> str:
    """Return `numbers` in ascending order, runs of them as ``first-last``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in runs)


def _lines(text: str) -> Iterable[int]:
    """Return the numbers in ``3,7-9``."""
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)
