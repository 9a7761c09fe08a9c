"""How deep the logic of a netlist for 7-series is: levels of LUTs between registers.

No place and route: a level is a LUT and the net behind it, or a read of distributed RAM.
Carry chains from one CARRY4 to the next, wide multiplexers and inverters count nothing, as they
have wires of their own. What it is good for is comparing a design with the one before.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_REGISTERS = ("FD", "RAMB", "DSP", "SRL")
_CLOCKS = ("C", "CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK")
_FREE = ("INV", "BUFG", "MUXF7", "MUXF8")
_CARRY = 4


@dataclass(frozen=True)
class Depth:
    """The longest way through the logic.

    Attributes:
        levels: number of LUTs on the longest path.
        first: the register at its beginning.
        last: the register at its end.
        ends: how many inputs of registers there are at each number of levels.
    """

    levels: int
    first: str
    last: str
    ends: Mapping[int, int]


def deepest(netlist: Path) -> Depth:
    """Return the longest way between two registers of a flat netlist of Yosys, in JSON."""
    modules = json.loads(netlist.read_text())["modules"].values()
    (top,) = [module for module in modules if module.get("attributes", {}).get("top")]
    drivers: dict[int, list[tuple[int, int]]] = {}
    ends: list[tuple[int, str]] = []
    for name, cell in top["cells"].items():
        drivers |= _driven(cell)
        ends += [(bit, name) for bit in _ending(cell)]
    levels, before = _levels(drivers)
    bit, cell = max(ends, key=lambda end: levels.get(end[0], 0))
    count = Counter(levels.get(bit, 0) for bit, _ in ends)
    first = bit
    while first in before:
        first = before[first]
    names = _names(top["netnames"])
    outputs = [names[one] for one in top["cells"][cell]["connections"].get("Q", ()) if one in names]
    last = outputs[0] if outputs else cell
    return Depth(
        levels.get(bit, 0), names.get(first, "an input"), last, dict(sorted(count.items()))
    )


def _levels(drivers: Mapping[int, list[tuple[int, int]]]) -> tuple[dict[int, int], dict[int, int]]:
    """Return the levels of every bit behind logic, and the bit that comes before on its way."""
    levels: dict[int, int] = {}
    before: dict[int, int] = {}
    for start in drivers:
        waiting = [start]
        while waiting:
            bit = waiting[-1]
            inputs = drivers[bit]
            missing = [one for one, _ in inputs if one in drivers and one not in levels]
            if bit in levels or not missing:
                waiting.pop()
                if bit not in levels and inputs:
                    before[bit], cost = max(inputs, key=lambda one: levels.get(one[0], 0) + one[1])
                    levels[bit] = levels.get(before[bit], 0) + cost
                elif bit not in levels:
                    levels[bit] = 0
            else:
                waiting += missing
    return levels, before


def _driven(cell: Mapping[str, Any]) -> dict[int, list[tuple[int, int]]]:
    """Return which bits a cell's outputs depend on, and at how many levels."""
    kind, connections = cell["type"], cell["connections"]
    if kind.startswith(_REGISTERS):
        return {}
    if kind == "CARRY4":
        return _carried(connections)
    found = {}
    cost = 0 if kind in _FREE else 1
    for port, bit in _bits(cell, "output"):
        read = f"ADDR{port[-1]}" if kind.startswith("RAM") else None
        found[bit] = [(one, cost) for name, one in _bits(cell, "input") if read in (None, name)]
    return found


def _carried(connections: Mapping[str, list[Any]]) -> dict[int, list[tuple[int, int]]]:
    found: dict[int, list[tuple[int, int]]] = {}
    chained = [(one, 0) for port in ("CI", "CYINIT") for one in connections.get(port, ())]
    for place in range(_CARRY):
        inputs = [(connections[port][one], 1) for port in ("S", "DI") for one in range(place + 1)]
        for port in ("O", "CO"):
            for bit in connections.get(port, [])[place : place + 1]:
                found[bit] = [one for one in (*chained, *inputs) if isinstance(one[0], int)]
    return {bit: inputs for bit, inputs in found.items() if isinstance(bit, int)}


def _ending(cell: Mapping[str, Any]) -> Iterator[int]:
    """Yield the bits at which ways end: inputs of registers, and what distributed RAM takes."""
    kind = cell["type"]
    if not kind.startswith((*_REGISTERS, "RAM")):
        return
    for port, bit in _bits(cell, "input"):
        # The addresses of distributed RAM lead on to its outputs; the last one is the write's too.
        distributed = kind.startswith("RAM") and not kind.startswith("RAMB")
        reads = distributed and port.startswith("ADDR") and port != "ADDRD"
        if port not in _CLOCKS and not reads:
            yield bit


def _bits(cell: Mapping[str, Any], direction: str) -> Iterator[tuple[str, int]]:
    for port, bits in cell["connections"].items():
        if (cell["port_directions"][port] == "input") == (direction == "input"):
            yield from ((port, bit) for bit in bits if isinstance(bit, int))


def _names(nets: Mapping[str, Mapping[str, Any]]) -> dict[int, str]:
    """Return a name for each bit, the design's own where it has one."""
    found: dict[int, str] = {}
    for name, net in sorted(nets.items(), key=lambda one: (-one[1].get("hide_name", 0), one[0])):
        found |= {bit: name for bit in net["bits"] if isinstance(bit, int)}
    return found
