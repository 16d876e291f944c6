"""How large the arrays of a dataset's shards are, from their headers alone, once the first has been read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from posegen.errors import ShardError
from posegen.shards.opening import open_file
from posegen.shards.reader import ArrayInfo, ShardReader
from posegen.shards.schema import GROUPS

_SHARED = (b"format", b"format_version", b"config", b"skeleton", b"labels")
"""What must be the same for a shard to be laid out as another."""

_NO_OUTLINE = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""What h5py raises at a file that is not as it has to be."""


@dataclass(frozen=True, slots=True, eq=False)
class _Array:
    """An array of the first shard: what `ShardReader.arrays` says of it, its type, and what it has one row for."""

    info: ArrayInfo
    kind: h5py.h5t.TypeID
    rows: Literal["samples", "people", "any"]


class Outline:
    """Tells how large the arrays are of shards that are like a first one, in a fraction of the time a reader takes.

    No byte of an array is read, so no array is held against more than what a size depends on.

    Parameters
    ----------
    reader
        Of the first shard.

    Attributes
    ----------
    keypoints
        The names of its skeleton's.
    """

    def __init__(self, reader: ShardReader) -> None:
        self.keypoints = reader.skeleton.keypoints
        self._of_people = {label.spec.name for label in reader.labels if label.spec.by_person}
        self._previews = int(reader.has_preview)
        file, _ = open_file(Path(reader.path))
        with file:
            self._shared = _read_shared(file.id)
            self._arrays = [
                _Array(info, h5py.h5d.open(file.id, info.name.encode()).get_type(), self._find_rows(info.name))
                for info in reader.arrays()
            ]

    def measure(self, path: Path, *, samples: int, people: int, size: int) -> list[ArrayInfo] | None:
        """Measure the arrays of a shard.

        Parameters
        ----------
        path
            Of its file.
        samples, people, size
            How many of them the manifest says that it has, and how many bytes.

        Returns
        -------
        As `ShardReader.arrays` gives them; None if it is not as expected: a reader will say why.
        """
        try:
            file, found = open_file(path)
        except ShardError:
            return None
        with file:
            try:
                if found != size or _read_shared(file.id) != self._shared:
                    return None
                groups = {name: _open_group(file.id, name) for name in map(str.encode, GROUPS)}
                beside = len(groups) + self._previews
                if sum(len(group) for group in groups.values()) + len(file.id) - beside != len(self._arrays):
                    return None
                counts = {"samples": samples, "people": people}
                return [_measure(file.id, groups, array, counts) for array in self._arrays]
            except _NO_OUTLINE:
                return None

    def _find_rows(self, name: str) -> Literal["samples", "people", "any"]:
        if name.endswith(("/bytes", "/offsets")):
            return "any"
        return "people" if name.startswith("person/") or name in self._of_people else "samples"


def _read_shared(file: h5py.h5f.FileID) -> list[bytes]:
    """Read attributes of the file, as they are stored."""
    found = []
    for name in _SHARED:
        attribute = h5py.h5a.open(file, name)
        value = np.empty(attribute.shape, attribute.dtype)
        attribute.read(value)
        found.append(value.tobytes())
    return found


def _open_group(file: h5py.h5f.FileID, name: bytes) -> h5py.h5g.GroupID:
    _refuse_link(file, name)
    return h5py.h5g.open(file, name)


def _refuse_link(owner: Any, name: bytes) -> None:
    if owner.links.get_info(name).type != h5py.h5l.TYPE_HARD:
        raise ValueError("a link leads elsewhere")


def _measure(
    file: h5py.h5f.FileID, groups: Mapping[bytes, h5py.h5g.GroupID], array: _Array, counts: Mapping[str, int]
) -> ArrayInfo:
    info = array.info
    group, _, name = info.name.encode().rpartition(b"/")
    owner = groups[group] if group else file
    _refuse_link(owner, name)
    dataset = h5py.h5d.open(owner, name)
    shape, kind, plist = dataset.shape, dataset.get_type(), dataset.get_create_plist()
    same = kind.get_class() == array.kind.get_class() and (info.dtype == "text" or kind.equal(array.kind))
    if not same or shape[1:] != info.shape[1:] or shape[0] != counts.get(array.rows, shape[0]):
        raise ValueError(f"{info.name} is laid out otherwise")
    return ArrayInfo(
        name=info.name,
        shape=shape,
        dtype=info.dtype,
        chunk=plist.get_chunk() if plist.get_layout() == h5py.h5d.CHUNKED else None,
        compressor=info.compressor,
        stored=dataset.get_storage_size(),
        logical=math.prod(shape) * kind.get_size(),
    )
