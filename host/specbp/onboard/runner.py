"""The runner: does what a host asks through standard input, and answers on standard output.

It speaks first: ``hello``, or an error such as a board in use. Then each request gets one answer,
a message with ``ok``, or with ``error`` and ``kind``. It ends when its input does.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from specbp.onboard import about, messages
from specbp.onboard.build import open_build
from specbp.onboard.energy import RailMeter, open_rails
from specbp.onboard.lock import STATE, StateFolder, board_lock
from specbp.onboard.overlay import LoadedOverlay, by_core, this_board
from specbp.onboard.protocol import PROTOCOL
from specbp.onboard.selftest import run_selftest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

if TYPE_CHECKING:
    Answer = tuple[dict[str, Any], dict[str, NDArray[Any]]]


@dataclass
class StoredProgram:
    """What all cores run together.

    Attributes:
        memory: number of the memory it works on.
        words: descriptors of all cores, one after the other, uint32 [descriptors, 16].
        lengths: descriptors of each core.
    """

    memory: int
    words: NDArray[np.uint32]
    lengths: list[int]


class Runner:
    """Answers the requests of one host.

    Args:
        version: folder of the build to use.
        state: where to write down what was programmed.
    """

    def __init__(self, version: Path, state: StateFolder) -> None:
        self._version, self._state = version, state
        self._overlay: LoadedOverlay | None = None
        self._programs: dict[int, StoredProgram] = {}
        self._rails: RailMeter | None = None

    def answer(self, request: messages.Message) -> Answer:
        """Return the answer to `request`.

        Raises:
            KeyError: there is no such request, or it lacks a field.
        """
        handlers: dict[str, Callable[[dict[str, Any], dict[str, NDArray[Any]]], Answer]] = {
            "load": self._load,
            "selftest": self._selftest,
            "allocate": self._allocate,
            "free": self._free,
            "write": self._write,
            "read": self._read,
            "program": self._program,
            "set_valid": self._set_valid,
            "run": self._run,
            "energy": self._energy,
        }
        return handlers[request.header["do"]](request.header, request.arrays)

    def _load(self, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Answer:
        """Program the overlay; what is loaded already stays."""
        if self._overlay is None:
            build = open_build(self._version)
            self._overlay = LoadedOverlay(build)
            about.remember_loaded(self._state, build)
        return self._overlay.about(), {}

    def _selftest(self, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Answer:
        overlay = self._loaded()
        return run_selftest(overlay, overlay.vectors), {}

    def _allocate(self, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Answer:
        number, address = self._loaded().allocate(header["size"])
        return {"memory": number, "address": address}, {}

    def _free(self, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Answer:
        memory = header["memory"]
        self._loaded().free(memory)
        self._programs = {k: v for k, v in self._programs.items() if v.memory != memory}
        return {}, {}

    def _write(self, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Answer:
        self._loaded().write(header["memory"], header["ranges"], arrays["content"])
        return {}, {}

    def _read(self, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Answer:
        return {}, {"content": self._loaded().read(header["memory"], header["ranges"])}

    def _program(self, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Answer:
        """Keep a program while its memory is there, so that later only changes travel."""
        number = max(self._programs, default=0) + 1
        words, lengths = arrays["words"], header["lengths"]
        self._programs[number] = StoredProgram(header["memory"], words, lengths)
        return {"program": number}, {}

    def _set_valid(self, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Answer:
        self._loaded().driver.clear_labels(header["labels"])
        return {}, {}

    def _run(self, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Answer:
        """Run a program on a batch: one request and one answer for all of it."""
        overlay, memory = self._loaded(), header["memory"]
        program = self._programs[header["program"]]
        if len(arrays["rows"]):
            program.words[arrays["rows"]] = arrays["changed"]
        overlay.write(memory, header["given"], arrays["content"])
        programs = by_core(program.words, program.lengths)
        cores = overlay.run(memory, programs, header["deadline_s"], header["watchdog"])
        done = {"cores": cores, "clock_mhz": overlay.clock_mhz}
        return done, {"content": overlay.read(memory, header["shown"])}

    def _energy(self, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Answer:
        """Return the joules since the first time that they were asked for."""
        if self._rails is None:
            device = self._loaded().device
            self._rails = open_rails(this_board(), bool(getattr(device, "simulated", False)))
        rails = self._rails
        return {"joules": rails.joules(), "source": rails.source, "reason": rails.reason}, {}

    def _loaded(self) -> LoadedOverlay:
        if self._overlay is None:
            raise KeyError("nothing is loaded yet")
        return self._overlay


def serve(runner: Runner, requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until they end."""
    while True:
        request = messages.read(requests)
        if request is None:
            return
        try:
            header, arrays = runner.answer(request)
            reply = messages.encode(dict(header, ok=True), arrays)
        except Exception as error:
            reply = _failure(error)
        answers.write(reply)
        answers.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a host on standard input and output; or print what this board is like."""
    parser = argparse.ArgumentParser(prog="specbp-runner", description=__doc__)
    parser.add_argument("--about", action="store_true", help="print what this board is like")
    parser.add_argument("--root", type=Path, required=True, help="folder of specbp on this board")
    parser.add_argument("--version", help="name of the version's folder; current if absent")
    parser.add_argument("--who", default="", help="whom others are told to wait for")
    parser.add_argument("--wait", type=float, default=0.0, help="for the board to be free, s")
    parser.add_argument(
        "--state", type=Path, default=STATE, help="folder of what all accounts of this board share"
    )
    given = parser.parse_args(arguments)
    # Only answers may reach the host's end of standard output; all else goes to standard error.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if given.about:
        answers.write(messages.encode(dict(about.board(given.root, given.state), ok=True)))
        answers.close()
        return 0
    version = given.root / "versions" / given.version if given.version else given.root / "current"
    try:
        with StateFolder(given.state) as state, board_lock(state, given.who, given.wait):
            hello = {"ok": True, "hello": PROTOCOL, "version": version.resolve().name}
            answers.write(messages.encode(dict(hello, **about.software())))
            answers.flush()
            serve(Runner(version.resolve(), state), sys.stdin.buffer, answers)
    except Exception as error:
        answers.write(_failure(error))
        answers.flush()
        return 1
    return 0


def _failure(error: Exception) -> bytes:
    described = str(error) or type(error).__name__
    return messages.encode({"ok": False, "error": described, "kind": type(error).__name__})
