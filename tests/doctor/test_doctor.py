"""What a machine or a board has, and how to get what it lacks."""

import asyncio

import pytest

from specbp.doctor import machine


def test_this_machine():
    begun = []
    found = {one.what: one for one in machine.examine(begin=begun.append)}
    assert begun == ["digits", "mnist", "fashion-mnist", "cifar10", "cifar100"]
    assert found["torch"].state == found["digits"].state == "ok"
    assert {"Python", "pynq", "verilator", "C++ compiler", "GPU", "cifar100", "Vivado"} <= set(
        found
    )
    for one in found.values():
        assert one.found or one.cure, one
        assert one.state == "ok" or one.cure, one


def test_what_is_missing_is_said_with_its_cure(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SPECBP_VIVADO", raising=False)
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: None)
    found = {one.what: one for one in [*machine._software(), machine._vivado()]}
    assert 'pip install "specbp[boards]"' in found["asyncssh"].cure
    assert "settings64.sh" in found["Vivado"].cure and found["Vivado"].state == "missing"


def about(**changes):
    return {
        "python": "3.10.4", "numpy": "1.21.5", "pynq": "3.0.1", "image": "3.0.1",
        "board": "Pynq-Z2", "xrt": "/usr", "devices": ["Pynq-Z2"], "free_bytes": 10**9,
        "clock_mhz": 100.0, "current": "abc", "previous": None,
        "loaded": {"bitstream": "/x/specbp.bit", "sha256": "1", "known_as": "abc"}, **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "what", "state", "cure"),
    [
        ({"python": "3.6.5"}, "Python", "wrong", "3.8"),
        ({"pynq": None}, "pynq", "wrong", "never pip-install"),
        ({"pynq": "4.0.0"}, "pynq", "wrong", "dropped Zynq-7000: images 2.7 and 3.0 and 3.1"),
        ({"board": "ZCU104", "pynq": "2.6.0"}, "pynq", "wrong", "know AMD ZCU104"),
        ({"board": "AUP-ZU3", "pynq": "3.0.1"}, "pynq", "wrong", "images 3.1 and 4.0"),
        ({"board": "Ultra96"}, "board", "missing", "EXTENDING.md"),
        ({"board": None}, "board", "wrong", "it sets BOARD"),
        ({"free_bytes": 10**6}, "free space", "wrong", "delete"),
        ({"devices": []}, "devices", "wrong", "XRT"),
        (
            # A new board has one, too.
            {"loaded": {"bitstream": "/base.bit", "sha256": "2", "known_as": None}},
            "loaded overlay",
            "missing",
            "no version deployed here",
        ),
    ],
)
def test_what_a_board_lacks(changes, what, state, cure):
    from specbp.doctor.board import _findings

    assert all(one.state == "ok" for one in _findings(about(), True))
    found = {one.what: one for one in _findings(about(**changes), True)}
    assert found[what].state == state and cure in found[what].cure


@pytest.mark.parametrize("version", ["3.1.2", "4.0.0"])
def test_each_board_wants_the_pynq_of_its_images(version):
    from specbp.boards.board import board_named, board_names
    from specbp.doctor.board import _findings

    good = set()
    for name in board_names():
        found = {one.what: one for one in _findings(about(board=name, pynq=version), True)}
        if found["pynq"].state == "ok":
            good.add(name)
        assert board_named(name).part in found["board"].found
    assert ("pynq-z2" in good) == (version == "3.1.2")
    assert {"aup-zu3", "kv260", "zcu104"} <= good


def test_this_machine_says_which_boards_have_its_pynq(monkeypatch):
    for version, board, other in (("3.1.2", "pynq-z1", "none"), ("4.0.0", "aup-zu3", "pynq-z1")):
        monkeypatch.setattr(machine, "installed_version", lambda _, version=version: version)
        found = machine._pynq().found
        assert version in found and board in found and other not in found


def test_a_board_on_loopback(tmp_path):
    pytest.importorskip("pynq")
    pytest.importorskip("asyncssh")
    from specbp.deploy.address import Credentials, parse_address
    from specbp.deploy.connection import connect
    from specbp.doctor.board import examine
    from tests.deploy.loopback import LoopbackBoard

    board = LoopbackBoard(tmp_path)

    async def look():
        access = Credentials(board.known_hosts, environment=board.environment)
        async with connect(parse_address(board.address), access) as connection:
            return await examine(connection)

    try:
        found = {one.what: one for one in asyncio.run(look())}
    finally:
        board.close()
    import pynq

    assert found["pynq"].found == pynq.__version__
    assert found["board"].found.startswith("Pynq-Z2: TUL PYNQ-Z2")
    assert found["sudo"].found == "asks for a password"
    assert found["deployed"].state == "missing"
    assert not list(board.home.glob("specbp*"))
