"""Rates of the simulated overlay through pynq: register accesses and clock cycles per second."""

import pytest

pytest.importorskip("pynq", reason="needs the extra fpga")

from specbp.overlay import register_map as registers
from specbp.overlay.isa import Copy, End, Nop

ACCESSES = 20_000


@pytest.fixture(scope="module")
def device():
    from specbp.boards.simulated import SimulatedDevice

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
