"""What is taken from nextpnr, and what is said where it is missing or fails."""

import json
import os

import pytest

from specbp.bitstream import place_and_route
from specbp.errors import SpecbpError
from specbp.overlay.parameters import Parameters


def way(start, end, *parts):
    """A way in nextpnr's report: its parts are (type, ns)."""
    cells = [{"cell": f"cell_{number}"} for number in range(len(parts) + 1)]
    path = [
        {"type": kind, "delay": delay, "from": cells[place], "to": cells[place + 1]}
        for place, (kind, delay) in enumerate(parts)
    ]
    return {"from": start, "to": end, "path": path}


REPORT = {
    "fmax": {"clk": {"achieved": 80.0, "constraint": 100}},
    "critical_paths": [
        way("posedge clk", "posedge clk", ("clk-to-q", 0.5), ("routing", 10.0), ("setup", 2.0)),
        way("<async>", "posedge clk", ("routing", 99.0)),
    ],
}


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Makes a program of this name that does what it is told; a netlist is there at once."""

    def make(does):
        path = tmp_path / place_and_route.PROGRAM
        path.write_text(f"#!/bin/sh\n{does}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        monkeypatch.setattr(
            place_and_route, "synthesise", lambda _, folder, family: folder / f"{family}.json"
        )

    return make


def test_the_clock_is_the_longest_way_between_registers(tmp_path, program):
    (tmp_path / "answer.json").write_text(json.dumps(REPORT))
    # The report's file is the argument after --report.
    program(f'while [ "$1" != --report ]; do shift; done\ncp "{tmp_path}/answer.json" "$2"')
    found = place_and_route.place_and_route(Parameters())
    assert (found.clock_mhz, found.logic_ns, found.routing_ns) == (80.0, 2.5, 10.0)
    assert (found.first, found.last) == ("cell_0", "cell_3")


def test_what_nextpnr_refuses_is_an_error(program):
    program('echo "ERROR: no room for 7 cells"; exit 1')
    with pytest.raises(SpecbpError, match="nextpnr-ecp5 failed: ERROR: no room for 7 cells"):
        place_and_route.place_and_route(Parameters())


def test_without_nextpnr_it_says_what_needs_less(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(place_and_route, "PACKAGE", "absent_package")
    with pytest.raises(SpecbpError, match=r"specbp\[timing\].*levels of logic need Yosys alone"):
        place_and_route.place_and_route(Parameters())
