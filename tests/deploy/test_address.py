"""Addresses of boards, as a user writes them."""

import pytest

from specbp.deploy.address import Address, parse_address
from specbp.errors import UsageError


@pytest.mark.parametrize(
    "text, address",
    [
        ("192.168.2.99", Address("xilinx", "192.168.2.99", 22)),
        ("pynq://ada@board.lab:2222", Address("ada", "board.lab", 2222)),
        ("[::1]:2222", Address("xilinx", "::1", 2222)),
        ("remote://board.lab", Address("xilinx", "board.lab", 7967)),
        ("remote://127.0.0.1:8000", Address("xilinx", "127.0.0.1", 8000)),
    ],
)
def test_what_is_left_out_is_as_usual(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "a board", "board:70000", "xilinx@"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(UsageError, match="no address of a board"):
        parse_address(text)


def test_a_password_is_refused_and_not_repeated():
    with pytest.raises(UsageError, match="must not hold a password") as refused:
        parse_address("pynq://xilinx:secret@board")
    assert "secret" not in str(refused.value)
