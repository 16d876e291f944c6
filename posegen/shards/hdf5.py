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
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError, ShardError
from posegen.shards.codecs import CHECKSUM_BYTES, can_inflate, compare_sizes, inflate, measure, take_body

_BLAMED = (
    ArithmeticError, AttributeError, ConfigError, LookupError, MemoryError, OSError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip
"""What h5py, NumPy and parsers raise at bytes that mean nothing."""

LONGEST_TEXT = (1 << 16) - 1024
"""So many bytes of an attribute fit in its owner's header, which has a checksum."""

_COMPRESSORS = {"gzip": h5py.h5z.FILTER_DEFLATE, "lzf": h5py.h5z.FILTER_LZF, "zstd": 32015}

_MOST_INFLATED = {"none": 1, "gzip": 1040, "lzf": 90, "zstd": 33000}
"""More than that many bytes cannot come of one: deflate repeats 258 bytes in 2 bits, LZF 264 in 3 bytes, zstd 128 KiB
in 4 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayRule:
    """What an array has to be.

    Attributes
    ----------
    shape
        Its shape.
    dtype
        Its NumPy dtype; `S` is text of any fixed length.
    chunk
        The shape of a chunk; None for one that lies in one piece, without filters. Chunks have a checksum.
    compressor
        Of the chunks: `zstd`, `gzip`, `lzf` or `none`.
    """

    shape: tuple[int, ...]
    dtype: str
    chunk: tuple[int, ...] | None = None
    compressor: str = "none"


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
    body, compressor
        What there is of it: as it lies in the file, or where `posegen.shards.codecs.inflate` does not know the
        compressor what HDF5 made of it, with the compressor `none`.
    """

    file: GuardedFile
    name: str
    index: int
    body: memoryview
    compressor: str

    def unpack(self, out: NDArray[Any]) -> None:
        """Write the element into an array of its shape and dtype that is contiguous.

        Raises
        ------
        ShardError
            If it is damaged.
        """
        try:
            inflate(self.body, self.compressor, out)
        except ValueError as error:
            raise self.file.blame(f"{self.name}[{self.index}] cannot be read", error) from error


class GuardedFile:
    """An HDF5 file, open for reading in this process.

    Raises
    ------
    ShardError
        Here and in every method: if the file is missing, no HDF5, or not as it has to be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise ShardError(f"{path}: no such shard")
        self.size = path.stat().st_size
        self._found: dict[str, h5py.Group | h5py.Dataset] = {}
        self._arrays: dict[str, _Array] = {}
        try:
            # Every chunk is read once: a cache would only grow.
            self._file = h5py.File(path, "r", driver="sec2", rdcc_nbytes=0)
        except (OSError, RuntimeError, ValueError) as error:
            raise ShardError(f"{path}: is not an HDF5 file, or is damaged: {error}") from error
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

    def blame(self, what: str, error: BaseException) -> ShardError:
        """Make the error that says what h5py or a parser raised at it."""
        said = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)  # it quotes itself
        return self.damage(f"{what}: {' '.join(said[:300].split()) or type(error).__name__}")

    @contextlib.contextmanager
    def blamed(self, what: str) -> Iterator[None]:
        """Turn whatever h5py and parsers raise at a damaged file into a `ShardError`; it says `what`.

        What is read for every sample does so itself, in less time.
        """
        try:
            yield
        except _BLAMED as error:
            raise self.blame(what, error) from error

    def attribute(self, name: str, of: str = "") -> Any:
        """Return an attribute of the file or of an array: text, a number, or None if it is not there."""
        what = f"attribute {name} of {of}" if of else f"attribute {name}"
        with self.blamed(what):
            owner = self._find(of) if of else self._file
            if not h5py.h5a.exists(owner.id, name.encode()):
                return None
            found = h5py.h5a.open(owner.id, name.encode())
            kind = found.get_type()
            fixed = kind.get_class() == h5py.h5t.STRING and not kind.is_variable_str()
            number = kind.get_class() in {h5py.h5t.INTEGER, h5py.h5t.FLOAT}
            if not (fixed or number) or found.shape != () or found.get_storage_size() > LONGEST_TEXT:
                raise self.damage(f"{what} must be one number or one short text of fixed length")
            value = owner.attrs[name]
            return value.decode() if isinstance(value, bytes) else value.item()

    def names(self, groups: Collection[str]) -> set[str]:
        """List what there is, as `name`, or for what is in one of some groups as `group/name`."""
        with self.blamed("its list of arrays"):
            found = set()
            for name in map(_decode, self._file.id):
                found |= {f"{name}/{_decode(inner)}" for inner in self._find(name).id} if name in groups else {name}
            return found

    def length(self, name: str) -> int:
        """Return what an array claims to be its length; its rule has to confirm it."""
        with self.blamed(name):
            return int(self._find_array(name).shape[0])

    def open(self, name: str, rule: ArrayRule) -> h5py.Dataset:
        """Hold an array against its rule; from then on it can be read."""
        if name in self._arrays:
            return self._arrays[name].dataset
        with self.blamed(name):
            dataset = self._find_array(name)
            self._check_header(name, dataset, rule)
            count = 0 if rule.chunk is None else rule.shape[0] // rule.chunk[0]
            chunk_bytes = math.prod(rule.chunk or ()) * int(dataset.dtype.itemsize)
            start = dataset.id.get_offset() or 0 if rule.chunk is None else 0
            array = _Array(dataset, rule, start, chunk_bytes, np.zeros((count, 3), np.int64))
            logical = math.prod(rule.shape) * int(dataset.dtype.itemsize)
            stored = dataset.id.get_storage_size()
            if start + stored > self.size or logical > stored * _MOST_INFLATED[rule.compressor]:
                raise self.damage(f"{name} claims {logical} bytes, but of it {stored} are stored in {self.size}")
            if rule.chunk == rule.shape and rule.compressor == "none":
                _, size, _ = self._find_chunk(array, 0)
                compare_sizes(size - CHECKSUM_BYTES, chunk_bytes)
        self._arrays[name] = array
        return dataset

    def read(self, name: str, where: Any) -> Any:
        """Read a part of an open array that lies in one piece or in one chunk."""
        with self.blamed(f"{name} cannot be read"):
            return self._arrays[name].dataset[where]

    def read_chunk(self, name: str, index: int) -> Chunk:
        """Read one element of an open array that has a chunk for each, and compare its checksum."""
        array = self._arrays[name]
        try:
            start, size, bare = self._find_chunk(array, index)
            data = os.pread(self._handle, size, start)
            if len(data) != size:
                raise ValueError(f"{len(data)} bytes are there of {size}")
            body = take_body(data)
            compressor = "none" if bare else array.rule.compressor
            if can_inflate(compressor):
                return Chunk(self, name, index, body, compressor)
            return Chunk(self, name, index, self._inflate(array, index, body), "none")
        except _BLAMED as error:
            raise self.blame(f"{name}[{index}] cannot be read", error) from error

    def read_bytes(self, name: str, start: int, stop: int) -> bytes:
        """Read an open array that lies in one piece from its byte `start` to before its byte `stop`."""
        try:
            data = os.pread(self._handle, stop - start, self._arrays[name].start + start)
            if len(data) != stop - start:
                raise ValueError(f"{len(data)} bytes are there of {stop - start}")
        except _BLAMED as error:
            raise self.blame(f"{name} cannot be read", error) from error
        return data

    def _inflate(self, array: _Array, index: int, body: memoryview) -> memoryview:
        """Let HDF5 inflate a chunk."""
        compressor = array.rule.compressor
        compare_sizes(measure(body, compressor, array.chunk_bytes), array.chunk_bytes)
        if compressor == "zstd":
            import hdf5plugin  # noqa: F401 (HDF5 knows zstd from it)
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
        self._found[name] = group[last]
        return self._found[name]

    def _find_array(self, name: str) -> h5py.Dataset:
        item = self._find(name)
        if not isinstance(item, h5py.Dataset) or not item.shape:
            raise self.damage(f"{name} is no array")
        return item

    def _check_header(self, name: str, array: h5py.Dataset, rule: ArrayRule) -> None:
        """Compare what the file says of an array with its rule."""
        found, plist = array.id.get_type(), array.id.get_create_plist()
        if rule.dtype == "S":
            fits = found.get_class() == h5py.h5t.STRING and not found.is_variable_str()
        else:
            fits = found.equal(h5py.h5t.py_create(np.dtype(rule.dtype)))
        if not fits:
            wanted = "text of fixed length" if rule.dtype == "S" else rule.dtype
            raise self.damage(f"{name} has the dtype {array.dtype}, expected {wanted}")
        if array.shape != rule.shape:
            raise self.damage(f"{name} has the shape {array.shape}, expected {rule.shape}")
        if plist.get_external_count() or plist.get_layout() == h5py.h5d.VIRTUAL:
            raise self.damage(f"{name} lies in another file")
        filters = [plist.get_filter(i) for i in range(plist.get_nfilters())]
        compressors = [_COMPRESSORS[rule.compressor]] if rule.compressor != "none" else []
        expected = [] if rule.chunk is None else [*compressors, h5py.h5z.FILTER_FLETCHER32]
        layout = h5py.h5d.CONTIGUOUS if rule.chunk is None else h5py.h5d.CHUNKED
        if plist.get_layout() != layout or array.chunks != rule.chunk or [f[0] for f in filters] != expected:
            raise self.damage(f"{name} has other chunks or filters than a shard's")
        if rule.compressor == "lzf" and filters[0][2][2:] != (math.prod(array.chunks) * array.dtype.itemsize,):
            raise self.damage(f"{name} has LZF chunks of another size")

    def _find_chunk(self, array: _Array, index: int) -> tuple[int, int, bool]:
        """Find where a chunk starts, how many bytes it has, and whether it is not compressed.

        It is there, has a checksum, and no more bytes than a chunk's.
        """
        start, size, bare = array.chunks[index].tolist()
        if size:
            return start, size, bool(bare)
        rule, logical = array.rule, array.chunk_bytes
        info = array.dataset.id.get_chunk_info_by_coord((index, *[0] * (len(rule.shape) - 1)))
        if info.byte_offset is None or info.byte_offset + info.size > self.size:
            raise ValueError("it is not in the file")
        # The first bit is the compressor's, which leaves alone what it cannot shrink; the checksum's must not be set.
        if info.filter_mask > (rule.compressor != "none"):
            raise ValueError("its checksum is switched off")
        stored = info.size - CHECKSUM_BYTES
        if not 0 < stored <= logical + logical // 64 + 1024:
            raise ValueError(f"{info.size} bytes are stored of {logical}")
        array.chunks[index] = info.byte_offset, info.size, info.filter_mask
        return info.byte_offset, info.size, bool(info.filter_mask)


def _decode(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
