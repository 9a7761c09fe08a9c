"""Rates of the simulated overlay through pynq: register accesses and clock cycles per second."""

import numpy as np
import pytest

pytest.importorskip("pynq", reason="needs the extra fpga")

from specbp.overlay import register_map as registers
from specbp.overlay.instructions import (
    Buffer,
    Copy,
    End,
    Load,
    Loop,
    Mac,
    Nop,
    Result,
    Semaphores,
    Store,
)
from tests.overlay.networks import lenet5_step

ACCESSES = 20_000
UNORDERED = Semaphores()


@pytest.fixture(scope="module")
def device():
    from specbp.simulation.simulated import SimulatedDevice

    device = SimulatedDevice()
    yield device
    device.close()


@pytest.fixture(scope="module")
def driver(device):
    import pynq

    return pynq.Overlay(device.bitstream, device=device).specbp_0


def rate(benchmark, name, count):
    """Print and keep the rate of `count` things per call, from the fastest call."""
    if benchmark.stats:
        value = count / benchmark.stats.stats.min
        benchmark.extra_info[name] = value
        print(f"\n{name}: {value:,.0f}")


@pytest.mark.parametrize("kind", ["read", "write"])
def test_register_accesses(benchmark, driver, kind):
    offset = registers.WATCHDOG.offset
    mmio = driver.mmio
    calls = {"read": lambda: mmio.read(offset), "write": lambda: mmio.write(offset, 1)}
    access = calls[kind]

    def many():
        for _ in range(ACCESSES):
            access()

    benchmark(many)
    rate(benchmark, f"MMIO {kind}s/s", ACCESSES)
    assert not benchmark.stats or ACCESSES / benchmark.stats.stats.min >= 100_000


def test_idle_cycles(benchmark, driver):
    cycles = 1_000_000
    benchmark(driver.run, [Nop(cycles), End()], [])
    rate(benchmark, "cycles/s, waiting", cycles)


def test_copied_bytes(benchmark, driver):
    size = 4 << 20
    source, destination = driver.allocate(size), driver.allocate(size)
    program = [Copy(source.device_address, destination.device_address, size), End()]
    run = benchmark(driver.run, program, [source, destination])
    rate(benchmark, "cycles/s, copying", run.cycles)
    print(f"{size / run.cycles:.2f} bytes/cycle, {size / run.seconds / 1e6:.0f} MB/s simulated")


def convolution(tile, place, order=UNORDERED):
    """A 5 x 5 kernel of 4 input channels at 5 x 10 positions, for all lanes; 5,000 cycles."""
    reducing = Loop(5, 1, 1), Loop(5, 28, 5), Loop(4, 100, 25)
    results = Loop(10, 1), Loop(5, 28)
    return Mac(4 * tile, 0, reducing, results, place, Result.INT16, 4, 10, order=order)


def test_multiplying(benchmark, driver):
    memory = driver.allocate(1 << 20)
    start = memory.device_address
    loads = [Load(start, Buffer.SCALAR, 0, 1024), Load(start, Buffer.VECTOR, 0, 400), Nop()]
    program = [*loads, *[convolution(0, 0)] * 40, End()]
    run = benchmark(driver.run, program, [memory])
    rate(benchmark, "cycles/s, multiplying", run.cycles)
    assert run.multiplying > 0.98 * run.cycles


def test_all_units_at_once(benchmark, driver):
    memory = driver.allocate(4 << 20)
    start = memory.device_address
    program = [Load(start, Buffer.VECTOR, 0, 400), Nop()]
    for number in range(40):
        half, again = number % 2, number > 1
        full, empty, done, stored = (1 + half, 3 + half, 5 + half, 7 + half)
        tile, place = 2048 * half, 1000 * half
        program += [
            Load(
                start + 16384 * number, Buffer.SCALAR, tile, 2048,
                order=Semaphores((empty,) if again else (), (full,)),
            ),
            convolution(
                tile, place, Semaphores((full, stored) if again else (full,), (empty, done))
            ),
            Store(
                start + (2 << 20) + 16384 * number, place, 200,
                order=Semaphores((done,), (stored,)),
            ),
        ]  # fmt: skip
    run = benchmark(driver.run, [*program, End()], [memory])
    rate(benchmark, "cycles/s, all units at once", run.cycles)
    assert run.multiplying > 0.95 * run.cycles


@pytest.mark.parametrize("batch", [1, 8, 32])
def test_a_step_of_lenet5(benchmark, device, driver, batch):
    compiled = lenet5_step(batch, device.model.parameters)
    tensors = driver.allocate(compiled.memory.size)
    tensors[:] = np.random.default_rng(0).integers(0, 256, len(tensors), np.uint8)
    tensors.flush()
    words = compiled.at(tensors.device_address).words
    run = benchmark(driver.run, words, [tensors], deadline_s=600, watchdog=1_000_000)
    rate(benchmark, f"cycles/s, a step of lenet5, batch {batch}", run.cycles)
    rate(benchmark, "products/s", run.multiplying * device.model.parameters.lanes)
