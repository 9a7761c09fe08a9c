"""The hardware handoff of one build: the generated one, with the build's parameters and clock."""

from __future__ import annotations

from xml.etree import ElementTree

from specbp.errors import UsageError
from specbp.overlay import hwh
from specbp.overlay.parameters import Parameters
from specbp.overlay.sources import HARDWARE

IO_PLL_MHZ = 1000
MOST_DIVISOR = 63


def clock_divisors(clock_mhz: float) -> tuple[int, int]:
    """Return the divisors of the IO PLL that give `clock_mhz`.

    Raises:
        UsageError: none do.
    """
    if clock_mhz == hwh.CLOCK_MHZ:
        return hwh.CLOCK_DIVISORS
    for first in range(1, MOST_DIVISOR + 1):
        second = IO_PLL_MHZ / (clock_mhz * first)
        if 1 <= second <= MOST_DIVISOR and abs(second - round(second)) < 1e-9:
            return first, round(second)
    raise UsageError(
        f"a clock of {clock_mhz:g} MHz cannot be made from {IO_PLL_MHZ} MHz by two divisors up to "
        f"{MOST_DIVISOR}: choose for example 100, 83.333333 is 1000 / 12, or 50"
    )


def text(parameters: Parameters, clock_mhz: float = hwh.CLOCK_MHZ) -> str:
    """Return the hardware handoff of a build with `parameters`, as Vivado would write it."""
    root = ElementTree.parse(HARDWARE / "generated" / hwh.file_name(parameters.cores)).getroot()
    divisors = dict(enumerate(clock_divisors(clock_mhz)))
    for module in root.iter("MODULE"):
        if module.get("VLNV") == hwh.VLNV:
            found = ElementTree.Element("PARAMETERS")
            for name, value in parameters.ip.items():
                ElementTree.SubElement(found, "PARAMETER", NAME=name, VALUE=value)
            module.insert(0, found)
    for parameter in root.iter("PARAMETER"):
        for number, divisor in divisors.items():
            if parameter.get("NAME") == f"PCW_FCLK0_PERIPHERAL_DIVISOR{number}":
                parameter.set("VALUE", str(divisor))
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'
