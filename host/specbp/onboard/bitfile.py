"""The header of a .bit file, which says for which build identifier it was made.

Vivado writes the design's name, its USERID and its own version into the first field. The build
scripts set USERID to the build identifier, so that a bitstream can be told from another one
before it is programmed.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

_START = bytes([0x0F, 0xF0, 0x0F, 0xF0, 0x0F, 0xF0, 0x0F, 0xF0, 0x00])
_TEXT_FIELDS = b"abcd"


class BitfileError(Exception):
    """This is not a .bit file."""


class Bitfile(NamedTuple):
    """What a .bit file says.

    Attributes:
        design: name of the design.
        user_id: USERID, the build identifier; None where it is not set.
        tool: version of what wrote it.
        part: FPGA that the bitstream is for.
        data: the configuration itself.
    """

    design: str
    user_id: int | None
    tool: str
    part: str
    data: bytes


def parse(content: bytes) -> Bitfile:
    """Return what the .bit file `content` says.

    Raises:
        BitfileError: it is none.
    """
    try:
        offset = 2 + struct.unpack_from(">H", content)[0] + 2
        fields = {}
        while content[offset] in _TEXT_FIELDS:
            key, length = content[offset : offset + 1].decode(), _uint16(content, offset + 1)
            fields[key] = content[offset + 3 : offset + 3 + length].rstrip(b"\0").decode()
            offset += 3 + length
        (length,) = struct.unpack_from(">I", content, offset + 1)
        data = content[offset + 5 :]
        if content[offset : offset + 1] != b"e" or len(data) != length:
            raise BitfileError("the bitstream is cut short, or no bitstream at all")
        name = fields["a"]
    except (struct.error, IndexError, KeyError, UnicodeDecodeError) as error:
        raise BitfileError("this is not a .bit file") from error
    user = re.search(r"UserID=0X([0-9A-F]{1,8})(?![0-9A-F])", name, re.IGNORECASE)
    user_id = int(user.group(1), 16) if user else 0xFFFFFFFF
    tool = re.search(r"Version=([^;]+)", name)
    return Bitfile(
        name.split(";")[0],
        None if user_id == 0xFFFFFFFF else user_id,
        tool.group(1) if tool else "",
        fields.get("b", ""),
        data,
    )


def write(bitfile: Bitfile) -> bytes:
    """Return `bitfile` as the content of a .bit file."""
    user_id = 0xFFFFFFFF if bitfile.user_id is None else bitfile.user_id
    texts = {
        b"a": f"{bitfile.design};UserID=0X{user_id:08X};Version={bitfile.tool}",
        b"b": bitfile.part,
        b"c": "2000/01/01",
        b"d": "00:00:00",
    }
    content = struct.pack(">H", len(_START)) + _START + struct.pack(">H", 1)
    for key, text in texts.items():
        content += key + struct.pack(">H", len(text) + 1) + text.encode() + b"\0"
    return content + b"e" + struct.pack(">I", len(bitfile.data)) + bitfile.data


def _uint16(content: bytes, offset: int) -> int:
    (value,) = struct.unpack_from(">H", content, offset)
    return int(value)
