"""A board may say anything: it is refused in one line, and a terminal sees only text."""

import asyncio
import dataclasses
import itertools
import random
import time

import pytest

from specbp.cli.doctor import show
from specbp.deploy.address import Address, Credentials
from specbp.deploy.connection import Connection, Deadlines
from specbp.deploy.executor import BoardExecutor
from specbp.deploy.failure import BoardError
from specbp.deploy.login import Secrets
from specbp.deploy.runner import RunnerClient
from specbp.doctor.board import _findings, examine
from specbp.onboard import messages, protocol
from specbp.overlay.parameters import Parameters
from tests.deploy.conftest import deployed, on

HELLO = {"ok": True, "hello": 1, "version": "v", "python": "3.10", "numpy": "1", "pynq": "3.1"}
CORE = dict.fromkeys(protocol._CYCLES, 5) | {"seconds": 0.1}
LOADED = {
    "ok": True, "parameters": dataclasses.asdict(Parameters()), "build_identifier": "0x0123ABCD",
    "clock_mhz": 100.0, "device": "d", "simulated": False, "board": "Pynq-Z2",
}  # fmt: skip
ANSWERS = {
    "load": LOADED,
    "selftest": {"ok": True, "steps": 2, "tensors": 3, "bytes": 4, "cycles": [5, 6]},
    "allocate": {"ok": True, "memory": 1, "address": 4096},
    "program": {"ok": True, "program": 1},
    "run": {"ok": True, "cores": [CORE], "clock_mhz": 100.0},
}
NONSENSE = [
    None, True, -1, 0.5, 1 << 80, 1e308, "", "x" * 300, "\x1b]0;title\x07", [], [[[[[]]]]], {},
    [None], {"a": 1},
]  # fmt: skip


def is_text(value):
    """Whether nothing in `value` acts on a terminal."""
    if isinstance(value, dict):
        return all(map(is_text, [*value, *value.values()]))
    if isinstance(value, list):
        return all(map(is_text, value))
    return not isinstance(value, str) or value.isprintable()


class _Closed:
    """Stands for asyncssh's connection, which is open."""

    def is_closed(self):
        return False


class _Process:
    """A runner that has said all that it will ever say."""

    def __init__(self, said, stderr=b""):
        self.stdout, self.stderr, self.stdin = asyncio.StreamReader(), asyncio.StreamReader(), self
        for stream, content in ((self.stdout, said), (self.stderr, stderr)):
            stream.feed_data(content)
            stream.feed_eof()

    def write(self, data):
        pass

    def close(self):
        pass


def asked(said, do="allocate", content=None, stderr=b""):
    """Return what a host gets from a board that says `said` to a request."""

    async def asking():
        connection = Connection(
            Address(None, "board", None), Credentials(), Deadlines(), _Closed(), Secrets()
        )
        client = RunnerClient(connection, _Process(said, stderr))
        try:
            return await client.ask(2.0, "asking", {"do": do}, content=content)
        finally:
            await client.close()

    return asyncio.run(asking())


def refused(said, *more, **options):
    with pytest.raises(BoardError) as found:
        asked(said, *more, **options)
    text = str(found.value)
    assert text.replace("\n", "").isprintable() and len(text) < 25_000
    return text


@pytest.mark.parametrize("do", ANSWERS)
def test_answers_that_fit(do):
    expected = {name: value for name, value in ANSWERS[do].items() if name != "ok"}
    assert asked(messages.encode(ANSWERS[do] | {"more": 1}), do).header == expected


@pytest.mark.parametrize(
    ("do", "field"), [(do, field) for do, answer in ANSWERS.items() for field in answer]
)
def test_a_field_of_an_answer_that_is_anything(do, field):
    """Missing, of another type, out of range, nested: in every field of every answer."""
    answer = ANSWERS[do]
    refused(messages.encode({k: v for k, v in answer.items() if k != field}), do)
    refusals = 0
    for value in NONSENSE:
        said = messages.encode({**answer, field: value})
        try:
            header = asked(said, do).header
        except BoardError as error:
            refusals += 1
            assert str(error).isprintable()
        else:
            assert is_text(header) and (field != "ok" or value is True)
    assert refusals >= 10


def test_cycles_are_those_of_the_driver():
    driver = pytest.importorskip("specbp.overlay.driver")
    assert set(CORE) == {field.name for field in dataclasses.fields(driver.Run)}
    for name, value in itertools.product(CORE, (-1, None, "1", 1 << 70)):
        refused(messages.encode({**ANSWERS["run"], "cores": [{**CORE, name: value}]}), "run")


def test_content_that_was_not_asked_for():
    """Too much, too little, of another type, under another name, none at all."""
    import numpy as np

    right = {"content": np.zeros(10, np.uint8)}
    assert asked(messages.encode({"ok": True}, right), "read", 10).arrays["content"].shape == (10,)
    for arrays in (
        {},
        {"content": np.zeros(9, np.uint8)},
        {"content": np.zeros(11, np.uint8)},
        {"content": np.zeros(10, np.int8)},
        {"content": np.zeros((2, 5), np.uint8)},
        {"other": np.zeros(10, np.uint8)},
        right | {"other": np.zeros(0, np.uint8)},
    ):
        refused(messages.encode({"ok": True}, arrays), "read", 10)
    assert "arrays" in refused(
        messages.encode({"ok": True}, {"content": np.zeros(0, "u1")}), "free"
    )


def test_a_message_that_announces_a_gigabyte():
    prefix = messages.PREFIX.pack(messages.MAGIC, 10, 1 << 30)
    assert "at most" in refused(prefix, "read", 10)
    prefix = messages.PREFIX.pack(messages.MAGIC, 1 << 24, 0)
    assert "at most" in refused(prefix)


@pytest.mark.parametrize(
    "said", [b"", b"Traceback (most recent call last):\n", b"\x1b[2J" * 10, b"SBP1", b"\0" * 1000]
)
def test_what_is_no_answer(said):
    refused(said)
    assert r"\x1b[31mred" in refused(b"", stderr=b"nothing\n\x1b[31mred\xff\x9b")


def test_errors_of_a_board_are_text():
    said = messages.encode({"ok": False, "error": "a\x1b[2Jb\nSTATUS \u202e", "kind": "\x07"})
    text = refused(said)
    assert "a\\x1b[2Jb\nSTATUS \\u202e" in text and r"[\x07]" in text
    for failure in ({}, {"error": 1, "kind": "x"}, {"error": "x"}, {"error": "x" * 10**5}):
        refused(messages.encode({"ok": False, **failure}))


def test_fuzzed_answers_are_read_or_refused():
    """For five seconds: no other exception, no hang, nothing that acts on a terminal."""
    assert fuzz_answers(5, 20) > 100


def fuzz_answers(seconds, seed):
    """Return how many answers of a board were refused."""
    rng, end, refusals = random.Random(seed), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        do = rng.choice(list(ANSWERS))
        said = bytearray(messages.encode(ANSWERS[do]))
        for _ in range(rng.randint(1, 5)):
            at = rng.randrange(len(said))
            if rng.random() < 0.5:
                said[at] = rng.randrange(256)
            else:
                said[at : at + rng.randrange(4)] = rng.choice([b"", b"[" * 2000, b"\x1b[", b'"'])
        if rng.random() < 0.5:
            body = bytes(said[messages.PREFIX.size :])
            said = bytearray(messages.PREFIX.pack(messages.MAGIC, len(body), 0) + body)
        try:
            assert is_text(asked(bytes(said), do).header)
        except BoardError as error:
            refusals += 1
            assert str(error).replace("\n", "").isprintable() and len(str(error)) < 25_000
    return refusals


class _Pretending:
    """Stands for a board of which only what it says matters."""

    address = Address(None, "board", None)
    deadlines = Deadlines()
    broken = False

    def __init__(self, about):
        self.about = about


def test_parameters_that_no_overlay_has():
    parameters = {**LOADED["parameters"], "lanes": 17}
    with pytest.raises(BoardError, match="board: it says that it has an overlay parameter lanes"):
        BoardExecutor(_Pretending({**LOADED, "parameters": parameters}), Parameters())


ABOUT = {
    "ok": True, "python": "3.10.4", "numpy": "1.21.5", "pynq": "3.0.1", "executable": "p",
    "image": "3.0.1", "board": "Pynq-Z2", "machine": "m", "kernel": "k", "root": False,
    "xrt": "/usr", "devices": ["Pynq-Z2"], "free_bytes": 10**9, "clock_mhz": 100.0,
    "current": "abc", "previous": None, "versions": [],
    "loaded": {"bitstream": "/x/specbp.bit", "sha256": "1", "known_as": "abc"},
}  # fmt: skip


def impersonate(board, said, stderr=b"", status=0):
    """Make the board's Python say this, whatever it is asked to run."""
    for name, content in (("said", said), ("stderr", stderr)):
        (board.home / name).write_bytes(content)
    script = f'#!/bin/bash\ncat "$HOME/said"\ncat "$HOME/stderr" >&2\nexit {status}\n'
    board.program("python3", script)


def test_a_doctor_that_is_told_nonsense(bare_board, capsys):
    """Each field of what a board says of itself; and Python that says something else."""
    impersonate(bare_board, messages.encode({**ABOUT, "board": "[/red]\x1b[2J", "python": "none"}))
    found = on(bare_board, examine)
    assert {one.what: one.state for one in found}["Python"] == "wrong"
    with pytest.raises(Exception, match="1"):
        show(found, False)
    shown = capsys.readouterr().out
    assert r"[/red]\x1b[2J" in shown and "\x1b[2J" not in shown
    cases = [messages.encode({**ABOUT, "devices": [[]]}), b"", b"\x1b[2J", b"x" * (2 << 20)]
    for said in cases:
        impersonate(bare_board, said, b"bad \x1b[2J\n", 1)
        with pytest.raises(BoardError) as refused:
            on(bare_board, examine)
        assert str(refused.value).isprintable()


@pytest.mark.parametrize("field", [name for name in ABOUT if name != "ok"])
def test_what_a_board_says_of_itself_is_anything(field):
    from specbp.onboard.untrusted import UntrustedError

    def findings(value):
        try:
            return list(_findings(protocol.ABOUT.read({**ABOUT, field: value}, ""), True))
        except UntrustedError:
            return None

    found = [findings(value) for value in NONSENSE]
    assert found.count(None) >= 8
    assert all(one.found.isprintable() for several in found if several for one in several)


@pytest.mark.parametrize(
    ("command", "script", "words"),
    [
        ("id", "echo 1000; head -c 3000000 /dev/zero", "says more than"),
        ("df", "echo nothing", "does not say it"),
        ("sha256sum", r"printf '\033[2J\377 *manifest.json\n'", "is not that of what was sent"),
        ("mv", r"printf '\033[2Jno\n' >&2; exit 1", r"failed: \\x1b\[2Jno"),
        ("flock", r"printf '\033]0;x\007'; exit 1", "is deploying to it"),
    ],
)
def test_commands_of_a_board_that_say_anything(bare_board, builds, command, script, words):
    bare_board.program(command, f"#!/bin/bash\n{script}\n")
    with pytest.raises(BoardError, match=words) as refused:
        deployed(bare_board, builds[0])
    assert str(refused.value).isprintable()
    assert bare_board.current is None
