"""Ways not to get in, one line each; and the user's own settings for SSH."""

import asyncio
import contextlib
import getpass
import os
import socket
import threading
import time

import pytest

from specbp.deploy.address import Credentials, parse_address
from specbp.deploy.connection import Deadlines, connect
from specbp.deploy.failure import BoardError
from specbp.doctor.board import examine
from specbp.simulation.ssh_server import USER
from tests.deploy.conftest import deployed, on
from tests.deploy.loopback import LOGIN, LoopbackBoard


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder of this machine's user, with an empty folder for SSH."""
    (tmp_path / "me" / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path / "me" / ".ssh"


def who(board, address=None, deadlines=None, **access):
    """Return the home folder there, after logging in."""

    async def looking():
        options = {"known_hosts": board.known_hosts, "environment": board.environment} | access
        target = parse_address(address or board.address)
        async with connect(target, Credentials(**options), deadlines) as connection:
            return await connection.home()

    return asyncio.run(looking())


def refused(board, words, *address, **access):
    with pytest.raises(BoardError, match=words) as found:
        who(board, *address, **access)
    text = str(found.value)
    assert text.isprintable() and LOGIN not in text and "Traceback" not in text
    return text


def test_keys_that_let_in(bare_board, tmp_path):
    bare_board.accept_new_key(tmp_path / "key")
    assert who(bare_board, environment={}, keys=(tmp_path / "key",)) == str(bare_board.home)
    bare_board.accept_new_key(tmp_path / "locked", passphrase="open sesame")
    locked = {"environment": {}, "keys": (tmp_path / "locked",)}
    assert who(bare_board, **locked, ask=lambda prompt: "open sesame") == str(bare_board.home)
    refused(bare_board, "locked: this is not the passphrase", **locked, ask=lambda prompt: "x")
    refused(bare_board, "locked: the key is encrypted, and nobody can be asked", **locked)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("key.pub", None, "this is a public key, the private one is needed: .*/key, in SPECBP"),
        ("key", b"-----BEGIN OPENSSH PRIVATE KEY-----\nbroken\n", "no private key of SSH"),
        ("key", b"\xff\x00\x1b[2J", "no private key of SSH"),
        ("key", b"", "no private key of SSH"),
        ("nowhere", None, "cannot be read: No such file"),
        (".", None, "cannot be read: Is a directory"),
    ],
)
def test_keys_that_are_none(bare_board, tmp_path, name, content, words):
    bare_board.accept_new_key(tmp_path / "key")
    if content is not None:
        (tmp_path / name).write_bytes(content)
    refused(bare_board, words, keys=(tmp_path / name,))


@pytest.mark.parametrize(
    "content", [b"broken", b"\xff\xfe\0", b"-----BEGIN RSA PRIVATE KEY-----\n"]
)
def test_a_broken_key_of_the_user(bare_board, home, content):
    (home / "id_rsa").write_bytes(content)
    try:
        assert who(bare_board) == str(bare_board.home)
    except BoardError as error:
        assert f"{home}/id_rsa: no private key of SSH: mend or remove" in str(error)


@pytest.mark.parametrize(
    "content", ["Port abc", "Port", "Host *\n  Port 1 2", 'User "x', "Match y"]
)
def test_settings_that_are_none(bare_board, home, content):
    (home / "config").write_text(content)
    refused(bare_board, "config.* cannot be read: .*: mend")


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\0\x1b[2J binary", b"oneword\n", b"|1|x|y ssh-rsa A\n"]
)
@pytest.mark.parametrize("usual", [False, True])
def test_known_hosts_that_are_none(bare_board, home, tmp_path, content, usual):
    path = home / "known_hosts" if usual else tmp_path / "known"
    path.write_bytes(content)
    words = "no file of host keys|host key is not among the known"
    refused(bare_board, words, known_hosts=None if usual else path)


def test_port_and_user_of_the_users_settings_count(bare_board, home):
    """Ours are only the last default; what is written in the address is the first."""
    port = bare_board.port
    settings = f"Host lab_board\n  HostName 127.0.0.1\n  Port {port}\n  User {USER}\n"
    (home / "config").write_text(settings)
    key = bare_board.known_hosts.read_text().split(None, 1)[1]
    known = {"known_hosts": home / "mine"}
    (home / "mine").write_text(f"[lab_board]:{port} {key}[127.0.0.1]:{port} {key}")
    assert who(bare_board, "lab_board", **known) == str(bare_board.home)
    refused(bare_board, "no SSH server at port 1:", "lab_board:1", **known)
    refused(bare_board, "not let in", "other@lab_board", **known)
    (home / "config").write_text(settings.replace(USER, "nobody"))
    refused(bare_board, "not let in", "lab_board", **known)
    assert who(bare_board, f"{USER}@lab_board", **known) == str(bare_board.home)
    # Without a user anywhere, it is the usual one of a board and not the one of this machine.
    (home / "config").write_text(settings.replace(f"User {USER}", ""))
    assert getpass.getuser() != USER
    assert who(bare_board, "lab_board", **known) == str(bare_board.home)


def test_a_user_without_a_name(bare_board, home, monkeypatch):
    def nameless():
        raise KeyError("getpwuid(): uid not found: 4711")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(getpass, "getuser", lambda: os.environ.get("LOGNAME") or nameless())
    monkeypatch.setenv("LOGNAME", "")
    assert who(bare_board) == str(bare_board.home)


def answering(answer):
    """Return the port of a server that does `answer` with each connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                answer(listener.accept()[0])

    threading.Thread(target=serve, daemon=True).start()
    return listener, listener.getsockname()[1]


KEPT = []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (KEPT.append, "no answer within 1 s: is it switched on, is the cable in"),
        (lambda found: found.close(), "cannot connect"),
        (lambda found: found.sendall(b"HTTP/1.0 400 \x1b[2J\r\n" * 5000), "cannot connect"),
        (lambda found: KEPT.append(found) or found.sendall(b"SSH-2.0-x\r\n"), "no answer within 1"),
    ],
    ids=["silent", "closes", "not SSH", "stops"],
)
def test_a_server_that_is_no_board(bare_board, answer, words):
    listener, port = answering(answer)
    started = time.monotonic()
    refused(bare_board, words, f"xilinx@127.0.0.1:{port}", deadlines=Deadlines(connect=1))
    assert time.monotonic() - started < 10
    listener.close()


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("no-such-board.invalid", "nobody knows this name"),
        ("127.0.0.1:1", "no SSH server at port 1: is it still starting"),
        ("[fe80::1%nowhere]:22", "nobody knows this name|cannot be reached|cannot connect"),
    ],
)
def test_a_board_that_is_not_there(bare_board, host, words):
    refused(bare_board, words, host, deadlines=Deadlines(connect=5))


@pytest.mark.parametrize("number", ["EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT"])
def test_a_board_that_is_off(bare_board, monkeypatch, number):
    import errno

    import asyncssh

    async def nowhere(*_, **__):
        raise OSError(getattr(errno, number), "cannot")

    monkeypatch.setattr(asyncssh, "connect", nowhere)
    refused(bare_board, "is it switched on, is the cable in")


def test_a_server_without_sftp(tmp_path, builds):
    board = LoopbackBoard(tmp_path, sftp=False)
    access = {"environment": board.environment}
    try:
        with pytest.raises(BoardError, match=r"no SFTP .*Subsystem sftp internal-sftp"):
            on(board, examine, **access)
        with pytest.raises(BoardError, match=r"no SFTP .*Subsystem sftp internal-sftp"):
            deployed(board, builds[0], **access)
    finally:
        board.close()


def test_sftp_that_says_nothing(bare_board, builds):
    bare_board.silent_sftp = True
    short = Deadlines(block=1, command=5)
    for work in (
        lambda: on(bare_board, examine, short),
        lambda: deployed(bare_board, builds[0], short),
    ):
        with pytest.raises(BoardError, match="no answer within 1 s while sending"):
            work()
