"""Messages between host and board: a header in JSON, then arrays as they lie in memory.

    "SBP1"  length of the header, uint32   length of the rest, uint64   header   arrays

Numbers are little endian. The header's ``arrays`` says name, type and shape of each array.
"""

from __future__ import annotations

import json
import struct
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

MAGIC = b"SBP1"
PREFIX = struct.Struct("<4sIQ")
MOST_HEADER, MOST_BODY = 1 << 24, 1 << 30


class MessageError(Exception):
    """What arrived is not a message, or only a part of one."""


class Message(NamedTuple):
    """A message.

    Attributes:
        header: what JSON can say.
        arrays: numbers, by name.
    """

    header: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def encode(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]] | None = None) -> bytes:
    """Return a message as bytes."""
    parts = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    described = [[name, array.dtype.str, list(array.shape)] for name, array in parts.items()]
    text = json.dumps(dict(header, arrays=described)).encode()
    body = b"".join(array.tobytes() for array in parts.values())
    return PREFIX.pack(MAGIC, len(text), len(body)) + text + body


def lengths(prefix: bytes) -> tuple[int, int]:
    """Return how many bytes of header and of arrays follow `prefix`.

    Raises:
        MessageError: this is no message.
    """
    if len(prefix) != PREFIX.size:
        raise MessageError("the connection ended in the middle of a message")
    magic, header, body = PREFIX.unpack(prefix)
    if magic != MAGIC or header > MOST_HEADER or body > MOST_BODY:
        raise MessageError(f"not a message of specbp: it begins with {prefix!r}")
    return header, body


def decode(text: bytes, body: bytes) -> Message:
    """Return the message of a header and of its arrays; the arrays can be written to.

    Raises:
        MessageError: they are damaged.
    """
    try:
        header = json.loads(text.decode())
        arrays, start = {}, 0
        for name, dtype, shape in header.pop("arrays"):
            size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            part = bytearray(body[start : start + size])
            arrays[name] = np.frombuffer(part, dtype).reshape(shape)
            start += size
    except (ValueError, KeyError, TypeError) as error:
        raise MessageError(f"a damaged message: {error}") from error
    return Message(header, arrays)


def read(stream: IO[bytes]) -> Message | None:
    """Return the next message of `stream`, None at its end.

    Raises:
        MessageError: what comes is no message.
    """
    prefix = stream.read(PREFIX.size)
    if not prefix:
        return None
    header, body = lengths(prefix)
    return decode(_exactly(stream.read, header), _exactly(stream.read, body))


def _exactly(read_some: Callable[[int], bytes], size: int) -> bytes:
    found = read_some(size)
    if len(found) != size:
        raise MessageError("the connection ended in the middle of a message")
    return found
