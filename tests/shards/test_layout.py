"""What a plain h5py reader finds in a shard, and that equal samples give equal bytes."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import time
import zlib
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest
from written import MIRRORS, PEOPLE, SMALL, SPECS, Written, text, write

from posegen.shards import ShardReader, ShardRecord
from posegen.shards.ignored import pack_ignored, unpack_ignored
from posegen.skeleton import COCO_17


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return write(tmp_path / "shard.h5")


class TestLayout:
    """What a plain h5py reader finds, by the words of `posegen.shards`."""

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
            "image/box": ((4, 4), "int32"),
            "ignored/bytes": ((found["ignored/bytes"][0][0],), "uint8"),
            "ignored/offsets": ((5,), "int64"),
            "checksum/image": ((4,), "uint32"),
            "checksum/heatmap": ((4,), "uint32"),
            "checksum/paf": ((4,), "uint32"),
            "checksum/mask": ((4,), "uint32"),
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
        assert (text(attributes["format"]), attributes["format_version"]) == ("posegen-shard", 3)
        assert text(attributes["task_digest"]) == "0123abcd"
        config = json.loads(attributes["config"])
        assert (config["input_size"], config["stride"], config["compression"]) == ([24, 32], 8, "zstd")
        assert json.loads(attributes["skeleton"])["keypoints"] == list(COCO_17.keypoints)
        assert set(json.loads(attributes["versions"])) == {"posegen", "numpy", "opencv", "hdf5"}

    def test_attributes_of_labels_tell_how_to_read_them(self, written: Written) -> None:
        with h5py.File(written.path) as file:
            for spec in SPECS:
                attributes = dict(file[spec.name].attrs)
                told = {"layout", "scale", "max_abs_error", "low", "high", "channels", "cells", "mirror"}
                assert set(attributes) == told | {"axes", "inner", "dtype", "by_person", "unknown"}
                assert json.loads(attributes["axes"]) == ["channel", "y", "x"]
                assert (json.loads(attributes["inner"]), json.loads(attributes["dtype"])) == ([], "float32")
                assert (attributes["by_person"], attributes["unknown"]) == (0, 0)
                assert (attributes["low"], attributes["high"]) == (spec.low, spec.high)
                assert text(attributes["layout"]) == "chw"
                assert json.loads(attributes["channels"]) == list(spec.channels)
                assert json.loads(attributes["mirror"]) == MIRRORS[spec.name]

    def test_a_label_has_one_compressed_chunk_with_a_checksum_a_sample(self, tmp_path: Path) -> None:
        filters = {"zstd": {hdf5plugin.Zstd().filter_id}, "gzip": {1}, "lzf": {32000}, "none": set()}
        for compression, expected in filters.items():
            written = write(tmp_path / "a.h5", dataclasses.replace(SMALL, compression=compression))
            with h5py.File(written.path) as file:
                for spec in SPECS:
                    dataset = file[spec.name]
                    plist = dataset.id.get_create_plist()
                    codes = {plist.get_filter(i)[0] for i in range(plist.get_nfilters())}
                    assert dataset.chunks == (1, *spec.shape)
                    assert dataset.fletcher32
                    assert codes - {h5py.h5z.FILTER_FLETCHER32} == expected
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

    def test_boxes_say_where_images_lie(self, written: Written) -> None:
        with h5py.File(written.path) as file:
            assert file["image/box"][...].tolist() == [list(sample.box) for sample in written.samples]

    def test_what_is_ignored_is_a_deflated_bit_a_pixel_row_by_row(self, written: Written) -> None:
        with h5py.File(written.path) as file:
            offsets, data = file["ignored/offsets"][...], file["ignored/bytes"][...]
        for i, sample in enumerate(written.samples):
            mine = data[offsets[i] : offsets[i + 1]].tobytes()
            if sample.ignored is None:
                assert mine == b""
            else:
                rows = np.unpackbits(np.frombuffer(zlib.decompress(mine), np.uint8)).reshape(24, 32)
                np.testing.assert_array_equal(rows, sample.ignored)

    def test_a_width_that_is_no_whole_number_of_bytes_is_filled_up_row_by_row(self) -> None:
        ignored = np.random.default_rng(0).random((7, 13)) < 0.5
        rows = np.unpackbits(np.frombuffer(zlib.decompress(pack_ignored(ignored)), np.uint8)).reshape(7, 16)
        np.testing.assert_array_equal(rows[:, :13], ignored)
        np.testing.assert_array_equal(unpack_ignored(pack_ignored(ignored), (7, 13)), ignored)

    def test_checksums_are_of_what_is_stored_of_each_sample(self, tmp_path: Path) -> None:
        for compression in ("zstd", "gzip", "lzf", "none"):
            written = write(tmp_path / "a.h5", dataclasses.replace(SMALL, compression=compression))
            data = written.path.read_bytes()
            with h5py.File(written.path) as file:
                assert file["checksum/image"][...].tolist() == [zlib.crc32(s.image) for s in written.samples]
                for spec in SPECS:
                    chunks = [file[spec.name].id.get_chunk_info(i) for i in range(4)]
                    bodies = [data[c.byte_offset : c.byte_offset + c.size - 4] for c in chunks]
                    assert file["checksum"][spec.name][...].tolist() == [zlib.crc32(body) for body in bodies]

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
            assert sorted(file["image"]) == ["box", "pixels"]
            assert file["image/box"][...].tolist() == [[0, 0, 32, 24]] * 4
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
