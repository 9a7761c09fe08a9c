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
_FORM = re.compile(
    r"(?:(?:pynq|remote)://)?(?:(?P<user>[^@:/\s]+)@)?"
    r"(?P<host>\[[0-9a-fA-F:]+\]|[A-Za-z0-9][A-Za-z0-9.-]*)(?::(?P<port>\d{1,5}))?/?"
)


@dataclass(frozen=True)
class Address:
    """A board's account.

    Attributes:
        user: name of the account.
        host: name or IP address.
        port: of the SSH server, or of PYNQ.remote's.
    """

    user: str
    host: str
    port: int

    def __str__(self) -> str:
        port = "" if self.port == DEFAULT_PORT else f":{self.port}"
        return f"{self.user}@{self.host}{port}"


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
    if match is None or int(match["port"] or 0) > 65535:
        raise UsageError(f'"{text}" is no address of a board: write [USER@]HOST[:PORT]')
    host = match["host"].strip("[]")
    usual = REMOTE_PORT if text.startswith("remote://") else DEFAULT_PORT
    return Address(match["user"] or DEFAULT_USER, host, int(match["port"] or usual))


@dataclass(frozen=True)
class Access:
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

    def login_password(self, address: Address) -> str | None:
        """Return the account's password, None where there is none."""
        return self._password(LOGIN_VARIABLE, f"password of {address}: ")

    def sudo_password(self, address: Address) -> str | None:
        """Return the password for sudo there, None where there is none."""
        given = self.environment.get(SUDO_VARIABLE) or self.environment.get(LOGIN_VARIABLE)
        return given or self._password(SUDO_VARIABLE, f"password for sudo on {address}: ")

    def _password(self, variable: str, prompt: str) -> str | None:
        given = self.environment.get(variable)
        if given or self.ask is None:
            return given
        return self.ask(prompt)


def access_from_environment() -> Access:
    """Return access as a user's environment says: known hosts, keys, and who may be asked."""
    import getpass
    import sys

    known = os.environ.get("SPECBP_KNOWN_HOSTS")
    keys = os.environ.get("SPECBP_SSH_KEYS", "")
    return Access(
        Path(known) if known else None,
        tuple(Path(key) for key in keys.split(os.pathsep) if key),
        ask=getpass.getpass if sys.stdin.isatty() else None,
    )
