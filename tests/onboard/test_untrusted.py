"""Data from others: size, depth, type and range are checked, and nothing acts on a terminal."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specbp.onboard import messages
from specbp.onboard.untrusted import (
    Flag,
    Integer,
    List,
    Nullable,
    Number,
    Record,
    Row,
    Table,
    Text,
    UntrustedError,
    parse_json,
    printable,
)

SCHEMA = Record(
    {"count": Integer(0, 10), "share": Number(0, 1), "name": Text(5), "on": Flag()},
    {"list": List(Integer(0, 1), 2), "table": Table(Number(0, 1), 2), "row": Row((Flag(), Flag()))},
    closed=True,
)
FITS = {"count": 10, "share": 1, "name": "abc", "on": True}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"count": 11}, "count is 11, an integer from 0 to 10"),
        ({"count": -1}, "from 0"),
        ({"count": True}, "count is true, an integer"),
        ({"count": 1.0}, "an integer"),
        ({"count": "1"}, "an integer"),
        ({"count": [1]}, "count is a list of 1, an integer"),
        ({"share": 1.5}, "a number from 0 to 1"),
        ({"share": float("nan")}, "a number"),
        ({"share": float("inf")}, "a number"),
        ({"share": 10**400}, "a number"),
        ({"share": None}, "share is null"),
        ({"name": "abcdef"}, "at most 5 characters"),
        ({"name": 1}, "a text"),
        ({"on": 1}, "true or false"),
        ({"list": [0, 0, 0]}, "a list of 0 to 2"),
        ({"list": [0, 2]}, r"list\[1\] is 2"),
        ({"list": {}}, "list is an object"),
        ({"table": {"../x": 0}}, "a plain name"),
        ({"table": {".x": 0}}, "a plain name"),
        ({"table": {"-rf": 0}}, "a plain name"),
        ({"table": {"a": 2}}, "table.a is 2"),
        ({"row": [True]}, "a list of 2"),
        ({"other": 1}, "other is no field"),
        ({"\x1b[2J": 1}, r"\\x1b\[2J is no field"),
    ],
)
def test_what_does_not_fit_is_named(change, words):
    assert SCHEMA.read(FITS, "") == FITS
    with pytest.raises(UntrustedError, match=words):
        SCHEMA.read({**FITS, **change}, "")
    with pytest.raises(UntrustedError, match="count is missing"):
        SCHEMA.read({}, "")


def test_what_is_unknown_is_left_out_where_others_may_say_more():
    assert Record({"a": Flag()}).read({"a": True, "b": [[]]}, "") == {"a": True}
    assert Nullable(Flag()).read(None, "x") is None


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"\xff", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1, "a": 2}', b"[" * 100_000,
        b'{"a":' * 100_000, b"9" * 90_000, b"x" * 200_001,
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused(text):
    """Size, depth, numbers that are none, names that hide each other."""
    with pytest.raises(UntrustedError) as refused:
        SCHEMA.read(parse_json(text, 200_000), "")
    assert len(str(refused.value)) < 400


@given(st.text())
def test_nothing_acts_on_a_terminal(text):
    """Colours, cursor movements, titles, right-to-left overrides, line separators."""
    shown = printable(text)
    assert shown.isprintable()
    assert printable(text, lines=True).replace("\n", "").isprintable()
    assert Text(10_000).read(text, "").isprintable()


def test_what_is_readable_stays():
    assert printable("Größe: 3 µm, 漢字") == "Größe: 3 µm, 漢字"
    assert printable("\x1b[31mred\x9b\u202e\u2028") == r"\x1b[31mred\x9b\u202e\u2028"
    assert printable("x" * 100, 10) == "x" * 10 + "..."


ARRAYS = [
    [["a", "|u1", [4]]],
    [["a", "|u1", [-1]]],
    [["a", "|O", [1]]],
    [["a", "|V8", [1]]],
    [["a", "(1000,1000)f8", [1]]],
    [["a", "|u1", [1 << 62, 4]]],
    [["a", "|u1", [1 << 31, 1 << 31, 1 << 31]]],
    [["a", "|u1", [1]], ["a", "|u1", [2]]],
    [["a", "|u1", [1]]],
    [["a", "|u1", 3]],
    [["a", "|u1", [3], 1]],
    [[["a"], "|u1", [3]]],
    {"a": 1},
    None,
    [["a", "|u1", [1] * 40]],
]


@pytest.mark.parametrize("described", ARRAYS)
def test_arrays_that_are_not_there(described):
    """Types that hold Python's objects, sizes below 0 or beyond the message, names twice."""
    text = json.dumps({"arrays": described}).encode()
    with pytest.raises(messages.MessageError, match="a damaged message"):
        messages.decode(text, b"abc")


@pytest.mark.parametrize("text", [b"[]", b"3", b"null", b"[" * 100_000, b'{"arrays": []'])
def test_headers_that_are_none(text):
    with pytest.raises(messages.MessageError):
        messages.decode(text, b"")


def test_a_message_longer_than_what_is_expected():
    prefix = messages.PREFIX.pack(messages.MAGIC, 100, 1 << 20)
    assert messages.lengths(prefix) == (100, 1 << 20)
    with pytest.raises(messages.MessageError, match="at most 100 \\+ 10"):
        messages.lengths(prefix, 100, 10)


def test_what_came_instead_of_a_message_is_not_repeated():
    with pytest.raises(messages.MessageError) as refused:
        messages.lengths(b"sudo-secret-9173"[: messages.PREFIX.size])
    assert "sudo" not in str(refused.value) and "secret" not in str(refused.value)


def test_foreign_text_becomes_printable_in_one_place():
    """Kind: a second way to do it, which differs from the first."""
    package = Path(messages.__file__).parents[1]
    makes = re.compile(r"^\s*def printable\b|\.isprintable\(\) else", re.MULTILINE)
    found = {path.name for path in package.rglob("*.py") if makes.search(path.read_text("utf-8"))}
    assert found == {"untrusted.py"}
