"""A closed simulation: what is still done with it raises, and nothing waits for it."""

import asyncio
import subprocess
import sys

import pytest

from specbp.overlay.faults import DeadlineError
from specbp.overlay.instructions import Copy, End
from specbp.overlay.timing import MemoryTiming
from specbp.simulation.simulated import SimulatedDevice
from specbp.simulation.verilated import NO_ANSWER, ClosedModelError

USES = {
    "read": lambda device: device.model.read(0),
    "write": lambda device: device.model.write(0, 0),
    "run": lambda device: device.model.run(1),
    "interrupt": lambda device: device.model.interrupt,
    "cycles": lambda device: device.model.cycles,
    "violations": lambda device: device.model.violations,
    "reset": lambda device: device.model.reset(),
    "set_timing": lambda device: device.model.set_timing(MemoryTiming(), 1e8),
    "set_stalls": lambda device: device.model.set_stalls(1, 0.5),
    "add_fault": lambda device: device.model.add_fault(0, 1, NO_ANSWER),
    "clear_faults": lambda device: device.model.clear_faults(),
    "trace": lambda device: device.model.trace("x.fst", 0, 1),
    "write_coverage": lambda device: device.model.write_coverage("x.dat"),
    "registers": lambda device: device.mmap(0x43C00000, 4)[0],
    "download": lambda device: device.download(None),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_every_use_of_a_closed_board_raises(use):
    device = SimulatedDevice(memory_bytes=1 << 20)
    device.close()
    device.close()
    with pytest.raises(ClosedModelError, match="closed: open a new one"):
        use(device)


def test_a_driver_of_a_closed_board_raises(open_board):
    device, overlay = open_board(memory_bytes=1 << 20)
    driver = overlay.specbp_0
    device.close()
    with pytest.raises(ClosedModelError):
        driver.run([End()], [])


def test_who_waits_for_a_board_that_is_closed_is_woken(open_board):
    device, overlay = open_board(memory_bytes=1 << 20)
    driver = overlay.specbp_0
    device.model.add_fault(0, 0xFFFFFFFF, NO_ANSWER)

    async def close_meanwhile():
        waiting = asyncio.ensure_future(driver.run_async([[End()]], [], deadline_s=600, watchdog=0))
        await asyncio.sleep(0.05)
        device.close()
        with pytest.raises(ClosedModelError):
            await asyncio.wait_for(waiting, 10)

    asyncio.run(close_meanwhile())


AFTER_A_DEADLINE = """
import pynq
from specbp.simulation.simulated import SimulatedDevice
from specbp.simulation.verilated import NO_ANSWER
from specbp.overlay.faults import DeadlineError
from specbp.overlay.instructions import Copy, End

def open_board():
    device = SimulatedDevice(memory_bytes=1 << 20)
    driver = pynq.Overlay(device.bitstream, device=device).specbp_0
    buffer = driver.allocate(4096)
    return device, driver, buffer, [Copy(buffer.device_address, buffer.device_address, 64), End()]

for _ in range(3):
    device, driver, buffer, program = open_board()
    device.model.add_fault(0, 0xFFFFFFFF, NO_ANSWER)
    try:
        driver.run(program, [buffer], deadline_s=0.2, watchdog=0)
        print("no deadline")
    except DeadlineError:
        pass
    device.close()
    device, driver, buffer, program = open_board()
    print("cycles", driver.run(program, [buffer]).cycles)
    device.close()
"""


def test_after_a_deadline_the_next_run_in_the_same_process_works():
    ran = subprocess.run(
        [sys.executable, "-c", AFTER_A_DEADLINE], capture_output=True, text=True, check=False
    )
    said = ran.stdout.split()
    assert ran.returncode == 0, ran.stderr
    assert said[::2] == ["cycles"] * 3 and len(set(said[1::2])) == 1


def test_a_deadline_leaves_the_board_itself_usable(open_board):
    device, overlay = open_board(memory_bytes=1 << 20)
    driver = overlay.specbp_0
    buffer = driver.allocate(4096)
    program = [Copy(buffer.device_address, buffer.device_address + 2048, 64), End()]
    device.model.add_fault(0, 0xFFFFFFFF, NO_ANSWER)
    with pytest.raises(DeadlineError):
        driver.run(program, [buffer], deadline_s=0.2, watchdog=0)
    device.model.clear_faults()
    overlay.download()
    assert driver.run(program, [buffer]).cycles > 0
