"""The self-test: short programs against stored vectors, without a host in the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from specbp.onboard.overlay import by_core
from specbp.onboard.vectors import SelfTestError, ranges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from specbp.onboard import messages
    from specbp.onboard.overlay import LoadedOverlay


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
            overlay.write(number, ranges(what["given"]), arrays[f"given_{step}"])
            done = overlay.run(number, programs, header["deadline_s"], header["watchdog"])
            cycles.append(max(int(core["cycles"]) for core in done))
            found = overlay.read(number, ranges(what["expected"]))
            _compare(step, what["expected"], found, arrays[f"expected_{step}"])
    finally:
        overlay.free(number)
    return cycles


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
