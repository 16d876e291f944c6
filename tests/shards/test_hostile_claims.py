"""Headers that promise more than there is."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hostile import assert_refused, configure, each, little_memory, read, replace, write

from posegen.errors import ShardError
from posegen.shards import ShardReader


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    return write(tmp_path / "shard.h5")


MISFITS: list[dict[str, Any]] = [
    {"input_size": [16384, 16384]},
    {"input_size": [16384, 16384], "stride": 2048.0},
    {"input_size": [16384, 16384], "stride": 2048.0, "labels": ["mask"]},
    {"image_encoding": "raw"},
    {"image_encoding": "raw", "input_size": [16384, 16384]},
    {"shard_size": 10**12},
    {"labels": ["heatmap"]},
    {"labels": ["heatmap"] * 3},
    {"label_dtype": "float32"},
    {"label_dtype": "uint8"},
    {"layout": "hwc"},
    {"compression": "gzip"},
    {"input_size": [48, 64, 3]},
    {"input_size": 48},
    {"stride": None},
    {"stride": 10**400},
    {"skeleton": []},
    {"category": ["\ud800"]},
    {"more": 1},
]
"""Changes of a configuration that its arrays belie."""


class TestClaims:
    @pytest.fixture(autouse=True)
    def little(self) -> Iterator[None]:
        with little_memory(20 << 20):
            yield

    def test_a_billion_samples_without_data_are_refused(self, shard: Path) -> None:
        with h5py.File(shard, "r+") as file:
            arrays: dict[str, h5py.Dataset] = {}
            file.visititems(lambda name, item: arrays.update({name: item}) if isinstance(item, h5py.Dataset) else None)
            shapes = {name: (item.shape, item.dtype, item.chunks) for name, item in arrays.items()}
        for name, (shape, dtype, chunks) in shapes.items():
            if chunks:
                many = (10**9 + (1 if name.endswith("offsets") else 0), *shape[1:])
                chunk = chunks if name in {"heatmap", "paf", "mask"} else (min(many[0], 1 << 20), *shape[1:])
                replace(shard, name, None, shape=many, dtype=dtype, chunks=chunk, fletcher32=True)
        with pytest.raises(ShardError, match="is damaged: "):
            ShardReader(shard)

    def test_a_billion_people_without_data_are_refused(self, shard: Path) -> None:
        for name in each(shard, ["person/keypoints", "person/bbox", "person/annotation_id"]):
            with h5py.File(shard) as file:
                shape, dtype = file[name].shape, file[name].dtype
            many, chunks = (10**9, *shape[1:]), (1 << 20, *shape[1:])
            replace(shard, name, None, shape=many, dtype=dtype, chunks=chunks, fletcher32=True)
            assert_refused(shard, "person/", name)

    def test_labels_of_another_number_of_samples_are_refused(self, shard: Path) -> None:
        for name, samples in each(shard, itertools.product(("heatmap", "paf", "mask"), (0, 2, 4, 10**9))):
            with h5py.File(shard) as file:
                shape, dtype = file[name].shape, file[name].dtype
            options = {
                "shape": (samples, *shape[1:]),
                "dtype": dtype,
                "chunks": (1, *shape[1:]),
                "maxshape": (None, *shape[1:]),
            }
            replace(shard, name, None, **options, fletcher32=True)
            with pytest.raises(ShardError, match=f"is damaged: {name} has the shape"):
                ShardReader(shard)

    def test_a_label_chunk_that_is_not_there_is_an_error_and_not_zeros(self, shard: Path) -> None:
        with h5py.File(shard, "r+") as file:
            kept = file["paf"].id.read_direct_chunk((0, 0, 0, 0))[1]
            plist = file["paf"].id.get_create_plist()
            attributes = {k: (file["paf"].attrs[k], file["paf"].attrs.get_id(k).dtype) for k in file["paf"].attrs}
            space = h5py.h5s.create_simple((3, 2, 6, 8))
            dtype = file["paf"].id.get_type()
            del file["paf"]
            new = h5py.Dataset(h5py.h5d.create(file.id, b"paf", dtype, space, plist))
            new.id.write_direct_chunk((0, 0, 0, 0), kept, 0)
            for key, (value, kind) in attributes.items():
                new.attrs.create(key, value, dtype=kind)
            assert not file["paf"][1].any(), "HDF5 gives zeros"
        with ShardReader(shard) as reader:
            paf = next(label for label in reader.labels if label.spec.name == "paf")
            reader.label(paf, 0)
            with pytest.raises(ShardError, match=r"paf\[1\] cannot be read: it is not in the file"):
                reader.label(paf, 1)

    def test_pictures_that_were_never_written_are_refused(self, shard: Path) -> None:
        with h5py.File(shard) as file:
            count = len(file["image/bytes"])
        replace(shard, "image/bytes", None, shape=(count,), dtype=np.uint8)
        with pytest.raises(ShardError, match=f"image/bytes claims {count} bytes, but of it 0 are stored"):
            read(shard)

    def test_a_configuration_that_does_not_fit_the_arrays_is_refused(self, shard: Path) -> None:
        for changes in each(shard, MISFITS):
            configure(shard, **changes)
            assert_refused(shard, "is damaged", changes)

    def test_pictures_too_small_for_what_they_claim_to_show_are_refused(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.h5", input_size=(8192, 8192), stride=2048, labels=("mask",))
        with pytest.raises(ShardError, match=f"903 bytes cannot be 3 pictures of {3 << 26} pixels"):
            read(path)

    def test_boxes_outside_of_the_input_are_refused(self, shard: Path) -> None:
        with h5py.File(shard) as file:
            boxes = file["image/box"][...]
        assert boxes.tolist() == [[0, 0, 64, 48]] * 3
        boxes = np.array([[0, 0, 64, 48]] * 3, np.int32)
        for box in each(
            shard, [(0, 0, 65, 48), (-1, 0, 64, 48), (0, 1, 64, 48), (3, 3, 0, 2), (9, 9, 2, -1), (2**31 - 1,) * 4]
        ):
            boxes[1] = box
            replace(shard, "image/box", boxes)
            assert_refused(shard, "image/box has boxes that do not lie in 64x48 pixels", box)

    def test_boxes_that_no_fit_makes_are_refused_where_pictures_are_fitted(self, shard: Path) -> None:
        boxes = np.array([[0, 4, 64, 40], [0, 0, 64, 48], [9, 0, 20, 48]], np.int32)
        replace(shard, "image/box", boxes)
        assert len(read(shard)) == 9
        boxes[1] = 1, 1, 62, 46
        replace(shard, "image/box", boxes)
        assert_refused(shard, "image/box has boxes into which no picture fits 64x48 pixels")

    def test_bitmaps_that_inflate_to_something_else_are_refused(self, shard: Path) -> None:
        rows, bomb = b"\0" * 48 * 8, zlib.compressobj()
        packed = {
            "short": zlib.compress(rows[1:]),
            "long": zlib.compress(rows + b"\0"),
            "bomb": b"".join([*(bomb.compress(bytes(1 << 20)) for _ in range(128)), bomb.flush()]),
            "cut off": zlib.compress(rows)[:-1],
            "followed": zlib.compress(rows) + b"!",
            "other": b"no stream",
        }
        for name, data in each(shard, packed.items()):
            replace(shard, "ignored/bytes", np.frombuffer(data, np.uint8), chunks=None, fletcher32=None)
            replace(shard, "ignored/offsets", np.array([0, 0, len(data), len(data)]))
            with little_memory(1 << 24):
                assert_refused(shard, r"ignored/bytes\[1\] cannot be read", name)

    def test_a_contiguous_label_is_refused(self, shard: Path) -> None:
        with h5py.File(shard) as file:
            values = file["mask"][...]
        replace(shard, "mask", values, chunks=None, fletcher32=None)
        with pytest.raises(ShardError, match="mask has other chunks or filters than a shard's"):
            read(shard)
