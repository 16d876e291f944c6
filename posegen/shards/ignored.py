"""The pixels of an input that are ignored, as a bitmap: a bit a pixel, each row filled up to whole bytes, by zlib.

zlib's own checksum is at its end.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size


def pack_ignored(ignored: NDArray[np.bool_] | None) -> bytes:
    """Pack which pixels (H, W) of an input are ignored; nothing where none is."""
    if ignored is None or not ignored.any():
        return b""
    # Level 7 takes twice as long for an eighth fewer bytes, which are a thousandth of a sample's.
    return zlib.compress(np.packbits(ignored, axis=1).tobytes(), 4)


def unpack_ignored(data: bytes, size: Size) -> NDArray[np.bool_] | None:
    """Unpack what `pack_ignored` made of an input of `size` (H, W): None where nothing is ignored.

    Raises
    ------
    ValueError
        If it is something else.
    """
    if not data:
        return None
    height, width = size
    expected, stream = height * -(-width // 8), zlib.decompressobj()
    try:
        packed = stream.decompress(data, expected + 1)
    except zlib.error as error:
        raise ValueError(f"zlib says: {error}") from error
    if len(packed) != expected or not stream.eof or stream.unused_data:
        raise ValueError(f"it does not inflate to the {expected} bytes of {width}x{height} bits")
    bits = np.frombuffer(packed, np.uint8).reshape(height, -1)
    return np.unpackbits(bits, axis=1, count=width).view(np.bool_)
