"""The self-test: a short training against stored vectors, without a host in the loop.

Vectors are one message in a file, compressed. Its header has

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
    from pathlib import Path

    from numpy.typing import NDArray

    from specbp.onboard.overlay import LoadedOverlay


class SelfTestError(SpecbpError):
    """The board computes something else than was stored."""


def read_vectors(path: Path) -> messages.Message:
    """Return the vectors in a file.

    Raises:
        SelfTestError: it is damaged.
    """
    try:
        found = messages.read(io.BytesIO(zlib.decompress(path.read_bytes())))
    except (OSError, zlib.error, messages.MessageError) as error:
        raise SelfTestError(f"{path}: the vectors of the self-test are damaged: {error}") from error
    if found is None:
        raise SelfTestError(f"{path}: the vectors of the self-test are empty")
    return found


def run_selftest(overlay: LoadedOverlay, vectors: messages.Message) -> dict[str, Any]:
    """Run the stored steps and compare every stored tensor.

    Returns:
        steps, tensors and bytes compared, and the cycles of each step.

    Raises:
        SelfTestError: the first tensor that differs.
        OverlayError: the overlay stopped at an error, or did not end in time.
    """
    header, arrays = vectors
    number, address = overlay.allocate(header["size"])
    try:
        overlay.write(number, [(0, header["size"])], arrays["memory"])
        program = arrays["program"].copy()
        words = program.reshape(-1)
        words[np.asarray(header["relocated"], np.int64)] += np.uint32(address)
        programs = by_core(program, header["lengths"])
        overlay.driver.clear_labels(header["valid"])
        cycles, tensors, compared = [], 0, 0
        for step, what in enumerate(header["steps"]):
            words[arrays[f"at_{step}"]] = arrays[f"factors_{step}"]
            overlay.write(number, _ranges(what["given"]), arrays[f"given_{step}"])
            done = overlay.run(number, programs, header["deadline_s"], header["watchdog"])
            cycles.append(max(int(core["cycles"]) for core in done))
            found = overlay.read(number, _ranges(what["expected"]))
            _compare(step, what["expected"], found, arrays[f"expected_{step}"])
            tensors, compared = tensors + len(what["expected"]), compared + len(found)
    finally:
        overlay.free(number)
    return {"steps": len(cycles), "tensors": tensors, "bytes": compared, "cycles": cycles}


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
