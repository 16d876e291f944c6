"""The table of columns: one entry more is written, read, described, mirrored, batched, padded and compared."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from conftest import Coco
from executors import InProcess

import posegen
from posegen.config import BuildConfig
from posegen.inspect.summary import describe
from posegen.inspect.verify import verify
from posegen.loader.fields import list_padded, list_plain
from posegen.shards import COLUMNS, Column, schema

SMALL = BuildConfig(input_size=(64, 96), labels=("mask",), shard_size=2)


def find_corners(sample: Any) -> np.ndarray:
    """Return the least x and y of each person's box, and 2 for labelled: K points of equal place."""
    corners = np.nan_to_num(sample.bboxes[:, None, :2])
    return np.concatenate([np.tile(corners, (1, sample.keypoints.shape[1], 1)), sample.keypoints[..., 2:]], axis=2)


ADDED = (
    Column(name="pixels", dtype="int32", take=lambda sample: sample.width * sample.height, compared_as="pixels"),
    Column(name="sharpness", dtype="float32", take=lambda sample: len(sample.image) / 7, compared_as="sharpness"),
    Column(name="stem", dtype="S", take=lambda sample: sample.file_name.partition(".")[0] + "é"),
    Column(name="middle", dtype="float64", shape=(2,), take=lambda sample: [sample.width / 2, sample.height / 2]),
    Column(
        name="area",
        dtype="float32",
        of="person",
        take=lambda sample: sample.bboxes[:, 2] * sample.bboxes[:, 3],
        compared_as="area",
    ),
    Column(name="corners", dtype="float32", shape=("K", 3), of="person", take=find_corners, kind="points"),
    Column(name="never", dtype="int32", take=lambda sample: 0, is_there=lambda config: config.copies > 1),
)


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, coco: Coco) -> Path:
    """A dataset with more columns than posegen has."""
    monkeypatch.setattr(schema, "COLUMNS", (*COLUMNS, *ADDED))
    posegen.build(coco.write(), tmp_path / "added", SMALL, executor=InProcess())
    return tmp_path / "added"


def test_an_added_column_is_written(added: Path) -> None:
    for path in added.glob("*.h5"):
        with h5py.File(path) as file:
            pixels = file["sample/width"][:] * file["sample/height"][:]
            np.testing.assert_array_equal(file["sample/pixels"][:], pixels)
            assert file["sample/pixels"].dtype == np.int32
            assert [text.decode() for text in file["sample/stem"]] == [
                f"{name.decode().partition('.')[0]}é" for name in file["sample/file_name"]
            ]
            np.testing.assert_array_equal(file["person/area"][:], file["person/bbox"][:, 2:].prod(axis=1))
            assert file["person/corners"].shape == file["person/keypoints"].shape
            assert "sample/never" not in file


def test_an_added_column_is_read_and_described(added: Path) -> None:
    data = posegen.PoseDataset(added)
    keypoints = len(data.skeleton.keypoints)
    described = {name: (field.shape, field.dtype) for name, field in data.fields.items()}
    assert described["pixels"] == ((), "int64")
    assert described["sharpness"] == ((), "float32")
    assert described["stem"] == ((), "str")
    assert described["middle"] == ((2,), "float64")
    assert described["area"] == ((None,), "float32")
    assert described["corners"] == ((None, keypoints, 3), "float32")
    assert "never" not in described
    for sample in data:
        assert (type(sample["pixels"]), sample["pixels"]) == (int, sample["width"] * sample["height"])
        assert isinstance(sample["sharpness"], float)
        assert sample["stem"] == sample["file_name"].partition(".")[0] + "é"
        assert sample["middle"].tolist() == [sample["width"] / 2, sample["height"] / 2]
        np.testing.assert_array_equal(sample["area"], sample["bbox"][:, 2] * sample["bbox"][:, 3])
    arrays = describe(added)["arrays"]
    assert (arrays["person/area"]["dtype"], arrays["sample/stem"]["dtype"]) == ("float32", "text")
    assert verify(added, executor=InProcess()) == []


def test_an_added_column_is_batched_and_padded(added: Path) -> None:
    data = posegen.PoseDataset(added)
    batch = data.batch([1, 0, 1])
    assert (batch["pixels"].dtype, batch["pixels"].shape) == (np.int64, (3,))
    assert (batch["sharpness"].dtype, batch["middle"].shape) == (np.float32, (3, 2))
    assert batch["stem"] == [data[number]["stem"] for number in (1, 0, 1)]
    for place, number in enumerate((1, 0, 1)):
        for name in ("pixels", "sharpness", "middle", "area", "corners"):
            np.testing.assert_array_equal(batch[name][place], data[number][name], name)
    assert list_padded() == {"keypoints", "bbox", "annotation_id", "unknown", "area", "corners"}
    assert list_plain(data.fields) == ["image", "mask", "image_id"]


def test_an_added_column_is_mirrored_by_its_kind(added: Path) -> None:
    pairs = [posegen.PoseDataset(added, fields=["area", "corners"], flip=flip) for flip in (False, True)]
    for before, after in zip(*pairs, strict=True):
        np.testing.assert_array_equal(after["area"], before["area"])
        x, v = before["corners"][..., 0], np.sort(before["corners"][..., 2], axis=1)
        assert (v > 0).any()
        mirrored = after["corners"][after["corners"][..., 2] > 0][:, 0]
        assert set(mirrored.tolist()) == set((95 - x[before["corners"][..., 2] > 0]).tolist())


def test_an_added_column_is_compared(added: Path, tmp_path: Path, coco: Coco) -> None:
    other = tmp_path / "other"
    posegen.build(coco.root, other, posegen.PoseDataset(added).config, executor=InProcess())
    assert posegen.compare(added, other, executor=InProcess()).equal
    with h5py.File(min(other.glob("*.h5")), "r+") as file:
        file["sample/pixels"][...] = file["sample/pixels"][...] + np.array([0, 5], np.int32)
        image, person = int(file["sample/image_id"][1]), int(file["person/annotation_id"][0])
        area = file["person/area"][...]
        area[0] += 0.5
        file["person/area"][...] = area
    found = posegen.compare(added, other, executor=InProcess(), tolerance=1000)
    assert not found.equal
    arrays = {of.array: (of.largest, of.samples, of.where) for of in found.arrays if of.largest}
    assert arrays.keys() == {"pixels", "area"}
    assert arrays["pixels"] == (5.0, 1, "pixels")
    assert arrays["area"] == (pytest.approx(0.5, rel=1e-3), 1, f"person {person}, area")
    assert next(of.sample for of in found.arrays if of.array == "pixels").image_id == image


def test_datasets_of_before_a_column_are_read_where_it_says_that_they_lack_it(
    tmp_path: Path, coco: Coco, monkeypatch: pytest.MonkeyPatch
) -> None:
    posegen.build(coco.write(), tmp_path / "out", SMALL, executor=InProcess())
    monkeypatch.setattr(schema, "COLUMNS", (*COLUMNS, ADDED[-1]))
    assert "never" not in posegen.PoseDataset(tmp_path / "out")[0]
    assert verify(tmp_path / "out", executor=InProcess()) == []


def test_datasets_can_be_sent_to_processes_with_their_columns(tmp_path: Path, coco: Coco) -> None:
    posegen.build(coco.write(), tmp_path / "out", SMALL, executor=InProcess())
    sent = pickle.loads(pickle.dumps(posegen.PoseDataset(tmp_path / "out")))
    assert sent[0]["keypoints"].any()


def test_columns_are_told_apart() -> None:
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)
    assert all(dataclasses.is_dataclass(column) for column in COLUMNS)
    assert {column.name for column in COLUMNS if column.is_there(BuildConfig())} == {
        "image_id", "file_name", "width", "height", "affine", "keypoints", "bbox", "annotation_id",
    }  # fmt: skip
