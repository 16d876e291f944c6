"""Shards and manifests made by somebody who means harm: each is an error of ours, before memory is taken for it.

The attacks with right checksums are written with h5py or by hand. The campaign at the end mutates whole files, in a
process of its own with little memory and a clock, because HDF5 might crash or never come back.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from posegen.config import BuildConfig
from posegen.errors import PosegenError, ShardError
from posegen.geometry import Affine
from posegen.inspect.rerender import LabelComparison
from posegen.inspect.summary import describe
from posegen.inspect.verify import ShardCheck, check_shard
from posegen.labels import Scene
from posegen.shards import BuiltSample, ShardReader, ShardWriter, StoredLabel
from posegen.shards.manifest import Manifest
from posegen.shards.quantize import choose_storage
from posegen.skeleton import Skeleton

TWO = Skeleton(name="two", keypoints=("a", "b"), limbs=((0, 1),))
PEOPLE = (2, 0, 1)
COMPRESSIONS = ["zstd", "gzip", "lzf", "none"]


def write(path: Path, samples: int = 3, **changes: Any) -> Path:
    """Write a good shard of three samples with labels of 8x6 cells."""
    config = BuildConfig(**{"skeleton": TWO, "input_size": (48, 64), "stride": 8} | changes)
    labels = config.create_labels(TWO)
    stored = [
        StoredLabel(spec=label.spec, storage=choose_storage(config.label_dtype, label.spec), layout=config.layout)
        for label in labels
    ]
    source = np.random.default_rng(3)
    height, width = config.input_size
    writer = ShardWriter(samples, stored, config=config, skeleton=TWO, task_digest="0" * 64)
    for i in range(samples):
        keypoints = source.uniform(0, 48, (PEOPLE[i % 3], 2, 3)).astype(np.float32)
        keypoints[..., 2] = 2
        scene = Scene(
            points=keypoints[..., :2].astype(np.float64),
            drawn=keypoints[..., 2] > 0,
            image_size=config.input_size,
            affine=Affine.from_matrix(np.eye(2, 3)),
        )
        sample = BuiltSample(
            image_id=i,
            file_name=f"{i}.jpg",
            width=width,
            height=height,
            affine=np.eye(2, 3),
            image=source.bytes(height * width * 3 if config.image_encoding == "raw" else 300 + i),
            keypoints=keypoints,
            bboxes=np.zeros((len(keypoints), 4), np.float32),
            annotation_ids=np.arange(len(keypoints)),
        )
        values = {s.spec.name: s.arrange(label.render(scene)[None]) for label, s in zip(labels, stored, strict=True)}
        writer.append([sample], values)
    writer.finish(path)
    return path


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    return write(tmp_path / "shard.h5")


def read(path: Path, *, deep: bool = False) -> dict[tuple[str, int], Any]:
    """Read all there is in a shard; returns the labels."""
    found = {}
    with ShardReader(path) as reader:
        list(reader.arrays())
        reader.people()
        comparison = LabelComparison(reader, None) if deep else None
        for i in range(len(reader)):
            values = {label.spec.name: reader.label(label, i) for label in reader.labels}
            found |= {(name, i): array for name, array in values.items()}
            reader.picture(i)
            sample = reader.sample(i)
            if comparison is not None:
                list(comparison.compare(i, sample, values))
    return found


def replace(path: Path, name: str, values: Any, **options: Any) -> None:
    """Put another array in an array's place, with its attributes and, unless told otherwise, in one checked chunk."""
    with h5py.File(path, "r+") as file:
        attributes = {key: (file[name].attrs[key], file[name].attrs.get_id(key).dtype) for key in file[name].attrs}
        del file[name]
        if isinstance(values, np.ndarray):
            options = {"data": values, "chunks": values.shape, "fletcher32": True} | options
        new = file.create_dataset(name, **options)
        for key, (value, dtype) in attributes.items():
            new.attrs.create(key, value, dtype=dtype)


def describe_by(path: Path, **attributes: Any) -> None:
    """Change attributes of the file; text gets a fixed length."""
    with h5py.File(path, "r+") as file:
        for key, value in attributes.items():
            file.attrs[key] = np.bytes_(value) if isinstance(value, (str, bytes)) else value


def configure(path: Path, **changes: Any) -> None:
    with h5py.File(path) as file:
        config = json.loads(file.attrs["config"])
    describe_by(path, config=json.dumps(config | changes))


def fletcher32(data: bytes) -> int:
    """The checksum by its definition (Fletcher 1982) over big-endian words, as HDF5 has it."""
    low = high = 0
    for (word,) in struct.iter_unpack(">H", data + b"\0" * (len(data) % 2)):
        low = (low + word) % 65535
        high = (high + low) % 65535
    return high << 16 | low


def put_chunk(path: Path, name: str, index: int, data: bytes, mask: int = 0, *, checked: bool = True) -> None:
    """Put bytes in a chunk's place, with a right checksum."""
    with h5py.File(path, "r+") as file:
        array = file[name]
        whole = data + struct.pack("<I", fletcher32(data)) if checked else data
        array.id.write_direct_chunk((index, *[0] * (array.ndim - 1)), whole, mask)


@contextlib.contextmanager
def little_memory(limit: int) -> Iterator[None]:
    """Make sure that NumPy and Python take fewer bytes."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit, "memory was taken for what is not there"
    finally:
        tracemalloc.stop()


class TestHonest:
    """What the guards must let through."""

    @pytest.mark.parametrize("compression", COMPRESSIONS)
    @pytest.mark.parametrize(("size", "stride"), [((8, 8), 8.0), ((48, 64), 8.0), ((48, 64), 2.0), ((640, 480), 2.0)])
    def test_labels_of_any_size_are_read_back(
        self, tmp_path: Path, compression: str, size: tuple[int, int], stride: float
    ) -> None:
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
        assert not read(path)["paf", 0].any()

    @pytest.mark.parametrize("compression", ["gzip", "lzf"])
    def test_a_chunk_that_does_not_shrink_is_read_back(self, tmp_path: Path, compression: str) -> None:
        path = write(tmp_path / "a.h5", compression=compression)
        noise = np.random.default_rng(0).uniform(0, 1, (3, 6, 8)).astype(np.float16)
        with h5py.File(path, "r+") as file:
            file["heatmap"][1] = noise
        np.testing.assert_array_equal(read(path)["heatmap", 1], noise.astype(np.float32))


class TestLinks:
    @pytest.fixture
    def other(self, tmp_path: Path) -> Path:
        return write(tmp_path / "other.h5")

    @pytest.mark.parametrize("name", ["heatmap", "image/bytes", "person/keypoints", "sample/image_id", "person"])
    @pytest.mark.parametrize("kind", ["external", "soft"])
    def test_a_link_is_not_followed(self, shard: Path, other: Path, name: str, kind: str) -> None:
        with h5py.File(shard, "r+") as file:
            if kind == "external":
                del file[name]
                file[name] = h5py.ExternalLink(str(other), f"/{name}")
            else:
                file.move(name, "elsewhere")
                file[name] = h5py.SoftLink("/elsewhere")
        with pytest.raises(ShardError, match="is a link, not an array"):
            read(shard)

    def test_values_in_another_file_are_not_read(self, shard: Path, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_bytes(b"x" * 10_000)
        with h5py.File(shard) as file:
            count = len(file["image/bytes"])
        external = {"shape": (count,), "dtype": np.uint8, "external": [(str(secret), 0, h5py.h5f.UNLIMITED)]}
        replace(shard, "image/bytes", None, **external)
        with pytest.raises(ShardError, match="image/bytes lies in another file"):
            read(shard)

    def test_a_virtual_array_is_not_read(self, shard: Path, other: Path) -> None:
        with h5py.File(shard, "r+") as file:
            attributes = {key: (file["mask"].attrs[key], file["mask"].attrs.get_id(key).dtype) for key in
                          file["mask"].attrs}  # fmt: skip
            layout = h5py.VirtualLayout((3, 1, 6, 8), np.float16)
            layout[...] = h5py.VirtualSource(str(other), "mask", (3, 1, 6, 8))
            del file["mask"]
            new = file.create_virtual_dataset("mask", layout)
            for key, (value, dtype) in attributes.items():
                new.attrs.create(key, value, dtype=dtype)
        with pytest.raises(ShardError, match="mask lies in another file"):
            read(shard)

    def test_what_is_no_part_of_a_shard_is_refused(self, shard: Path) -> None:
        with h5py.File(shard, "r+") as file:
            file["person/pickle"] = np.zeros(3)
        with pytest.raises(ShardError, match="'person/pickle' is no part of a shard"):
            read(shard)

    def test_a_group_in_an_arrays_place_is_refused(self, shard: Path) -> None:
        with h5py.File(shard, "r+") as file:
            del file["heatmap"]
            file.create_group("heatmap")
        with pytest.raises(ShardError, match="heatmap"):
            read(shard)

    def test_a_file_that_starts_later_is_refused(self, shard: Path) -> None:
        shard.write_bytes(b"\0" * 512 + shard.read_bytes())
        with pytest.raises(ShardError, match="is damaged"):
            read(shard)


class TestClaims:
    """Headers that promise more than there is."""

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

    @pytest.mark.parametrize("name", ["person/keypoints", "person/bbox", "person/annotation_id"])
    def test_a_billion_people_without_data_are_refused(self, shard: Path, name: str) -> None:
        with h5py.File(shard) as file:
            shape, dtype = file[name].shape, file[name].dtype
        replace(
            shard, name, None, shape=(10**9, *shape[1:]), dtype=dtype, chunks=(1 << 20, *shape[1:]), fletcher32=True
        )
        with pytest.raises(ShardError, match="person/"):
            read(shard)

    @pytest.mark.parametrize("name", ["heatmap", "paf", "mask"])
    @pytest.mark.parametrize("samples", [0, 2, 4, 10**9])
    def test_labels_of_another_number_of_samples_are_refused(self, shard: Path, name: str, samples: int) -> None:
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

    @pytest.mark.parametrize(
        "changes",
        [
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
        ],
        ids=str,
    )
    def test_a_configuration_that_does_not_fit_the_arrays_is_refused(
        self, shard: Path, changes: dict[str, Any]
    ) -> None:
        configure(shard, **changes)
        with pytest.raises(ShardError, match="is damaged"):
            read(shard)

    def test_pictures_too_small_for_what_they_claim_to_show_are_refused(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.h5", input_size=(8192, 8192), stride=2048, labels=("mask",))
        with pytest.raises(ShardError, match="903 bytes of pictures cannot be 3 of 8192x8192 pixels"):
            read(path)

    def test_a_contiguous_label_is_refused(self, shard: Path) -> None:
        with h5py.File(shard) as file:
            values = file["mask"][...]
        replace(shard, "mask", values, chunks=None, fletcher32=None)
        with pytest.raises(ShardError, match="mask has other chunks or filters than a shard's"):
            read(shard)


class TestAttributes:
    def test_nested_json_does_not_exhaust_the_stack(self, shard: Path) -> None:
        describe_by(shard, config="[" * 50_000)
        with pytest.raises(ShardError, match="is damaged"):
            read(shard)

    def test_a_megabyte_of_json_is_not_parsed(self, shard: Path) -> None:
        describe_by(shard, config="[" + "0," * 500_000 + "0]")
        with pytest.raises(ShardError, match="must be one number or one short text of fixed length"):
            read(shard)

    @pytest.mark.parametrize("name", ["format", "format_version", "config", "skeleton", "versions"])
    @pytest.mark.parametrize(
        "value",
        [
            "text of variable length, on a heap that HDF5 can walk for ever",
            np.zeros(1000),
            np.array([b"a", b"b"]),
            np.array([("x", 1)], dtype=[("a", "S1"), ("b", "i4")])[0],
            h5py.Empty("S8"),
        ],
        ids=["variable", "array", "texts", "compound", "empty"],
    )
    def test_attributes_of_other_kinds_are_not_read(self, shard: Path, name: str, value: Any) -> None:
        with h5py.File(shard, "r+") as file:
            file.attrs[name] = value
        with pytest.raises(ShardError, match=f"attribute {name} must be"):
            read(shard)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("channels", b"{}"), ("channels", b"[]"), ("channels", b'["one", "two"]'), ("layout", b"cwh"),
            ("layout", 3), ("scale", 0.5), ("scale", np.nan), ("scale", b"x"), ("max_abs_error", -1.0),
            ("max_abs_error", 1e9), ("max_abs_error", np.nan),
            ("mirror", b"[]"), ("mirror", b"3"), ("mirror", b"true"), ("mirror", b'""'), ("mirror", b"no JSON"),
            ("mirror", 3.0), ("mirror", b"[" * 9999), ("mirror", b'{"order": [0]}'),
            ("mirror", b'{"negated": [], "order": [0], "more": []}'), ("mirror", b'{"negated": [], "order": [[0]]}'),
            ("mirror", b'{"negated": [], "order": [1]}'), ("mirror", b'{"negated": [], "order": [-1]}'),
            ("mirror", b'{"negated": [], "order": []}'), ("mirror", b'{"negated": [], "order": [0, 0]}'),
            ("mirror", b'{"negated": [], "order": [true]}'), ("mirror", b'{"negated": [], "order": [0.0]}'),
            ("mirror", b'{"negated": [], "order": "0"}'), ("mirror", b'{"negated": [0], "order": [0]}'),
            ("mirror", b'{"negated": [1], "order": [0]}'), ("mirror", b'{"negated": [0, 0], "order": [0]}'),
            ("mirror", b'{"negated": [], "order": [1000000000000000000000]}'),
        ],
    )  # fmt: skip
    def test_a_label_that_is_described_wrongly_is_refused(self, shard: Path, name: str, value: Any) -> None:
        with h5py.File(shard, "r+") as file:
            file["mask"].attrs[name] = np.bytes_(value) if isinstance(value, bytes) else value
        with pytest.raises(ShardError, match="mask"):
            read(shard)

    def test_the_heap_that_keeps_hdf5_busy_for_ever_is_not_walked(self, shard: Path) -> None:
        # A size of -16 in a global heap: HDF5 2.0 steps from the object to itself.
        with h5py.File(shard, "r+") as file:
            file.attrs["versions"] = "x" * 100
        data = bytearray(shard.read_bytes())
        heap = data.index(b"GCOL")
        struct.pack_into("<q", data, heap + 16 + 8, -16)
        shard.write_bytes(data)
        with pytest.raises(ShardError, match="attribute versions must be"):
            read(shard)


class TestOffsets:
    @pytest.mark.parametrize("group", ["person", "image"])
    @pytest.mark.parametrize(
        "change",
        [
            lambda o: o + 1,
            lambda o: o - 1,
            lambda o: np.array([0, o[-1] + 1, o[-1], o[-1]]),
            lambda o: np.array([0, -5, 2, o[-1]]),
            lambda o: np.array([0, 1 << 62, -(1 << 62), o[-1]]),
            lambda o: np.array([0, 0, 0, o[-1] - 1]),
            lambda o: np.array([0, 0, 0, 1 << 40]),
        ],
        ids=["up", "down", "back", "negative", "overflow", "short", "beyond"],
    )
    def test_they_must_lead_from_the_first_to_the_last_row(
        self, shard: Path, group: str, change: Callable[[Any], Any]
    ) -> None:
        with h5py.File(shard, "r+") as file:
            file[f"{group}/offsets"][...] = change(file[f"{group}/offsets"][...])
        with pytest.raises(ShardError, match=f"{group}/offsets do not lead from 0 to"):
            read(shard)


class TestTypes:
    @pytest.mark.parametrize(
        ("name", "dtype"),
        [
            ("sample/image_id", "int32"),
            ("sample/image_id", ">i8"),
            ("sample/image_id", "float64"),
            ("sample/file_name", "int64"),
            ("sample/width", "uint32"),
            ("sample/affine", "float32"),
            ("person/offsets", "uint64"),
            ("person/keypoints", "float64"),
            ("person/annotation_id", [("a", "i4"), ("b", "i4")]),
            ("image/offsets", "timedelta"),
        ],
        ids=str,
    )
    def test_an_array_of_another_type_is_refused(self, shard: Path, name: str, dtype: Any) -> None:
        with h5py.File(shard) as file:
            shape = file[name].shape
        if dtype == "timedelta":
            values = np.zeros(shape, h5py.opaque_dtype(np.dtype("m8[s]")))
        else:
            values = np.zeros(shape, dtype)
        replace(shard, name, values)
        with pytest.raises(ShardError, match=f"is damaged: {name} has the dtype"):
            read(shard)

    @pytest.mark.parametrize(
        "dtype", [h5py.string_dtype(), h5py.vlen_dtype(np.int64), h5py.ref_dtype], ids=["text", "lists", "references"]
    )
    @pytest.mark.parametrize("name", ["sample/file_name", "sample/image_id"])
    def test_objects_are_refused(self, shard: Path, name: str, dtype: Any) -> None:
        replace(shard, name, None, shape=(3,), dtype=dtype, chunks=(3,))
        with pytest.raises(ShardError, match=f"is damaged: {name} has the dtype object"):
            read(shard)

    def test_a_name_that_is_no_text_is_refused(self, shard: Path) -> None:
        with h5py.File(shard, "r+") as file:
            file["sample/file_name"][1] = b"\xff\xfe"
        with pytest.raises(ShardError, match="sample/file_name"):
            read(shard)


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

    @pytest.mark.parametrize("size", [1, 2, 10, CELLS - 2, CELLS + 2, 2 * CELLS, 60_000])
    def test_one_of_another_size_is_an_error_and_no_memory_of_others(
        self, compressed: tuple[Path, Callable[[bytes], bytes]], size: int
    ) -> None:
        path, encode = compressed
        put_chunk(path, "mask", 1, encode(b"\0" * size))
        with pytest.raises(ShardError, match=r"is damaged: mask(\[1\] cannot be read: | claims)"):
            read(path)

    def test_one_whose_checksum_is_switched_off_is_refused(
        self, compressed: tuple[Path, Callable[[bytes], bytes]]
    ) -> None:
        path, encode = compressed
        checksum = 1 if encode is ENCODE["none"] else 2
        put_chunk(path, "mask", 1, encode(b"\0" * CELLS), checksum, checked=False)
        with pytest.raises(ShardError, match=r"mask\[1\] cannot be read: its checksum is switched off"):
            read(path)

    @pytest.mark.parametrize("claim", [0, CELLS - 1, 1 << 33, (1 << 64) - 1, (1 << 64) - 2])
    def test_a_frame_that_claims_another_size_is_refused_before_it_is_inflated(
        self, tmp_path: Path, claim: int
    ) -> None:
        path = write(tmp_path / "a.h5", compression="zstd")
        put_chunk(path, "mask", 0, zstd_frame(claim, b"\0" * CELLS))
        with pytest.raises(
            ShardError, match=rf"mask\[0\] cannot be read: it inflates to {claim} bytes, not to {CELLS}"
        ):
            read(path)

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

    def test_small_arrays_have_whole_chunks_too(self, shard: Path) -> None:
        put_chunk(shard, "person/offsets", 0, b"\0" * 40)
        with pytest.raises(ShardError, match="person/offsets: it inflates to 40 bytes, not to 32"):
            read(shard)


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(dataset, tmp_path / "copy", ignore=shutil.ignore_patterns(".posegen")))


def edit(dataset: Path, change: Callable[[dict[str, Any]], object]) -> None:
    record = json.loads((dataset / "manifest.json").read_text(encoding="utf-8"))
    change(record)
    (dataset / "manifest.json").write_text(json.dumps(record), encoding="utf-8")


class TestManifests:
    @pytest.mark.parametrize(
        "name",
        ["../copy/shard-00000-of-00003.h5", "/etc/passwd", "", ".", "..", "a/b.h5", "manifest.json", ".posegen",
         ".hidden.h5", "a\0.h5", "a\n.h5", "\ud800.h5", 7, None, ["a.h5"], "shard-00001-of-00003.h5"],
        ids=repr,
    )  # fmt: skip
    def test_a_name_that_is_no_shards_own_is_refused(self, copy: Path, name: object) -> None:
        edit(copy, lambda record: record["shards"][0].update(file=name))
        with pytest.raises(ShardError, match=r"manifest\.json: "):
            Manifest.read(copy)

    @pytest.mark.parametrize("key", ["samples", "people", "bytes"])
    @pytest.mark.parametrize("value", [-1, 1.5, "3", True, None, 10**30, [], float("inf"), float("nan")], ids=repr)
    def test_a_count_that_is_none_is_refused(self, copy: Path, key: str, value: object) -> None:
        edit(copy, lambda record: record["shards"][0].update({key: value}))
        with pytest.raises(ShardError, match=r"manifest\.json: "):
            Manifest.read(copy)

    @pytest.mark.parametrize(
        "change",
        [
            lambda r: r["shards"][0].update(sha256="0"),
            lambda r: r["shards"][0].update(sha256="G" * 64),
            lambda r: r["shards"][0].update(keypoints=[1] * 10**5),
            lambda r: r["shards"][0].update(keypoints=[10**9] * 18),
            lambda r: r["shards"][0].update(keypoints={"0": 1}),
            lambda r: r.update(failures=-1),
            lambda r: r["skeleton"].update(limbs=[[float("inf"), 1]]),
            lambda r: r["config"].update(category=["\ud800"]),
            lambda r: r["config"].update(stride=1e400),
            lambda r: r["config"].update(seed=float("nan")),
            lambda r: r.update(versions=[[1]]),
            lambda r: r.update(format_version="1" * 10**6),
        ],
    )
    def test_nonsense_is_refused_in_a_few_words(self, copy: Path, change: Callable[[dict[str, Any]], object]) -> None:
        edit(copy, change)
        with pytest.raises(ShardError) as caught:
            Manifest.read(copy)
        assert len(str(caught.value)) < 1000
        assert str(caught.value).isprintable()

    @pytest.mark.parametrize("text", ["[" * 10**6, '{"format":' * 10**5, "1" * 10**6, "\0", '"\ud800"', "nan"])
    def test_bombs_do_not_go_off(self, copy: Path, text: str) -> None:
        (copy / "manifest.json").write_bytes(text.encode(errors="surrogatepass"))
        with pytest.raises(ShardError, match=r"manifest\.json: "):
            Manifest.read(copy)

    def test_one_of_gigabytes_is_not_read(self, copy: Path) -> None:
        os.truncate(copy / "manifest.json", 10**12)
        with pytest.raises(ShardError, match="is no file of at most 64 MiB"):
            Manifest.read(copy)

    def test_a_pipe_in_its_place_is_not_waited_for(self, copy: Path) -> None:
        (copy / "manifest.json").unlink()
        os.mkfifo(copy / "manifest.json")
        with pytest.raises(ShardError, match="is no file"):
            Manifest.read(copy)

    def test_a_link_out_of_the_directory_is_not_followed(self, copy: Path, tmp_path: Path) -> None:
        (copy / "manifest.json").rename(tmp_path / "elsewhere.json")
        (copy / "manifest.json").symlink_to(tmp_path / "elsewhere.json")
        with pytest.raises(ShardError, match="leads out of its directory"):
            Manifest.read(copy)

    @pytest.mark.parametrize("target", ["outside", "loop"])
    def test_a_shard_that_is_a_link_out_of_the_directory_is_not_opened(
        self, copy: Path, tmp_path: Path, target: str
    ) -> None:
        shard = min(copy.glob("*.h5"))
        shard.rename(tmp_path / "outside.h5")
        shard.symlink_to(tmp_path / "outside.h5" if target == "outside" else shard)
        expected = "leads out of its directory" if target == "outside" else "cannot be found"
        with pytest.raises(ShardError, match=expected):
            describe(copy)
        manifest = Manifest.read(copy)
        check = ShardCheck(directory=copy, shard=manifest.shards[0], config=manifest.config, skeleton=manifest.skeleton)
        assert any(expected in what for what in check_shard(check, lambda _: None))

    def test_a_link_to_the_directory_itself_is_fine(self, copy: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(copy)
        assert describe(tmp_path / "link")["samples"] == 8

    @pytest.mark.parametrize(
        "audit", [{}, {"images": 1}, {"images": "x"}, 7, [["a", "b"]], {"images": float("inf")}], ids=repr
    )
    def test_an_audit_that_cannot_be_shown_is_an_error_of_ours(self, copy: Path, audit: object) -> None:
        edit(copy, lambda record: record.update(audit=audit))
        with pytest.raises(ShardError, match=r"manifest"):
            describe(copy)

    def test_only_our_errors_come_of_mutated_manifests(self, copy: Path) -> None:
        source = random.Random(11)
        good = (copy / "manifest.json").read_bytes()
        values = [
            None,
            True,
            -1,
            0,
            10**19,
            1e308,
            "",
            "x",
            "\0",
            "../x",
            [],
            {},
            [[]],
            [1] * 99,
            {"a": 1},
            [48, 64, 3],
        ]
        messages, read_again = [], 0
        for _ in range(90):
            record = json.loads(good)
            node, key = record, source.choice(list(record))
            while isinstance(node[key], (dict, list)) and node[key] and source.random() < 0.8:
                node = node[key]
                key = source.choice(list(node) if isinstance(node, dict) else range(len(node)))
            node[key] = source.choice(values)
            (copy / "manifest.json").write_text(json.dumps(record))
            try:
                manifest = Manifest.read(copy)
                read_again += 1
                shard = manifest.shards[0] if manifest.shards else None
                describe(copy)
                if shard is not None:
                    check = ShardCheck(directory=copy, shard=shard, config=manifest.config, skeleton=manifest.skeleton)
                    check_shard(check, lambda _: None)
            except PosegenError as error:
                messages.append(str(error))
        "".join(messages).encode()
        assert 10 < read_again < 80


BLOCKS = (b"\x89HDF\r\n\x1a\n", b"OHDR", b"OCHK", b"FAHD", b"FADB")
Block = tuple[int, int]


def lookup3(data: bytes) -> int:
    """Bob Jenkins' hash (lookup3.c, hashlittle), the checksum of HDF5's metadata."""
    mask = 0xFFFFFFFF
    a = b = c = (0xDEADBEEF + len(data)) & mask
    if not data:
        return c
    words = struct.unpack(f"<{(len(data) + 11) // 12 * 3}I", data.ljust((len(data) + 11) // 12 * 12, b"\0"))
    for i in range(0, len(words), 3):
        a, b, c = (a + words[i]) & mask, (b + words[i + 1]) & mask, (c + words[i + 2]) & mask
        if i + 3 == len(words):
            break
        for k in (4, 6, 8, 16, 19, 4):
            a = ((a - c) & mask) ^ ((c << k | c >> 32 - k) & mask)
            c = (c + b) & mask
            a, b, c = b, c, a
    for k in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - ((b << k | b >> 32 - k) & mask)) & mask
        a, b, c = b, c, a
    return b


def find_blocks(data: bytes) -> list[Block]:
    """Find the pieces of metadata and where their checksums are."""
    found = []
    for signature in BLOCKS:
        start = data.find(signature)
        while start >= 0:
            for end in range(start + 16, min(start + 1200, len(data) - 3)):
                if lookup3(data[start:end]) == int.from_bytes(data[end : end + 4], "little"):
                    found.append((start, end))
                    break
            start = data.find(signature, start + 1)
    return found


def mend_checksums(data: bytearray, blocks: list[Block]) -> None:
    for start, end in blocks:
        struct.pack_into("<I", data, end, lookup3(bytes(data[start:end])))


def campaign(directory: Path, kind: str, seeds: range) -> None:
    """Read mutated shards; raises or dies at the first that is neither read nor refused as it should be."""
    shards = [write(directory / f"{c}.h5", compression=c) for c in COMPRESSIONS]
    goods = [path.read_bytes() for path in shards]
    truths = [{key: values.tobytes() for key, values in read(path, deep=True).items()} for path in shards]
    pieces: list[list[Block]] = []
    for path, good in zip(shards, goods, strict=True):
        if kind == "metadata":
            pieces.append(find_blocks(good))
        else:
            with h5py.File(path) as file:
                names = ("heatmap", "paf", "mask", "person/offsets", "person/keypoints", "sample/affine")
                chunks = [file[n].id.get_chunk_info(i) for n in names for i in range(file[n].id.get_num_chunks())]
            pieces.append([(c.byte_offset, c.byte_offset + c.size - 4) for c in chunks])
    assert all(len(found) > 10 for found in pieces)
    memory = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (memory + (256 << 20),) * 2)
    target = directory / "mutated.h5"
    for seed in seeds:
        source = random.Random(seed)
        which = source.randrange(len(goods))
        target.write_bytes(mutate(source, goods[which], pieces[which], kind))
        signal.alarm(20)
        sys.stdout.write(f"{seed}\n")
        sys.stdout.flush()
        try:
            found = read(target, deep=kind != "bits")
        except PosegenError:
            continue
        finally:
            signal.alarm(0)
        if kind == "bits":
            assert {key: values.tobytes() for key, values in found.items()} == truths[which]


def mutate(source: random.Random, good: bytes, pieces: list[Block], kind: str) -> bytes:
    data = bytearray(good)
    if kind == "bits":
        data[source.randrange(len(data))] ^= 1 << source.randrange(8)
        return bytes(data)
    for _ in range(source.choice([1, 1, 2])):
        start, end = source.choice(pieces)
        for _ in range(source.choice([1, 1, 2, 5])):
            at, width = source.randrange(start, end), source.choice([1, 1, 2, 4, 8])
            top = 1 << 8 * width
            value = source.choice([0, 1, top - 1, top // 2, source.randrange(top), source.choice(pieces)[0] % top])
            data[at : at + width] = value.to_bytes(width, "little")
        del data[len(good) :]
        checksum = lookup3 if kind == "metadata" else fletcher32
        struct.pack_into("<I", data, end, checksum(bytes(data[start:end])))
    return bytes(data)


@pytest.mark.parametrize("kind", ["bits", "metadata", "chunks"])
def test_mutated_shards_are_read_right_or_refused(tmp_path: Path, kind: str) -> None:
    """Single bits anywhere; metadata and chunks at will, with their checksums made right."""
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", __file__, str(tmp_path), kind, "0", "160"],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"seed {(done.stdout.split() or ['none'])[-1]}: {done.stderr[-2000:]}"
    assert done.stdout.split()[-1] == "159"


if __name__ == "__main__":
    campaign(Path(sys.argv[1]), sys.argv[2], range(int(sys.argv[3]), int(sys.argv[4])))
