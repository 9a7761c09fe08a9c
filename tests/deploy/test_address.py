"""Addresses of boards, as a user writes them."""

import pytest

from specbp.deploy.address import Address, parse_address
from specbp.errors import UsageError


@pytest.mark.parametrize(
    "text, address",
    [
        ("192.168.2.99", Address(None, "192.168.2.99", None)),
        ("pynq://ada@board.lab:2222", Address("ada", "board.lab", 2222)),
        ("[::1]:2222", Address(None, "::1", 2222)),
        ("ada@[fe80::1%eth0]:2222", Address("ada", "fe80::1%eth0", 2222)),
        ("ada@fe80::1%enp3s0.7", Address("ada", "fe80::1%enp3s0.7", None)),
        ("::ffff:192.168.2.99", Address(None, "::ffff:192.168.2.99", None)),
        ("pynq://lab_board_3:22", Address(None, "lab_board_3", 22)),
        ("_board", Address(None, "_board", None)),
        ("remote://board.lab", Address(None, "board.lab", 7967)),
        ("remote://127.0.0.1:8000", Address(None, "127.0.0.1", 8000)),
    ],
)
def test_what_is_left_out_stays_open(text, address):
    """An address is what was written; the user's SSH settings may say what is left out."""
    assert parse_address(text) == address
    if not text.startswith(("pynq", "remote")):
        assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a board",
        "board:70000",
        "board:0",
        "xilinx@",
        "-oProxyCommand=x",
        "fe80::1%",
        "[fe80::1",
        "[board]",
        "board\x1b[2J",
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(UsageError, match="no address of a board"):
        parse_address(text)


def test_a_password_is_refused_and_not_repeated():
    with pytest.raises(UsageError, match="must not hold a password") as refused:
        parse_address("pynq://xilinx:secret@board")
    assert "secret" not in str(refused.value)
