"""Boards that speak PYNQ.remote, in processes of their own."""

import contextlib
import os
import tempfile
import time
from pathlib import Path

import pytest

from tests.forked import SERVER

pytest.importorskip("pynq", reason="needs the extra fpga")

ADDRESS = "127.0.0.1"


class ServedBoard:
    """A server in a process of its own.

    Args:
        deadline: for the next chunk of a stream, s.
        guarded: as `specbp board serve`; else as PYNQ's own server: whoever calls is served, and
            what is allocated stays.
        programming_s: how long it takes to program it at least.
        board: name of the simulated board.
    """

    def __init__(self, deadline=20.0, guarded=True, programming_s=0.0, board="simulated"):
        self._folder = tempfile.TemporaryDirectory()
        self._error = Path(self._folder.name) / "error"
        listening, answer = SERVER.Pipe(duplex=False)
        self.process = SERVER.Process(
            target=_serve, args=(answer, self._error, deadline, guarded, programming_s, board)
        )
        self.process.start()
        answer.close()
        self.port = listening.recv()
        self.address = f"{ADDRESS}:{self.port}"

    def close(self):
        """Stop it; return what it wrote to standard error."""
        self.process.terminate()
        self.process.join(30)
        self.process.kill()
        self.process.join()
        return self._error.read_text()


def _serve(answer, error, deadline, guarded, programming_s, board):
    os.dup2(os.open(error, os.O_WRONLY | os.O_CREAT), 2)
    from specbp.remote import clients, services
    from specbp.remote.server import Server, serve
    from specbp.simulation.programmable import ProgrammableDevice

    services.CHUNK_DEADLINE_S = deadline
    if not guarded:
        everybody = clients.Client("", "")
        clients.Clients.admit = lambda self, peer: everybody
        clients.Clients.end_those_gone = lambda self: None
    configure = ProgrammableDevice.configure
    ProgrammableDevice.configure = lambda device, data: (
        time.sleep(programming_s),
        configure(device, data),
    )
    serve(Server(port=0, board=board), answer.send)


@contextlib.contextmanager
def serving(**arguments):
    """A server for as long as this lasts, which writes nothing to standard error."""
    board = ServedBoard(**arguments)
    try:
        yield board
    finally:
        said = board.close()
    assert not said, said[:4000]


@pytest.fixture
def served():
    with serving() as board:
        yield board


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    from specbp.bitstream.making import make_simulated
    from specbp.overlay.parameters import Parameters

    return make_simulated(tmp_path_factory.mktemp("build"), Parameters())


@pytest.fixture
def release_boards():
    """Gives the boards that a test took back."""
    yield
    from specbp.remote.board import close_boards

    close_boards()


def soon(condition, seconds=5.0):
    """Return whether `condition()` comes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False
