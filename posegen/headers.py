"""How large a picture is, from the first bytes of its file: decoding is a hundred times as much work."""

from __future__ import annotations

import struct
from typing import BinaryIO

from posegen.geometry import Size

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG's markers of a frame header; the three in between open tables (ITU-T T.81, table B.1)."""
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a segment behind them."""


def measure(file: BinaryIO) -> Size | None:
    """Read the (height, width) of a JPEG or PNG file, as it is stored; None if it is neither, or its header is damaged.

    Parameters
    ----------
    file
        At its start; read as far as the size, past a JPEG's thumbnails and profiles without reading them.
    """
    start = file.read(24)
    if start.startswith(_PNG) and len(start) == 24 and start[12:16] == b"IHDR":
        width, height = struct.unpack(">II", start[16:])
        size: Size = height, width
    elif start.startswith(_JPEG):
        file.seek(2)
        found = _find_frame(file)
        if found is None:
            return None
        size = found
    else:
        return None
    return size if min(size) >= 1 else None


def _find_frame(file: BinaryIO) -> Size | None:
    """Walk along a JPEG's segments to its frame header."""
    while (byte := file.read(1)) == b"\xff":
        while byte == b"\xff":
            byte = file.read(1)
        if not byte:
            return None
        if byte[0] in _BARE:
            continue
        head = file.read(7)
        if len(head) < 7:
            return None
        if byte[0] in _FRAMES:
            height, width = struct.unpack(">HH", head[3:])
            return height, width
        length = struct.unpack(">H", head[:2])[0]
        if length < 2:
            return None
        file.seek(length - 7, 1)
    return None
