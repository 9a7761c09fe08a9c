"""Kills the command line while it runs a matrix, and counts every step that it does.

A matrix that was killed must give the frames of one that was left alone, in every column but times,
and do no more steps again than those since its last checkpoint: here one block of each arm.
"""

import os
import signal
import sys
import time
from pathlib import Path

import tests.forked
from specbp.datasets.loading import load as load_dataset
from specbp.frames import repeatable_columns
from specbp.matrix.run import backend_opener
from specbp.matrix.store import load
from tests.disk import CUTS, Disk, Model, put
from tests.matrix.scripted import run

BLOCK_STEPS = 2
ARMS = {
    "cpu": [
        {"schedule": "sequential"},
        {"schedule": "speculative", "gate_threshold": 0.3},
        {"schedule": "pipelined"},
    ],
    "sim:rtl": [
        {"backend": "sim:rtl"},
        {"backend": "sim:rtl", "schedule": "speculative", "reuse": "replay"},
        {"arithmetic": "int16"},
    ],
    "sim:model": [
        {"backend": "sim:model"},
        {"backend": "sim:model", "schedule": "pipelined"},
        {"arithmetic": "int16"},
    ],
}
SIZES = {"cpu": 96, "sim:rtl": 32, "sim:model": 96}
"""Training samples."""
MOST_BLOCKS = 3
"""A signal comes after 0 to so many further blocks of steps, and a moment."""
START_S, BLOCK_S = 4.0, 0.05
"""The longest moment while a command starts, and while it trains."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSTOP)
"""What may happen to a process; one that was stopped is continued a little later."""
ENDS = {0, 130, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT}
"""Exit codes of a command that was left alone, stopped, or killed before it could say anything."""


def matrix(kind, repeats=2):
    """Return a small matrix of one kind of arms, as plain values."""
    sizes = {"train": SIZES[kind], "test": 16, "batch_size": 8, "epochs": 2}
    base = {**sizes, "block_steps": BLOCK_STEPS}
    return {"name": "killed", "repeats": repeats, "base": base, "axes": {"arm": ARMS[kind]}}


def toml(plain):
    """Return a matrix as TOML."""

    def value(one):
        if isinstance(one, dict):
            return "{" + ", ".join(f"{key} = {value(part)}" for key, part in one.items()) + "}"
        if isinstance(one, list):
            return "[" + ", ".join(map(value, one)) + "]"
        return repr(one).replace("'", '"')

    return "\n".join(f"{key} = {value(one)}" for key, one in plain.items()) + "\n"


def repeatable(folder):
    """Return the frames of a results folder without times, sorted, as text."""
    frames = load(folder)
    order = ("cell", "epoch", "step")
    return [
        frame[repeatable_columns(name)]
        .sort_values([column for column in order if column in frame])
        .to_csv(index=False)
        for name, frame in vars(frames).items()
    ]


class Lives:
    """A matrix in a folder, whose processes are killed.

    Args:
        folder: empty; the matrix and the results are there.
        kind: of arms.
        repeats: comparisons of the matrix.
    """

    def __init__(self, folder: Path, kind: str, repeats: int = 2) -> None:
        self.folder = folder
        self.arms = len(ARMS[kind])
        (folder / "killed.toml").write_text(toml(matrix(kind, repeats)))

    def undisturbed(self):
        """Run the matrix once; return its frames and the steps that it did."""
        process = self._start("whole")
        process.join()
        assert process.exitcode == 0, self._said()
        return repeatable(self.folder / "whole"), sum(self._blocks("whole"))

    def kill(self, name, number, draw):
        """Run the matrix to its end with so many signals on the way, however fast the machine is.

        Args:
            name: of the results folder.
            number: how many signals.
            draw: a `random.Random`.

        Returns:
            Its frames, the steps that were done in all, and the signals that a process met.
        """
        met = []
        while True:
            process = self._start(name)
            while len(met) < number:
                blocks = draw.randint(0, MOST_BLOCKS)
                self._wait(process, name, blocks)
                process.join(draw.random() * (BLOCK_S if blocks else START_S))
                if not process.is_alive():
                    break
                sent = draw.choice(SIGNALS)
                os.kill(process.pid, sent)
                met.append(sent)
                if sent != signal.SIGSTOP:
                    break
                time.sleep(0.1)
                os.kill(process.pid, signal.SIGCONT)
            process.join(300)
            assert process.exitcode in ENDS, (process.exitcode, self._said())
            if process.exitcode == 0:
                return repeatable(self.folder / name), sum(self._blocks(name)), met

    def most_steps(self, whole, met):
        """Return how many steps may be done, where so many signals ended a process."""
        ended = sum(sent != signal.SIGSTOP for sent in met)
        return whole + ended * self.arms * BLOCK_STEPS

    def _start(self, name):
        words = ["specbp", "bench", "killed.toml", "--results", name, "--checkpoint-seconds", "0"]
        files = [str(self.folder / one) for one in ("output", "error")]
        arguments = words, str(self.folder), dict(os.environ), *files
        return tests.forked.start_forked(counted_command, str(self._log(name)), *arguments)

    def _log(self, name):
        return self.folder / f"{name}.steps"

    def _wait(self, process, name, blocks):
        """Wait until a process has done so many further blocks, or has ended."""
        enough = len(self._blocks(name)) + blocks
        while process.is_alive() and len(self._blocks(name)) < enough:
            process.join(0.01)

    def _blocks(self, name):
        """Return the steps of each block that was done."""
        log = self._log(name)
        return [int(steps) for steps in log.read_text().split()] if log.exists() else []

    def _said(self):
        return (self.folder / "error").read_text()


def counted_command(log, *arguments):
    """Run a command; every block of steps is written to `log` when it is done."""
    from specbp.matrix.arm import Arm

    advance = Arm.advance

    def counted(arm, steps, round_number):
        advance(arm, steps, round_number)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, f"{steps}\n".encode())
        os.close(file)

    Arm.advance = counted
    try:
        tests.forked._command(*arguments)
    except KeyboardInterrupt:  # before the command had begun
        sys.exit(130)
    finally:
        # After the command, the machinery of a process would make an exit code of its own.
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def power_cuts(folder, kind, number, draw):
    """Run a matrix on a disk that loses power, at so many moments, and go on from what is left.

    Returns:
        The moments at which something else than in an undisturbed run came out, or more was done.
    """
    opener = backend_opener(lambda experiment: load_dataset("digits", train=SIZES[kind], test=16))
    given = matrix(kind, repeats=1)
    disk, root = Disk(fsync=False), folder / "undisturbed"
    root.mkdir()
    all_steps = run(root / "results", disk, given, opener)
    expected = repeatable(root / "results")
    moments = sorted(draw.sample(range(len(disk.log)), min(number, len(disk.log))))
    model, wrong = Model(root), []
    for moment, change in enumerate(disk.log):
        if moment in moments:
            again = folder / str(moment)
            put(model.left(draw.choice(CUTS), draw), again)
            steps = run(again / "results", None, given, opener)
            if repeatable(again / "results") != expected or steps > all_steps:
                wrong.append((moment, change[:2]))
        model.apply(change)
    return wrong
