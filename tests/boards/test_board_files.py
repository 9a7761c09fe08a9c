"""The boards' files: facts, and what follows from them, as stock pynq reads it on each board."""

import json
import re
from dataclasses import replace
from importlib.metadata import files
from pathlib import Path
from xml.etree import ElementTree

import pytest

from specbp.bitstream.targets import target_named, target_names
from specbp.boards import board as boards
from specbp.boards import handoff
from specbp.boards.board import board_named, board_names
from specbp.boards.processing_system import clock_divisors, processing_system
from specbp.errors import UsageError
from specbp.onboard.handoff import build_identifier_in
from specbp.onboard.overlay import _require_board
from specbp.onboard.untrusted import UntrustedError
from specbp.overlay import hwh
from specbp.overlay.instructions import End
from specbp.overlay.parameters import Parameters

NAMES = board_names()
TWO = Parameters(cores=2)


def test_there_is_a_file_for_each_board_that_is_promised():
    assert {"pynq-z1", "pynq-z2", "aup-zu3", "kv260", "zcu104"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_whole_and_agrees_with_itself(name):
    board = board_named(name)
    first, last = board.logic
    assert all(first <= base <= base + hwh.SPAN - 1 <= last
               for base in (board.base, board.controller_base))  # fmt: skip
    # What a core can reach is memory and nothing of the logic; all of it has 32 address bits.
    assert board.memory_bytes <= first and last < 1 << 32
    assert abs(board.base - board.controller_base) >= hwh.SPAN
    assert len(set(board.memory_ports)) == hwh.MOST_CORES
    assert board.image.lower() == name
    assert board.memory_width == 64, "the overlay's masters have 64 bits"
    assert board.resources.keys() == {"luts", "memory_luts", "flip_flops", "block_rams", "dsps"}
    assert (board.family == "xc7") == (board.processing_system == "ps7")
    assert ("4.0" in board.pynq) == (board.processing_system == "ps8")
    said = json.loads((Path(boards.__file__).parent / "files" / f"{name}.json").read_text())
    assert all(len(source) > 10 for source in said["sources"]) and len(said["sources"]) >= 3


@pytest.mark.parametrize("name", ["Pynq-Z2", "ZCU104", "AUP-ZU3", "simulated-kv260"])
def test_a_board_goes_by_its_images_name(name):
    assert board_named(name).name == name.lower().removeprefix("simulated-")


@pytest.mark.parametrize("name", ["", "zcu102", "../files/zcu104", "zcu104.json", "a" * 500])
def test_a_board_without_a_file(name):
    with pytest.raises(UsageError, match=r"unknown board .*choose one of aup-zu3"):
        board_named(name)
    with pytest.raises(UsageError, match="choose one of aup-zu3"):
        target_named(name)


def test_every_board_has_a_simulation():
    found = [target_named(name) for name in target_names()]
    assert {one.board.name for one in found if one.simulated} == set(NAMES)
    assert all(bool(one.part) != one.simulated for one in found)


@pytest.mark.parametrize("name", NAMES)
def test_the_clock_of_a_board(name):
    board = board_named(name)
    for clock in (100.0, 50.0, 25.0, board.pll_mhz / 12):
        first, second = clock_divisors(board, clock)
        assert board.pll_mhz / first / second == pytest.approx(clock) and first >= second
    with pytest.raises(UsageError, match=f"{name} take at most"):
        clock_divisors(board, board.most_mhz + 1)
    with pytest.raises(UsageError, match="cannot be made from"):
        clock_divisors(board, 99.0)


@pytest.mark.parametrize("name", NAMES)
def test_stock_pynq_reads_the_handoff(open_board, name):
    """Addresses, interrupt, clock and widths of ports, as pynq finds them, are the file's."""
    board = board_named(name)
    system = processing_system(board)
    device, overlay = open_board(parameters=TWO, memory_bytes=1 << 20, name=f"simulated-{name}")
    found = overlay.ip_dict
    assert found[hwh.INSTANCE]["phys_addr"] == board.base
    assert found[hwh.CONTROLLER]["phys_addr"] == board.controller_base
    assert overlay.parser.interrupt_controllers[hwh.CONTROLLER]["raw_irq"] == system.interrupt
    pin = overlay.parser.interrupt_pins[f"{hwh.INSTANCE}/interrupt_o"]
    assert pin["controller"] == hwh.CONTROLLER
    clock = overlay.clock_dict[0]
    assert clock["enable"] and board.pll_mhz / clock["divisor0"] / clock["divisor1"] == 100
    assert overlay.specbp_0.clock_hz == pytest.approx(device.clock_hz)
    assert device.clock_hz == pytest.approx(100e6, rel=1e-4)
    # The interrupt arrives: the driver waits for nothing else.
    assert overlay.specbp_0.run([End()], [overlay.specbp_0.allocate(64)]).cycles
    if board.processing_system == "ps8":
        # Written by pynq's own code for boards. UG1085: 0 is 32 bits in AXI_FS, 1 is 64 in AFIFM.
        assert (device.mmap(0xFD615000, 4)[0] >> 8 & 3) == {32: 0, 64: 1, 128: 2}[32]
        for port in board.memory_ports:
            afi = 0xFD380000 + 0x10000 * int(re.search(r"HP(\d)", port)[1])
            words = device.mmap(afi, 0x18)
            assert (words[0] & 3, words[5] & 3) == (1, 1)


def test_ps8_parameters_are_those_of_a_handoff_that_vivado_wrote():
    """pynqmetadata ships one, of an RFSoC: what we write there, Vivado writes."""
    (path,) = [one.locate() for one in files("pynqmetadata") or () if one.name == "rfsoc_sam.hwh"]
    theirs, ours = (
        {
            one.get("MODTYPE"): one for one in ElementTree.fromstring(text).iter("MODULE")
        }["zynq_ultra_ps_e"]
        for text in (
            Path(path).read_text(),
            handoff.text(TWO, board_named("aup-zu3")).partition("\n")[2],
        )
    )  # fmt: skip
    for kind in ("PARAMETER", "BUSINTERFACE"):
        names = [{one.get("NAME") for one in side.iter(kind)} for side in (ours, theirs)]
        # That design leaves HP0 and its interrupts alone.
        assert names[0] - names[1] <= {"S_AXI_HP0_FPD"}, kind
    ranges = [one for one in theirs.iter("ADDRESSBLOCK") if one.get("NAME") == "HP2_DDR_LOW"]
    assert {one.get("INTERFACE") for one in ranges} == {"SAXIGP4"}
    port = processing_system(board_named("aup-zu3")).memory_port("S_AXI_HP2_FPD")
    assert port.segment == "SAXIGP4/HP2_DDR_LOW"
    assert {int(one.get("RANGE"), 0) for one in ranges} == {board_named("aup-zu3").memory_bytes}
    assert port.clock_pin in {one.get("NAME") for one in theirs.iter("PORT")}


@pytest.mark.parametrize("name", NAMES)
def test_a_handoff_maps_nothing_but_the_boards_logic(name):
    board = board_named(name)
    good = handoff.text(TWO, board)
    assert build_identifier_in(good.encode(), board) == TWO.build_identifier
    for address in (board.memory_bytes - hwh.SPAN, board.logic[1] + 1, 0xFF5E0000):
        bad = replace(board, base=address)
        with pytest.raises(UntrustedError, match="the programmable logic is at"):
            build_identifier_in(handoff.text(TWO, bad).encode(), board)


def test_a_handoff_for_one_board_does_not_open_another_ones_memory():
    """GP0 of a Zynq-7000 lies where an UltraScale+ has DDR."""
    text = handoff.text(TWO, board_named("pynq-z2")).encode()
    with pytest.raises(UntrustedError, match="0x43C00000"):
        build_identifier_in(text, board_named("aup-zu3"))


@pytest.mark.parametrize(
    ("image", "built_for", "refused"),
    [("Pynq-Z2", "pynq-z2", False), ("Pynq-Z2", "pynq-z1", False), ("AUP-ZU3", "pynq-z2", True),
     ("Pynq-Z2", "aup-zu3", True), ("Pynq-Z2", "simulated-aup-zu3", True),
     ("Other", "kv260", False), ("", "kv260", False)],
)  # fmt: skip
def test_a_build_goes_to_boards_with_its_fpga(monkeypatch, image, built_for, refused):
    monkeypatch.setenv("BOARD", image)
    if refused:
        again = ("simulated-" if "simulated" in built_for else "") + image.lower()
        words = f"this board is {image} .*specbp overlay build --board {again}$"
        with pytest.raises(UsageError, match=words):
            _require_board(built_for)
    else:
        _require_board(built_for)


def test_a_buffer_beyond_4_gb_is_refused(board, monkeypatch):
    from specbp.overlay.driver import OutOfReachError

    device, driver = board
    high = 0x8_0000_0000
    monkeypatch.setattr(device._memory, "base", high)
    monkeypatch.setattr(device._memory, "_free", [(high, 1 << 20)])
    with pytest.raises(OutOfReachError, match=r"ends at 0x800000FFF.*below 4 GB"):
        driver.allocate(4096)
