"""A board on loopback: a real SSH server, whose account runs the runner on the simulated overlay.

What a real board has and this machine has not is put into the account's `bin`: sudo, and a python3
whose pynq finds a simulated device. The commands, SFTP and the runner are those of a real board.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
from pathlib import Path

import asyncssh

import specbp

USER, LOGIN, SUDO = "xilinx", "login-secret-7421", "sudo-secret-9173"
PACKAGE = Path(specbp.__file__).parent

SUDO_SCRIPT = """#!/bin/bash
# As sudo: -n asks nobody; -S reads the password from standard input, at most three times, after
# the prompt of -p. Where .sudo-free is, the runner needs no password, but other commands do.
if [ "$1" = -n ]; then echo "sudo: a password is required" >&2; exit 1; fi
prompt=$3
shift 4
if [ -e "$HOME/.sudo-free" ]; then exec "$@"; fi
for attempt in 1 2 3; do
    printf %s "$prompt" >&2
    IFS= read -r password || { echo "sudo: no password was provided" >&2; exit 1; }
    if [ "$password" = "$(cat "$HOME/.sudo-password")" ]; then exec "$@"; fi
    echo "Sorry, try again." >&2
done
echo "sudo: 3 incorrect password attempts" >&2
exit 1
"""

DEVICE = """
import json, os, signal, sys, time
from pathlib import Path

if any(argument.endswith("runner.pyz") for argument in sys.orig_argv):
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pynq.pl_server.device import Device, DeviceMeta

    home = Path(os.environ["HOME"])

    class Board(Device):
        _probe_priority_ = 0

        @classmethod
        def _probe_(cls):
            # The runner brings its own modules; the simulation's come from the package.
            import specbp, specbp.boards, specbp.overlay
            specbp.__path__.append({package!r})
            specbp.boards.__path__.append({package!r} + "/boards")
            specbp.overlay.__path__.append({package!r} + "/overlay")
            from specbp.boards.programmable import ProgrammableDevice
            device = ProgrammableDevice(memory_bytes=8 << 20)
            plan(device)
            return [device]

    def plan(device):
        from specbp.boards.simulated import MEMORY_BASE
        from specbp.boards.verilated import Model, NO_ANSWER
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
"""


class _Server(asyncssh.SSHServer):
    def __init__(self, board):
        self._board = board

    def connection_made(self, connection):
        self._board.connections.append(connection)

    def begin_auth(self, username):
        return True

    def public_key_auth_supported(self):
        return self._board.accepted is not None

    def validate_public_key(self, username, key):
        return (username, key) == (USER, self._board.accepted)

    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        return (username, password) == (USER, LOGIN)


class LoopbackBoard:
    """Starts at once; `close` ends it.

    Attributes:
        home: the account's home folder.
        port: of the server.
        known_hosts: a file with its key.
        commands: all command lines that it was given.
        full_after, cut_after: after so many bytes of an upload the disk is full, the line is cut.
        flip: name of a file of which a byte is changed on its way.
        accepted: public key that lets in, beside the password.
        silent_sftp: whether SFTP opens and then answers nothing.
    """

    def __init__(self, folder, sftp=True):
        self.home = folder / "home"
        self.connections, self.commands, self.processes = [], [], []
        self.full_after = self.cut_after = self.flip = self.accepted = None
        self.uploaded = 0
        self._make_account(folder)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._key = asyncssh.generate_private_key("ssh-ed25519")
        self._server = self._wait(self._listen(sftp))
        self.port = self._server.sockets[0].getsockname()[1]
        public = self._key.export_public_key().decode().split()
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public[0]} {public[1]}\n")

    @property
    def address(self):
        return f"{USER}@127.0.0.1:{self.port}"

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
        self.full_after = self.cut_after = self.flip = self.accepted = None
        self.uploaded = 0
        self.silent_sftp = False
        for path in (self.home / "bin").iterdir():
            path.unlink()
        for name, text in self._binaries.items():
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
        self.accepted = key.convert_to_public()

    def cut(self):
        """Cut all connections, as a pulled cable."""
        self._loop.call_soon_threadsafe(self._cut)

    def close(self):
        self.cut()
        self._wait(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _make_account(self, folder):
        binaries, site = self.home / "bin", folder / "site"
        for made in (binaries, site):
            made.mkdir(parents=True)
        (site / "sitecustomize.py").write_text(DEVICE.replace("{package!r}", repr(str(PACKAGE))))
        self._binaries = {
            "sudo": SUDO_SCRIPT,
            # /run/specbp is the board's own; here it lies in the account.
            "python3": "#!/bin/bash\n"
            'case $1 in *.pyz) set -- "$@" --state "$HOME/run" ;; esac\n'
            f'PYTHONPATH={site} exec {sys.executable} "$@"\n',
            "id": '#!/bin/bash\n[ "$1" = -u ] && echo 1000 || exec /usr/bin/id "$@"\n',
        }
        self.heal()

    def program(self, name, text):
        """Make `text` what a command of the account does."""
        path = self.home / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    async def _listen(self, sftp):
        board = self

        class Files(asyncssh.SFTPServer):
            async def stat(self, path):
                while board.silent_sftp:
                    await asyncio.sleep(0.1)
                return super().stat(path)

            def write(self, file_obj, offset, data):
                return super().write(file_obj, offset, board._arriving(file_obj.name, data))

        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[self._key],
            server_factory=lambda: _Server(self),
            process_factory=self._process,
            sftp_factory=Files if sftp else False,
            encoding=None,
        )

    def _arriving(self, name, data):
        self.uploaded += len(data)
        if self.cut_after is not None and self.uploaded > self.cut_after:
            self._cut()
        if self.full_after is not None and self.uploaded > self.full_after:
            raise OSError(28, "No space left on device")
        if self.flip and os.fsdecode(name).endswith(self.flip):
            return bytes([data[0] ^ 1]) + data[1:]
        return data

    async def _process(self, process):
        self.commands.append(process.command)
        environment = {
            "HOME": str(self.home),
            "PATH": f"{self.home / 'bin'}:/usr/bin:/bin",
            "BOARD": "Pynq-Z2",
            **{name: os.environ[name] for name in ("SPECBP_CACHE",) if name in os.environ},
        }
        environment.setdefault("SPECBP_CACHE", str(_cache()))
        child = await asyncio.create_subprocess_exec(
            *("bash", "-c", process.command),
            cwd=self.home,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self.processes.append(child)
        given = asyncio.ensure_future(self._feed(process, child))
        done = asyncio.gather(
            self._copy(child.stdout, process.stdout), self._copy(child.stderr, process.stderr)
        )
        closed = asyncio.ensure_future(process.wait_closed())
        await asyncio.wait([done, closed], return_when=asyncio.FIRST_COMPLETED)
        given.cancel()
        if closed.done():
            self._kill(child)
        else:
            process.exit(await child.wait())

    async def _feed(self, process, child):
        with contextlib.suppress(asyncssh.Error, OSError):
            while data := await process.stdin.read(1 << 16):
                child.stdin.write(data)
                await child.stdin.drain()
            child.stdin.close()

    async def _copy(self, source, target):
        with contextlib.suppress(asyncssh.Error, OSError):
            while data := await source.read(1 << 16):
                target.write(data)
                await target.drain()

    def _kill(self, child):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)

    def _cut(self):
        connections, self.connections = self.connections, []
        for connection in connections:
            connection.abort()

    async def _close(self):
        self._server.close()
        for child in self.processes:
            if child.returncode is None:
                self._kill(child)
                await child.wait()

    def _wait(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)


def _cache():
    from specbp.compiling import cache_folder

    return cache_folder()
