"""One board on loopback and two builds, shared by all tests of this folder."""

import asyncio
import shutil

import pytest

pytest.importorskip("pynq", reason="needs the extra fpga")
pytest.importorskip("asyncssh", reason="needs the extra boards")

from specbp.bitstream.making import make_simulated
from specbp.deploy.address import Credentials, parse_address
from specbp.deploy.connection import Deadlines, connect
from specbp.deploy.contents import version_of
from specbp.deploy.deploying import DeploymentListener, deploy
from specbp.overlay.parameters import Parameters
from specbp.simulation.build import build as build_model
from tests.deploy.loopback import LoopbackBoard


@pytest.fixture(scope="session")
def builds(tmp_path_factory):
    """Folders of two builds that differ in their clock."""
    folder = tmp_path_factory.mktemp("builds")
    for clock in (100, 50):
        make_simulated(folder / str(clock), Parameters(), clock)
    return folder / "100", folder / "50"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    # Compiling the simulation takes longer than programming a board may.
    build_model(Parameters())
    found = LoopbackBoard(tmp_path_factory.mktemp("board"))
    yield found
    found.close()


@pytest.fixture
def bare_board(server, monkeypatch):
    """A board on which nothing is deployed; commands of this process find the way in."""
    shutil.rmtree(server.home / "specbp", ignore_errors=True)
    server.heal()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def board(bare_board, deployed_files):
    """A board on which the first build is deployed."""
    shutil.copytree(deployed_files, bare_board.home / "specbp", symlinks=True)
    return bare_board


@pytest.fixture(scope="session")
def deployed_files(server, builds, tmp_path_factory):
    """What a deployment leaves on a board."""
    shutil.rmtree(server.home / "specbp", ignore_errors=True)
    server.heal()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        deployed(server, builds[0])
    copy = tmp_path_factory.mktemp("deployed") / "specbp"
    shutil.copytree(server.home / "specbp", copy, symlinks=True)
    return copy


def on(server, do, deadlines=None, **access):
    """Do something with a connection to the board."""

    async def doing():
        address = parse_address(server.address)
        given = {"known_hosts": server.known_hosts} | access
        async with connect(address, Credentials(**given), deadlines or Deadlines()) as connection:
            return await do(connection)

    return asyncio.run(doing())


def deployed(server, folder, deadlines=None, listener=None, **access):
    version = version_of(folder)
    return on(
        server,
        lambda found: deploy(found, version, listener or DeploymentListener()),
        deadlines,
        **access,
    )
