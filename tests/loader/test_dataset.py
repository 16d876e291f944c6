"""Samples by number, whole or in part, as plain h5py reads them."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 (registers the zstd filter)
import numpy as np
import pytest
from conftest import Build
from datasets_read import (
    LABELS,
    SIZES,
    digest,
    read_by_h5py,
    shards,
)
from each import each

import posegen
from posegen.errors import ConfigError, ShardError
from posegen.shards.codecs import CODECS
from posegen.synthetic import write_sample_coco


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert np.asarray(found[name]).dtype.kind == np.asarray(value).dtype.kind, name
        if name in {"heatmap", "paf", "mask"}:
            assert found[name].dtype == np.float32
            np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=1e-9, err_msg=name)
        else:
            np.testing.assert_array_equal(found[name], value, name)


class TestSamples:
    @each(variant=[*SIZES])
    def test_a_sample_is_what_h5py_reads(self, build: Build, variant: str) -> None:
        data, expected = posegen.PoseDataset(build(variant)), read_by_h5py(build(variant))
        assert len(data) == len(expected) == sum(SIZES[variant])
        assert data.shard_sizes == SIZES[variant]
        for i, sample in enumerate(expected):
            assert_same(data[i], sample)
            assert data[i]["image"].shape == (*data.config.input_size, 3)

    @each(variant=[*SIZES])
    def test_raw_labels_are_as_they_are_stored(self, build: Build, variant: str) -> None:
        data = posegen.PoseDataset(build(variant), raw=True, fields=LABELS[variant])
        i = 0
        for path in shards(build(variant)):
            with h5py.File(path) as file:
                for k in range(len(file["sample/image_id"])):
                    for name in LABELS[variant]:
                        np.testing.assert_array_equal(data[i][name], file[name][k])
                        assert data[i][name].dtype == file[name].dtype
                        assert data.scales[name] == file[name].attrs["scale"]
                    i += 1

    def test_halves_are_dequantised_exactly(self, dataset: Path) -> None:
        data, raw = posegen.PoseDataset(dataset), posegen.PoseDataset(dataset, raw=True)
        for i in range(len(data)):
            np.testing.assert_array_equal(data[i]["paf"], raw[i]["paf"].astype(np.float32))

    def test_config_and_skeleton_are_the_builds(self, build: Build) -> None:
        data = posegen.PoseDataset(build("packed"))
        assert (data.config.layout, data.config.label_dtype, data.config.input_size) == ("hwc", "uint8", (64, 96))
        assert data.skeleton.keypoints[:2] == ("nose", "left_eye")

    def test_negative_numbers_count_from_the_end(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset, fields=["image_id"])
        numbers = [sample["image_id"] for sample in data]
        assert [data[i]["image_id"] for i in range(-8, 0)] == numbers
        assert data[np.int64(-1)]["image_id"] == numbers[-1]

    @each(index=[8, -9, 1 << 70])
    def test_there_is_no_sample_beyond_the_ends(self, dataset: Path, index: int) -> None:
        data = posegen.PoseDataset(dataset)
        with pytest.raises(IndexError, match=f"there is no sample {index}: .* has 8"):
            data[index]
        with pytest.raises(IndexError, match=f"there is no sample {index}"):
            data.batch([0, index])

    def test_what_is_no_number_is_a_type_error(self, dataset: Path) -> None:
        with pytest.raises(TypeError):
            posegen.PoseDataset(dataset)["image"]  # type: ignore[call-overload]

    def test_iterating_gives_every_sample_once_and_again(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset, fields=["file_name"])
        assert [s["file_name"] for s in data] == [s["file_name"] for s in read_by_h5py(dataset)]
        assert len(list(data)) == 8

    def test_what_is_read_may_be_changed(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset)
        before = digest(data)
        for sample in data:
            for value in sample.values():
                if isinstance(value, np.ndarray):
                    value[...] = 7
        assert digest(data) == before

    def test_the_description_fits_what_is_read(self, build: Build) -> None:
        for raw in (False, True):
            data = posegen.PoseDataset(build("packed"), raw=raw)
            assert list(data[0]) == list(data.fields)
            for name, field in data.fields.items():
                value = np.asarray(data[5][name])
                assert "str" if value.dtype.kind == "U" else str(value.dtype) == field.dtype
                assert len(value.shape) == len(field.shape)
                assert all(b in {None, a} for a, b in zip(value.shape, field.shape, strict=True))


class TestFields:
    def test_nothing_else_is_returned(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset, fields=("mask", "image_id"))
        assert set(data[0]) == set(data.batch([0, 1])) == set(data.fields) == {"mask", "image_id"}

    def test_nothing_else_is_read(self, dataset: Path, tmp_path: Path) -> None:
        copy = shutil.copytree(dataset, tmp_path / "copy")
        for path in shards(copy):
            with h5py.File(path) as file:
                chunk = file["paf"].id.get_chunk_info(0)
            with path.open("r+b") as raw:
                raw.seek(chunk.byte_offset)
                raw.write(b"\xff" * chunk.size)
        assert len(list(posegen.PoseDataset(copy, fields=["image", "heatmap", "mask", "keypoints"]))) == 8
        with pytest.raises(ShardError, match=r"copy/shard-00000-of-00003\.h5.*paf\[0\]"):
            posegen.PoseDataset(copy, fields=["paf"])[0]

    @each(
        "fields, said",
        [
            (
                ["heatmaps"],
                r"a sample has no 'heatmaps' \(did you mean 'heatmap'\?\); it has image, heatmap, paf, mask",
            ),
            (["image", "flow"], "a sample has no 'flow'; it has"),
            ("image", r"fields must be a list of names, as in \['image'\]"),
        ],
    )
    def test_one_that_is_not_there_is_refused(self, dataset: Path, fields: Any, said: str) -> None:
        with pytest.raises(ConfigError, match=said):
            posegen.PoseDataset(dataset, fields=fields)

    def test_a_dataset_without_a_label_has_no_such_field(self, build: Build) -> None:
        assert "mask" not in posegen.PoseDataset(build("raw")).fields

    @each("option, value", [("flip", "sometimes"), ("flip", 2), ("max_open", 0)])
    def test_a_wrong_option_is_refused(self, dataset: Path, option: str, value: Any) -> None:
        with pytest.raises(ConfigError, match=f"{option} must be"):
            posegen.PoseDataset(dataset, **{option: value})


@pytest.mark.parametrize("compression", ["zstd", "lzf"])
def test_what_cannot_be_unpacked_here_is_left_to_hdf5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: Any
) -> None:
    write_sample_coco(tmp_path / "coco", images=3)
    config = posegen.BuildConfig(compression=compression)
    if compression == "lzf":
        said = "lzf packs the same labels to other bytes now and then, .*, only read; take one of zstd, gzip, none$"
        with pytest.raises(ConfigError, match=said):
            posegen.build(tmp_path / "coco", tmp_path / "out", config, workers=1)
        monkeypatch.setitem(CODECS, "lzf", dataclasses.replace(CODECS["lzf"], stable=True))  # as it was taken to be
    posegen.build(tmp_path / "coco", tmp_path / "out", config, workers=1)
    wanted = posegen.PoseDataset(tmp_path / "out", raw=True)[0]
    kept = dataclasses.replace(CODECS[compression], inflate=None)
    monkeypatch.setattr("posegen.shards.rules.CODECS", {compression: kept})
    found = posegen.PoseDataset(tmp_path / "out", raw=True)[0]
    for name in ("heatmap", "paf", "mask"):
        np.testing.assert_array_equal(found[name], wanted[name])
