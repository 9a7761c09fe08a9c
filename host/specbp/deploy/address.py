"""Where a board is, and how to be let in."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from specbp.errors import UsageError

DEFAULT_USER, DEFAULT_PORT = "xilinx", 22
REMOTE_PORT = 7967
"""Where PYNQ.remote's clients look."""
LOGIN_VARIABLE, SUDO_VARIABLE = "SPECBP_BOARD_PASSWORD", "SPECBP_SUDO_PASSWORD"
KEYS_VARIABLE = "SPECBP_SSH_KEYS"
_IPV6 = r"[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(?:%[A-Za-z0-9_.-]+)?"
_FORM = re.compile(
    r"(?:(?:pynq|remote)://)?(?:(?P<user>[^@:/\s]+)@)?"
    rf"(?:(?P<bare>{_IPV6})|(?:\[(?P<ipv6>{_IPV6})\]|(?P<name>[A-Za-z0-9_][A-Za-z0-9._-]*))"
    r"(?::(?P<port>\d{1,5}))?)/?"
)


@dataclass(frozen=True)
class Address:
    """A board's account, as it was written; `connect` looks for the rest in ``~/.ssh/config``.

    Attributes:
        user: name of the account; None where it was left out.
        host: name or IP address.
        port: port of the SSH server, or of PYNQ.remote's; None where it was left out.
    """

    user: str | None
    host: str
    port: int | None

    def __str__(self) -> str:
        user = "" if self.user is None else f"{self.user}@"
        if self.port is None:
            return user + self.host
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{user}{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Return the address in ``[pynq://][USER@]HOST[:PORT]`` or ``remote://HOST[:PORT]``.

    Raises:
        UsageError: it is none, or holds a password.
    """
    if re.search(r":[^@/]*@", re.sub(r"^\w+://", "", text)):
        raise UsageError(
            "a board's address must not hold a password, which would be kept with the results: "
            f"set {LOGIN_VARIABLE}, use a key, or wait to be asked"
        )
    match = _FORM.fullmatch(text)
    if match is None or not 0 < int(match["port"] or DEFAULT_PORT) <= 65535:
        raise UsageError(f'"{text}" is no address of a board: write [USER@]HOST[:PORT]')
    host = match["bare"] or match["ipv6"] or match["name"]
    port = None if match["port"] is None else int(match["port"])
    if port is None and text.startswith("remote://"):
        port = REMOTE_PORT
    return Address(match["user"], host, port)


@dataclass(frozen=True)
class Credentials:
    """How to be let in.

    Attributes:
        known_hosts: file of host keys; the user's own if None.
        keys: files of private keys; the user's own and the agent's if empty.
        environment: where passwords are looked for first.
        ask: asks a person for a password by the given prompt; None where nobody can be asked.
    """

    known_hosts: Path | None = None
    keys: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    ask: Callable[[str], str | None] | None = field(default=None, repr=False)

    def login_password(self, account: str) -> str | None:
        """Return the password of `account`, None where there is none."""
        return self._password(LOGIN_VARIABLE, f"password of {account}: ")

    def sudo_password(self, account: str) -> str | None:
        """Return the password that `account` gives to sudo, None where there is none."""
        password = self.environment.get(SUDO_VARIABLE) or self.environment.get(LOGIN_VARIABLE)
        return password or self._password(SUDO_VARIABLE, f"password for sudo on {account}: ")

    def passphrase(self, key: Path) -> str | None:
        """Return what the private key in the file `key` is encrypted with, None if unknown."""
        return None if self.ask is None else self.ask(f"passphrase of {key}: ")

    def _password(self, variable: str, prompt: str) -> str | None:
        password = self.environment.get(variable)
        if password or self.ask is None:
            return password
        return self.ask(prompt)


def access_from_environment() -> Credentials:
    """Return access as a user's environment says: known hosts, keys, and who may be asked."""
    import getpass
    import sys

    known = os.environ.get("SPECBP_KNOWN_HOSTS")
    keys = os.environ.get(KEYS_VARIABLE, "")
    return Credentials(
        Path(known) if known else None,
        tuple(Path(key) for key in keys.split(os.pathsep) if key),
        ask=getpass.getpass if sys.stdin.isatty() else None,
    )
