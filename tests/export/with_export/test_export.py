"""Exports, read back by the libraries that they are for."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet
import pytest
import webdataset
from conftest import Build, Coco, Run

from posegen import PoseDataset
from posegen.errors import ConfigError
from posegen.export import export

# WebDataset leaves the archives that it has read to be closed by whoever collects them.
pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed file:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


def decode(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def plain(value: object) -> object:
    """Write what JSON would have of it."""
    text = json.dumps(value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value)
    return json.loads(text.replace("NaN", "null"))


@pytest.mark.parametrize("variant", ["plain", "packed", "raw"])
def test_webdataset_reads_what_the_dataset_has(build: Build, variant: str, tmp_path: Path) -> None:
    data = PoseDataset(build(variant), raw=True)
    files = export(data.path, tmp_path / "out", form="webdataset")
    assert [path.name for path in files] == [f"{Path(s.file).stem}.tar" for s in data.manifest.shards]
    said = json.loads((tmp_path / "out" / "posegen.json").read_text())
    read = list(webdataset.WebDataset([str(path) for path in files], shardshuffle=False))
    assert len(read) == len(data) == said["samples"]
    for number, (found, sample) in enumerate(zip(read, data, strict=True)):
        assert found["__key__"] == f"{number:09d}"
        picture = found.get("jpg") or found["png"]
        np.testing.assert_array_equal(decode(picture), sample.pop("image"))
        for name, scale in data.scales.items():
            label = sample.pop(name)
            np.testing.assert_array_equal(np.load(io.BytesIO(found[f"{name}.npy"])), label)
            assert said["labels"][name] == {"shape": [*label.shape], "dtype": str(label.dtype), "scale": scale}
        assert json.loads(found["json"]) == {name: plain(value) for name, value in sample.items()}


@pytest.mark.parametrize("variant", ["plain", "packed"])
def test_hugging_face_reads_what_the_dataset_has(build: Build, variant: str, tmp_path: Path) -> None:
    import datasets

    data = PoseDataset(build(variant), raw=True)
    files = export(data.path, tmp_path / "out", form="parquet")
    read = datasets.load_dataset(
        "parquet", data_files=[str(path) for path in files], split="train", cache_dir=str(tmp_path / "kept")
    )
    read = read.cast_column("image", datasets.Image())
    said = json.loads(pyarrow.parquet.read_schema(files[0]).metadata[b"posegen"])
    assert len(read) == len(data)
    for found, sample in zip(read, data, strict=True):
        np.testing.assert_array_equal(np.asarray(found["image"]), sample["image"])
        for name in data.scales:
            shape = said["labels"][name]["shape"]
            np.testing.assert_array_equal(np.reshape(found[name], shape), sample[name])
        keypoints = np.reshape(found["keypoints"], sample["keypoints"].shape)
        np.testing.assert_array_equal(keypoints, sample["keypoints"])
        assert (found["image_id"], found["file_name"]) == (sample["image_id"], sample["file_name"])
        np.testing.assert_array_equal(np.reshape(found["affine"], (2, 3)), sample["affine"])


def test_labels_by_person_are_exported_with_a_row_for_each(corpus: Coco, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "pose"
    options = "--labels", "heatmap,keypoint_indices", "--input-size", "128x128", "--workers", 1
    assert run("build", "--coco", corpus.root, "--out", out, *options).status == 0
    data = PoseDataset(out, raw=True)
    files = export(out, tmp_path / "out", form="parquet")
    rows = pyarrow.parquet.read_table(files[0]).to_pylist()
    assert [len(row["keypoint_indices"]) for row in rows] == [sample["keypoint_indices"].size for sample in data]


def test_the_command_names_what_it_wrote_and_replaces_nothing(dataset: Path, tmp_path: Path, run: Run) -> None:
    for form in ("webdataset", "parquet"):
        outcome = run("export", dataset, "--format", form, "--out", tmp_path / form)
        assert (outcome.status, outcome.out) == (0, f"3 {form} files: {tmp_path / form}\n")
    again = run("export", dataset, "--format", "parquet", "--out", tmp_path / "parquet")
    assert (again.status, "is not empty" in again.err) == (2, True)
    with pytest.raises(ConfigError, match="format must be webdataset or parquet, not 'zip'"):
        export(dataset, tmp_path / "x", form="zip")  # type: ignore[arg-type]


def test_the_same_bytes_come_of_the_same_dataset(dataset: Path, tmp_path: Path) -> None:
    for form in ("webdataset", "parquet"):
        written = [export(dataset, tmp_path / form / turn, form=form) for turn in "ab"]
        assert [path.read_bytes() for path in written[0]] == [path.read_bytes() for path in written[1]]
