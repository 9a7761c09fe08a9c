"""The self-test: short programs against stored vectors, without a host in the loop.

Vectors are messages one after the other in a file, compressed: a short training, and for two cores
an exchange between them. The header of each has

    size          bytes of memory
    lengths       descriptors of each core
    relocated     positions in the program's words to which the memory's address is added
    valid         labels that the gate may accept before the first step
    watchdog, deadline_s   as the driver's `run` takes them
    steps         for each step ``given`` and ``expected``: lists of
                  [layer, tensor, offset, length]

and its arrays ``program`` (of all cores, one after the other), ``memory``, and for each step
``factors_N`` (the program's words that changed), ``at_N`` (where), ``given_N`` and ``expected_N``
(the bytes, one after the other).
"""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from specbp.errors import SpecbpError
from specbp.onboard import messages
from specbp.onboard.overlay import by_core

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from specbp.onboard.overlay import LoadedOverlay


class SelfTestError(SpecbpError):
    """The board computes something else than was stored."""


def read_vectors(path: Path) -> list[messages.Message]:
    """Return the vectors in a file.

    Raises:
        SelfTestError: it is damaged.
    """
    found = []
    try:
        content = io.BytesIO(zlib.decompress(path.read_bytes()))
        message = messages.read(content)
        while message is not None:
            found.append(message)
            message = messages.read(content)
    except (OSError, zlib.error, messages.MessageError) as error:
        raise SelfTestError(f"{path}: the vectors of the self-test are damaged: {error}") from error
    if not found:
        raise SelfTestError(f"{path}: the vectors of the self-test are empty")
    return found


def run_selftest(overlay: LoadedOverlay, vectors: Sequence[messages.Message]) -> dict[str, Any]:
    """Run the stored steps of all programs and compare every stored tensor.

    Returns:
        steps, tensors and bytes compared, and the cycles of each step.

    Raises:
        SelfTestError: the first tensor that differs.
        OverlayError: the overlay stopped at an error, or did not end in time.
    """
    found: dict[str, Any] = {"steps": 0, "tensors": 0, "bytes": 0, "cycles": []}
    for header, arrays in vectors:
        cycles = _run_part(overlay, header, arrays)
        found["cycles"] += cycles
        found["steps"] += len(cycles)
        for step in header["steps"]:
            found["tensors"] += len(step["expected"])
            found["bytes"] += sum(length for _, _, _, length in step["expected"])
    return found


def _run_part(
    overlay: LoadedOverlay, header: dict[str, Any], arrays: dict[str, NDArray[Any]]
) -> list[int]:
    """Run the steps of one program; return the cycles of each."""
    number, address = overlay.allocate(header["size"])
    try:
        overlay.write(number, [(0, header["size"])], arrays["memory"])
        program = arrays["program"].copy()
        words = program.reshape(-1)
        words[np.asarray(header["relocated"], np.int64)] += np.uint32(address)
        programs = by_core(program, header["lengths"])
        overlay.driver.clear_labels(header["valid"])
        cycles = []
        for step, what in enumerate(header["steps"]):
            words[arrays[f"at_{step}"]] = arrays[f"factors_{step}"]
            overlay.write(number, _ranges(what["given"]), arrays[f"given_{step}"])
            done = overlay.run(number, programs, header["deadline_s"], header["watchdog"])
            cycles.append(max(int(core["cycles"]) for core in done))
            found = overlay.read(number, _ranges(what["expected"]))
            _compare(step, what["expected"], found, arrays[f"expected_{step}"])
    finally:
        overlay.free(number)
    return cycles


def _ranges(named: Any) -> list[tuple[int, int]]:
    return [(offset, length) for _, _, offset, length in named]


def _compare(step: int, named: Any, found: NDArray[Any], expected: NDArray[Any]) -> None:
    start = 0
    for layer, tensor, _, length in named:
        ours, theirs = found[start : start + length], expected[start : start + length]
        different = np.flatnonzero(ours != theirs)
        if len(different):
            raise SelfTestError(
                f"the self-test failed at step {step}, layer {layer}: {len(different)} of {length} "
                f"bytes of {tensor} differ from what was stored, the first is byte "
                f"{int(different[0])}: the board must not be used with this build"
            )
        start += length
