"""Links, descriptions, offsets and types that are not those of a shard."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hostile import assert_refused, describe_by, each, read, replace, write

from posegen.errors import ShardError


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    return write(tmp_path / "shard.h5")


class TestLinks:
    @pytest.fixture
    def other(self, tmp_path: Path) -> Path:
        return write(tmp_path / "other.h5")

    def test_a_link_is_not_followed(self, shard: Path, other: Path) -> None:
        names = ("heatmap", "image/bytes", "person/keypoints", "sample/image_id", "person")
        for kind, name in each(shard, itertools.product(("external", "soft"), names)):
            with h5py.File(shard, "r+") as file:
                if kind == "external":
                    del file[name]
                    file[name] = h5py.ExternalLink(str(other), f"/{name}")
                else:
                    file.move(name, "elsewhere")
                    file[name] = h5py.SoftLink("/elsewhere")
            assert_refused(shard, "is a link, not an array", (kind, name))

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


class TestAttributes:
    def test_nested_json_does_not_exhaust_the_stack(self, shard: Path) -> None:
        describe_by(shard, config="[" * 50_000)
        with pytest.raises(ShardError, match="is damaged"):
            read(shard)

    def test_a_megabyte_of_json_is_not_parsed(self, shard: Path) -> None:
        describe_by(shard, config="[" + "0," * 500_000 + "0]")
        with pytest.raises(ShardError, match="must be one number or one short text of fixed length"):
            read(shard)

    def test_attributes_of_other_kinds_are_not_read(self, shard: Path) -> None:
        values = [
            "text of variable length, on a heap that HDF5 can walk for ever",
            np.zeros(1000),
            np.array([b"a", b"b"]),
            np.array([("x", 1)], dtype=[("a", "S1"), ("b", "i4")])[0],
            h5py.Empty("S8"),
        ]
        names = ("format", "format_version", "config", "skeleton", "versions")
        for name, value in each(shard, itertools.product(names, values)):
            with h5py.File(shard, "r+") as file:
                file.attrs[name] = value
            assert_refused(shard, f"attribute {name} must be", (name, value))

    def test_a_label_that_is_described_wrongly_is_refused(self, shard: Path) -> None:
        wrong = [
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
        ]  # fmt: skip
        for name, value in each(shard, wrong):
            with h5py.File(shard, "r+") as file:
                file["mask"].attrs[name] = np.bytes_(value) if isinstance(value, bytes) else value
            assert_refused(shard, "mask", (name, value))

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


def test_offsets_must_lead_from_the_first_to_the_last_row(shard: Path) -> None:
    changes: dict[str, Callable[[Any], Any]] = {
        "up": lambda o: o + 1,
        "down": lambda o: o - 1,
        "back": lambda o: np.array([0, o[-1] + 1, o[-1], o[-1]]),
        "negative": lambda o: np.array([0, -5, 2, o[-1]]),
        "overflow": lambda o: np.array([0, 1 << 62, -(1 << 62), o[-1]]),
        "short": lambda o: np.array([0, 0, 0, o[-1] - 1]),
        "beyond": lambda o: np.array([0, 0, 0, 1 << 40]),
    }
    for group, change in each(shard, itertools.product(("person", "image"), changes)):
        with h5py.File(shard, "r+") as file:
            file[f"{group}/offsets"][...] = changes[change](file[f"{group}/offsets"][...])
        assert_refused(shard, f"{group}/offsets do not lead from 0 to", change)


class TestTypes:
    def test_an_array_of_another_type_is_refused(self, shard: Path) -> None:
        wrong: list[tuple[str, Any]] = [
            ("sample/image_id", "int32"),
            ("sample/image_id", ">i8"),
            ("sample/image_id", "float64"),
            ("sample/file_name", "int64"),
            ("sample/width", "uint32"),
            ("sample/affine", "float32"),
            ("person/offsets", "uint64"),
            ("person/keypoints", "float64"),
            ("person/annotation_id", [("a", "i4"), ("b", "i4")]),
            ("image/offsets", h5py.opaque_dtype(np.dtype("m8[s]"))),
        ]
        for name, dtype in each(shard, wrong):
            with h5py.File(shard) as file:
                shape = file[name].shape
            replace(shard, name, np.zeros(shape, dtype))
            assert_refused(shard, f"is damaged: {name} has the dtype", (name, dtype))

    def test_objects_are_refused(self, shard: Path) -> None:
        dtypes = [h5py.string_dtype(), h5py.vlen_dtype(np.int64), h5py.ref_dtype]
        for name, dtype in each(shard, itertools.product(("sample/file_name", "sample/image_id"), dtypes)):
            replace(shard, name, None, shape=(3,), dtype=dtype, chunks=(3,))
            assert_refused(shard, f"is damaged: {name} has the dtype object", (name, dtype))

    def test_a_name_that_is_no_text_is_refused(self, shard: Path) -> None:
        with h5py.File(shard, "r+") as file:
            file["sample/file_name"][1] = b"\xff\xfe"
        with pytest.raises(ShardError, match="sample/file_name"):
            read(shard)
