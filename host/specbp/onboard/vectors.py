"""The stored vectors of a self-test: short programs, and what they must compute.

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
(the bytes, one after the other). They come with a build, so that everything is checked here.
"""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from specbp.errors import SpecbpError
from specbp.onboard import messages
from specbp.onboard.untrusted import Integer, List, Number, Record, Row, Text, UntrustedError
from specbp.overlay.hwh import MOST_CORES

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_BYTES = 64 << 20
"""Of the vectors, unpacked."""
MOST_PARTS = 8
WORDS = 16
"""Of a descriptor."""
_SIZE = Integer(0, MOST_BYTES)
_NAMED = List(Row((Text(200), Text(200), _SIZE, _SIZE)), 10_000)
_HEADER = Record(
    {
        "size": Integer(1, MOST_BYTES),
        "lengths": List(Integer(1, 1 << 20), MOST_CORES, 1),
        "relocated": List(Integer(0, MOST_BYTES), 1 << 20),
        "valid": List(Integer(0, 65535), 65536),
        "watchdog": Integer(0, (1 << 32) - 1),
        "deadline_s": Number(0.001, 600),
        "steps": List(Record({"given": _NAMED, "expected": _NAMED}, closed=True), 64, 1),
    },
    closed=True,
)


class SelfTestError(SpecbpError):
    """The board computes something else than was stored, or what was stored is damaged."""


def read_vectors(content: bytes) -> list[messages.Message]:
    """Return the vectors that a file with `content` holds.

    Raises:
        SelfTestError: they are damaged, or reach beyond their own memory or program.
    """
    vectors: list[messages.Message] = []
    try:
        stream = io.BytesIO(_unpacked(content))
        found = messages.read(stream)
        while found is not None and len(vectors) < MOST_PARTS:
            vectors.append(messages.Message(_HEADER.read(found.header, ""), found.arrays))
            _check_arrays(vectors[-1])
            found = messages.read(stream)
        if found is not None or not vectors:
            raise UntrustedError(f"they are {len(vectors)} programs or more, not 1 to {MOST_PARTS}")
    except (zlib.error, messages.MessageError, UntrustedError) as error:
        raise SelfTestError(f"the vectors of the self-test are damaged: {error}") from error
    return vectors


def ranges(named: Any) -> list[tuple[int, int]]:
    """Return offset and length of each named tensor."""
    return [(offset, length) for _, _, offset, length in named]


def _unpacked(content: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    found = unpacker.decompress(content, MOST_BYTES)
    if not unpacker.eof or unpacker.unused_data:
        raise UntrustedError(f"they are cut short, or more than {MOST_BYTES} bytes")
    return found


def _check_arrays(vectors: messages.Message) -> None:
    """Refuse arrays that are not those of the header, or point outside what they are for."""
    header, arrays = vectors
    rows = sum(header["lengths"])
    _require(arrays, "program", "<u4", (rows, WORDS))
    _require(arrays, "memory", "|u1", (header["size"],))
    words = rows * WORDS
    if any(position >= words for position in header["relocated"]):
        raise UntrustedError("relocated points outside the program")
    for number, step in enumerate(header["steps"]):
        for name in ("given", "expected"):
            parts = ranges(step[name])
            if any(offset + length > header["size"] for offset, length in parts):
                raise UntrustedError(f"steps[{number}].{name} reaches outside the memory")
            total = sum(length for _, length in parts)
            _require(arrays, f"{name}_{number}", "|u1", (total,))
        at = arrays.get(f"at_{number}")
        count = 0 if at is None else len(at.reshape(-1))
        _require(arrays, f"at_{number}", "<i8", (count,))
        _require(arrays, f"factors_{number}", "<u4", (count,))
        at = arrays[f"at_{number}"]
        if count and (at.min() < 0 or at.max() >= words):
            raise UntrustedError(f"at_{number} points outside the program")
    if len(arrays) != 2 + 4 * len(header["steps"]):
        raise UntrustedError("there are arrays that no step uses")


def _require(
    arrays: dict[str, NDArray[Any]], name: str, dtype: str, shape: tuple[int, ...]
) -> None:
    found = arrays.get(name)
    if found is None or found.dtype != np.dtype(dtype) or found.shape != shape:
        raise UntrustedError(f"array {name} is not {dtype} of shape {shape}")
