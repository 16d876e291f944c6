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
    return orientation > 4  # noqa: PLR2004 (5 to 8 are those on a side)


def _find_blocks(data: bytes) -> Iterator[bytes]:
    """Yield what a file has of EXIF, each from its TIFF header or the words before it."""
    if data.startswith(b"\xff\xd8"):
        at = 2
        while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
            kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
            if kind == 0xDA or length < 2:  # noqa: PLR2004 (the length counts itself)
                return
            if kind == 0xE1 and data.startswith(_EXIF, at + 4):
                yield data[at + 4 : at + 2 + length]
            at += 2 + length
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        at = 8
        while at + 8 <= len(data):
            length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
            if kind == b"eXIf":
                yield data[at + 8 : at + 8 + length]
            at += 12 + length
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        at = 12
        while at + 8 <= len(data):
            kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
            if kind == b"EXIF":
                yield data[at + 8 : at + 8 + length]
            at += 8 + length + length % 2


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
