from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import re
import time
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.errors import ShardError
from posegen.labels import ArraySpec
from posegen.shards import BuiltSample, ShardReader, ShardRecord, ShardWriter, StoredLabel
from posegen.shards.quantize import choose_storage
from posegen.skeleton import COCO_17

SMALL = BuildConfig(skeleton=COCO_17, input_size=(24, 32), stride=8)
CELLS = (3, 4)
SPECS = (
    ArraySpec(name="heatmap", channels=("nose", "neck", "background"), cells=CELLS),
    ArraySpec(name="paf", channels=("a-b:x", "a-b:y"), cells=CELLS, low=-1.0),
    ArraySpec(name="mask", channels=("mask",), cells=CELLS),
)
PEOPLE = (2, 0, 3, 1)


@dataclasses.dataclass(frozen=True)
class Written:
    """A shard, and what went into it."""

    path: Path
    record: ShardRecord
    config: BuildConfig
    samples: list[BuiltSample]
    values: list[dict[str, NDArray[np.float32]]]


def text(value: str | bytes) -> str:
    """Read a text attribute, which may be of fixed length."""
    return value.decode() if isinstance(value, bytes) else value


def stored_labels(config: BuildConfig) -> list[StoredLabel]:
    return [
        StoredLabel(spec=spec, storage=choose_storage(config.label_dtype, spec), layout=config.layout) for spec in SPECS
    ]


def write(path: Path, config: BuildConfig = SMALL, people: tuple[int, ...] = PEOPLE, capacity: int = 6) -> Written:
    """Write a shard of random samples with so many people each, always the same ones."""
    random = np.random.default_rng(7)
    labels = stored_labels(config)
    samples, values = [], []
    writer = ShardWriter(capacity, labels, config=config, skeleton=COCO_17, task_digest="0123abcd")
    for i, count in enumerate(people):
        rendered = {
            spec.name: random.uniform(-1 if spec.signed else 0, 1, spec.shape).astype(np.float32) for spec in SPECS
        }
        for array in rendered.values():
            array.flat[:3] = 0, 1, array.min()
        height, width = config.input_size
        keypoints = random.uniform(-5, 40, (count, 17, 3)).astype(np.float32)
        keypoints[..., 2] = random.integers(0, 3, (count, 17))
        boxes = random.uniform(0, 30, (count, 4)).astype(np.float32)
        boxes[1:2] = np.nan
        sample = BuiltSample(
            image_id=(1 << 40) + i,
            file_name=("ünïcode/" if i == 2 else "") + f"{i:03d}.jpg",
            width=640 + i,
            height=480 - i,
            affine=random.uniform(-3, 3, (2, 3)),
            image=random.bytes(width * height * 3 if config.image_encoding == "raw" else 100 + 17 * i),
            keypoints=keypoints,
            bboxes=boxes,
            annotation_ids=random.integers(0, 1 << 60, count),
        )
        writer.append([sample], {label.spec.name: label.arrange(rendered[label.spec.name][None]) for label in labels})
        samples.append(sample)
        values.append(rendered)
    return Written(path, writer.finish(path), config, samples, values)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return write(tmp_path / "shard.h5")


class TestLayout:
    """What a plain h5py reader finds, by the words of DESIGN.md."""

    def test_there_are_the_documented_arrays_and_no_others(self, written: Written) -> None:
        found = {}
        with h5py.File(written.path) as file:
            file.visititems(
                lambda name, item: (
                    found.update({name: (item.shape, str(item.dtype))}) if isinstance(item, h5py.Dataset) else None
                )
            )
        assert found == {
            "image/bytes": ((sum(len(s.image) for s in written.samples),), "uint8"),
            "image/offsets": ((5,), "int64"),
            "heatmap": ((4, 3, 3, 4), "float16"),
            "paf": ((4, 2, 3, 4), "float16"),
            "mask": ((4, 1, 3, 4), "float16"),
            "person/offsets": ((5,), "int64"),
            "person/keypoints": ((6, 17, 3), "float32"),
            "person/bbox": ((6, 4), "float32"),
            "person/annotation_id": ((6,), "int64"),
            "sample/image_id": ((4,), "int64"),
            "sample/file_name": ((4,), f"|S{len('ünïcode/002.jpg'.encode())}"),
            "sample/width": ((4,), "int32"),
            "sample/height": ((4,), "int32"),
            "sample/affine": ((4, 2, 3), "float64"),
        }

    def test_attributes_of_the_file_tell_what_it_was_built_with(self, written: Written) -> None:
        with h5py.File(written.path) as file:
            attributes = dict(file.attrs)
        assert set(attributes) == {
            "format",
            "format_version",
            "config",
            "skeleton",
            "labels",
            "task_digest",
            "versions",
        }
        assert (text(attributes["format"]), attributes["format_version"]) == ("posegen-shard", 1)
        assert text(attributes["task_digest"]) == "0123abcd"
        config = json.loads(attributes["config"])
        assert (config["input_size"], config["stride"], config["compression"]) == ([24, 32], 8, "zstd")
        assert json.loads(attributes["skeleton"])["keypoints"] == list(COCO_17.keypoints)
        assert set(json.loads(attributes["versions"])) == {"posegen", "numpy", "opencv", "hdf5"}

    def test_attributes_of_labels_tell_how_to_read_them(self, written: Written) -> None:
        with h5py.File(written.path) as file:
            for spec in SPECS:
                attributes = dict(file[spec.name].attrs)
                told = {"layout", "scale", "max_abs_error", "low", "high", "channels", "cells"}
                assert set(attributes) - {"mirror"} == told
                assert (attributes["low"], attributes["high"]) == (spec.low, spec.high)
                assert text(attributes["layout"]) == "chw"
                assert json.loads(attributes["channels"]) == list(spec.channels)

    @pytest.mark.parametrize(
        ("compression", "code"), [("zstd", hdf5plugin.Zstd().filter_id), ("gzip", 1), ("lzf", 32000), ("none", None)]
    )
    def test_a_label_has_one_compressed_chunk_with_a_checksum_a_sample(
        self, tmp_path: Path, compression: str, code: int | None
    ) -> None:
        written = write(tmp_path / "a.h5", dataclasses.replace(SMALL, compression=compression))
        with h5py.File(written.path) as file:
            for spec in SPECS:
                dataset = file[spec.name]
                filters = dataset.id.get_create_plist()
                codes = [filters.get_filter(i)[0] for i in range(filters.get_nfilters())]
                assert dataset.chunks == (1, *spec.shape)
                assert dataset.fletcher32
                assert set(codes) - {h5py.h5z.FILTER_FLETCHER32} == ({code} if code else set())
                assert dataset.id.get_num_chunks() == 4

    def test_no_object_keeps_times(self, written: Written) -> None:
        times = []
        with h5py.File(written.path) as file:
            file.visititems(lambda _, item: times.append(h5py.h5o.get_info(item.id).mtime))
        assert set(times) == {0}

    def test_images_lie_between_their_offsets(self, written: Written) -> None:
        with h5py.File(written.path) as file:
            offsets, data = file["image/offsets"][...], file["image/bytes"][...]
        images = [data[a:b].tobytes() for a, b in itertools.pairwise(offsets)]
        assert images == [s.image for s in written.samples]

    def test_people_lie_between_their_offsets(self, written: Written) -> None:
        with h5py.File(written.path) as file:
            person = {name: file["person"][name][...] for name in file["person"]}
        assert np.diff(person["offsets"]).tolist() == list(PEOPLE)
        for i, sample in enumerate(written.samples):
            mine = slice(*person["offsets"][i : i + 2])
            np.testing.assert_array_equal(person["keypoints"][mine], sample.keypoints)
            np.testing.assert_array_equal(person["bbox"][mine], sample.bboxes)
            np.testing.assert_array_equal(person["annotation_id"][mine], sample.annotation_ids)

    def test_the_rest_of_a_sample_is_in_its_row(self, written: Written) -> None:
        with h5py.File(written.path) as file:
            for i, sample in enumerate(written.samples):
                assert file["sample/file_name"][i].decode("utf-8") == sample.file_name
                assert file["sample/image_id"][i] == sample.image_id
                assert (file["sample/width"][i], file["sample/height"][i]) == (sample.width, sample.height)
                np.testing.assert_array_equal(file["sample/affine"][i], sample.affine)

    def test_raw_pictures_are_pixels(self, tmp_path: Path) -> None:
        written = write(tmp_path / "a.h5", dataclasses.replace(SMALL, image_encoding="raw"))
        with h5py.File(written.path) as file:
            assert sorted(file["image"]) == ["pixels"]
            pixels = file["image/pixels"][...]
        assert pixels.shape == (4, 24, 32, 3)
        assert [p.tobytes() for p in pixels] == [s.image for s in written.samples]

    def test_the_record_describes_the_file(self, written: Written) -> None:
        data = written.path.read_bytes()
        labelled = np.concatenate([s.keypoints for s in written.samples])[..., 2] > 0
        assert written.record == ShardRecord(
            file="shard.h5",
            samples=4,
            people=6,
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            keypoints=tuple(labelled.sum(axis=0).tolist()),
        )


class TestValues:
    @pytest.mark.parametrize("compression", ["zstd", "gzip", "lzf", "none"])
    @pytest.mark.parametrize("layout", ["chw", "hwc"])
    @pytest.mark.parametrize("dtype", ["float16", "float32", "uint8"])
    def test_they_come_back_within_the_error_that_is_stated(
        self, tmp_path: Path, dtype: str, layout: str, compression: str
    ) -> None:
        config = dataclasses.replace(SMALL, label_dtype=dtype, layout=layout, compression=compression)
        written = write(tmp_path / "a.h5", config)
        with h5py.File(written.path) as file:
            for name in ("heatmap", "paf", "mask"):
                stored, attributes = file[name][...], file[name].attrs
                assert stored.dtype == ("int8" if (dtype, name) == ("uint8", "paf") else dtype)
                assert text(attributes["layout"]) == layout
                values = stored.astype(np.float64) * attributes["scale"]
                if layout == "hwc":
                    values = np.moveaxis(values, 3, 1)
                expected = np.stack([v[name] for v in written.values])
                assert np.abs(values - expected).max() <= attributes["max_abs_error"]
                assert attributes["max_abs_error"] <= {"float16": 3e-4, "float32": 0, "uint8": 0.004}[dtype]

    @pytest.mark.parametrize("layout", ["chw", "hwc"])
    @pytest.mark.parametrize("dtype", ["float16", "float32", "uint8"])
    def test_the_reader_gives_them_channels_first(self, tmp_path: Path, dtype: str, layout: str) -> None:
        written = write(tmp_path / "a.h5", dataclasses.replace(SMALL, label_dtype=dtype, layout=layout))
        with ShardReader(written.path) as reader:
            assert [label.spec for label in reader.labels] == list(SPECS)
            for label, i in itertools.product(reader.labels, range(4)):
                values = reader.label(label, i)
                assert (values.dtype, values.shape) == (np.float32, label.spec.shape)
                error = np.abs(values - written.values[i][label.spec.name]).max()
                assert error <= label.storage.max_abs_error

    @pytest.mark.parametrize("encoding", ["jpeg", "png", "raw"])
    def test_the_reader_gives_samples_and_pictures(self, tmp_path: Path, encoding: str) -> None:
        written = write(tmp_path / "a.h5", dataclasses.replace(SMALL, image_encoding=encoding))
        with ShardReader(written.path) as reader:
            assert len(reader) == 4
            assert (reader.config, reader.skeleton) == (written.config, COCO_17)
            for i, sample in enumerate(written.samples):
                picture, found = reader.picture(i), reader.sample(i)
                assert (picture if isinstance(picture, bytes) else picture.tobytes()) == sample.image
                assert found["file_name"] == sample.file_name
                assert (found["image_id"], found["width"], found["height"]) == (
                    sample.image_id,
                    sample.width,
                    sample.height,
                )
                np.testing.assert_array_equal(found["affine"], sample.affine)
                np.testing.assert_array_equal(found["keypoints"], sample.keypoints)
                np.testing.assert_array_equal(found["bbox"], sample.bboxes)
                np.testing.assert_array_equal(found["annotation_id"], sample.annotation_ids)

    def test_the_reader_describes_every_array(self, written: Written) -> None:
        with ShardReader(written.path) as reader, h5py.File(written.path) as file:
            arrays = {array.name: array for array in reader.arrays()}
            assert len(arrays) == 14
            for name, array in arrays.items():
                assert array.shape == file[name].shape
                assert array.chunk == file[name].chunks
                assert array.stored == file[name].id.get_storage_size()
                assert array.logical == file[name].nbytes
            assert {name for name, array in arrays.items() if array.compressor} == {"heatmap", "paf", "mask"}
            assert (arrays["paf"].compressor, arrays["paf"].dtype) == ("zstd", "float16")
            assert arrays["sample/file_name"].dtype == "text"


class TestBytes:
    @pytest.mark.parametrize("compression", ["zstd", "gzip", "lzf", "none"])
    def test_equal_samples_give_equal_bytes(self, tmp_path: Path, compression: str) -> None:
        config = dataclasses.replace(SMALL, compression=compression)
        one, two = write(tmp_path / "one.h5", config), write(tmp_path / "two.h5", config)
        assert one.path.read_bytes() == two.path.read_bytes()

    def test_the_time_makes_no_difference(self, tmp_path: Path) -> None:
        one = write(tmp_path / "one.h5")
        time.sleep(1.1)
        assert write(tmp_path / "two.h5").path.read_bytes() == one.path.read_bytes()

    def test_room_for_more_samples_leaves_no_trace_in_the_arrays(self, tmp_path: Path) -> None:
        with ShardReader(write(tmp_path / "a.h5", capacity=4).path) as exact:
            expected = list(exact.arrays())
        with ShardReader(write(tmp_path / "b.h5", capacity=1000).path) as roomy:
            assert list(roomy.arrays()) == expected

    def test_old_hdf5_libraries_can_read_it(self, written: Written) -> None:
        # The superblock, after eight bytes of signature: version 3 came with HDF5 1.10.
        data = written.path.read_bytes()
        assert data[:8] == b"\x89HDF\r\n\x1a\n"
        assert data[8] <= 3


class TestEdges:
    @pytest.mark.parametrize("encoding", ["jpeg", "raw"])
    def test_samples_without_people_can_be_stored(self, tmp_path: Path, encoding: str) -> None:
        config = dataclasses.replace(SMALL, image_encoding=encoding)
        written = write(tmp_path / "a.h5", config, people=(0, 0))
        assert (written.record.samples, written.record.people, written.record.keypoints) == (2, 0, (0,) * 17)
        with h5py.File(written.path) as file:
            assert file["person/keypoints"].shape == (0, 17, 3)
            assert file["person/bbox"].shape == (0, 4)
            assert file["person/annotation_id"].shape == (0,)
            assert file["person/offsets"][...].tolist() == [0, 0, 0]
        with ShardReader(written.path) as reader:
            assert reader.people().shape == (0, 17, 3)
            assert reader.sample(1)["keypoints"].shape == (0, 17, 3)

    @pytest.mark.parametrize("people", [(2,), (1, 0, 3)])
    def test_fewer_samples_than_there_is_room_for(self, tmp_path: Path, people: tuple[int, ...]) -> None:
        written = write(tmp_path / "a.h5", people=people, capacity=100)
        with h5py.File(written.path) as file:
            assert {file[name].shape[0] for name in ("heatmap", "paf", "mask", "sample/image_id")} == {len(people)}
            for i, values in enumerate(written.values):
                np.testing.assert_allclose(file["paf"][i], values["paf"], atol=3e-4)

    def test_a_shard_that_cannot_be_written_leaves_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            write(tmp_path / "missing" / "a.h5")
        assert list(tmp_path.iterdir()) == []

    def test_a_file_that_is_there_is_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "a.h5").write_bytes(b"old")
        write(tmp_path / "a.h5")
        assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]
        with ShardReader(tmp_path / "a.h5") as reader:
            assert len(reader) == 4


def flip(path: Path, offset: int, bit: int = 3) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1 << bit
    path.write_bytes(data)


class TestDamage:
    @pytest.mark.parametrize("compression", ["zstd", "gzip", "lzf", "none"])
    @pytest.mark.parametrize("name", ["heatmap", "paf", "mask"])
    def test_a_flipped_bit_in_a_label_is_an_error_and_other_samples_are_fine(
        self, tmp_path: Path, name: str, compression: str
    ) -> None:
        written = write(tmp_path / "a.h5", dataclasses.replace(SMALL, compression=compression))
        with h5py.File(written.path) as file:
            chunk = file[name].id.get_chunk_info(2)
        flip(written.path, chunk.byte_offset + chunk.size // 2)
        with ShardReader(written.path) as reader:
            label = next(label for label in reader.labels if label.spec.name == name)
            for i in (0, 1, 3):
                reader.label(label, i)
            with pytest.raises(ShardError) as caught:
                reader.label(label, 2)
        assert str(written.path) in str(caught.value)
        assert name in str(caught.value)

    @pytest.mark.parametrize("bit", range(8))
    def test_any_bit_counts(self, written: Written, bit: int) -> None:
        with h5py.File(written.path) as file:
            chunk = file["paf"].id.get_chunk_info(0)
        flip(written.path, chunk.byte_offset + bit, bit)
        with ShardReader(written.path) as reader, pytest.raises(ShardError, match=r"shard\.h5: .*paf"):
            reader.label(reader.labels[1], 0)

    @pytest.mark.parametrize(
        "name",
        ["person/offsets", "person/keypoints", "person/bbox", "person/annotation_id", "sample/image_id",
         "sample/file_name", "sample/width", "sample/height", "sample/affine"],
    )  # fmt: skip
    def test_a_flipped_bit_in_what_is_known_of_a_sample_is_an_error(self, written: Written, name: str) -> None:
        with h5py.File(written.path) as file:
            chunk = file[name].id.get_chunk_info(0)
        flip(written.path, chunk.byte_offset + 1)
        with ShardReader(written.path) as reader, pytest.raises(ShardError, match=rf"shard\.h5: .*{name}"):
            reader.sample(0)

    def test_a_flipped_bit_in_the_offsets_of_images_is_an_error(self, written: Written) -> None:
        with h5py.File(written.path) as file:
            chunk = file["image/offsets"].id.get_chunk_info(0)
        flip(written.path, chunk.byte_offset)
        with ShardReader(written.path) as reader, pytest.raises(ShardError, match=r"shard\.h5: .*image/offsets"):
            reader.picture(0)

    def test_a_flipped_bit_in_the_keypoints_is_an_error_when_people_are_counted(self, written: Written) -> None:
        with h5py.File(written.path) as file:
            chunk = file["person/keypoints"].id.get_chunk_info(0)
        flip(written.path, chunk.byte_offset)
        with ShardReader(written.path) as reader, pytest.raises(ShardError, match=r"shard\.h5: .*person/keypoints"):
            reader.people()

    @pytest.mark.parametrize("seed", range(150))
    def test_a_flipped_bit_anywhere_is_our_error_or_does_no_harm(self, written: Written, seed: int) -> None:
        random = np.random.default_rng(seed)
        flip(written.path, int(random.integers(written.record.bytes)), int(random.integers(8)))
        try:
            with ShardReader(written.path) as reader:
                list(reader.arrays())
                reader.people()
                for i in range(len(reader)):
                    reader.sample(i)
                    reader.picture(i)
                    for label in reader.labels:
                        values = reader.label(label, i)
                        error = np.abs(values - written.values[i][label.spec.name]).max()
                        assert error <= label.storage.max_abs_error
        except ShardError:
            return

    @pytest.mark.parametrize("share", [0, 1, 30, 70, 99])
    def test_a_truncated_file_is_refused(self, written: Written, share: int) -> None:
        data = written.path.read_bytes()
        written.path.write_bytes(data[: len(data) * share // 100])
        with pytest.raises(ShardError, match=r"shard\.h5: is not an HDF5 file, or is damaged"):
            ShardReader(written.path)

    def test_a_file_that_is_not_hdf5_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "a.h5"
        path.write_text("no HDF5")
        with pytest.raises(ShardError, match=r"a\.h5: is not an HDF5 file, or is damaged"):
            ShardReader(path)

    def test_hdf5_of_somebody_else_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            file["data"] = [1, 2, 3]
        with pytest.raises(ShardError, match=r"a\.h5: is HDF5, but no posegen shard"):
            ShardReader(path)

    @pytest.mark.parametrize("path", ["missing.h5", "."])
    def test_a_missing_file_is_named(self, tmp_path: Path, path: str) -> None:
        with pytest.raises(ShardError, match=re.escape(f"{tmp_path / path}: no such shard")):
            ShardReader(tmp_path / path)

    @pytest.mark.parametrize("version", [0, 2, 99])
    def test_an_unknown_format_version_is_refused_with_what_to_do(self, written: Written, version: object) -> None:
        with h5py.File(written.path, "r+") as file:
            file.attrs["format_version"] = version
        with pytest.raises(ShardError) as caught:
            ShardReader(written.path)
        assert f"has format version {version}, this posegen reads 1" in str(caught.value)
        assert "build the dataset again" in str(caught.value)

    @pytest.mark.parametrize("name", ["format", "format_version", "config", "skeleton", "versions"])
    @pytest.mark.parametrize("value", [None, "{", 7, [1, 2, 3], '["x"]'], ids=str)
    def test_a_bad_attribute_is_our_error(self, written: Written, name: str, value: object) -> None:
        with h5py.File(written.path, "r+") as file:
            del file.attrs[name]
            if value is not None:
                file.attrs[name] = value
        with pytest.raises(ShardError, match=r"shard\.h5: "):
            ShardReader(written.path)

    @pytest.mark.parametrize("name", ["person/offsets", "sample/affine", "sample/file_name"])
    def test_a_missing_array_is_named(self, written: Written, name: str) -> None:
        with h5py.File(written.path, "r+") as file:
            del file[name]
        with ShardReader(written.path) as reader, pytest.raises(ShardError, match=rf"shard\.h5: .*{name}"):
            reader.sample(0)

    def test_a_label_of_another_shape_is_refused(self, written: Written) -> None:
        with h5py.File(written.path, "r+") as file:
            attributes = dict(file["mask"].attrs)
            del file["mask"]
            file.create_dataset("mask", data=np.zeros((4, 1, 9, 9), np.float16)).attrs.update(attributes)
        with pytest.raises(ShardError, match=r"shard\.h5: .*mask"):
            ShardReader(written.path)
