"""The compressions of a shard's labels, an entry each: how HDF5 writes one, and how its chunks are unpacked.

HDF5 unpacks chunks, too, but allocates all it needs for every chunk anew, and its plugin for zstd (hdf5plugin up to
7.1) does not notice that zstd fails (HDFGroup/hdf5_plugins, pull request 280): the array then has what was in memory
before. What has no `inflate` here, LZF and without the package zstandard also zstd, is left to HDF5 once `measure` has
said what it comes to.
"""

from __future__ import annotations

import io
import struct
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

try:
    import zstandard
except ModuleNotFoundError:
    zstandard = None  # type: ignore[assignment,unused-ignore]

_ZSTD_LEVEL = 1
_ZSTD_MAGIC = 0xFD2FB528
_ZSTD_REPETITION = 1

Inflate = Callable[[memoryview, NDArray[Any]], None]
"""Inflates a chunk without its checksum into a contiguous array.

It raises `ValueError` if the stream is wrong, or inflates to another number of bytes than the array has; more than
these are not inflated.
"""

Deflate = Callable[[NDArray[Any]], bytes]
"""Packs a contiguous array into a chunk without its checksum: the very bytes that HDF5 makes of it."""

Measure = Callable[[memoryview, int], int]
"""Counts, up to a limit, what a chunk without its checksum claims to inflate to; -1 if it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """One compression of chunks.

    Attributes
    ----------
    name
        As `BuildConfig.compression` has it.
    filter_id
        HDF5's number of the filter; None without one.
    options
        What `h5py.Group.create_dataset` takes to write with it.
    is_plugin
        Whether HDF5 has it from the package hdf5plugin.
    most_inflated
        More bytes than that cannot come of one.
    size_option
        Which of the filter's options, if any, has HDF5 take memory for a chunk of that size.
    inflate
        Unpacks a chunk; None where HDF5 has to.
    measure
        Says before HDF5 unpacks a chunk what that comes to; needed where there is no `inflate`.
    find_deflate
        Finds what packs chunks sooner than HDF5, which may be nothing; None where there never is anything.
    stable
        Whether it packs equal values to equal bytes: with no other a dataset is built.
    """

    name: str
    filter_id: int | None
    options: Mapping[str, Any] = field(default_factory=dict)
    is_plugin: bool = False
    most_inflated: int
    size_option: int | None = None
    inflate: Inflate | None = None
    measure: Measure | None = None
    find_deflate: Callable[[], Deflate | None] | None = None
    stable: bool = True

    def __post_init__(self) -> None:
        if self.inflate is None and self.measure is None:
            raise ValueError(f"{self.name}: HDF5 must not unpack what cannot be measured before")

    def load(self) -> None:
        """Make sure that HDF5 has the filter."""
        if self.is_plugin:
            import hdf5plugin  # noqa: F401 (HDF5 knows the filter from it)


def compare_sizes(inflated: int, size: int) -> None:
    """Raise `ValueError` if a chunk has another number of bytes than it must; -1 stands for a stream without an end."""
    if inflated != size:
        raise ValueError(f"it inflates to {inflated} bytes, not to {size}")


def copy_body(body: memoryview, out: NDArray[Any]) -> None:
    """Unpack what is not compressed: an `Inflate`."""
    compare_sizes(len(body), out.nbytes)
    out.data.cast("B")[:] = body


def measure_zstd(body: memoryview, _: int) -> int:
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


class _Local(threading.local):
    """What each thread has for itself."""

    def __init__(self) -> None:
        self.zstd = None if zstandard is None else zstandard.ZstdDecompressor()
        self.zstd_packing = None if zstandard is None else zstandard.ZstdCompressor(level=_ZSTD_LEVEL)


_LOCAL = _Local()


def _inflate_zstd(body: memoryview, out: NDArray[Any]) -> None:
    """Inflate one frame and nothing else."""
    compare_sizes(measure_zstd(body, out.nbytes), out.nbytes)
    try:
        inflated = _LOCAL.zstd.stream_reader(body).readinto(out)
    except zstandard.ZstdError as error:
        raise ValueError(f"zstd says: {error}") from error
    compare_sizes(inflated, out.nbytes)


def _deflate_zstd(values: NDArray[Any]) -> bytes:
    # What it returns keeps the memory of what was packed: a copy keeps its own.
    return bytes(memoryview(_LOCAL.zstd_packing.compress(values.data)))


@lru_cache(maxsize=1)
def _find_zstd_deflate() -> Deflate | None:
    """Find what packs chunks: the package zstandard, if it makes of a trial what HDF5 does, as equal versions do.

    Shards must not depend on whether it is here. HDF5 makes a new context for every chunk, which takes longer than
    packing what a mask has.
    """
    number = np.arange(1 << 15, dtype=np.uint32)
    trial = (number * number >> 9 & 0xFFFF).astype(np.uint16)
    trial[1 << 13 : 1 << 14] = 0
    ZSTD.load()
    with h5py.File(io.BytesIO(), "w") as file:
        dataset = file.create_dataset("trial", data=trial, chunks=trial.shape, **ZSTD.options)
        file.flush()
        _, packed = dataset.id.read_direct_chunk((0,))
    return _deflate_zstd if zstandard is not None and packed == _deflate_zstd(trial) else None


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
    copy_body(memoryview(data), out)


NONE = Codec(name="none", filter_id=None, most_inflated=1, inflate=copy_body)

ZSTD = Codec(
    name="zstd",
    filter_id=32015,
    options={"compression": 32015, "compression_opts": (_ZSTD_LEVEL,)},
    is_plugin=True,
    most_inflated=33_000,  # a block of 4 bytes repeats one 128 Ki times
    inflate=None if zstandard is None else _inflate_zstd,
    measure=measure_zstd,
    find_deflate=_find_zstd_deflate,
)

GZIP = Codec(
    name="gzip",
    filter_id=h5py.h5z.FILTER_DEFLATE,
    options={"compression": "gzip"},
    most_inflated=1040,  # 2 bits repeat 258 bytes
    inflate=_inflate_gzip,
)

# Of the same values it packs other bytes once in some hundred chunks: HDF5's filter, as h5py brings it, looks earlier
# bytes up in a table on the stack that it never clears (INIT_HTAB 0 in lzfP.h), so that what was there before decides
# which of several repetitions is found. Whatever it packs unpacks to the same values.
LZF = Codec(
    name="lzf",
    filter_id=h5py.h5z.FILTER_LZF,
    options={"compression": "lzf"},
    stable=False,
    most_inflated=90,  # 3 bytes repeat 264
    size_option=2,
    measure=measure_lzf,
)

CODECS: Mapping[str, Codec] = {codec.name: codec for codec in (ZSTD, GZIP, LZF, NONE)}
"""By name: the words that `BuildConfig.compression` may have."""
