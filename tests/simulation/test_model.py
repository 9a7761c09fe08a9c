"""The Verilated model, its builds, and the peripherals around it."""

import numpy as np
import pytest

from specbp.errors import SpecbpError
from specbp.overlay import register_map as registers
from specbp.simulation import build
from specbp.simulation.memory import DeviceMemory, OutOfMemoryError
from specbp.simulation.peripherals import RegisterWindow, UltrascaleClocks, ZynqClocks
from specbp.simulation.toolchain import find_verilator
from specbp.simulation.verilated import BusError, Model
from tests.simulation.machine import BOTH, SMALL

BASE = 0x10000000


@pytest.fixture
def open_model():
    models = []

    def open_one(kind="fast"):
        # There is one checked build for all tests: it takes long to compile.
        parameters = BOTH if kind == "checked" else SMALL
        models.append(Model(parameters, 1 << 20, BASE, kind))
        return models[-1]

    yield open_one
    for model in models:
        model.close()


def start_nop(model, cycles):
    """Run NOP for `cycles`, then END; return the cycles until the interrupt."""
    words = model.memory.view(np.uint32)
    words[:32] = 0
    words[1], words[16] = cycles, 1
    model.write(registers.PROGRAM_ADDRESS.of_core(0).offset, BASE)
    model.write(registers.PROGRAM_LENGTH.of_core(0).offset, 2)
    model.write(registers.INTERRUPT_ENABLE.offset, 3)
    model.write(registers.CONTROL.offset, 1)
    return model.run(10_000)


def test_a_register_that_is_not_there_is_a_bus_error(open_model):
    model = open_model()
    for access in (lambda: model.read(0x800), lambda: model.write(0x800, 1)):
        with pytest.raises(BusError, match=r"0x800: (SLVERR|DECERR)"):
            access()
    assert model.read(0) == 0x53504250


def test_it_runs_until_the_interrupt(open_model):
    model = open_model()
    first = start_nop(model, 100)
    model.write(registers.INTERRUPT_STATUS.offset, 3)
    assert not model.interrupt
    assert start_nop(model, 600) - first == 500
    assert model.interrupt


def test_a_64_bit_counter_does_not_tear(open_model):
    model = open_model()
    low = model.read(registers.CYCLES.offset)
    model.run(1000)
    high = model.read(registers.CYCLES.offset + 4)
    assert low < 1000 and high == 0
    assert model.read(registers.CYCLES.offset) >= low + 1000


def test_a_waveform_of_a_window_of_cycles(open_model, tmp_path):
    model = open_model("checked")
    paths = []
    for cycles in (50, 5000):
        paths.append(tmp_path / f"{cycles}.fst")
        model.trace(paths[-1], model.cycles, model.cycles + cycles)
        model.run(5000)
    model.close()
    short, long = (path.stat().st_size for path in paths)
    assert 0 < short < long


def test_line_coverage(open_model, tmp_path):
    model = open_model("checked")
    start_nop(model, 10)
    model.write_coverage(tmp_path / "coverage.dat")
    assert "sequencer.sv" in (tmp_path / "coverage.dat").read_text()


def test_a_fast_build_says_what_it_cannot(open_model, tmp_path):
    model = open_model()
    with pytest.raises(SpecbpError, match="checked build"):
        model.trace(tmp_path / "x.fst", 0, 1)
    with pytest.raises(SpecbpError, match="checked build"):
        model.write_coverage(tmp_path / "x.dat")


@pytest.mark.parametrize("parameters", [SMALL, BOTH], ids=["one core", "two cores"])
def test_the_clocks_of_a_cycle_that_only_multiplies(parameters, tmp_path):
    """Verilator says which they are; where it did not, nothing would be simulated together."""
    assert build._multiplying(tmp_path, parameters.cores) == 0
    build._verilate(find_verilator(), parameters, "fast", tmp_path)
    clocks = build._multiplying(tmp_path, parameters.cores)
    assert clocks.bit_count() == 1 + parameters.cores


def test_the_key_covers_settings_and_sources(tmp_path):
    source = tmp_path / "a.sv"
    source.write_text("one")
    first = build._key({"lanes": 16}, [source])
    assert build._key({"lanes": 16}, [source]) == first
    assert build._key({"lanes": 32}, [source]) != first
    source.write_text("two")
    assert build._key({"lanes": 16}, [source]) != first


def test_memory_is_reused_and_runs_out():
    memory = DeviceMemory(np.zeros(4 * 4096, np.uint8), BASE)
    first, second = memory.take(5000), memory.take(1)
    assert (first, second) == (BASE, BASE + 8192)
    with pytest.raises(OutOfMemoryError, match="8192 bytes"):
        memory.take(8192)
    memory.return_pointer(second)
    memory.return_pointer(first)
    assert memory.take(4 * 4096) == BASE


def test_clock_registers_start_at_100_mhz_and_follow_writes():
    changes = []
    clocks = ZynqClocks(lambda: changes.append(1))
    assert clocks.fabric_hz == 100e6
    clocks.write(ZynqClocks.FPGA0, 10 << 8 | 4 << 20)
    assert clocks.fabric_hz == 25e6 and changes


@pytest.mark.parametrize(("pll", "mhz"), [("IOPLL", 1500), ("RPLL", 1000)])
def test_clocks_of_an_ultrascale_start_at_100_mhz_and_follow_writes(pll, mhz):
    changes = []
    clocks = UltrascaleClocks(lambda: changes.append(1), pll, mhz * 1e6)
    assert clocks.fabric_hz == pytest.approx(100e6, rel=1e-4)
    clocks.write(UltrascaleClocks.PL0, 1 << 24 | 5 << 16 | mhz // 250 << 8)
    assert clocks.fabric_hz == pytest.approx(50e6, rel=1e-4) and changes
    clocks.spoil(30)
    assert clocks.fabric_hz == pytest.approx(33.333e6 * 15 / (mhz // 50), rel=1e-4)


def test_a_window_keeps_its_bounds():
    window = RegisterWindow(ZynqClocks(lambda: None), 0x100, 4)
    assert len(window[1:3]) == 2 and window[2:][0] == window[2]
    with pytest.raises(IndexError):
        window[4]
