"""What the files have of a batch, and unpacking its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.loader.flip import Mirror
from posegen.shards import StoredLabel
from posegen.shards.hdf5 import Chunk
from posegen.shards.quantize import Widen

_CACHED_BYTES = 1 << 19
"""So much of a label, as stored, is unpacked before it is widened: few calls, and still in the processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """What the files of a dataset have of B samples, read but not unpacked.

    Attributes
    ----------
    numbers
        B numbers of samples.
    mirrors
        B mirrors of those samples that are flipped, None for the others.
    columns
        By field, B values of what is no picture and no label; flipped where the sample is.
    chunks
        By label, B chunks.
    pictures
        B pictures as they are stored; b"" where none is wanted.
    """

    numbers: Sequence[int]
    mirrors: Sequence[Mirror | None]
    columns: Mapping[str, list[Any]]
    chunks: Mapping[str, Sequence[Chunk]]
    pictures: Sequence[bytes]

    def part(self, some: slice) -> Packed:
        """Cut out some samples."""
        return Packed(
            self.numbers[some],
            self.mirrors[some],
            {name: values[some] for name, values in self.columns.items()},
            {name: chunks[some] for name, chunks in self.chunks.items()},
            self.pictures[some],
        )


def unpack_label(
    label: StoredLabel,
    chunks: Sequence[Chunk],
    mirrors: Sequence[Mirror | None],
    out: NDArray[Any],
    widen: Widen | None = None,
) -> None:
    """Unpack a label of B samples.

    What comes as it is stored is unpacked to where it goes; else a few samples are, which are then widened at once.

    Parameters
    ----------
    label
        Which.
    chunks
        B of them.
    mirrors
        B mirrors of those samples that are flipped, None for the others.
    out
        (B, ...), contiguous: of the stored dtype, or float32.
    widen
        As in `posegen.PoseDataset`.

    Raises
    ------
    ShardError
        If a chunk is damaged.
    """
    if out.dtype == label.storage.dtype:
        _unpack(label, chunks, mirrors, out)
        return
    few = max(1, _CACHED_BYTES // label.logical)
    scratch = np.empty((min(few, len(chunks)), *label.shape), label.storage.dtype)
    for start in range(0, len(chunks), few):
        part = slice(start, start + few)
        stored = scratch[: len(chunks[part])]
        _unpack(label, chunks[part], mirrors[part], stored)
        label.storage.decode(stored, out[part], widen)


def _unpack(label: StoredLabel, chunks: Sequence[Chunk], mirrors: Sequence[Mirror | None], out: NDArray[Any]) -> None:
    for chunk, mirror, stored in zip(chunks, mirrors, out, strict=True):
        chunk.unpack(stored)
        if mirror is not None:
            stored[...] = mirror.stored(label, stored)
