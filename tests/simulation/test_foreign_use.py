"""A board used by somebody else meanwhile: an error, never a number."""

import asyncio

import numpy as np
import pytest

from specbp.overlay.faults import ForeignUseError
from specbp.overlay.instructions import Copy, End, Nop

SIZE = 8192


class Client:
    """One user of a board: a driver and two buffers of their own."""

    def __init__(self, overlay):
        self.driver = type(overlay.specbp_0)(overlay.ip_dict["specbp_0"])
        self.source, self.copy = self.driver.allocate(SIZE), self.driver.allocate(SIZE)
        self.source[:] = np.arange(SIZE) % 251
        self.source.flush()
        self.buffers = [self.source, self.copy]
        self.program = [
            *(Copy(self.source.device_address, self.copy.device_address, SIZE) for _ in range(9)),
            End(),
        ]

    def run(self):
        self.driver.run(self.program, self.buffers)
        self.copy.invalidate()
        np.testing.assert_array_equal(self.copy, self.source)


@pytest.fixture
def device_and_overlay(open_board):
    return open_board(memory_bytes=4 << 20)


def reprogram(device, overlay):
    device.model.reset()


def run_something(device, overlay):
    Client(overlay).run()


def run_the_least(device, overlay):
    driver = Client(overlay).driver
    driver.run([Nop(), End()], [])


CHANGES = [reprogram, run_something, run_the_least]


@pytest.mark.parametrize("change", CHANGES)
def test_between_two_runs(device_and_overlay, change):
    client = Client(device_and_overlay[1])
    client.run()
    client.run()
    change(*device_and_overlay)
    for _ in range(2):
        with pytest.raises(ForeignUseError, match="somebody else programmed or ran the overlay"):
            client.run()
    # Opened anew, it is this client's again.
    Client(device_and_overlay[1]).run()


@pytest.mark.parametrize("change", CHANGES)
def test_before_the_first_run(device_and_overlay, change):
    client = Client(device_and_overlay[1])
    change(*device_and_overlay)
    with pytest.raises(ForeignUseError, match="somebody else"):
        client.run()


def test_while_a_program_runs(device_and_overlay):
    first, second = (Client(device_and_overlay[1]) for _ in range(2))
    second.driver._leave()

    async def run(client):
        # As with a driver that was opened in that very moment.
        client.driver._leave()
        return await client.driver.run_async([client.program], client.buffers)

    async def both():
        return await asyncio.gather(run(second), run(first), return_exceptions=True)

    outcomes = asyncio.run(both())
    assert any(isinstance(outcome, ForeignUseError) for outcome in outcomes), outcomes


def test_who_looks_on_changes_nothing(device_and_overlay):
    client = Client(device_and_overlay[1])
    client.run()
    other = Client(device_and_overlay[1]).driver
    client.driver._leave()
    other.dump()
    client.run()
