"""Messages between host and board: a header in JSON, then arrays as they lie in memory.

    "SBP1"  length of the header, uint32   length of the rest, uint64   header   arrays

Numbers are little endian. The header's ``arrays`` says name, type and shape of each array.
"""

from __future__ import annotations

import json
import struct
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from specbp.onboard.untrusted import Integer, List, Row, Text, UntrustedError, parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

MAGIC = b"SBP1"
PREFIX = struct.Struct("<4sIQ")
MOST_HEADER, MOST_BODY = 1 << 24, 1 << 30
_ARRAYS = List(
    Row((Text(100), Text(3, r"[<|][iuf][1248]|\|b1"), List(Integer(0, MOST_BODY), 8))), 1000
)
"""Name, type and shape of each array; no type that holds Python's objects."""


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


def lengths(
    prefix: bytes, most_header: int = MOST_HEADER, most_body: int = MOST_BODY
) -> tuple[int, int]:
    """Return how many bytes of header and of arrays follow `prefix`.

    Raises:
        MessageError: this is no message, or one that is longer than what is expected. What came
            instead is not repeated, for it may be a secret.
    """
    if len(prefix) != PREFIX.size:
        raise MessageError("the connection ended in the middle of a message")
    magic, header, body = PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise MessageError("what came is no message of specbp")
    if header > most_header or body > most_body:
        raise MessageError(
            f"a message of {header} + {body} bytes, at most {most_header} + {most_body} are "
            "expected"
        )
    return header, body


def decode(text: bytes, body: bytes) -> Message:
    """Return the message of a header and of its arrays; the arrays can be written to.

    Raises:
        MessageError: they are damaged.
    """
    try:
        header = parse_json(text, MOST_HEADER)
        if not isinstance(header, dict):
            raise UntrustedError("the header is no object")
        described = _ARRAYS.read(header.pop("arrays", None), "arrays")
        arrays, start = {}, 0
        for name, dtype, shape in described:
            size = np.dtype(dtype).itemsize
            for length in shape:
                size *= length
            if name in arrays or start + size > len(body):
                raise UntrustedError(f"array {name} is there twice, or not whole")
            arrays[name] = np.frombuffer(bytearray(body[start : start + size]), dtype).reshape(
                shape
            )
            start += size
        if start != len(body):
            raise UntrustedError(f"{len(body) - start} bytes belong to no array")
    except UntrustedError as error:
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
