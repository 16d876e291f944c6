"""Unpacking the chunks of an HDF5 array: their checksum, and what they inflate to.

HDF5 does it too, but allocates all it needs for every chunk anew, and its plugin for zstd (hdf5plugin up to 7.1) does
not notice that zstd fails (HDFGroup/hdf5_plugins, pull request 280): the array then has what was in memory before.
What cannot be unpacked here, LZF and without the package zstandard also zstd, is left to HDF5.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Callable

import numpy as np

try:
    import zstandard
except ModuleNotFoundError:
    zstandard = None  # type: ignore[assignment,unused-ignore]

CHECKSUM_BYTES = 4

_MOST_WORDS = 1 << 14
"""Of a checksum at once: the sum of their sums is a whole number that a float64 can hold."""

_COUNTS = np.arange(_MOST_WORDS, dtype=np.float64)

_ZSTD_MAGIC = 0xFD2FB528


class _Local(threading.local):
    """What each thread has for itself."""

    def __init__(self) -> None:
        self.zstd = None if zstandard is None else zstandard.ZstdDecompressor()


_LOCAL = _Local()


def can_unpack(compressor: str) -> bool:
    """Tell whether `unpack` knows a compressor."""
    return compressor in _INFLATE and (compressor != "zstd" or zstandard is not None)


def measure(data: bytes, compressor: str, limit: int) -> int:
    """Count what a stream of `zstd` or `lzf` claims to inflate to, without inflating it; -1 if it does not say."""
    return measure_zstd(data[:18]) if compressor == "zstd" else measure_lzf(data, limit)


def unpack(chunk: bytes, compressor: str, size: int) -> bytes | memoryview:
    """Unpack a chunk that ends with its checksum.

    Parameters
    ----------
    chunk
        As it lies in the file.
    compressor
        `zstd`, `gzip` or `none`.
    size
        How many bytes are in it.

    Raises
    ------
    ValueError
        If the checksum or the stream is wrong, or inflates to another number of bytes than `size`; more than these are
        not inflated.
    """
    body = memoryview(chunk)[:-CHECKSUM_BYTES]
    if fletcher32(body) != int.from_bytes(chunk[-CHECKSUM_BYTES:], "little"):
        raise ValueError("its checksum is wrong")
    return _INFLATE[compressor](body, size)


def fletcher32(data: memoryview) -> int:
    """Compute HDF5's checksum (H5_checksum_fletcher32 in H5checksum.c): sums of big-endian words modulo 65535."""
    words = np.frombuffer(data, "<u2", len(data) // 2)
    first = second = 0
    for start in range(0, len(words), _MOST_WORDS):
        block = words[start : start + _MOST_WORDS].astype(np.float64)
        # Of n words, number i is in n - i of the sums that are summed up.
        total, numbered = int(np.add.reduce(block)), int(block.dot(_COUNTS[: len(block)]))
        second += len(block) * (first + total) - numbered
        first += total
    # Swapping the bytes of a word is multiplying it by 256 modulo 65535, and summing up swapped words takes longer.
    first, second = first << 8, second << 8
    if len(data) % 2:
        first += data[-1] << 8
        second += first
    return _fold(second) << 16 | _fold(first)


def measure_zstd(head: bytes | memoryview) -> int:
    """Read from a frame's header what it inflates to (RFC 8878, section 3.1.1.1); -1 if it does not say."""
    if len(head) < 5:
        return -1
    magic, descriptor = struct.unpack_from("<IB", head)
    single = descriptor >> 5 & 1
    start = 6 - single + (0, 1, 2, 4)[descriptor & 3]
    code = descriptor >> 6
    if magic != _ZSTD_MAGIC or (code == 0 and not single):
        return -1
    size = int.from_bytes(head[start : start + (1 << code)], "little")
    return size + 256 if code == 1 else size


def measure_lzf(data: bytes, limit: int) -> int:
    """Count what LZF data inflate to (lzf_d.c of LibLZF): runs of up to 32 bytes, and repetitions of up to 264."""
    at = size = 0
    while at < len(data) and size <= limit:
        control = data[at]
        if control < 32:
            size += control + 1
            at += control + 2
        else:
            length = control >> 5
            if length == 7:
                at += 1
                length += data[at] if at < len(data) else 0
            size += length + 2
            at += 2
    return size if at == len(data) else -1


def _fold(total: int) -> int:
    """Reduce a sum modulo 65535 as repeated carrying does: only nothing adds up to 0."""
    return (total - 1) % 0xFFFF + 1 if total else 0


def _inflate_zstd(body: memoryview, size: int) -> bytes:
    """Inflate one frame and nothing else."""
    _compare(measure_zstd(body[:18]), size)
    try:
        return bytes(_LOCAL.zstd.decompress(body, allow_extra_data=False))
    except zstandard.ZstdError as error:
        raise ValueError(f"zstd says: {error}") from error


def _inflate_gzip(body: memoryview, size: int) -> bytes:
    """Inflate a zlib stream."""
    stream = zlib.decompressobj()
    data = stream.decompress(body, size + 1)
    _compare(len(data) if stream.eof or len(data) > size else -1, size)
    return data


def _take(body: memoryview, size: int) -> memoryview:
    _compare(len(body), size)
    return body


def _compare(inflated: int, size: int) -> None:
    """Refuse another number of bytes than there has to be; -1 stands for a stream that has no end."""
    if inflated != size:
        raise ValueError(f"it inflates to {inflated} bytes, not to {size}")


_INFLATE: dict[str, Callable[[memoryview, int], bytes | memoryview]] = {
    "zstd": _inflate_zstd,
    "gzip": _inflate_gzip,
    "none": _take,
}
