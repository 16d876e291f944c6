"""Chunks with a right checksum, of which HDF5 makes something else than a chunk; and those that must be read."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from by_hand import sum_again
from hostile import (
    COMPRESSIONS,
    assert_refused,
    each,
    find_blocks,
    little_memory,
    mend_checksums,
    put_chunk,
    read,
    write,
)  # fmt: skip

from posegen.errors import ShardError

SIZES = [((8, 8), 8.0), ((48, 64), 8.0), ((48, 64), 2.0), ((640, 480), 2.0)]
"""Of inputs, and strides."""


class TestHonest:
    """What the guards must let through."""

    @pytest.mark.parametrize("compression", COMPRESSIONS)
    def test_labels_of_any_size_are_read_back(self, tmp_path: Path, compression: str) -> None:
        for size, stride in SIZES:
            options = {"input_size": size, "stride": stride, "compression": compression, "image_encoding": "raw"}
            path = write(tmp_path / "a.h5", label_dtype="uint8", **options)
            labels = read(path, deep=True)
            assert len(labels) == 9
            with h5py.File(path) as file:
                for (name, i), values in labels.items():
                    np.testing.assert_allclose(values, file[name][i] * file[name].attrs["scale"], rtol=1e-6)

    @pytest.mark.parametrize("compression", COMPRESSIONS)
    def test_empty_labels_compress_well_and_are_read_back(self, tmp_path: Path, compression: str) -> None:
        path = write(
            tmp_path / "a.h5", input_size=(512, 1024), stride=1, compression=compression, image_encoding="raw",
            labels=("paf",), label_dtype="float32", samples=1,
        )  # fmt: skip
        with h5py.File(path, "r+") as file:
            file["paf"][0] = 0
        sum_again(path)
        assert not read(path)["paf", 0].any()

    def test_a_chunk_that_does_not_shrink_is_read_back(self, tmp_path: Path) -> None:
        for compression in ("gzip", "lzf"):
            path = write(tmp_path / "a.h5", compression=compression)
            noise = np.random.default_rng(0).uniform(0, 1, (3, 6, 8)).astype(np.float16)
            with h5py.File(path, "r+") as file:
                file["heatmap"][1] = noise
            sum_again(path)
            np.testing.assert_array_equal(read(path)["heatmap", 1], noise.astype(np.float32))


def zstd_frame(size: int, data: bytes) -> bytes:
    """Make a zstd frame of one raw block that claims a size of its own (RFC 8878, section 3.1.1)."""
    header = struct.pack("<IBQ", 0xFD2FB528, 0b11100000, size)
    return header + (len(data) << 3 | 1).to_bytes(3, "little") + data


def lzf_literals(data: bytes) -> bytes:
    return b"".join(bytes([len(data[i : i + 32]) - 1]) + data[i : i + 32] for i in range(0, len(data), 32))


ENCODE: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda data: zstd_frame(len(data), data),
    "gzip": zlib.compress,
    "lzf": lzf_literals,
    "none": bytes,
}
CELLS = 1 * 6 * 8 * 2
"""Bytes of a mask."""


class TestChunks:
    """Chunks with a right checksum, of which HDF5 makes something else than a chunk."""

    @pytest.fixture(params=COMPRESSIONS)
    def compressed(self, request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Callable[[bytes], bytes]]:
        return write(tmp_path / "a.h5", compression=request.param), ENCODE[request.param]

    def test_one_of_the_right_size_is_read(self, compressed: tuple[Path, Callable[[bytes], bytes]]) -> None:
        path, encode = compressed
        values = np.linspace(0, 1, 48, dtype=np.float16)
        put_chunk(path, "mask", 1, encode(values.tobytes()))
        np.testing.assert_array_equal(read(path)["mask", 1].ravel(), values.astype(np.float32))

    def test_one_of_another_size_is_an_error_and_no_memory_of_others(
        self, compressed: tuple[Path, Callable[[bytes], bytes]]
    ) -> None:
        path, encode = compressed
        for size in each(path, [1, 2, 10, CELLS - 2, CELLS + 2, 2 * CELLS, 60_000]):
            put_chunk(path, "mask", 1, encode(b"\0" * size))
            assert_refused(path, r"is damaged: mask(\[1\] cannot be read: | claims)", size)

    def test_one_whose_checksum_is_switched_off_is_refused(
        self, compressed: tuple[Path, Callable[[bytes], bytes]]
    ) -> None:
        path, encode = compressed
        checksum = 1 if encode is ENCODE["none"] else 2
        put_chunk(path, "mask", 1, encode(b"\0" * CELLS), checksum, checked=False)
        with pytest.raises(ShardError, match=r"mask\[1\] cannot be read: its checksum is switched off"):
            read(path)

    def test_a_frame_that_claims_another_size_is_refused_before_it_is_inflated(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.h5", compression="zstd")
        for claim in each(path, [0, CELLS - 1, 1 << 33, (1 << 64) - 1, (1 << 64) - 2]):
            put_chunk(path, "mask", 0, zstd_frame(claim, b"\0" * CELLS))
            assert_refused(path, rf"mask\[0\] cannot be read: it inflates to {claim} bytes, not to {CELLS}")

    def test_a_deflate_bomb_is_not_inflated(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.h5", compression="gzip", input_size=(64, 64), stride=1)
        put_chunk(path, "mask", 0, zlib.compress(b"\0" * (8 << 20)))
        with little_memory(4 << 20), pytest.raises(ShardError, match=rf"inflates to {64 * 64 * 2 + 1} bytes, not to"):
            read(path)

    def test_lzf_settings_that_ask_for_gigabytes_are_refused(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.h5", compression="lzf")
        data = bytearray(path.read_bytes())
        settings = struct.pack("<III", 4, 261, CELLS)
        at = data.index(settings)
        struct.pack_into("<I", data, at + 8, 0xF0000000)
        mend_checksums(data, find_blocks(path.read_bytes()))
        path.write_bytes(data)
        with pytest.raises(ShardError, match="mask has LZF chunks of another size"):
            read(path)

    def test_small_arrays_have_whole_chunks_too(self, tmp_path: Path) -> None:
        shard = write(tmp_path / "a.h5")
        put_chunk(shard, "person/offsets", 0, b"\0" * 40)
        with pytest.raises(ShardError, match="person/offsets: it inflates to 40 bytes, not to 32"):
            read(shard)
