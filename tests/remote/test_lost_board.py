"""A board that does not answer any more: one line, in time, and the same process goes on."""

import os
import signal
import time

import pytest

from specbp.errors import SpecbpError
from specbp.overlay.parameters import Parameters
from specbp.remote import board as boards
from specbp.remote import calls
from specbp.remote.executor import RemoteExecutor
from tests.remote.conftest import ServedBoard, serving

LOSSES = {"stopped": signal.SIGSTOP, "killed": signal.SIGKILL}


@pytest.fixture
def executor(build, monkeypatch, release_boards):
    monkeypatch.setenv("SPECBP_BUILD", str(build.folder))
    monkeypatch.setattr(calls, "CALL_S", 2.0)
    monkeypatch.setattr(calls, "TRANSFER_S", 2.0)
    return lambda served: RemoteExecutor("127.0.0.1", served.port, Parameters())


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_every_use_of_a_lost_board_ends_with_one_line(executor, loss):
    served = ServedBoard()
    opened = executor(served)
    opened.allocate(4096)
    os.kill(served.process.pid, loss)
    for use in (lambda: opened.allocate(64), lambda: opened.clock_mhz):
        began = time.monotonic()
        with pytest.raises(SpecbpError, match=r"127.0.0.1:\d+: the board does not answer") as found:
            use()
        # The deadline of the call, before gRPC notices by itself.
        assert time.monotonic() - began < 15
        assert "\n" not in str(found.value)
    opened.close()
    boards.close_boards()
    served.process.kill()
    served.process.join()
    with serving() as another:
        executor(another).allocate(4096)
        boards.close_boards()


def test_a_server_that_was_started_anew_is_not_the_board_that_was_programmed(executor):
    from specbp.remote.lease import LeaseLostError

    with serving() as served:
        opened = executor(served)
        opened.allocate(4096)
        opened._board._device.write_file("/tmp/specbp-lease.json", b'{"free": true}')
        with pytest.raises(LeaseLostError, match="not held by this process any more"):
            for _ in range(100):
                opened._board._lease._ended.wait(0.2)
                opened.allocate(64)
        opened.close()
        boards.close_boards()


def test_a_board_that_is_off():
    with pytest.raises(SpecbpError, match=r"no PYNQ.remote board answers there: is it on"):
        RemoteExecutor("127.0.0.1", 1, Parameters())
