"""What goes wrong with a board: nothing waits for ever, `current` stays, each message helps."""

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from specbp.deploy.connection import Deadlines
from specbp.deploy.contents import version_of
from specbp.deploy.failure import BoardError, ConnectionLostError
from specbp.errors import UsageError
from tests.deploy.conftest import deployed
from tests.deploy.loopback import SUDO

SHORT = Deadlines(start=60, selftest=3, keepalive=6)


@pytest.fixture(autouse=True)
def nothing_waits_for_ever():
    started = time.monotonic()
    yield
    assert time.monotonic() - started < 120


def refused(board, build, words, deadlines=None, error=BoardError, **access):
    """Deploying `build` fails, and what was current before still is."""
    before = board.current
    with pytest.raises(error, match=words) as found:
        deployed(board, build, deadlines, **access)
    assert board.current == before
    assert SUDO not in str(found.value)
    return str(found.value)


def test_the_connection_is_cut_during_an_upload_which_then_goes_on(board, builds):
    board.cut_after = 100_000
    refused(board, builds[1], "connection was lost.*again to go on", error=ConnectionLostError)
    board.heal()
    done = deployed(board, builds[1])
    assert 0 < done.sent < version_of(builds[1]).size - 50_000
    assert board.current == done.version


def test_the_disk_is_full(board, builds):
    board.full_after = 100_000
    refused(board, builds[1], "No space left.*doctor")


def test_there_is_too_little_room_from_the_start(board, builds):
    said = "Filesystem 1024-blocks Used Available Capacity Mounted\n/dev/root 700 699 1 100% /"
    board.program("df", f"#!/bin/bash\necho '{said}'\n")
    refused(board, builds[1], "disk is full: .* are free: delete")
    assert board.uploaded == 0


def test_a_file_is_damaged_on_its_way(board, builds):
    board.flip = "selftest.bin"
    refused(board, builds[1], "selftest.bin: the SHA-256 on the board .* again")
    board.heal()
    assert deployed(board, builds[1]).switched


def test_bitstream_and_handoff_of_different_builds(board, builds, tmp_path):
    from specbp.boards.configuration import configuration
    from specbp.onboard import bitfile
    from specbp.onboard.build import sha256
    from specbp.overlay.parameters import Parameters

    mixed = tmp_path / "mixed"
    shutil.copytree(builds[1], mixed)
    manifest = json.loads((mixed / "manifest.json").read_text())
    other = Parameters(queue_depth=16)
    bitstream = mixed / manifest["bitstream"]
    old = bitfile.parse(bitstream.read_bytes())
    bitstream.write_bytes(
        bitfile.write(old._replace(user_id=other.build_identifier, data=configuration(other)))
    )
    # Where only the file was exchanged, its hash says so; then the identifiers do.
    refused(board, mixed, "SHA-256 is not the manifest's", error=UsageError)
    manifest["files"][bitstream.name] = sha256(bitstream)
    (mixed / "manifest.json").write_text(json.dumps(manifest))
    refused(board, mixed, "of different builds: take all", error=UsageError)


def test_the_clock_is_another_one(board, builds):
    board.fail(pll=18)
    refused(board, builds[1], "clock is 45 MHz, it was built for 50 MHz.*restart")


def test_the_board_computes_something_else(board, builds):
    board.fail(other_bits=True)
    refused(board, builds[1], "the self-test failed at step 0, layer .* must not be used")


def test_sudo_does_not_take_the_password(board, builds):
    (board.home / ".sudo-password").write_text("another")
    refused(board, builds[1], "sudo did not take the password")


def test_sudo_needs_a_password_and_there_is_none(board, builds, monkeypatch):
    environment = {"SPECBP_BOARD_PASSWORD": board.environment["SPECBP_BOARD_PASSWORD"]}
    monkeypatch.delenv("SPECBP_SUDO_PASSWORD")
    refused(board, builds[1], "did not take the password", environment=environment)


def test_nobody_knows_sudos_password(board, builds, tmp_path):
    """No password is another line than a wrong one."""
    key = tmp_path / "key"
    board.accept_new_key(key)
    words = "sudo asks for a password: set SPECBP_SUDO_PASSWORD"
    refused(board, builds[1], words, environment={}, keys=(key,))


def test_the_account_does_not_let_in(board, builds):
    words = "no key that it knows, and no password: install a key"
    refused(board, builds[1], words, environment={})
    wrong = {"SPECBP_BOARD_PASSWORD": "wrong-secret"}
    text = refused(board, builds[1], "the password is wrong: correct", environment=wrong)
    assert "wrong-secret" not in text


def test_an_unknown_host_key(board, builds, tmp_path):
    (tmp_path / "known").touch()
    refused(board, builds[1], "ssh-keygen -lf .* ssh-keyscan -p", known_hosts=tmp_path / "known")


def test_nobody_is_there(board, builds):
    from specbp.deploy.address import Credentials, parse_address
    from specbp.deploy.connection import connect

    async def try_it():
        async with connect(parse_address("xilinx@127.0.0.1:1"), Credentials()):
            pass

    import asyncio

    with pytest.raises(BoardError, match="no SSH server at port 1: is it still starting"):
        asyncio.run(try_it())


@pytest.mark.parametrize("stop", [False, True], ids=["busy", "stopped"])
def test_the_board_hangs_in_the_self_test(board, builds, stop):
    board.fail(hang_at=2, stop=stop)
    refused(board, builds[1], "no answer within 3 s while the self-test.*restart", SHORT)


def test_two_hosts_deploy_at_once(board, builds):
    board.fail(hang_at=2)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(deployed, board, builds[1], SHORT)
        while not (board.home / "hanging").exists():
            time.sleep(0.05)
        refused(board, builds[0], "is deploying to it: wait")
        with pytest.raises(BoardError, match="no answer within 3 s"):
            first.result()
    board.heal()
    assert deployed(board, builds[1]).switched
