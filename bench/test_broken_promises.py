"""The guards behind `docs/promises.md`, taken away one by one: a test must notice each.

A guard that has moved is an error: follow it.

    pytest bench/test_broken_promises.py
"""

import pytest

from bench.planted import Fault, check_caught, check_sound

SPECBP = "host/specbp"
BUILD = "tests/onboard/test_build.py"
FOREIGN_BUILDS = "tests/deploy/test_foreign_builds.py"
SECRETS = "tests/deploy/test_secrets.py"
SHARING = "tests/remote/test_sharing.py"
FOREIGN_USE = "tests/simulation/test_foreign_use.py"
DURABLE = "tests/test_durable.py"
STOPS = "tests/matrix/test_stops.py"
CUT = f"{STOPS}::test_a_power_cut_at_any_change_of_a_file_loses_nothing_that_was_stored"
STORED = f"{STOPS}::test_what_is_stored_survives_a_power_cut"
STOPPED = f"{STOPS}::test_stopped_at_any_change_of_a_file_it_goes_on_as_if_never_stopped"
DAMAGED = "tests/matrix/test_damaged_results.py"
LIMITS = "tests/remote/test_limits.py"
LOST = "tests/remote/test_lost_board.py"
CLOSING = "tests/simulation/test_closing.py"
UNTRUSTED_BOARD = "tests/deploy/test_untrusted_board.py"
LOCK = "tests/onboard/test_lock.py"

FOREIGN = {
    "a manifest adds files to a build": Fault(
        f"{SPECBP}/onboard/build.py",
        'if sorted(manifest["files"]) != names:',
        'if not {*names} <= {*manifest["files"]}:',
        BUILD,
    ),
    "a build brings a runner of its own": Fault(
        f"{SPECBP}/deploy/contents.py",
        "{**contents, archive.NAME: archive.archive()}",
        "{**contents, archive.NAME: (folder / archive.NAME).read_bytes()\n"
        "        if (folder / archive.NAME).exists() else archive.archive()}",
        FOREIGN_BUILDS,
    ),
    "a file of a build has any name": Fault(
        f"{SPECBP}/onboard/build.py", 'f"{_STEM}[.]{end[1:]}"', 'f".*[.]{end[1:]}"', BUILD
    ),
    "files of a build are not hashed": Fault(
        f"{SPECBP}/onboard/build.py",
        "if hashlib.sha256(contents[name]).hexdigest() != expected:",
        "if False:",
        BUILD,
    ),
    "a file of a build is a link to another": Fault(
        f"{SPECBP}/onboard/build.py", "os.O_RDONLY | os.O_NOFOLLOW |", "os.O_RDONLY |", BUILD
    ),
    "a number is NaN": Fault(
        f"{SPECBP}/onboard/untrusted.py",
        'raise ValueError(f"{name} is no number")',
        "return float(name)",
        BUILD,
    ),
    "XML declares entities": Fault(
        f"{SPECBP}/onboard/handoff.py",
        "parser.StartDoctypeDeclHandler = _refuse_document_type",
        "pass",
        BUILD,
    ),
    "a handoff has registers anywhere": Fault(
        f"{SPECBP}/onboard/handoff.py", "self._check_range(attributes)", "pass", BUILD
    ),
    "nobody is asked about a foreign build": Fault(
        f"{SPECBP}/cli/board.py",
        "if sys.stdin.isatty() and not agreed:",
        "if False:",
        FOREIGN_BUILDS,
    ),
}
"""Point 1: builds that others made."""

PASSWORDS = {
    "a password is sent before sudo asks": Fault(
        f"{SPECBP}/deploy/runner.py",
        "self.asked, self.refused = asyncio.Event(), asyncio.Event()",
        "self.asked, self.refused = asyncio.Event(), asyncio.Event()\n        self.asked.set()",
        f"{SECRETS}::test_the_password_goes_to_sudo_alone",
    ),
    "what a board says is repeated with the password in it": Fault(
        f"{SPECBP}/deploy/login.py",
        'shown = shown.replace(secret, "***")',
        "pass",
        SECRETS,
    ),
    "a password is logged": Fault(
        f"{SPECBP}/deploy/runner.py",
        "        connection.secrets.given.add(password)\n",
        "        connection.secrets.given.add(password)\n"
        '        __import__("logging").getLogger("specbp").debug("sudo: %s", password)\n',
        SECRETS,
    ),
    "a password is part of a command": Fault(
        f"{SPECBP}/deploy/runner.py",
        'sudo = f"sudo -S',
        'sudo = f"P={connection.access.sudo_password(str(connection.address))} sudo -S',
        SECRETS,
    ),
}
"""Point 2: the password for sudo."""

SHARED = {
    "a client takes no lease": Fault(
        f"{SPECBP}/remote/board.py", "self._lease.take()", "pass", SHARING
    ),
    "a server serves two clients": Fault(
        f"{SPECBP}/remote/clients.py",
        'raise InUseError(f"this board is in use by {self.holder.name}")',
        "return self.holder",
        SHARING,
    ),
    "a lease is never given back": Fault(
        f"{SPECBP}/remote/lease.py",
        "self._files.write_file(LEASE_FILE, FREE)",
        "pass",
        "tests/remote/test_lease.py",
    ),
    "of two that come at once both have the board": Fault(
        f"{SPECBP}/remote/lease.py",
        "if holder is None or holder.token != self._own.token:\n            raise _in_use(holder)",
        "if holder is None:\n            raise _in_use(holder)",
        "tests/remote/test_lease.py",
    ),
    "a run does not look whether the board is as it was left": Fault(
        f"{SPECBP}/overlay/driver.py",
        "if self._marked and self._read(registers.WATCHDOG) != self._mark:",
        "if False:",
        FOREIGN_USE,
    ),
    "a run does not look whether the board was used meanwhile": Fault(
        f"{SPECBP}/overlay/driver.py",
        "        self._check_setting(setting)\n",
        "",
        f"{FOREIGN_USE}::test_while_a_program_runs",
    ),
    "frames do not say what was programmed": Fault(
        f"{SPECBP}/remote/executor.py",
        '"programmed": board.programmed.described,',
        '"programmed": None,',
        "tests/remote/test_server.py",
    ),
}
"""Point 3: two clients of one board."""

POWER = {
    "content is not synced": Fault(
        f"{SPECBP}/durable.py", "        os.fsync(file)\n    finally:", "    finally:", DURABLE
    ),
    "names are not synced": Fault(
        f"{SPECBP}/durable.py",
        "    os.replace(temporary, path)\n    sync_folder(path.parent)\n",
        "    os.replace(temporary, path)\n",
        DURABLE,
    ),
    "a folder has its name before its content": Fault(
        f"{SPECBP}/durable.py",
        "    _write_new(folder / SUMS, _sums({name: sha256(one) for name, one in files.items()}))\n"
        "    sync_folder(folder)\n",
        "    _write_new(folder / SUMS, _sums({n: sha256(one) for n, one in files.items()}))\n",
        DURABLE,
    ),
    "the format file is not on the disk": Fault(
        f"{SPECBP}/matrix/store.py",
        "durable.write(store._format_file, json.dumps(about).encode())",
        "store._format_file.write_bytes(json.dumps(about).encode())",
        STORED,
    ),
    "an empty format file bricks the folder": Fault(
        f"{SPECBP}/matrix/store.py",
        "lost = self._format_file.exists() and self._cells.is_dir()\n"
        "            if not lost and names - set(_OWN):",
        "if self._format_file.exists():",
        f"{CUT}[named]",
    ),
    "storing that was interrupted is not finished": Fault(
        f"{SPECBP}/matrix/store.py",
        "            self._move_finished(folder.parent)\n",
        "            pass\n",
        STOPPED,
    ),
    "half-made files are not swept": Fault(
        f"{SPECBP}/matrix/store.py",
        "        durable.sweep(self._cells)\n        durable.sweep(self.unfinished)\n",
        "",
        STOPPED,
    ),
    "finished cells are not found again": Fault(
        f"{SPECBP}/matrix/store.py",
        "if folder.is_dir() and not folder.name.startswith",
        "if not folder.is_dir() and not folder.name.startswith",
        STORED,
    ),
    "a report is written past the disk": Fault(
        f"{SPECBP}/report/published.py",
        "durable.write(folder / name, memoryview(content.getvalue()))",
        "(folder / name).write_bytes(content.getvalue())",
        DURABLE,
    ),
}
"""Point 4: power cuts."""

COMPARISONS = {
    "cells of a comparison are stored one by one": Fault(
        f"{SPECBP}/matrix/session.py",
        "        self._store.write(self._cells[0].workload, [*finished, *failed])\n",
        "        for one in [*finished, *failed]:\n"
        "            self._store.write(self._cells[0].workload, [one])\n",
        f"{CUT}[synced]",
    ),
    "what comes after a stop counts as the first round": Fault(
        f"{SPECBP}/matrix/session.py",
        "self._round = self._saved.round",
        "self._round = 0",
        f"{CUT}[synced]",
    ),
}
"""Point 5: kills between two cells of a comparison."""

DAMAGE = {
    "the checksum of a checkpoint is not looked at": Fault(
        f"{SPECBP}/durable.py", "if seal != _SEAL + sha256(content).encode():", "if False:", DAMAGED
    ),
    "checksums of results are not looked at": Fault(
        f"{SPECBP}/durable.py",
        "if sha256(content) != expected:\n            if not",
        "if not",
        DURABLE,
    ),
    "values of a state are of any range": Fault(
        f"{SPECBP}/saved_state.py",
        "if tensor.numel() and not bool(((tensor >= low) & (tensor <= high)).all()):",
        "if False:",
        "tests/runtime/test_restoring.py",
    ),
    "tensors of a state are of any shape": Fault(
        f"{SPECBP}/saved_state.py",
        "if value.dtype != dtype or tuple(value.shape) != shape:",
        "if value.dtype != dtype:",
        "tests/runtime/test_restoring.py",
    ),
    "a frame has texts that are no UTF-8": Fault(
        f"{SPECBP}/matrix/store.py",
        "        found.validate(full=True)  # texts are UTF-8, offsets are in range\n",
        "",
        DAMAGED,
    ),
    "a published frame has columns of any type": Fault(
        f"{SPECBP}/report/published.py",
        "if not any(fits(column.type) for fits in _FITTING[kinds[name]]):",
        "if False:",
        "tests/report/test_published.py",
    ),
    "damaged machine code is loaded": Fault(
        f"{SPECBP}/compiling.py",
        "    if durable.is_whole(entry):\n        return entry / name\n",
        "    if entry.is_dir():\n        return entry / name\n",
        "tests/test_compiling.py",
    ),
    "killed builds stay": Fault(
        f"{SPECBP}/compiling.py",
        "            _delete_killed_builds(cache)\n",
        "",
        "tests/test_compiling.py",
    ),
}
"""Point 6: damaged state."""

SERVED = {
    "an upload is checked at its end": Fault(
        f"{SPECBP}/remote/files.py",
        "        self._files.reserve(self.path, len(chunk))\n",
        "        self._files.reserved += len(chunk)\n",
        LIMITS,
    ),
    "a client may stop in the middle of a stream": Fault(
        f"{SPECBP}/remote/services.py",
        "return await asyncio.wait_for(transfer, CHUNK_DEADLINE_S)",
        "return await asyncio.wait_for(transfer, 60.0)",
        f"{LIMITS}::test_a_stream_that_stops_is_given_up",
    ),
    "a buffer has a size below 1": Fault(
        f"{SPECBP}/remote/services.py",
        "if request.size <= 0 or len(client.buffers)",
        "if len(client.buffers)",
        LIMITS,
    ),
    "a window reaches beyond the registers": Fault(
        f"{SPECBP}/simulation/simulated.py",
        "if length > 0 and base <= base_address and last < base + hwh.SPAN:",
        "if base <= base_address < base + hwh.SPAN:",
        LIMITS,
    ),
    "buffers stay when their client is gone": Fault(
        f"{SPECBP}/remote/clients.py",
        "            buffer.freebuffer()\n",
        "            pass\n",
        f"{SHARING}::test_memory_ends_with_its_client",
    ),
    "calls to a board have no deadline": Fault(
        f"{SPECBP}/remote/calls.py",
        "return call(_within(details, CALL_S), request)",
        "return call(_within(details, 600.0), request)",
        LOST,
    ),
    "a server waits for its streams": Fault(
        f"{SPECBP}/remote/server.py",
        "await self._server.stop(GRACE_S)",
        "await self._server.stop(60.0)",
        f"{LIMITS}::test_the_first_ctrl_c_ends_a_server_with_open_streams",
    ),
}
"""Point 7: `specbp board serve` and its clients."""

CLOSED = {
    "a closed model is used": Fault(
        f"{SPECBP}/simulation/verilated.py",
        "            self._opened = None\n",
        "",
        CLOSING,
    ),
    "who waits for a closed board is not woken": Fault(
        f"{SPECBP}/simulation/simulated.py", "        self._waiting.close()\n", "", CLOSING
    ),
}
"""Point 8: after a deadline of the simulation."""

BOARDS = {
    "control characters of a board reach the terminal": Fault(
        f"{SPECBP}/onboard/untrusted.py",
        "return printable(value, 4 * self.most, self.lines)",
        "return value",
        UNTRUSTED_BOARD,
    ),
    "an integer of a board is of any range": Fault(
        f"{SPECBP}/onboard/untrusted.py",
        "if type(value) is not int or not self.low <= value <= self.high:",
        "if type(value) is not int:",
        UNTRUSTED_BOARD,
    ),
    "an answer is nested too deeply": Fault(
        f"{SPECBP}/onboard/untrusted.py",
        "    except RecursionError:\n        raise UntrustedError",
        "    except ZeroDivisionError:\n        raise UntrustedError",
        UNTRUSTED_BOARD,
    ),
    "an answer is of any length": Fault(
        f"{SPECBP}/onboard/messages.py",
        "if header > most_header or body > most_body:",
        "if False:",
        UNTRUSTED_BOARD,
    ),
    "an answer has arrays that nobody asked for": Fault(
        f"{SPECBP}/deploy/runner.py",
        'if shapes != ({} if content is None else {"content": ("|u1", (content,))}):',
        "if False:",
        UNTRUSTED_BOARD,
    ),
    "a command of a board says anything at length": Fault(
        f"{SPECBP}/deploy/connection.py",
        "if len(said) > MOST_OUTPUT:",
        "if False:",
        UNTRUSTED_BOARD,
    ),
}
"""Point 9: what a board says."""

LOCKS = {
    "root opens the lock through a link": Fault(
        f"{SPECBP}/onboard/lock.py",
        "_FILE = os.O_NOFOLLOW | os.O_CLOEXEC",
        "_FILE = os.O_CLOEXEC",
        LOCK,
    ),
    "root opens a file that has another name elsewhere": Fault(
        f"{SPECBP}/onboard/lock.py",
        "if not stat.S_ISREG(about.st_mode) or about.st_nlink != 1:",
        "if not stat.S_ISREG(about.st_mode):",
        LOCK,
    ),
    "others can write where root writes": Fault(
        f"{SPECBP}/onboard/lock.py",
        "if about.st_uid != os.geteuid() or about.st_mode & 0o022:",
        "if about.st_uid != os.geteuid():",
        LOCK,
    ),
    "anyone can write the lock": Fault(
        f"{SPECBP}/onboard/lock.py",
        "folder.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)",
        "folder.open(LOCK, os.O_RDWR | os.O_CREAT, 0o666)",
        LOCK,
    ),
}
"""Point 10: the lock on a board."""

FAULTS = {
    **FOREIGN, **PASSWORDS, **SHARED, **POWER, **COMPARISONS, **DAMAGE, **SERVED, **CLOSED,
    **BOARDS, **LOCKS,
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_the_missing_guard_is_noticed(tmp_path, name):
    check_caught(FAULTS[name], tmp_path)


@pytest.mark.parametrize("test", sorted({fault.caught_by for fault in FAULTS.values()}))
def test_with_all_guards_its_test_passes(test):
    check_sound(test)
