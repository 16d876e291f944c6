"""Pictures of a dataset that is there, copied as they are encoded where they would be encoded to the same bytes.

The bytes of a picture depend on its file, on where it is mapped, on a few options, and on the libraries. The parent
looks which options agree and where the pictures of a shard are (`OldPictures`); the worker copies those whose file and
place are the same (`Copier`), and encodes the others.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posegen.annotations import Sample
from posegen.errors import ShardError
from posegen.geometry import Box
from posegen.images.files import identify
from posegen.shards import SampleKey, ShardReader
from posegen.storage import AnyPath

PictureIdentity = str
"""By which it is known that a picture's file is the same: its size in bytes, and its time in ns, CRC or tag."""

_MOST_OPEN = 256
"""Shards at once: with another seed the pictures of one lie in all of the others."""


def identify_picture(images: AnyPath, name: str) -> PictureIdentity | None:
    """Return the identity of a picture's file; None if there is none."""
    try:
        return identify(images, name)
    except (OSError, ValueError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class OldPicture:
    """Where a sample's picture is in a dataset.

    Attributes
    ----------
    shard, row
        The shard's path, and which of its samples it is.
    identity
        Of the file that it was encoded from.
    """

    shard: Path
    row: int
    identity: PictureIdentity


class Copier:
    """Copies pictures of a dataset; used in a worker, which closes it.

    Parameters
    ----------
    old
        Where pictures are, by the samples' keys.
    """

    def __init__(self, old: Mapping[SampleKey, OldPicture]) -> None:
        self._old = old
        self._open_shards: dict[Path, _OldShard] = {}
        self.copied = 0
        self.afresh: Counter[str] = Counter()

    def find(self, key: SampleKey, identity: PictureIdentity | None) -> OldPicture | None:
        """Find the picture of a sample whose file is what it was; otherwise it counts as one that is not copied."""
        found = self._old.get(key)
        if found is None:
            self.afresh["not there"] += 1
        elif identity != found.identity:
            self.afresh["file changed"] += 1
        else:
            return found
        return None

    def copy(
        self, old: OldPicture, sample: Sample, affine: NDArray[np.float64], view: NDArray[np.float64] | None
    ) -> tuple[bytes, Box] | None:
        """Copy a picture, and where in its frame it lies; None if it must be encoded afresh, which is counted.

        Parameters
        ----------
        old, sample
            What `find` gave, and of which sample.
        affine
            (2, 3), where the sample's picture is mapped.
        view
            (5,), how it is seen; None where no views are drawn.
        """
        try:
            shard, row = self._open(old.shard), old.row
            if shard.pictures[row] != (sample.stated_name, sample.width, sample.height) or not (
                np.array_equal(shard.affines[row], affine) and (view is None or np.array_equal(shard.views[row], view))
            ):
                self.afresh["mapped elsewhere"] += 1
                return None
            picture = shard.reader.picture(row)
        except (ShardError, LookupError):
            self.afresh["cannot be read"] += 1
            return None
        self.copied += 1
        return picture.data, picture.box

    def open_first(self) -> ShardReader | None:
        """Open the shard that has the first picture, until `close`; None if there is none, or it cannot be read."""
        with contextlib.suppress(ShardError, StopIteration):
            return self._open(next(iter(self._old.values())).shard).reader
        return None

    def close(self) -> None:
        """Close the shards."""
        for shard in self._open_shards.values():
            shard.reader.close()
        self._open_shards.clear()

    def _open(self, path: Path) -> _OldShard:
        if path not in self._open_shards:
            if len(self._open_shards) >= _MOST_OPEN:
                self._open_shards.pop(next(iter(self._open_shards))).reader.close()
            self._open_shards[path] = _OldShard.open(path)
        return self._open_shards[path]


class _OldShard(NamedTuple):
    """A shard that pictures are copied from, with what it tells of each.

    Attributes
    ----------
    reader
        It.
    pictures
        File name, width and height of each.
    affines, views
        (2, 3) and (5,) of each; no views where none are drawn.
    """

    reader: ShardReader
    pictures: list[tuple[str, int, int]]
    affines: list[NDArray[np.float64]]
    views: list[NDArray[np.float64]]

    @classmethod
    def open(cls, path: Path) -> _OldShard:
        """Open a shard; raises `ShardError` if it is damaged."""
        reader = ShardReader(path)
        try:
            rows = range(len(reader))
            pictures = list(zip(*(reader.column(name, rows) for name in ("file_name", "width", "height")), strict=True))
            views = reader.column("view", rows) if reader.config.augment is not None else []
            return cls(reader, pictures, reader.column("affine", rows), views)
        except BaseException:
            reader.close()
            raise
