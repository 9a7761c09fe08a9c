"""Deploying to a board on loopback: real SSH, the simulated overlay where the FPGA would be."""

from specbp.deploy.contents import version_of
from specbp.deploy.deploying import DeploymentListener, roll_back
from tests.deploy.conftest import deployed, on


def test_deploying_twice_and_going_back(bare_board, builds):
    first, second = (version_of(build) for build in builds)
    steps, sent = [], []
    done = deployed(bare_board, builds[0], listener=DeploymentListener(steps.append, sent.append))
    assert steps == ["uploading", "programming", "self-test", "switching"]
    assert sum(sent) == first.size == done.sent
    assert bare_board.current == first.name == done.version and done.switched
    assert done.loaded["clock_mhz"] == 100 and done.loaded["board"] == "Pynq-Z2"
    assert done.loaded["build_identifier"] == first.build.manifest["build_identifier"]
    assert done.selftest["steps"] == 2 and done.selftest["bytes"] > 100_000

    again = deployed(bare_board, builds[0])
    assert (again.sent, again.switched) == (0, False)

    other = deployed(bare_board, builds[1])
    assert bare_board.current == second.name and other.loaded["clock_mhz"] == 50
    assert (
        on(bare_board, lambda connection: roll_back(connection, DeploymentListener())).version
        == first.name
    )
    assert bare_board.current == first.name
    on(bare_board, lambda connection: roll_back(connection, DeploymentListener()))
    assert bare_board.current == second.name


def test_a_version_is_on_the_card_before_it_is_current_and_the_link_after(bare_board, builds):
    """Kind: a board that loses power after it was said to be deployed, and has files of 0 bytes."""
    log = bare_board.home / "synced"
    look = "readlink ~/specbp/current || echo none"
    bare_board.program("sync", f"#!/bin/bash\n({look}) >> {log}\nexec /bin/sync\n")
    name = deployed(bare_board, builds[0]).version
    assert log.read_text().split() == ["none", f"versions/{name}"]
