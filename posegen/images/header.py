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
    """Read the (height, width) of a JPEG, PNG, WebP or BMP file, as it is stored.

    Parameters
    ----------
    file
        At its start; read as far as the size, past a JPEG's thumbnails and profiles without reading them.

    Returns
    -------
    None if it is another kind of file, or its header is damaged.
    """
    start = file.read(30)
    if start.startswith(_JPEG):
        file.seek(2)
        size = _find_frame(file)
    elif len(start) < 30:
        return None
    elif start.startswith(_PNG) and start[12:16] == b"IHDR":
        width, height = struct.unpack(">II", start[16:24])
        size = height, width
    elif start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        size = _measure_webp(start)
    elif start.startswith(b"BM") and struct.unpack("<I", start[14:18])[0] >= 40:
        width, height = struct.unpack("<ii", start[18:26])
        size = abs(height), width  # below zero for rows from the top down
    else:
        return None
    return size if size is not None and min(size) >= 1 else None


def _measure_webp(start: bytes) -> Size | None:
    """Read the size from the first chunk: lossy (RFC 6386), lossless or extended (RFC 9649)."""
    kind = start[12:16]
    if kind == b"VP8 " and start[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", start[26:])
        return height & 0x3FFF, width & 0x3FFF
    if kind == b"VP8L" and start[20] == 0x2F:
        bits = int.from_bytes(start[21:25], "little")
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    if kind == b"VP8X":
        return int.from_bytes(start[27:30], "little") + 1, int.from_bytes(start[24:27], "little") + 1
    return None


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
