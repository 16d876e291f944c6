"""The checksums of what is stored: a CRC-32 of each label and picture, and HDF5's own, that every chunk ends with.

HDF5 compares its own when it reads. Format 1 has no other, and it takes NumPy longer than zlib takes for a CRC-32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from isal.isal_zlib import crc32 as _crc32  # by instructions made for it: a tenth of zlib's time
except ModuleNotFoundError:
    from zlib import crc32 as _crc32

__all__ = ["CHECKSUM_BYTES", "compare_crc", "crc32", "fletcher32", "take_body"]

CHECKSUM_BYTES = 4

_MOST_WORDS = 1 << 12
"""Of a checksum at once: too few for BLAS to start threads, and for sums that a float64 cannot hold."""

_ONE_AND_NUMBER = np.stack([np.ones(_MOST_WORDS), np.arange(_MOST_WORDS)], axis=1)

_WORD = np.dtype("<u2")

_ZEROS = np.zeros(64, np.uint32)


def crc32(data: bytes | memoryview | NDArray[Any]) -> int:
    """Compute the CRC-32 of what is contiguous.

    Where a processor has AVX-512, ISA-L leaves the upper halves of its registers in use (github.com/intel/isa-l, issue
    24), and then what is compiled for any processor, such as HDF5, takes up to four times as long. NumPy frees them.
    """
    found: int = _crc32(data)
    np.add(_ZEROS, _ZEROS, _ZEROS)
    return found


def compare_crc(data: bytes | memoryview, crc: int) -> None:
    """Raise `ValueError` if bytes have another CRC-32 than they must."""
    if crc32(data) != crc:
        raise ValueError("its checksum is wrong")


def take_body(chunk: bytes) -> memoryview:
    """Take off a chunk the checksum that it ends with; raises `ValueError` if that is wrong."""
    body = memoryview(chunk)[:-CHECKSUM_BYTES]
    if fletcher32(body) != int.from_bytes(chunk[-CHECKSUM_BYTES:], "little"):
        raise ValueError("its checksum is wrong")
    return body


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


def _fold(total: int) -> int:
    """Reduce a sum modulo 65535 as repeated carrying does: only nothing adds up to 0."""
    return (total - 1) % 0xFFFF + 1 if total else 0
