"""The files generated from the register map."""

import re

import pytest

from specbp.boards import handoff
from specbp.boards.board import board_named
from specbp.overlay import hwh
from specbp.overlay import register_map as registers
from specbp.overlay.parameters import Parameters
from specbp.overlay.register import Field, of_cores
from specbp.overlay.sources import HARDWARE


def test_generated_files_are_current():
    pytest.importorskip("peakrdl_regblock", reason="needs the extra rtl")
    from specbp.overlay.registers import destination, generate

    stale = [
        name
        for name, text in generate(HARDWARE / "specbp.rdl").items()
        if destination(name).read_text() != text
    ]
    assert not stale, "run python -m specbp.overlay.registers"


def test_registers_do_not_overlap():
    ends = [0]
    for register in of_cores(registers.REGISTERS, hwh.MOST_CORES):
        assert register.offset >= ends[-1]
        ends.append(register.offset + register.bits // 8)
        fields = [field.mask for field in register.fields]
        assert sum(fields) == sum(set(fields)) < 1 << register.bits
    assert ends[-1] <= hwh.SPAN


def test_a_field_reads_its_bits():
    field = Field("middle", 4, 8, "ro", "", "")
    assert field.mask == 0xFF0
    assert field.of(0xABCDE) == 0xCD


@pytest.mark.parametrize("cores", [1, 2])
def test_the_handoff_has_every_register_and_port(cores):
    text = handoff.text(Parameters(cores=cores), board_named("pynq-z2"))
    names = re.findall(r'<REGISTER NAME="(\w+)"', text)
    every = of_cores(registers.REGISTERS, cores)
    assert len(names) == sum(register.bits // 32 for register in every)
    assert {"CORE0_STATUS", "CYCLES_LOW", "CORE0_BUSY_HIGH"} <= set(names)
    assert ("CORE1_STATUS" in names) == (cores == 2)
    masters = re.findall(r'MASTERBUSINTERFACE="(m\d_axi)"', text)
    assert masters == ["m0_axi", "m1_axi"][:cores]


def test_the_documentation_has_every_field():
    text = (HARDWARE / "generated" / "REGISTERS.md").read_text()
    for register in registers.REGISTERS:
        section = text.split(f" {register.name}\n")[1].split("\n## ")[0]
        for field in register.fields:
            assert f"| {field.name} | {field.access} |" in section
