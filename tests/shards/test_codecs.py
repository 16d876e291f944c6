"""Unpacking chunks, against what HDF5 makes of them."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import h5py
import hdf5plugin
import numpy as np
import pytest
import zstandard
from numpy.typing import NDArray

from posegen.config.choices import Compression
from posegen.shards import codecs
from posegen.shards.checksum import fletcher32, take_body
from posegen.shards.codecs import CODECS, Codec, Inflate, measure_zstd

FILTERS = {"zstd": dict(hdf5plugin.Zstd(clevel=1)), "gzip": {"compression": "gzip"}, "none": {}}


def write_chunk(path: Path, values: NDArray[np.uint8], compressor: str) -> bytes:
    """Let HDF5 store an array as one chunk with a checksum, and return the chunk."""
    with h5py.File(path, "w") as file:
        data = file.create_dataset("x", data=values, chunks=values.shape, fletcher32=True, **FILTERS[compressor])
        return data.id.read_direct_chunk((0,) * values.ndim)[1]


def unpack(chunk: bytes, compressor: str, size: int) -> bytes:
    out = np.full(size, 85, np.uint8)
    inflate(compressor)(take_body(chunk), out)
    return out.tobytes()


def inflate(compressor: str) -> Inflate:
    """What unpacks a compression without HDF5."""
    found = CODECS[compressor].inflate
    assert found is not None
    return found


def values(size: int) -> NDArray[np.uint8]:
    random = np.random.default_rng(size)
    return np.where(random.random(size) < 0.3, random.integers(0, 256, size), 0).astype(np.uint8)


@pytest.mark.parametrize("size", [1, 2, 3, 719, 720, 721, 65_537, 200_000])
def test_the_checksum_is_hdf5s(tmp_path: Path, size: int) -> None:
    for data in (values(size), np.zeros(size, np.uint8), np.full(size, 255, np.uint8)):
        chunk = write_chunk(tmp_path / "a.h5", data, "none")
        assert fletcher32(memoryview(chunk)[:-4]) == int.from_bytes(chunk[-4:], "little")


def test_the_checksum_of_many_words_is_summed_up_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posegen.shards.checksum._MOST_WORDS", 100)
    chunk = write_chunk(tmp_path / "a.h5", values(1001), "none")
    assert fletcher32(memoryview(chunk)[:-4]) == int.from_bytes(chunk[-4:], "little")


@pytest.mark.parametrize("compressor", FILTERS)
@pytest.mark.parametrize("size", [1, 97, 160_816])
def test_a_chunk_is_unpacked_to_what_was_stored(tmp_path: Path, compressor: str, size: int) -> None:
    stored = values(size)
    chunk = write_chunk(tmp_path / "a.h5", stored, compressor)
    assert unpack(chunk, compressor, size) == stored.tobytes()


@pytest.mark.parametrize("compressor", FILTERS)
def test_every_flipped_bit_is_an_error(tmp_path: Path, compressor: str) -> None:
    chunk = write_chunk(tmp_path / "a.h5", values(60), compressor)
    for bit in range(8 * len(chunk)):
        damaged = bytearray(chunk)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError, match="its checksum is wrong"):
            unpack(bytes(damaged), compressor, 60)


def seal(body: bytes) -> bytes:
    return body + fletcher32(memoryview(body)).to_bytes(4, "little")


@pytest.mark.parametrize("kept", [12, 0.5, -1])
def test_a_broken_zstd_stream_with_a_right_checksum_is_an_error(tmp_path: Path, kept: float) -> None:
    body = write_chunk(tmp_path / "a.h5", values(60_000), "zstd")[:-4]
    kept = int(kept * len(body)) if kept == 0.5 else int(kept)
    with pytest.raises(ValueError, match=r"zstd says|it inflates to -?\d+ bytes, not to 60000"):
        unpack(seal(body[:kept]), "zstd", 60_000)
    with pytest.raises(ValueError, match=r"zstd says|it inflates to -?\d+ bytes, not to 60000"):
        unpack(seal(body[:kept] + b"\xff" * len(body[kept:])), "zstd", 60_000)


@pytest.mark.parametrize("compressor", FILTERS)
def test_what_follows_a_stream_is_an_error(tmp_path: Path, compressor: str) -> None:
    body = write_chunk(tmp_path / "a.h5", values(60), compressor)[:-4]
    empty, skippable = zstandard.ZstdCompressor().compress(b""), struct.pack("<II", 0x184D2A50, 0)
    for after in (body, body[:20], b"\0", b"\x28\xb5", b"posegen", empty, skippable, skippable[:5]):
        with pytest.raises(ValueError, match=r"says|bytes follow|it inflates to -?\d+ bytes, not to 60"):
            unpack(seal(body + after), compressor, 60)


def test_a_frame_is_whole_or_an_error() -> None:
    data = values(300_000).tobytes()
    for checksum in (False, True):
        frame = zstandard.ZstdCompressor(write_checksum=checksum).compress(data)
        assert unpack(seal(frame), "zstd", len(data)) == data
        for kept in range(len(frame) - 12, len(frame)):
            with pytest.raises(ValueError, match="it inflates to -1 bytes"):
                unpack(seal(frame[:kept]), "zstd", len(data))


def test_a_frame_that_holds_more_than_it_says_is_an_error() -> None:
    def frame(size: int, *blocks: tuple[int, bool]) -> bytes:
        repeated = (((length << 3 | 1 << 1 | last).to_bytes(3, "little") + b"x") for length, last in blocks)
        return struct.pack("<IBB", 0xFD2FB528, 0x20, size) + b"".join(repeated)

    assert unpack(seal(frame(60, (50, False), (10, True))), "zstd", 60) == b"x" * 60
    for blocks in ([(61, True)], [(61, False)], [(60, False)], [(60, False), (1, True)], [(59, True)]):
        with pytest.raises(ValueError, match=r"zstd says|it inflates to"):
            unpack(seal(frame(60, *blocks)), "zstd", 60)


@pytest.mark.parametrize("compressor", FILTERS)
def test_a_chunk_of_another_size_is_an_error(tmp_path: Path, compressor: str) -> None:
    chunk = write_chunk(tmp_path / "a.h5", values(60), compressor)
    for size in (1, 59, 61):
        with pytest.raises(ValueError, match=rf"it inflates to \d+ bytes, not to {size}"):
            unpack(chunk, compressor, size)


@pytest.mark.parametrize("compressor", FILTERS)
def test_a_chunk_is_inflated_into_an_array_of_any_shape_and_dtype(tmp_path: Path, compressor: str) -> None:
    stored = values(48)
    body = take_body(write_chunk(tmp_path / "a.h5", stored, compressor))
    out = np.empty((3, 2, 4), np.float16)
    inflate(compressor)(body, out)
    assert out.tobytes() == stored.tobytes()


def test_a_stream_without_an_end_is_an_error() -> None:
    with pytest.raises(ValueError, match="inflates to -1 bytes"):
        unpack(seal(zlib.compress(bytes(60))[:-5]), "gzip", 60)


def test_threads_do_not_disturb_each_other(tmp_path: Path) -> None:
    arrays = [values(size) for size in range(150_000, 150_008)]
    chunks = [write_chunk(tmp_path / "a.h5", array, "zstd") for array in arrays]

    def unpack_often(i: int) -> bool:
        return all(unpack(chunks[i], "zstd", len(arrays[i])) == arrays[i].tobytes() for _ in range(20))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(unpack_often, range(8)))


def test_there_is_an_entry_for_each_compression_that_can_be_asked_for() -> None:
    assert set(CODECS) == set(get_args(Compression))
    assert all(codec.name == name for name, codec in CODECS.items())


def test_each_entry_is_the_filter_that_it_says(tmp_path: Path) -> None:
    numbers = {"zstd": hdf5plugin.Zstd.filter_id, "gzip": 1, "lzf": 32000, "none": None}
    assert {name: codec.filter_id for name, codec in CODECS.items()} == numbers
    assert CODECS["zstd"].options == FILTERS["zstd"]
    for name, codec in CODECS.items():
        codec.load()
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            data = file.create_dataset("x", data=values(5000), chunks=(5000,), **codec.options)
            plist = data.id.get_create_plist()
            found = [plist.get_filter(i) for i in range(plist.get_nfilters())]
        assert [one[0] for one in found] == ([] if codec.filter_id is None else [codec.filter_id])
        if codec.size_option is not None:
            assert found[0][2][codec.size_option :] == (5000,)


@pytest.mark.parametrize("compressor", CODECS)
def test_nothing_inflates_to_more_than_its_bound(tmp_path: Path, compressor: str) -> None:
    codec = CODECS[compressor]
    codec.load()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for size in (1, 1000, 1 << 20, 1 << 24):
            data = file.create_dataset(f"x{size}", data=np.zeros(size, np.uint8), chunks=(size,), **codec.options)
            assert size <= codec.most_inflated * data.id.get_storage_size()


@pytest.mark.parametrize("compressor", CODECS)
def test_what_is_measured_is_what_was_stored(tmp_path: Path, compressor: str) -> None:
    codec = CODECS[compressor]
    codec.load()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for size in (97, 5000, 160_816):
            data = file.create_dataset(f"x{size}", data=values(size), chunks=(size,), **codec.options)
            body = memoryview(data.id.read_direct_chunk((0,))[1])
            if codec.measure is None:
                assert codec.inflate is not None
            elif len(body) < size:
                assert codec.measure(body, size) == size
                assert codec.measure(body[:-1], size) != size


def test_what_neither_inflates_nor_measures_is_no_entry() -> None:
    Codec(name="known", filter_id=307, most_inflated=1, measure=measure_zstd)
    with pytest.raises(ValueError, match="blind: HDF5 must not unpack what cannot be measured before"):
        Codec(name="blind", filter_id=307, most_inflated=1)


def test_packed_chunks_keep_no_more_memory_than_they_have_bytes() -> None:
    values = np.zeros((8, 128, 128), np.float32)
    values[0, :4] = 1.5
    codecs._deflate_zstd(values)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        packed = [codecs._deflate_zstd(values) for _ in range(50)]
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert held < 2 * sum(map(len, packed)) + 50 * 200
