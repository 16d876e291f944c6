"""Unpacking the labels of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.hdf5 import Chunk
from posegen.labels import Widen
from posegen.mirror import Mirror
from posegen.shard import StoredLabel

_CACHED_BYTES = 1 << 19
"""So much of a label is unpacked before it is widened: enough to seldom call, and still in the processor's cache."""


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
    direct = out.dtype == label.storage.dtype
    few = max(1, len(chunks) if direct else min(len(chunks), _CACHED_BYTES // label.bytes))
    scratch = out if direct else np.empty((few, *label.shape), label.storage.dtype)
    for start in range(0, len(chunks), few):
        part = slice(start, start + few)
        for stored, chunk, mirror in zip(scratch, chunks[part], mirrors[part], strict=False):
            chunk.unpack(stored)
            if mirror is not None:
                stored[...] = mirror.stored(label, stored)
        if not direct:
            values = out[part]
            label.storage.decode(scratch[: len(values)], values, widen)
