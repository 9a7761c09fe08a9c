"""What a host and the runner on a board say to each other; each answer by its schema."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from specbp.onboard.untrusted import Flag, Integer, List, Nullable, Number, Record, Text
from specbp.overlay.hwh import MOST_CORES
from specbp.overlay.parameters import Parameters

if TYPE_CHECKING:
    from typing import Dict

    from specbp.onboard.untrusted import Schema

PROTOCOL = 2
MOST_ANSWER = 1 << 20
"""Bytes of an answer's header."""
COUNT = Integer(0, (1 << 63) - 1)
NUMBER = Integer(1, (1 << 31) - 1)
ADDRESS = Integer(0, (1 << 40) - 1)
CLOCK_MHZ = Number(0.001, 10_000)
IDENTIFIER = Text(10, "0x[0-9A-F]{8}")
NAME = Text(200)
PARAMETERS = Record({field.name: Integer(1, 1 << 20) for field in fields(Parameters)}, closed=True)
_SOFTWARE: Dict[str, Schema] = {"python": NAME, "numpy": NAME, "pynq": Nullable(NAME)}
_CYCLES = (
    "cycles", "read_stall", "write_stall", "loading", "computing", "storing", "multiplying",
)  # fmt: skip
_CORE_FIELDS: Dict[str, Schema] = {"seconds": Number(0, 1e9)}
_CORE_FIELDS.update(dict.fromkeys(_CYCLES, COUNT))
_CORE = Record(_CORE_FIELDS)

FAILURE = Record({"error": Text(20_000, lines=True), "kind": NAME})
HELLO = Record({"hello": COUNT, "version": NAME, **_SOFTWARE})
NOTHING = Record({})
ANSWERS = {
    "load": Record(
        {
            "parameters": PARAMETERS,
            "build_identifier": IDENTIFIER,
            "clock_mhz": CLOCK_MHZ,
            "device": NAME,
            "simulated": Flag(),
            "board": NAME,
        }
    ),
    "selftest": Record(
        {"steps": COUNT, "tensors": COUNT, "bytes": COUNT, "cycles": List(COUNT, 1000, 1)}
    ),
    "allocate": Record({"memory": NUMBER, "address": ADDRESS}),
    "free": NOTHING,
    "write": NOTHING,
    "read": NOTHING,
    "program": Record({"program": NUMBER}),
    "set_valid": NOTHING,
    "energy": Record({"joules": Nullable(Number(0, 1e15)), "source": NAME, "reason": Text(400)}),
    "run": Record({"cores": List(_CORE, MOST_CORES, 1), "clock_mhz": CLOCK_MHZ}),
}
"""The schema of the answer to each request; the arrays that come with it, a host knows."""
ABOUT = Record(
    {
        **_SOFTWARE,
        "executable": NAME,
        "image": Nullable(NAME),
        "board": Nullable(NAME),
        "machine": NAME,
        "kernel": NAME,
        "root": Flag(),
        "xrt": Nullable(NAME),
        "free_bytes": COUNT,
        "devices": List(NAME, 100),
        "clock_mhz": Nullable(Number(0, 10_000)),
        "loaded": Record(
            {
                "bitstream": Nullable(Text(4096)),
                "sha256": Nullable(Text(64)),
                "known_as": Nullable(NAME),
            }
        ),
        "current": Nullable(NAME),
        "previous": Nullable(NAME),
        "versions": List(NAME, 10_000),
    }
)
"""What the runner prints with ``--about``."""
