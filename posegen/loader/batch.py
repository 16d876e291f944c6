"""What the files have of a batch, and unpacking its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from posegen.images.scratch import Scratch
from posegen.loader.flip import Mirror
from posegen.loader.seen import Seen
from posegen.shards import StoredLabel
from posegen.shards.hdf5 import Chunk
from posegen.shards.quantize import Widen

_CACHED_BYTES = 1 << 22
"""So much of a label, as stored, is unpacked before it is widened.

PyTorch takes Python's lock eight times for that, and may wait for it each time. Less at once, which would stay in a
nearer cache, takes no less time.
"""

_SCRATCH = Scratch()


class Request(NamedTuple):
    """What a batch is to be made of: samples by their numbers, as an epoch has them."""

    numbers: Sequence[int]
    epoch: int


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
        By field, B values of what has no array of its own; flipped where the sample is.
    held
        By field, B chunks of a label, or B pictures.
    seen
        Where fresh views are read, B samples in theirs; there are no mirrors, and no chunks of labels, then.
    """

    numbers: Sequence[int]
    mirrors: Sequence[Mirror | None]
    columns: Mapping[str, list[Any]]
    held: Mapping[str, Sequence[Any]]
    seen: Sequence[Seen] = ()

    def part(self, some: slice) -> Packed:
        """Cut out some samples."""
        return Packed(
            self.numbers[some],
            self.mirrors[some],
            {name: values[some] for name, values in self.columns.items()},
            {name: values[some] for name, values in self.held.items()},
            self.seen[some],
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
        (B, ...), contiguous: of the stored dtype, or of that of the values.
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
    scratch = _SCRATCH.lend((min(few, len(chunks)), *label.shape), label.storage.dtype)
    for start in range(0, len(chunks), few):
        part = slice(start, start + few)
        stored = scratch[: len(chunks[part])]
        _unpack(label, chunks[part], mirrors[part], stored)
        label.storage.decode(stored, out[part], widen)


def unpack_rows(
    label: StoredLabel, stored: Sequence[NDArray[Any]], mirrors: Sequence[Mirror | None], *, raw: bool
) -> list[NDArray[Any]]:
    """Unpack a label by person of B samples: B arrays (n, *label.shape), as they are stored or as their values."""
    found = []
    for rows, mirror in zip(stored, mirrors, strict=True):
        turned = rows if mirror is None else np.ascontiguousarray(mirror.stored(label, rows))
        found.append(turned if raw else label.storage.decode(turned))
    return found


def _unpack(label: StoredLabel, chunks: Sequence[Chunk], mirrors: Sequence[Mirror | None], out: NDArray[Any]) -> None:
    for chunk, mirror, stored in zip(chunks, mirrors, out, strict=True):
        chunk.unpack(stored)
        if mirror is not None:
            stored[...] = mirror.stored(label, stored)
