"""Parameters of a build, and programs."""

import dataclasses

import numpy as np
import pytest

from specbp.errors import UsageError
from specbp.overlay import register_map as registers
from specbp.overlay.faults import OverlayError, from_registers
from specbp.overlay.instructions import Copy, End, Nop, encode
from specbp.overlay.parameters import Parameters
from specbp.overlay.register import of_cores

OTHERS = {
    "lanes": 32,
    "cores": 2,
    "copy_words": 128,
    "outstanding_reads": 4,
    "outstanding_writes": 2,
    "scalar_words": 2048,
    "vector_rows": 512,
    "bias_rows": 256,
    "output_words": 1024,
    "partial_rows": 1024,
    "queue_depth": 4,
}


def test_every_parameter_changes_the_build_identifier():
    assert set(OTHERS) == {field.name for field in dataclasses.fields(Parameters)}
    builds = [Parameters(**{name: value}) for name, value in OTHERS.items()]
    identifiers = {build.build_identifier for build in (Parameters(), *builds)}
    assert len(identifiers) == 1 + len(OTHERS)
    assert all(0 <= identifier < 1 << 32 for identifier in identifiers)


def test_a_parameter_that_cannot_be_is_refused():
    with pytest.raises(UsageError, match="lanes = 17: choose one of 16, 32, 64"):
        Parameters(lanes=17)


def test_programs_have_64_bytes_for_a_descriptor():
    words = encode([Copy(0x100, 0x200, 7), Nop(9), End()])
    assert words.dtype == np.uint32 and words.shape == (3, 16)
    assert words[0, :4].tolist() == [2, 0x100, 0x200, 7] and not words[0, 4:].any()
    assert words[1, :2].tolist() == [0, 9] and words[2, 0] == 1


@pytest.mark.parametrize("code", [code for code in registers.Error if code])
def test_every_error_code_has_words_of_its_own(code):
    dump = {register.name: 5 for register in of_cores(registers.REGISTERS, 2)}
    dump |= {"CORE0_STATUS": 0, "CORE1_STATUS": code << 4}
    error = from_registers(dump)
    assert type(error) is OverlayError and (error.core, error.code) == (1, code)
    assert str(error).startswith("core 1, ")


def test_no_error_is_no_exception():
    assert from_registers({"CORE0_STATUS": 2}) is None
