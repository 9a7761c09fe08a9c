"""Proves properties of the RTL: Yosys of PyPI makes a circuit of them, ABC, in it, searches.

A property is an assertion of a module in `overlays/specbp/formal`, which has a block of the RTL
inside and leaves all its inputs free.
"""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from specbp.overlay.sources import rtl_files
from tests.conftest import REPOSITORY

PROPERTIES = REPOSITORY / "overlays" / "specbp" / "formal"
_YOSYS = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.argv[1:]:
    libyosys.run_pass(command, design)
"""
_TO_CIRCUIT = (
    "prep -top {top} -flatten",
    "async2sync",
    "chformal -lower",
    "memory_map -formal",
    "setundef -undriven -anyseq",
    "opt -full",
    "setundef -anyseq",
    "techmap",
    "dffunmap",
    "aigmap",
    "opt_clean",
    "write_aiger -zinit -ywmap {folder}/circuit.json {folder}/circuit.aig",
)


class Answer(NamedTuple):
    """What was found about the assertions of a module.

    Attributes:
        broken: the assertion that can be broken, and in which cycle; None where none was found.
        proven: no assertion can ever be broken.
        said: what ABC said last.
    """

    broken: str | None
    proven: bool
    said: str


def make_circuit(top, files, folder, parameters=()):
    """Write the circuit of a module of properties to `folder`.

    Args:
        top: name of the module.
        files: sources of it and what is inside.
        folder: where the circuit goes.
        parameters: of the module, as (name, value).
    """
    given = " ".join(f"-G {name}={value}" for name, value in parameters)
    names = " ".join(map(str, files))
    commands = [
        f"read_slang --top {top} {given} {names}",
        *(command.format(top=top, folder=folder) for command in _TO_CIRCUIT),
    ]
    done = subprocess.run(
        [sys.executable, "-c", _YOSYS, *commands],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return folder / "circuit.aig"


def search(circuit, cycles, seconds):
    """Look for a broken assertion in so many cycles, for so long at most."""
    return _abc(f"bmc3 -F {cycles} -T {seconds}", circuit)


def prove(circuit, seconds):
    """Try to prove that no assertion is ever broken."""
    return _abc(f"pdr -T {seconds}", circuit)


def sources(*blocks):
    """Return the files of blocks of the RTL, with the packages."""
    wanted = {*blocks, "specbp_codes_pkg", "specbp_pkg", "specbp_regs_pkg"}
    return [path for path in rtl_files() if path.stem in wanted]


def _abc(command, circuit):
    program = _yosys_folder() / "yosys-abc"
    done = subprocess.run(
        [program, "-c", f"read_aiger {circuit}; fold; strash; {command}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    said = done.stdout.strip().splitlines()[-1]
    found = re.search(r"Output (\d+) of miter .* was asserted in frame (\d+)", said)
    broken = None
    if found:
        names = json.loads(circuit.with_suffix(".json").read_text())["asserts"]
        broken = f"{'.'.join(names[int(found[1])])} in cycle {found[2]}".replace("\\", "")
    return Answer(broken, "Property proved" in said, said)


def _yosys_folder():
    found = importlib.util.find_spec("pyosys")
    if found is None or found.origin is None:
        pytest.skip("needs the extra rtl: pyosys")
    return Path(found.origin).parent
