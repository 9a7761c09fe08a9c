"""Opens an SSH connection with the user's own settings; each way to fail is one line."""

from __future__ import annotations

import asyncio
import errno
import getpass
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
from asyncssh.config import SSHClientConfig

from specbp.deploy.address import (
    DEFAULT_PORT,
    DEFAULT_USER,
    KEYS_VARIABLE,
    LOGIN_VARIABLE,
    Address,
    Credentials,
)
from specbp.deploy.failure import BoardError
from specbp.onboard.untrusted import printable

CABLE = (
    "is it switched on, is the cable in, and this machine in its network? "
    "A PYNQ board has 192.168.2.99 on a direct cable"
)
_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ETIMEDOUT)


@dataclass
class Secrets:
    """The passwords that were given to a board, which nothing shown may hold."""

    given: set[str] = field(default_factory=set, repr=False)

    def cleaned(self, text: object) -> str:
        """Return `text` of a board as it may be shown: printable, and without the passwords."""
        shown = str(text)
        for secret in sorted(self.given, key=len, reverse=True):
            shown = shown.replace(secret, "***")
        return printable(shown, lines=True)


@dataclass(frozen=True)
class _Settings:
    """How to reach a board, the user's ``~/.ssh/config`` included.

    Attributes:
        user: name of the account.
        port: port of the SSH server.
        options: further arguments of `asyncssh.connect`.
    """

    user: str
    port: int
    options: dict[str, Any] = field(repr=False)


class _PasswordClient(asyncssh.SSHClient):
    """Gives the password when the server asks for one, once.

    Attributes:
        asked: whether the server asked for a password.
        answered: whether it was given one.
    """

    def __init__(self, account: str, access: Credentials, secrets: Secrets) -> None:
        self._account, self._access, self._secrets = account, access, secrets
        self.asked = self.answered = False

    def password_auth_requested(self) -> str | None:
        """Return the password."""
        if self.asked:
            return None
        self.asked = True
        password = self._access.login_password(self._account)
        if password:
            self.answered = True
            self._secrets.given.add(password)
        return password


async def log_in(
    address: Address, access: Credentials, secrets: Secrets, seconds: float, keepalive: float
) -> Any:
    """Return asyncssh's connection to the account at `address`.

    Args:
        address: address of the board; what it leaves out, ``~/.ssh/config`` says, or the usual is
            taken.
        access: how to be let in.
        secrets: gets the password that is used.
        seconds: seconds to wait for the account to be open.
        keepalive: s until a connection on which nothing arrives counts as lost.

    Raises:
        BoardError: the board cannot be reached, is not the one that is known, or does not let in;
            or the user's own files for SSH cannot be read.
    """
    settings = _settings(address, access)
    client = _PasswordClient(f"{settings.user}@{address.host}", access, secrets)
    try:
        return await asyncio.wait_for(
            asyncssh.connect(
                address.host,
                settings.port,
                username=settings.user,
                client_factory=lambda: client,
                keepalive_interval=keepalive / 3,
                keepalive_count_max=2,
                **settings.options,
            ),
            seconds,
        )
    except asyncssh.HostKeyNotVerifiable as error:
        raise BoardError(_other_key(address, settings.port, access)) from error
    except asyncssh.PermissionDenied as error:
        raise BoardError(_not_let_in(address, client)) from error
    except asyncio.TimeoutError:
        raise BoardError(f"{address}: no answer within {seconds:g} s: {CABLE}") from None
    except (OSError, EOFError, asyncssh.Error) as error:
        raise BoardError(_no_connection(address, settings.port, error, secrets)) from error
    except ValueError as error:
        raise BoardError(_unreadable(error, settings.options)) from error


def _settings(address: Address, access: Credentials) -> _Settings:
    """Return how to reach `address`: as written, else as configured, else as usual."""
    config = Path("~/.ssh/config").expanduser()
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # asyncssh wants a name of who is here; an account of containers may have none.
        os.environ["LOGNAME"] = user = str(os.getuid())
    paths = [config] if os.access(config, os.R_OK) else []
    try:
        configured = SSHClientConfig.load(
            None, paths, True, False, False, user, address.user or (), address.host,
            address.port or (),
        )  # fmt: skip
    except (ValueError, OSError) as error:
        raise BoardError(f"{config} cannot be read: {printable(str(error))}: mend it") from error
    options: dict[str, Any] = {"config": paths}
    if access.known_hosts is not None:
        if not access.known_hosts.exists():
            raise BoardError(f"{access.known_hosts}: no such file of host keys: name another one")
        options["known_hosts"] = str(access.known_hosts)
    if access.keys:
        options["client_keys"] = [_private_key(path, access) for path in access.keys]
        options["agent_path"] = None
    return _Settings(
        str(configured.get("User", DEFAULT_USER)),
        int(str(configured.get("Port", DEFAULT_PORT))),
        options,
    )


def _private_key(path: Path, access: Credentials) -> Any:
    """Return the private key in the file `path`; whoever can be asked, is for its passphrase."""
    try:
        content = path.expanduser().read_bytes()
    except OSError as error:
        raise BoardError(f"{path}: the key cannot be read: {error.strerror}") from error
    if content.startswith((b"ssh-", b"ecdsa-", b"sk-")):
        private = str(path).removesuffix(".pub")
        raise BoardError(
            f"{path}: this is a public key, the private one is needed: {private}, in "
            f"{KEYS_VARIABLE} or --key"
        )
    try:
        return asyncssh.import_private_key(content)
    except asyncssh.KeyImportError as error:
        if "passphrase" not in str(error).lower():
            raise BoardError(f"{path}: no private key of SSH: name another one") from error
    passphrase = access.passphrase(path)
    if not passphrase:
        raise BoardError(
            f"{path}: the key is encrypted, and nobody can be asked for its passphrase: ssh-add "
            f"it and leave {KEYS_VARIABLE} and --key out, or run this in a terminal to be asked"
        )
    try:
        return asyncssh.import_private_key(content, passphrase)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        if "bcrypt" in str(error):
            raise BoardError(
                f"{path}: decrypting this key needs one more package: pip install bcrypt, or "
                f"ssh-add the key and leave {KEYS_VARIABLE} and --key out"
            ) from error
        raise BoardError(f"{path}: this is not the passphrase of the key: try again") from error


def _other_key(address: Address, port: int, access: Credentials) -> str:
    option = "" if port == DEFAULT_PORT else f" -p {port}"
    return (
        f"{address}: its host key is not among the known ones, so this may be another machine: "
        f"look at the key (ssh-keyscan{option} {address.host} | ssh-keygen -lf -), compare it "
        "with the board's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub on its "
        f"console), then: ssh-keyscan{option} {address.host} >> "
        f"{access.known_hosts or '~/.ssh/known_hosts'}"
    )


def _not_let_in(address: Address, client: _PasswordClient) -> str:
    if client.answered:
        return (
            f"{address}: not let in: the password is wrong: correct {LOGIN_VARIABLE}, or unset it "
            "and run this in a terminal to be asked"
        )
    if client.asked:
        return (
            f"{address}: not let in: there is no key that it knows, and no password: install a "
            f"key (ssh-copy-id), set {LOGIN_VARIABLE}, or run this in a terminal to be asked"
        )
    return (
        f"{address}: not let in: it takes no passwords, and knows no key that is here: install a "
        "key there (ssh-copy-id), or name the right one with --key"
    )


def _no_connection(address: Address, port: int, error: BaseException, secrets: Secrets) -> str:
    if isinstance(error, socket.gaierror):
        return f"{address}: nobody knows this name ({error.strerror}): correct it, or write its IP"
    if isinstance(error, ConnectionRefusedError):
        return (
            f"{address}: the machine is there, but has no SSH server at port {port}: is it still "
            "starting, and the port right?"
        )
    if isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return f"{address}: cannot be reached: {CABLE}"
    cause = secrets.cleaned(error) or type(error).__name__
    return f"{address}: cannot connect: {cause}: is this the SSH server of a board?"


def _unreadable(error: ValueError, options: dict[str, Any]) -> str:
    """Say which of the user's own files asyncssh could not read."""
    known = options.get("known_hosts", "~/.ssh/known_hosts")
    if isinstance(error, asyncssh.KeyImportError):
        broken = ", ".join(_broken_keys(sorted(Path("~/.ssh").expanduser().glob("id_*"))))
        return (
            f"{broken or '~/.ssh/id_*'}: no private key of SSH: mend or remove it, or name the "
            f"right key with --key or {KEYS_VARIABLE}"
        )
    if isinstance(error, UnicodeDecodeError) or "known hosts" in str(error):
        return f"{known}: no file of host keys: take the damaged lines out, or name another file"
    return f"the settings of SSH in ~/.ssh cannot be read: {printable(str(error))}: mend them"


def _broken_keys(paths: Sequence[Path]) -> list[str]:
    broken = []
    for path in paths:
        if path.suffix != ".pub":
            try:
                asyncssh.load_keypairs(str(path), ignore_encrypted=True)
            except ValueError:
                broken.append(str(path))
            except OSError:
                continue
    return broken
