"""Simulated boards, and programs on them."""

import pytest

pytest.importorskip("pynq", reason="needs the extra fpga")


@pytest.fixture(scope="session")
def open_board():
    """Opens a board with the overlay on it; closed at the end. One is active at a time."""
    import pynq

    from specbp.simulation.simulated import SimulatedDevice

    opened = []

    def open_one(**arguments):
        device = SimulatedDevice(**arguments)
        opened.append(device)
        return device, pynq.Overlay(device.bitstream, device=device)

    yield open_one
    for device in opened:
        device.close()


@pytest.fixture
def board(open_board):
    """A device of its own and its driver."""
    device, overlay = open_board(memory_bytes=4 << 20)
    yield device, overlay.specbp_0
    assert device.model.violations == 0
