"""Every opcode has the bits, text, accesses, cycles and results that it had."""

import json
from pathlib import Path

import pytest

from specbp.overlay.register_map import Opcode
from tests.overlay.every_opcode import known

RECORDED = json.loads(Path(__file__).with_name("every_opcode.json").read_text())


@pytest.fixture(scope="module")
def found():
    return known()


def test_the_program_has_every_opcode():
    assert {row["opcode"] for row in RECORDED["descriptors"]} == {one.name for one in Opcode}


@pytest.mark.parametrize("position", range(len(RECORDED["descriptors"])))
def test_a_descriptor_is_what_it_was(found, position):
    """Kind: a family of instructions that is rewritten, and encodes or costs something else."""
    assert found["descriptors"][position] == RECORDED["descriptors"][position]


def test_the_program_leaves_what_it_left(found):
    """Kind: a family of instructions that computes something else."""
    assert found["left"] == RECORDED["left"]
