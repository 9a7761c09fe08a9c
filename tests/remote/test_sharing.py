"""Two clients of one board: the second is refused by name until the first is gone."""

import os
import time

import numpy as np
import pytest

from specbp.errors import SpecbpError
from specbp.overlay.parameters import Parameters
from tests.forked import SERVER
from tests.remote.conftest import serving, soon


def _hold(port, build, connection):
    """Take the board and 4 MB of it until told to end."""
    os.environ["SPECBP_BUILD"] = build
    from specbp.remote.board import RemoteBoard

    board = RemoteBoard("127.0.0.1", port)
    buffer = board.driver_for(Parameters()).allocate(4 << 20)
    connection.send(buffer.nbytes)
    connection.recv()
    board.close()


class FirstClient:
    """A client in a process of its own, which has the board."""

    def __init__(self, board, build):
        self._connection, theirs = SERVER.Pipe()
        self.process = SERVER.Process(target=_hold, args=(board.port, build, theirs))
        self.process.start()
        theirs.close()
        assert self._connection.recv() == 4 << 20

    def end(self):
        """Let it end by itself."""
        self._connection.send(None)
        self.process.join()

    def kill(self):
        """End it at once."""
        self.process.kill()
        self.process.join()


@pytest.fixture
def first_client(build, monkeypatch):
    monkeypatch.setenv("SPECBP_BUILD", str(build.folder))
    started = []

    def start(board):
        started.append(FirstClient(board, str(build.folder)))
        return started[-1]

    yield start
    for client in started:
        client.kill()


def opened(board):
    from specbp.remote.board import RemoteBoard

    return RemoteBoard("127.0.0.1", board.port)


@pytest.mark.parametrize("guarded", [True, False], ids=["board serve", "PYNQ's own server"])
def test_the_second_client_is_refused_until_the_first_ends(first_client, guarded):
    with serving(guarded=guarded) as board:
        client = first_client(board)
        with pytest.raises(SpecbpError, match=rf"in use by .*process {client.process.pid}"):
            opened(board)
        client.end()
        opened(board).close()


def test_a_client_that_is_killed_leaves_the_board_at_once(first_client, served):
    client = first_client(served)
    client.kill()
    began = time.monotonic()
    opened(served).close()
    assert time.monotonic() - began < 5


def test_a_stock_client_is_refused_and_refuses(served, first_client):
    import grpc
    from pynq.pl_server.remote_device import RemoteDevice

    stock = RemoteDevice(ip_addr="127.0.0.1", port=served.port)
    buffer = stock.allocate((16,), "u1")
    with pytest.raises(SpecbpError, match=r"in use by a client at 127\.0\.0\.1:\d+"):
        opened(served)
    buffer.freebuffer()
    stock.client.channel.close()
    client = first_client(served)
    late = RemoteDevice(ip_addr="127.0.0.1", port=served.port)
    for change in (
        lambda: late.allocate((16,), "u1"),
        lambda: late.mmap(0x43C00000, 4),
        lambda: late.write_file("/lib/firmware/x.bin", b"x"),
        lambda: late.write_file("/tmp/specbp-lease.json", b"x"),
    ):
        with pytest.raises(grpc.RpcError, match=rf"in use by .*process {client.process.pid}"):
            change()
    late.client.channel.close()


def test_memory_ends_with_its_client(served, first_client):
    """The board has 64 MB, a client takes 4: what is left of one would not fit."""
    for _ in range(3):
        first_client(served).kill()

    def room():
        from pynq.pl_server.remote_device import RemoteDevice

        device = RemoteDevice(ip_addr="127.0.0.1", port=served.port)
        try:
            return device.allocate((64 << 20,), "u1") is not None
        except Exception:
            return False
        finally:
            device.client.channel.close()

    assert soon(room)


@pytest.mark.parametrize("cores", [1, 2])
def test_a_foreign_programming_is_an_error_of_the_next_run(build, monkeypatch, tmp_path, cores):
    """With a server that guards nothing, and a client that takes no lease."""
    import pynq
    from pynq.pl_server.remote_device import RemoteDevice

    from specbp.bitstream.making import make_simulated
    from specbp.overlay.clocks import forget_clocks
    from specbp.overlay.faults import ForeignUseError
    from specbp.overlay.instructions import Copy, End

    monkeypatch.setenv("SPECBP_BUILD", str(build.folder))
    foreign = make_simulated(tmp_path, Parameters(cores=cores))
    with serving(guarded=False) as board:
        ours = opened(board)
        driver = ours.driver_for(Parameters())
        buffer = driver.allocate(64)
        buffer[:] = np.arange(64)
        buffer.flush()
        address = buffer.device_address
        program = [Copy(address, address + 32, 32), End()]
        assert driver.run(program, [buffer]).cycles > 0
        assert driver.run(program, [buffer]).cycles > 0
        forget_clocks()
        theirs = RemoteDevice(ip_addr="127.0.0.1", port=board.port)
        pynq.Overlay(str(foreign.bitstream), device=theirs)
        ours.use()
        with pytest.raises(ForeignUseError, match="somebody else programmed"):
            driver.run(program, [buffer])
        buffer.freebuffer()
        ours.close()
        theirs.client.channel.close()


def test_a_lease_is_renewed_while_the_board_is_programmed(build, monkeypatch):
    """Programming a simulated board may compile it first, which takes longer than a lease lasts."""
    from specbp.remote.board import RemoteBoard
    from specbp.remote.lease import Times

    monkeypatch.setenv("SPECBP_BUILD", str(build.folder))
    with serving(programming_s=4.0) as board:
        ours = RemoteBoard("127.0.0.1", board.port, Times(0.2, 0.2, stale_s=1.0))
        ours.driver_for(Parameters()).allocate(64).freebuffer()
        ours.close()
