"""What comes back of what was written: labels, samples and pictures, none and few of them."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import h5py
import numpy as np
import pytest
from written import SMALL, SPECS, Written, text, write

from posegen.shards import ShardReader
from posegen.skeleton import COCO_17


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return write(tmp_path / "shard.h5")


class TestValues:
    @pytest.mark.parametrize("dtype", ["float16", "float32", "uint8"])
    def test_they_come_back_within_the_error_that_is_stated(self, tmp_path: Path, dtype: str) -> None:
        for layout, compression in itertools.product(("chw", "hwc"), ("zstd", "gzip", "lzf", "none")):
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

    @pytest.mark.parametrize("dtype", ["float16", "float32", "uint8"])
    def test_the_reader_gives_them_channels_first(self, tmp_path: Path, dtype: str) -> None:
        for layout in ("chw", "hwc"):
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
                assert (picture.data, picture.frame) == (sample.image, (24, 32))
                assert picture.box == (sample.box or (0, 0, 32, 24))
                ignored = reader.ignored(i)
                assert (ignored is None) == (sample.ignored is None)
                np.testing.assert_array_equal(np.array(ignored), np.array(sample.ignored))
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
            assert len(arrays) == 21
            for name, array in arrays.items():
                assert array.shape == file[name].shape
                assert array.chunk == file[name].chunks
                assert array.stored == file[name].id.get_storage_size()
                assert array.logical == file[name].nbytes
            assert {name for name, array in arrays.items() if array.compressor} == {"heatmap", "paf", "mask"}
            assert (arrays["paf"].compressor, arrays["paf"].dtype) == ("zstd", "float16")
            assert arrays["sample/file_name"].dtype == "text"


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
