"""Makes the vectors of the self-test: a few steps of training, as int16 in PyTorch computes them.

The same steps are interpreted from the program; what the board is compared with is what both
agree on. Two cores also hand tiles to each other.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specbp.backends.recipe import Recipe
from specbp.bitstream.exchange import exchange
from specbp.datasets.loading import load
from specbp.errors import SpecbpError
from specbp.experiment import experiment_from
from specbp.lockstep.compare import Difference, compare
from specbp.lockstep.sides import OverlaySide, PytorchSide
from specbp.onboard import messages
from specbp.onboard.ranges import gathered
from specbp.overlay.compiler import Compiled
from specbp.overlay.executors import InterpreterExecutor
from specbp.overlay.faults import DEFAULT_WATCHDOG
from specbp.overlay.instructions import encode
from specbp.overlay.parameters import Parameters
from specbp.overlay.program import Program
from specbp.overlay.tensors import given_names

STEPS = 2
SAMPLES = 4
SCHEDULES: Mapping[int, Mapping[str, Any]] = {
    1: {"schedule": "sequential"},
    2: {"schedule": "speculative", "reuse": "replay", "gate_threshold": 0.2},
}
"""By cores: what makes use of all that they have."""
DEADLINE_S = 60.0
_OTHER_BASE = 1 << 20
"""To see which words of a program hold addresses, it is compared with itself elsewhere."""


@cache
def selftest(parameters: Parameters) -> bytes:
    """Return the vectors for an overlay with `parameters`, as `specbp.onboard.selftest` reads them.

    Raises:
        SpecbpError: interpreter and PyTorch differ; there is a fault in this package.
    """
    experiment = experiment_from(
        {"dataset": "digits", "train": 64, "test": 10, "batch_size": SAMPLES,
         "backend": "sim:model", "lanes": parameters.lanes, **SCHEDULES[parameters.cores]},
        "the self-test",
    )  # fmt: skip
    recipe = Recipe(experiment, load("digits", train=64, test=10))
    recorder = _RunRecorder(parameters)
    side = OverlaySide(recipe, parameters, lambda _, __: recorder)
    for found in compare(PytorchSide(recipe), side, STEPS):
        if isinstance(found, Difference):
            raise SpecbpError(f"the self-test cannot be made: {found}")
    header, arrays = recorder.vectors(side.overlay.tensors.compiled)
    parts = [messages.encode(header, arrays)]
    if parameters.cores > 1:
        parts.append(exchange(parameters, DEADLINE_S))
    return zlib.compress(b"".join(parts), 9)


class _RunRecorder(InterpreterExecutor):
    """Keeps programs and memory of every run."""

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._memory: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._valid: list[int] = []
        self._runs: list[tuple[NDArray[np.uint32], NDArray[np.uint8], NDArray[np.uint8]]] = []

    def allocate(self, size: int) -> tuple[int, NDArray[np.uint8]]:
        base, self._memory = super().allocate(size)
        return base, self._memory

    def set_valid(self, valid: NDArray[np.bool_]) -> None:
        super().set_valid(valid)
        self._valid = np.flatnonzero(valid).tolist()

    def run(self, program: Program) -> None:
        words, before = np.concatenate(program.words), self._memory.copy()
        super().run(program)
        self._runs.append((words, before, self._memory.copy()))

    def vectors(self, compiled: Compiled) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return header and arrays of the message."""
        base = compiled.memory.base
        first = self._runs[0][0].reshape(-1)
        here, moved = (_words(one) for one in (compiled, compiled.at(base + _OTHER_BASE)))
        relocated = np.flatnonzero(here != moved)
        program = first.copy()
        program[relocated] -= np.uint32(base)
        arrays: dict[str, NDArray[Any]] = {
            "program": program.reshape(self._runs[0][0].shape),
            "memory": self._runs[0][1],
        }
        given = given_names(compiled)
        expected = [name for name in compiled.memory.places if name not in given]
        steps = []
        for step, (words, before, after) in enumerate(self._runs):
            changed = np.flatnonzero(words.reshape(-1) != first)
            arrays[f"at_{step}"] = changed
            arrays[f"factors_{step}"] = words.reshape(-1)[changed]
            arrays[f"given_{step}"] = _bytes(compiled, given, before)
            arrays[f"expected_{step}"] = _bytes(compiled, expected, after)
            steps.append({"given": _named(compiled, given), "expected": _named(compiled, expected)})
        header = {
            "size": len(self._memory),
            "lengths": [len(program) for program in compiled.programs],
            "valid": self._valid,
            "relocated": relocated.tolist(),
            "watchdog": DEFAULT_WATCHDOG,
            "deadline_s": DEADLINE_S,
            "steps": steps,
        }
        return header, arrays


def _words(compiled: Compiled) -> NDArray[np.uint32]:
    programs = ([one.descriptor for one in program] for program in compiled.programs)
    return np.concatenate([encode(program) for program in programs]).reshape(-1)


def _named(compiled: Compiled, names: Sequence[tuple[str, str]]) -> list[list[Any]]:
    places, base = compiled.memory.places, compiled.memory.base
    return [[*name, places[name].address - base, places[name].size] for name in names]


def _bytes(
    compiled: Compiled, names: Sequence[tuple[str, str]], memory: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    named = _named(compiled, names)
    return gathered(memory, [(offset, length) for _, _, offset, length in named])
