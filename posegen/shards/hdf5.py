"""Reading HDF5 files that nobody vouches for: an array is held against what it has to be before a byte of it is read.

HDF5 follows links out of a file, allocates what a header claims, reads on past the end of a chunk that inflates to less
than a chunk, takes zeros for a chunk that is not there, and walks a damaged heap of texts for ever. So nothing here
follows a link or reads text of variable length, and an array is only touched when its type, shape, chunks, filters and
the number of bytes that are stored of it are those that its writer gives it.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError, ShardError
from posegen.shards.checksum import CHECKSUM_BYTES, compare_crc, take_body
from posegen.shards.codecs import Inflate, compare_sizes, copy_body
from posegen.shards.opening import open_file
from posegen.shards.rules import ArrayRule

_RAISED_AT_DAMAGE = (
    ArithmeticError, AttributeError, ConfigError, LookupError, MemoryError, OSError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip
"""What h5py, NumPy and parsers raise at bytes that mean nothing."""

_FEW = 32
"""Chunks of an array that are looked for one by one: HDF5 lists a thousand in the time in which it looks for forty."""

LONGEST_TEXT = (1 << 16) - 1024
"""So many bytes of an attribute fit in its owner's header, which has a checksum."""


@dataclass(frozen=True, slots=True, eq=False)
class _Array:
    """An array that keeps its rule.

    Attributes
    ----------
    dataset, rule
        The array, and what it has been held against.
    start
        The byte of the file that it starts at, if it lies in one piece.
    chunk_bytes
        Of a chunk before compression, 0 where there are no chunks.
    chunks
        (N, 3) int64, where chunks were found: offset, bytes, and whether they are not compressed; 0 where none was
        looked for yet.
    """

    dataset: h5py.Dataset
    rule: ArrayRule
    start: int
    chunk_bytes: int
    chunks: NDArray[np.int64]


@dataclass(slots=True, eq=False)
class Chunk:
    """One element of an array, of a file that need not be open any more. It is not frozen only because that takes time.

    Attributes
    ----------
    file, name, index
        Whose it is.
    body, inflate
        What there is of it, and what unpacks that: as it lies in the file, or where only HDF5 can inflate it what HDF5
        made of it.
    """

    file: GuardedFile
    name: str
    index: int
    body: memoryview
    inflate: Inflate

    def unpack(self, out: NDArray[Any]) -> None:
        """Write the element into an array of its shape and dtype that is contiguous.

        Raises
        ------
        ShardError
            If it is damaged.
        """
        try:
            self.inflate(self.body, out)
        except ValueError as error:
            raise self.file.wrap_error(f"{self.name}[{self.index}] cannot be read", error) from error


class GuardedFile:
    """An HDF5 file, open for reading in this process.

    Raises
    ------
    ShardError
        Here and in every method: if the file is missing, no HDF5, or not as it has to be.
    """

    def __init__(self, path: Path, shown: str | None = None) -> None:
        self.path: Path | str = path if shown is None else shown
        self._found: dict[str, h5py.Group | h5py.Dataset] = {}
        self._arrays: dict[str, _Array] = {}
        self._file, self.size = open_file(path)
        self._handle = int(self._file.id.get_vfd_handle())
        if self._file.userblock_size:
            self.close()
            raise self.damage("it does not start with the file's first byte")

    def close(self) -> None:
        """Close the file."""
        self._handle = -1  # which another file may get
        self._file.close()

    def damage(self, what: object) -> ShardError:
        """Make the error that says what is wrong with the file."""
        return ShardError(f"{self.path}: is damaged: {what}")

    def wrap_error(self, what: str, error: BaseException) -> ShardError:
        """Make the error that says what h5py or a parser raised at it; what the system refuses is no damage."""
        if isinstance(error, OSError) and error.errno:
            return ShardError(f"{self.path}: {what}: {os.strerror(error.errno)}")
        said = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)  # it quotes itself
        return self.damage(f"{what}: {' '.join(said[:300].split()) or type(error).__name__}")

    @contextlib.contextmanager
    def wrap_errors(self, what: str) -> Iterator[None]:
        """Turn whatever h5py and parsers raise at a damaged file into a `ShardError`; it says `what`.

        What is read for every sample does so itself, in less time.
        """
        try:
            yield
        except _RAISED_AT_DAMAGE as error:
            raise self.wrap_error(what, error) from error

    def attribute(self, name: str, of: str = "") -> Any:
        """Return an attribute of the file or of an array: text, a number, or None if it is not there."""
        what = f"attribute {name} of {of}" if of else f"attribute {name}"
        with self.wrap_errors(what):
            owner = self._find(of) if of else self._file
            if not h5py.h5a.exists(owner.id, name.encode()):
                return None
            found = h5py.h5a.open(owner.id, name.encode())
            kind = found.get_type()
            fixed = kind.get_class() == h5py.h5t.STRING and not kind.is_variable_str()
            number = kind.get_class() in {h5py.h5t.INTEGER, h5py.h5t.FLOAT}
            if not (fixed or number) or found.shape != () or found.get_storage_size() > LONGEST_TEXT:
                raise self.damage(f"{what} must be one number or one short text of fixed length")
            value = np.empty((), kind.dtype)  # which is read in a third of the time that `owner.attrs` takes
            found.read(value)
            return value.item() if number else value.item().decode()

    def names(self, groups: Collection[str], of: str = "") -> set[str]:
        """List what there is in the file, or in a group of it, by path: what is in one of some groups, too."""
        with self.wrap_errors("its list of arrays"):
            found: set[str] = set()
            for name in map(_decode, (self._find(of) if of else self._file).id):
                path = f"{of}/{name}" if of else name
                found |= self.names(groups, path) if path in groups else {path}
            return found

    def length(self, name: str) -> int:
        """Return what an array claims to be its length; its rule has to confirm it."""
        with self.wrap_errors(name):
            return int(self._find_array(name).shape[0])

    def open(self, name: str, rule: ArrayRule) -> h5py.Dataset:
        """Hold an array against its rule; from then on it can be read."""
        if name in self._arrays:
            return self._arrays[name].dataset
        with self.wrap_errors(name):
            dataset = self._find_array(name)
            if wrong := rule.compare(dataset):
                raise self.damage(f"{name} {wrong}")
            count = 0 if rule.chunk is None else rule.shape[0] // rule.chunk[0]
            chunk_bytes = math.prod(rule.chunk or ()) * int(dataset.dtype.itemsize)
            start = dataset.id.get_offset() or 0 if rule.chunk is None else 0
            array = _Array(dataset, rule, start, chunk_bytes, np.zeros((count, 3), np.int64))
            logical = math.prod(rule.shape) * int(dataset.dtype.itemsize)
            stored = dataset.id.get_storage_size()
            if start + stored > self.size or logical > stored * rule.codec.most_inflated:
                raise self.damage(f"{name} claims {logical} bytes, but of it {stored} are stored in {self.size}")
            if rule.chunk == rule.shape and rule.codec.filter_id is None:
                _, size, _ = self._find_chunk(array, 0)
                compare_sizes(size - CHECKSUM_BYTES, chunk_bytes)
        self._arrays[name] = array
        return dataset

    def read(self, name: str, where: Any) -> Any:
        """Read a part of an open array that lies in one piece or in one chunk."""
        with self.wrap_errors(f"{name} cannot be read"):
            return self._arrays[name].dataset[where]

    def read_chunks(self, name: str, indices: Sequence[int], crcs: Sequence[int | None]) -> list[Chunk]:
        """Read elements of an open array that has a chunk for each, and compare their CRC-32.

        Where one has none the checksum of HDF5's that the chunk ends with is compared, which takes longer.
        """
        array, handle = self._arrays[name], self._handle
        codec, index = array.rule.codec, -1
        found = []
        try:
            for index, place, crc in zip(indices, array.chunks[indices].tolist(), crcs, strict=True):
                start, size, bare = place if place[1] else self._find_chunk(array, index)
                data = os.pread(handle, size, start)
                if len(data) != size:
                    raise ValueError(f"{len(data)} bytes are there of {size}")
                if crc is None:
                    body = take_body(data)
                else:
                    body = memoryview(data)[:-CHECKSUM_BYTES]
                    compare_crc(body, crc)
                inflate = copy_body if bare else codec.inflate
                if inflate is None:
                    body, inflate = self._inflate(array, index, body), copy_body
                found.append(Chunk(self, name, index, body, inflate))
        except _RAISED_AT_DAMAGE as error:
            raise self.wrap_error(f"{name}[{index}] cannot be read", error) from error
        return found

    def read_bytes(self, name: str, index: int, rows: tuple[int, int], crc: int | None) -> bytes:
        """Read from an open array that lies in one piece the bytes of its element `index`, and compare their CRC-32.

        `rows` are the first byte and that after the last; without a CRC nothing is compared.
        """
        start, stop = rows
        try:
            data = os.pread(self._handle, stop - start, self._arrays[name].start + start)
            if len(data) != stop - start:
                raise ValueError(f"{len(data)} bytes are there of {stop - start}")
            if crc is not None:
                compare_crc(data, crc)
        except _RAISED_AT_DAMAGE as error:
            raise self.wrap_error(f"{name}[{index}] cannot be read", error) from error
        return data

    def _inflate(self, array: _Array, index: int, body: memoryview) -> memoryview:
        """Let HDF5 inflate a chunk."""
        codec = array.rule.codec
        if codec.measure is not None:
            compare_sizes(codec.measure(body, array.chunk_bytes), array.chunk_bytes)
        codec.load()
        return np.asarray(array.dataset[index]).data.cast("B")

    def _find(self, name: str) -> h5py.Group | h5py.Dataset:
        """Go to an object by hard links alone."""
        if name in self._found:
            return self._found[name]
        above, _, last = name.rpartition("/")
        group = self._find(above) if above else self._file
        if not isinstance(group, h5py.Group) or not group.id.links.exists(last.encode()):
            raise self.damage(f"it has no {name}")
        if group.id.links.get_info(last.encode()).type != h5py.h5l.TYPE_HARD:
            raise self.damage(f"{name} is a link, not an array")
        found = h5py.h5o.open(group.id, last.encode())
        is_array = isinstance(found, h5py.h5d.DatasetID)  # of which `group[last]` takes twice the time
        self._found[name] = h5py.Dataset(found, readonly=True) if is_array else group[last]
        return self._found[name]

    def _find_array(self, name: str) -> h5py.Dataset:
        item = self._find(name)
        if not isinstance(item, h5py.Dataset) or not item.shape:
            raise self.damage(f"{name} is no array")
        return item

    def _find_chunk(self, array: _Array, index: int) -> tuple[int, int, bool]:
        """Find where a chunk that was not looked for yet starts, how many bytes it has, and whether it is bare.

        It is there, has a checksum, and no more bytes than a chunk's.
        """
        if np.count_nonzero(array.chunks[:, 1]) == _FEW:
            self._find_all_chunks(array)
        if not array.chunks[index, 1]:
            info = array.dataset.id.get_chunk_info_by_coord((index, *[0] * (len(array.rule.shape) - 1)))
            place = info.byte_offset, info.size, info.filter_mask
            if (fault := self._find_fault(array, *place)) is not None:
                raise ValueError(fault)
            array.chunks[index] = place
        start, size, bare = array.chunks[index].tolist()
        return start, size, bool(bare)

    def _find_all_chunks(self, array: _Array) -> None:
        """Find all chunks of an array, in the time in which HDF5 looks for a few; what is bad stays unknown."""
        found: dict[int, tuple[int, int, int]] = {}

        def note(info: h5py.h5d.StoreInfo) -> None:
            place = info.byte_offset, info.size, info.filter_mask
            if self._find_fault(array, *place) is None:
                found[info.chunk_offset[0]] = place

        with contextlib.suppress(*_RAISED_AT_DAMAGE):
            array.dataset.id.chunk_iter(note)
            array.chunks[list(found)] = list(found.values())

    def _find_fault(self, array: _Array, start: int | None, size: int, mask: int) -> str | None:
        """Say what is wrong with where HDF5 says that a chunk is; None if nothing."""
        if start is None or start + size > self.size:
            return "it is not in the file"
        # The first bit is the compressor's, which leaves alone what it cannot shrink; the checksum's must not be set.
        if mask > (array.rule.codec.filter_id is not None):
            return "its checksum is switched off"
        stored, logical = size - CHECKSUM_BYTES, array.chunk_bytes
        if not 0 < stored <= logical + logical // 64 + 1024:
            return f"{size} bytes are stored of {logical}"
        return None


def _decode(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
