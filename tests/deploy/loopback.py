"""A board on loopback: that of `specbp board serve --ssh`, with faults.

The commands, SFTP and the runner are those of a real board; its FPGA is simulated.
"""

import asyncio
import json
import os
import threading

import asyncssh

from specbp.simulation import account
from specbp.simulation.account import Account
from specbp.simulation.ssh_server import SshServer

LOGIN, SUDO = "login-secret-7421", "sudo-secret-9173"
SUDO_SCRIPT = account.SUDO

FAULTS = """
import json, os, signal, time
from pathlib import Path

home = Path(os.environ["HOME"])


def changed(device):
    from specbp.simulation.simulated import MEMORY_BASE
    from specbp.simulation.verilated import Model, NO_ANSWER
    faults = json.loads((home / "faults.json").read_text())
    if "pll" in faults:
        device._clocks.spoil(faults["pll"])
    if "no_answer" in faults:
        device.model.add_fault(MEMORY_BASE, MEMORY_BASE + (8 << 20), NO_ANSWER)
    if "other_bits" in faults:
        read = device._memory.bytes_at
        def spoiled(address, size):
            found = read(address, size)
            if size > 1000:
                found[size // 2] ^= 1
            return found
        device._memory.bytes_at = spoiled
    if "hang_at" in faults:
        run, runs = Model.run, [0]
        def hanging(self, cycles):
            runs[0] += 1
            if runs[0] == faults["hang_at"]:
                (home / "hanging").touch()
                if faults.get("stop"):
                    os.kill(os.getpid(), signal.SIGSTOP)
                time.sleep(60)
            return run(self, cycles)
        Model.run = hanging
    return device
"""


class _Server(SshServer):
    """Whose files may arrive otherwise than they were sent."""

    def __init__(self, board, **arguments):
        super().__init__(**arguments)
        self.board = board

    def files(self):
        board = self.board

        class Files(asyncssh.SFTPServer):
            async def stat(self, path):
                while board.silent_sftp:
                    await asyncio.sleep(0.1)
                return super().stat(path)

            def write(self, file_obj, offset, data):
                return super().write(file_obj, offset, board.arriving(file_obj.name, data))

        return Files


class LoopbackBoard:
    """Starts at once; `close` ends it.

    Attributes:
        home: the account's home folder.
        port: of the server.
        known_hosts: a file with its key.
        commands: all command lines that it was given.
        full_after, cut_after: after so many bytes of an upload the disk is full, the line is cut.
        flip: name of a file of which a byte is changed on its way.
        silent_sftp: whether SFTP opens and then answers nothing.
    """

    def __init__(self, folder, sftp=True, board="simulated"):
        self._account = Account(folder, board, SUDO, memory_bytes=8 << 20)
        self.home = self._account.home
        with (self._account.site / "sitecustomize.py").open("r+") as file:
            # Before anything is opened: what is defined last is what is called.
            text = file.read().replace("if any(", FAULTS + "\n\nif any(", 1)
            file.seek(0)
            file.write(text)
        self._server = _Server(
            self, folder=folder, account=self._account, port=0, password=LOGIN, sftp=sftp
        )
        self.heal()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._wait(self._server.start())
        self.port, self.known_hosts = self._server.port, self._server.known_hosts
        self.address, self.commands = self._server.address, self._server.commands

    @property
    def environment(self):
        return {
            "SPECBP_KNOWN_HOSTS": str(self.known_hosts),
            "SPECBP_BOARD_PASSWORD": LOGIN,
            "SPECBP_SUDO_PASSWORD": SUDO,
        }

    @property
    def current(self):
        link = self.home / "specbp" / "current"
        return link.resolve().name if link.exists() else None

    def fail(self, **faults):
        """Make the next runner's device fail so."""
        (self.home / "faults.json").write_text(json.dumps(faults))

    def heal(self):
        """Make everything work again."""
        self.full_after = self.cut_after = self.flip = self._server.accepted = None
        self.uploaded = 0
        self.silent_sftp = False
        for path in (self.home / "bin").iterdir():
            path.unlink()
        for name, text in self._account.binaries.items():
            self.program(name, text)
        for name in ("hanging", ".sudo-free"):
            (self.home / name).unlink(missing_ok=True)
        (self.home / ".sudo-password").write_text(SUDO)
        self.fail()

    def accept_new_key(self, path, passphrase=None):
        """Write a private key to `path`, which lets in."""
        key = asyncssh.generate_private_key("ssh-ed25519")
        # This format is decrypted without the package bcrypt.
        key.write_private_key(path, "pkcs8-pem" if passphrase else "openssh", passphrase)
        key.write_public_key(f"{path}.pub")
        self._server.accepted = key.convert_to_public()

    def cut(self):
        """Cut all connections, as a pulled cable."""
        self._loop.call_soon_threadsafe(self._server.cut)

    def switch_off(self):
        """Be gone, with all that runs, until `switch_on`."""
        self._wait(self._server.close())

    def switch_on(self):
        """Answer again at the same address."""
        self._wait(self._server.start())

    def close(self):
        self._wait(self._server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def program(self, name, text):
        """Make `text` what a command of the account does."""
        self._account.program(name, text)

    def arriving(self, name, data):
        """Return what arrives of `data` of an upload."""
        self.uploaded += len(data)
        if self.cut_after is not None and self.uploaded > self.cut_after:
            self._server.cut()
        if self.full_after is not None and self.uploaded > self.full_after:
            raise OSError(28, "No space left on device")
        if self.flip and os.fsdecode(name).endswith(self.flip):
            return bytes([data[0] ^ 1]) + data[1:]
        return data

    def _wait(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)
