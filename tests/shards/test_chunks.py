"""Chunks are the same, and in the same places, whoever packs them."""

from __future__ import annotations

import dataclasses
import io
import zlib

import h5py
import numpy as np
import pytest

from posegen.shards import codecs
from posegen.shards.chunks import ChunkWriter


def write(values, codec, capacity, repeats=False):
    """Write rows in two goes: the file's bytes, what is read of it, and the sums of its chunks."""
    memory = io.BytesIO()
    with h5py.File(memory, "w", libver="v110") as file:
        codec.load()
        shape = (capacity, *values.shape[1:])
        dataset = file.create_dataset(
            "x", shape, values.dtype, maxshape=shape, chunks=(1, *shape[1:]), fletcher32=True, track_times=False,
            **codec.options,
        )  # fmt: skip
        writer = ChunkWriter(dataset, codec, repeats=repeats)
        writer.write(0, values[:3])
        writer.write(3, values[3:])
        sums = writer.finish(len(values))
        read = dataset[:]
        chunks = [dataset.id.read_direct_chunk((row, 0, 0, 0))[1] for row in range(len(values))]
    assert sums.tolist() == [zlib.crc32(chunk[:-4]) for chunk in chunks]
    return memory.getvalue(), read


def make_values():
    """Nothing, noise that does not compress, a mask, and runs, of an odd number of bytes."""
    rng = np.random.default_rng(0)
    values = np.zeros((6, 3, 7, 11), np.uint8)
    values[1] = rng.integers(0, 256, values.shape[1:])
    values[2, :, 2:5] = 255
    values[3:] = np.arange(7)[:, None]
    return values


def test_a_file_is_the_same_with_and_without_what_packs_sooner():
    pytest.importorskip("zstandard")
    values = make_values()
    slow = dataclasses.replace(codecs.ZSTD, find_deflate=lambda: None)
    assert codecs.ZSTD.find_deflate() is not None
    for some in (values, values.astype(np.float32), np.ascontiguousarray(values[:4])):
        (fast, read), (plain, read_slowly) = write(some, codecs.ZSTD, 8), write(some, slow, 8)
        assert fast == plain
        np.testing.assert_array_equal(read, some)
        np.testing.assert_array_equal(read_slowly, some)


def test_a_file_is_the_same_whether_rows_are_expected_to_come_again():
    values = np.random.default_rng(1).integers(0, 2, (40, 3, 7, 11), np.uint8)
    # Bytes 3 to 7 by the polynomial of CRC-32, which changes no sum.
    alike = values[0].copy()
    alike.reshape(-1)[3:8] ^= np.frombuffer(bytes.fromhex("410671db01"), np.uint8)
    assert zlib.crc32(alike) == zlib.crc32(values[0])
    order = [0, 0, 40, 0, 40, 40, *range(40), *range(40), *range(40)]
    values = np.concatenate([values, alike[None]])[order]
    for some in (values, values.astype(np.float16)):
        (plain, _), (packed_once, read) = (write(some, codecs.ZSTD, 130, repeats) for repeats in (False, True))
        assert packed_once == plain
        np.testing.assert_array_equal(read, some)


def test_a_row_that_comes_again_is_packed_twice_at_most():
    packed = []

    def deflate(values):
        packed.append(values.tobytes())
        return zlib.compress(values)

    values = np.zeros((9, 1, 2, 2), np.uint8)
    values[::2] = 7
    write(values, dataclasses.replace(codecs.GZIP, find_deflate=lambda: deflate), 9, repeats=True)
    assert sorted(packed) == [bytes(4)] * 2 + [b"\7" * 4] * 2


def test_every_compression_gives_back_what_was_written():
    for codec in codecs.CODECS.values():
        np.testing.assert_array_equal(write(make_values(), codec, 6)[1], make_values())


def test_a_package_that_packs_otherwise_is_left_alone(monkeypatch):
    find = codecs._find_zstd_deflate
    find.cache_clear()
    monkeypatch.setattr(codecs, "_deflate_zstd", lambda values: b"another version")
    assert find() is None
    find.cache_clear()
    monkeypatch.setattr(codecs, "zstandard", None)
    assert find() is None
    find.cache_clear()
