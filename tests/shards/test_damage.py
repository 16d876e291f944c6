"""Files that are cut off, flipped in a bit, or another's: our error, which names the file."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from hostile import each, find_error
from written import SMALL, Written, write

from posegen.errors import ShardError
from posegen.shards import ShardReader


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return write(tmp_path / "shard.h5")


def flip(path: Path, offset: int, bit: int = 3) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1 << bit
    path.write_bytes(data)


def find_wrong(written: Written) -> Iterator[tuple[str, int]]:
    """Read all there is, and say which labels are not those that were written."""
    with ShardReader(written.path) as reader:
        list(reader.arrays())
        reader.people()
        for i in range(len(reader)):
            reader.sample(i)
            reader.picture(i)
            reader.ignored(i)
            for label in reader.labels:
                error = np.abs(reader.label(label, i) - written.values[i][label.spec.name]).max()
                if not error <= label.storage.max_abs_error:
                    yield label.spec.name, i


class TestDamage:
    def test_a_flipped_bit_in_a_label_is_an_error_and_other_samples_are_fine(self, tmp_path: Path) -> None:
        for compression, name in itertools.product(("zstd", "gzip", "lzf", "none"), ("heatmap", "paf", "mask")):
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

    def test_any_bit_counts(self, written: Written) -> None:
        with h5py.File(written.path) as file:
            chunk = file["paf"].id.get_chunk_info(0)
        for bit in each(written.path, range(8)):
            flip(written.path, chunk.byte_offset + bit, bit)
            with ShardReader(written.path) as reader, pytest.raises(ShardError, match=r"shard\.h5: .*paf"):
                reader.label(reader.labels[1], 0)

    def test_a_flipped_bit_in_a_picture_is_an_error_whatever_its_encoding(self, tmp_path: Path) -> None:
        for encoding, array in (("jpeg", "image/bytes"), ("png", "image/bytes"), ("raw", "image/pixels")):
            written = write(tmp_path / "a.h5", dataclasses.replace(SMALL, image_encoding=encoding))
            with h5py.File(written.path) as file:
                start = file[array].id.get_offset() + sum(len(s.image) for s in written.samples[:2])
            flip(written.path, start + 60, 6)
            with ShardReader(written.path) as reader:
                assert [reader.picture(i).data for i in (0, 1, 3)] == [written.samples[i].image for i in (0, 1, 3)]
                with pytest.raises(ShardError, match=rf"a\.h5: is damaged: {array}\[2\] .*: its checksum is wrong"):
                    reader.picture(2)

    def test_a_flipped_bit_in_a_checksum_is_an_error(self, written: Written) -> None:
        for name in each(written.path, ["checksum/paf", "checksum/image"]):
            with h5py.File(written.path) as file:
                chunk = file[name].id.get_chunk_info(0)
            flip(written.path, chunk.byte_offset + 1)
            assert name in find_error(lambda: list(find_wrong(written))), name

    def test_a_flipped_bit_in_what_is_ignored_is_an_error(self, written: Written) -> None:
        ignored = [sample.ignored is not None for sample in written.samples]
        assert ignored == [False, True, False, True]
        with h5py.File(written.path) as file:
            start = file["ignored/bytes"].id.get_offset()
            ends = (start + file["ignored/offsets"][1:]).tolist()
        for at in each(written.path, [start, *(start + 5 + k for k in range(0, ends[1] - start - 5, 7)), ends[1] - 1]):
            flip(written.path, at)
            with ShardReader(written.path) as reader:
                reader.ignored(3)
                with pytest.raises(ShardError, match=r"shard\.h5: is damaged: ignored/bytes\[1\] cannot be read"):
                    reader.ignored(1)

    def test_a_flipped_bit_in_what_is_known_of_a_sample_is_an_error(self, written: Written) -> None:
        names = [
            "person/offsets", "person/keypoints", "person/bbox", "person/annotation_id", "sample/image_id",
            "sample/file_name", "sample/width", "sample/height", "sample/affine",
        ]  # fmt: skip
        for name in each(written.path, names):
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

    def test_a_flipped_bit_anywhere_is_our_error_or_does_no_harm(self, written: Written) -> None:
        refused = 0
        for seed in each(written.path, range(150)):
            random = np.random.default_rng(seed)
            flip(written.path, int(random.integers(written.record.bytes)), int(random.integers(8)))
            try:
                wrong = list(find_wrong(written))
            except ShardError:
                refused += 1
            else:
                assert not wrong, seed
        assert 50 < refused < 150

    def test_a_truncated_file_is_refused(self, written: Written) -> None:
        data = written.path.read_bytes()
        for share in (0, 1, 30, 70, 99):
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

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        for path in ("missing.h5", "."):
            with pytest.raises(ShardError, match=re.escape(f"{tmp_path / path}: no such shard")):
                ShardReader(tmp_path / path)

    def test_an_unknown_format_version_is_refused_with_what_to_do(self, written: Written) -> None:
        for version in (0, 4, 99):
            with h5py.File(written.path, "r+") as file:
                file.attrs["format_version"] = version
            with pytest.raises(ShardError) as caught:
                ShardReader(written.path)
            assert f"has format version {version}, this posegen reads 1, 2 and 3; " in str(caught.value)
            assert "build the dataset again" in str(caught.value)

    def test_a_bad_attribute_is_our_error(self, written: Written) -> None:
        names = ("format", "format_version", "config", "skeleton", "versions")
        values = (None, "{", 7, [1, 2, 3], '["x"]')
        for name, value in each(written.path, itertools.product(names, values)):
            with h5py.File(written.path, "r+") as file:
                del file.attrs[name]
                if value is not None:
                    file.attrs[name] = value
            assert "shard.h5: " in find_error(lambda: ShardReader(written.path)), (name, value)

    def test_a_missing_array_is_named(self, written: Written) -> None:
        for name in each(written.path, ["person/offsets", "sample/affine", "sample/file_name"]):
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
