"""Writing an array whose every row is a chunk.

What packs chunks as HDF5 does, but sooner, need not be here. So that a file is the same with and without it, its chunks
are written at the end, one after the other, whoever has packed them. HDF5 writes them when it likes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from posegen.shards.checksum import CHECKSUM_BYTES, crc32, fletcher32
from posegen.shards.codecs import Codec, Deflate

_MOST_KEPT = 32
"""Rows that are kept because others are like them."""


class ChunkWriter:
    """Writes rows of a dataset, in order, and sums up their chunks.

    Parameters
    ----------
    dataset
        Of chunks (1, ...), with HDF5's own checksums.
    codec
        Its compression.
    repeats
        Whether to expect rows that are alike: they are packed once.
    """

    def __init__(self, dataset: h5py.Dataset, codec: Codec, *, repeats: bool = False) -> None:
        self._dataset = dataset
        self._deflate = codec.find_deflate() if codec.find_deflate else None
        if self._deflate is not None and repeats:
            self._deflate = _Repeats(self._deflate).pack
        self._packed: list[bytes] = []
        self._scratch: h5py.Dataset | None = None
        if codec.find_deflate and self._deflate is None:
            file = h5py.File(io.BytesIO(), "w")
            self._scratch = file.create_dataset(
                "chunks", dataset.shape, dataset.dtype, chunks=dataset.chunks, **codec.options
            )

    def write(self, start: int, values: NDArray[Any]) -> None:
        """Write rows (S, ...), contiguous and of the dataset's dtype, from row `start` on, the first after the last."""
        if self._deflate is not None:
            self._packed += map(self._deflate, values)
        else:
            into = self._dataset if self._scratch is None else self._scratch
            into[start : start + len(values)] = values

    def copy(self, packed: Iterable[bytes]) -> None:
        """Take rows that are packed as the codec packs them, in order, instead of those that `write` is given."""
        self.close()
        self._packed = list(packed)

    def finish(self, rows: int) -> NDArray[np.uint32]:
        """Leave the dataset so many rows; returns the CRC-32 of each chunk without the checksum at its end, (rows,)."""
        self._dataset.resize(rows, axis=0)
        if self._deflate is None and self._scratch is None and not self._packed:
            return np.array(
                [crc32(memoryview(chunk)[:-CHECKSUM_BYTES]) for chunk in _read(self._dataset, rows)], np.uint32
            )
        # Not where rows are packed: in turn, summing up and packing take a third longer.
        sums, rest = [], (0,) * (self._dataset.ndim - 1)
        write = self._dataset.id.write_direct_chunk
        packed: Iterable[bytes] = self._packed if self._scratch is None else _read(self._scratch, rows)
        for row, body in enumerate(packed):
            checksum = fletcher32(memoryview(body)).to_bytes(CHECKSUM_BYTES, "little")
            write((row, *rest), body + checksum)
            sums.append(crc32(body))
        self.close()
        return np.array(sums, np.uint32)

    def close(self) -> None:
        """Free the memory of what is not written yet."""
        self._packed = []
        if self._scratch is not None:
            self._scratch.file.close()
            self._scratch = None


class _Repeats:
    """Packs rows, and those that come again once: whatever packs gives the same bytes of the same row.

    Of rows that are masks for every channel two in five are those of pictures of the same size in which nothing is
    ignored and nobody unknown. A row is kept when it comes for the second time; most of the others never do.

    Parameters
    ----------
    deflate
        What packs.
    """

    def __init__(self, deflate: Deflate) -> None:
        self._deflate = deflate
        self._seen: set[int] = set()
        self._kept: dict[int, tuple[bytes, bytes]] = {}

    def pack(self, row: NDArray[Any]) -> bytes:
        """Pack a contiguous row."""
        key = crc32(row)
        values, packed = self._kept.get(key, (b"", None))
        if packed is not None and values == row.tobytes():
            return packed
        fresh = self._deflate(row)
        if key not in self._seen:
            self._seen.add(key)
        elif packed is None and len(self._kept) < _MOST_KEPT:
            self._kept[key] = row.tobytes(), fresh
        return fresh


def _read(dataset: h5py.Dataset, rows: int) -> Iterator[bytes]:
    """Read the chunks of the first rows, as they are stored."""
    # HDF5 does not know the size of a chunk that it has not filtered yet, and returns anything.
    dataset.flush()
    rest = (0,) * (dataset.ndim - 1)
    for row in range(rows):
        yield dataset.id.read_direct_chunk((row, *rest))[1]
