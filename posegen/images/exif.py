"""The EXIF orientation of a picture: how a camera says that its pixels are to be turned before they are shown."""

from __future__ import annotations

import struct
from collections.abc import Iterator

ORIENTATIONS = {
    1: "as stored",
    2: "mirrored",
    3: "upside down",
    4: "mirrored upside down",
    5: "mirrored and on its side",
    6: "on its left side",
    7: "mirrored and on its other side",
    8: "on its right side",
}
"""What a picture looks like whose orientation is not applied, by the tag's value (EXIF 2.32, 4.6.4 A)."""

_TAG = 0x0112
_SHORT = 3
_LAST_UPRIGHT = 4
_APP1, _START_OF_SCAN = 0xE1, 0xDA
_EXIF = b"Exif\0\0"


def find_orientation(data: bytes) -> int:
    """Read the orientation of a JPEG, PNG or WebP file; 1, as stored, where it states none that can be read."""
    for block in _find_blocks(data):
        value = _read_orientation(block.removeprefix(_EXIF))
        if value in ORIENTATIONS:
            return value
    return 1


def is_sideways(orientation: int) -> bool:
    """Tell whether an orientation swaps width and height."""
    return orientation > _LAST_UPRIGHT


def _find_blocks(data: bytes) -> Iterator[bytes]:
    """Yield what a file has of EXIF, each from its TIFF header or the words before it."""
    if data.startswith(b"\xff\xd8"):
        yield from _find_segments(data)
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        yield from (body for kind, body in _walk(data, start=8, order=">", tail=4, pad=1) if kind == b"eXIf")
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        yield from (body for kind, body in _walk(data, start=12, order="<", tail=0, pad=2) if kind == b"EXIF")


def _find_segments(data: bytes) -> Iterator[bytes]:
    """Yield the EXIF segments of a JPEG, all of which stand before its pixels."""
    at = 2
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _START_OF_SCAN or length < 2:
            return
        if marker == _APP1 and data.startswith(_EXIF, at + 4):
            yield data[at + 4 : at + 2 + length]
        at += 2 + length


def _walk(data: bytes, *, start: int, order: str, tail: int, pad: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and body of a file's chunks: PNG's length comes first and a checksum last, WebP's are padded."""
    at = start
    while at + 8 <= len(data):
        if order == ">":
            length, kind = struct.unpack_from(">I4s", data, at)
        else:
            kind, length = struct.unpack_from("<4sI", data, at)
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + tail + length % pad


def _read_orientation(tiff: bytes) -> int | None:
    """Read the tag from the first directory of a TIFF block; None if it has none, or is damaged."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return None
    try:
        start = struct.unpack_from(f"{order}I", tiff, 4)[0]
        count = struct.unpack_from(f"{order}H", tiff, start)[0]
        for i in range(count):
            tag, kind = struct.unpack_from(f"{order}HH", tiff, start + 2 + 12 * i)
            if tag == _TAG and kind == _SHORT:
                return int(struct.unpack_from(f"{order}H", tiff, start + 10 + 12 * i)[0])
    except struct.error:
        return None
    return None
