"""Unpacking the chunks of an HDF5 array: their checksum, and what they inflate to.

HDF5 does it too, but allocates all it needs for every chunk anew, and its plugin for zstd (hdf5plugin up to 7.1) does
not notice that zstd fails (HDFGroup/hdf5_plugins, pull request 280): the array then has what was in memory before.
What cannot be inflated here, LZF and without the package zstandard also zstd, is left to HDF5.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    import zstandard
except ModuleNotFoundError:
    zstandard = None  # type: ignore[assignment,unused-ignore]

CHECKSUM_BYTES = 4

_MOST_WORDS = 1 << 12
"""Of a checksum at once: too few for BLAS to start threads, and for sums that a float64 cannot hold."""

_ONE_AND_NUMBER = np.stack([np.ones(_MOST_WORDS), np.arange(_MOST_WORDS)], axis=1)

_WORD = np.dtype("<u2")

_ZSTD_MAGIC = 0xFD2FB528
_ZSTD_REPETITION = 1


class _Local(threading.local):
    """What each thread has for itself."""

    def __init__(self) -> None:
        self.zstd = None if zstandard is None else zstandard.ZstdDecompressor()


_LOCAL = _Local()


def can_inflate(compressor: str) -> bool:
    """Tell whether `inflate` knows a compressor."""
    return compressor in _INFLATE and (compressor != "zstd" or zstandard is not None)


def measure(body: memoryview, compressor: str, limit: int) -> int:
    """Count what a stream of `zstd` or `lzf` claims to inflate to, without inflating it; -1 if it does not say."""
    return measure_zstd(body) if compressor == "zstd" else measure_lzf(body, limit)


def take_body(chunk: bytes) -> memoryview:
    """Take off a chunk the checksum that it ends with; raises `ValueError` if that is wrong."""
    body = memoryview(chunk)[:-CHECKSUM_BYTES]
    if fletcher32(body) != int.from_bytes(chunk[-CHECKSUM_BYTES:], "little"):
        raise ValueError("its checksum is wrong")
    return body


def inflate(body: memoryview, compressor: str, out: NDArray[Any]) -> None:
    """Inflate a chunk.

    Parameters
    ----------
    body
        The chunk without its checksum.
    compressor
        `zstd`, `gzip` or `none`.
    out
        Where to write it: contiguous.

    Raises
    ------
    ValueError
        If the stream is wrong, or inflates to another number of bytes than `out` has; more than these are not inflated.
    """
    _INFLATE[compressor](body, out)


def compare_sizes(inflated: int, size: int) -> None:
    """Raise `ValueError` if a chunk has another number of bytes than it must; -1 stands for a stream without an end."""
    if inflated != size:
        raise ValueError(f"it inflates to {inflated} bytes, not to {size}")


def fletcher32(data: memoryview) -> int:
    """Compute HDF5's checksum (H5_checksum_fletcher32 in H5checksum.c): sums of big-endian words modulo 65535."""
    words = np.frombuffer(data, _WORD, len(data) // 2)
    first = second = 0
    for start in range(0, len(words), _MOST_WORDS):
        block = words[start : start + _MOST_WORDS].astype(np.float64)
        # Of n words, number i is in n - i of the sums that are summed up.
        total, numbered = block.dot(_ONE_AND_NUMBER[: len(block)]).tolist()
        second += len(block) * (first + int(total)) - int(numbered)
        first += int(total)
    # Swapping the bytes of a word is multiplying it by 256 modulo 65535, and summing up swapped words takes longer.
    first, second = first << 8, second << 8
    if len(data) % 2:
        first += data[-1] << 8
        second += first
    return _fold(second) << 16 | _fold(first)


def measure_zstd(body: memoryview) -> int:
    """Read from a frame's header what it inflates to (RFC 8878, section 3.1.1).

    -1 if it does not say, or its last block is not the end of `body`: zstd would read on, or wait for more.
    """
    if len(body) < 5:
        return -1
    magic, descriptor = struct.unpack_from("<IB", body)
    single = descriptor >> 5 & 1
    start = 6 - single + (0, 1, 2, 4)[descriptor & 3]
    code = descriptor >> 6
    if magic != _ZSTD_MAGIC or (code == 0 and not single):
        return -1
    at = start + (1 << code)
    size = int.from_bytes(body[start:at], "little")
    last = 0
    while not last and at < len(body):
        head = int.from_bytes(body[at : at + 3], "little")
        last = head & 1
        at += 4 if head >> 1 & 3 == _ZSTD_REPETITION else 3 + (head >> 3)
    at += 4 * (descriptor >> 2 & 1)  # a checksum
    if not last or at != len(body):
        return -1
    return size + 256 if code == 1 else size


def measure_lzf(data: memoryview, limit: int) -> int:
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


def _inflate_zstd(body: memoryview, out: NDArray[Any]) -> None:
    """Inflate one frame and nothing else."""
    compare_sizes(measure_zstd(body), out.nbytes)
    try:
        inflated = _LOCAL.zstd.stream_reader(body).readinto(out)
    except zstandard.ZstdError as error:
        raise ValueError(f"zstd says: {error}") from error
    compare_sizes(inflated, out.nbytes)


def _inflate_gzip(body: memoryview, out: NDArray[Any]) -> None:
    """Inflate a zlib stream and nothing else."""
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(body, out.nbytes + 1)
    except zlib.error as error:
        raise ValueError(f"zlib says: {error}") from error
    compare_sizes(len(data) if stream.eof or len(data) > out.nbytes else -1, out.nbytes)
    if stream.unused_data:
        raise ValueError(f"{len(stream.unused_data)} bytes follow its stream")
    _copy(memoryview(data), out)


def _copy(body: memoryview, out: NDArray[Any]) -> None:
    compare_sizes(len(body), out.nbytes)
    out.data.cast("B")[:] = body


_INFLATE: dict[str, Callable[[memoryview, NDArray[Any]], None]] = {
    "zstd": _inflate_zstd,
    "gzip": _inflate_gzip,
    "none": _copy,
}
