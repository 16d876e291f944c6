"""Labels of any shape, dtype and number of rows go from a package's `render` to every reader as they were drawn."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 (registers the compressor)
import numpy as np
import pytest
from conftest import Coco, Install, Run
from executors import InProcess
from shapes import BY_PERSON, CODE, NAMES

import posegen
from posegen.errors import ConfigError, ContractError, ShardError
from posegen.images.augment import Augmentation
from posegen.labels import ArraySpec, ChannelMirror, contract, registry
from posegen.labels.describe import describe_label
from posegen.shards import ShardReader
from posegen.skeleton import COCO_17

HERE = InProcess()
FLIPPED = posegen.BuildConfig(
    skeleton=COCO_17, input_size=(64, 96), stride=8, labels=("shapes",), label_dtype="float32", shard_size=3,
    fit="stretch",
)  # fmt: skip
LAYOUTS = {"chw": {"compression": "zstd"}, "hwc": {"layout": "hwc", "label_dtype": "float16"}}


@pytest.fixture(autouse=True)
def package(install: Install) -> None:
    install("pose-shapes", CODE, shapes="pose_shapes:create")


def build(corpus: Coco, out: Path, **changes: Any) -> Path:
    config = posegen.BuildConfig(**{name: getattr(FLIPPED, name) for name in FLIPPED.__slots__} | changes)
    posegen.build(corpus.root, out, config, executor=HERE)
    return out


def scenes(dataset: Path) -> Iterator[tuple[h5py.File, int, np.ndarray]]:
    """Give the samples of a dataset by h5py: file, number in it, and keypoints."""
    for path in sorted(dataset.glob("*.h5")):
        with h5py.File(path) as file:
            offsets = file["person/offsets"][:]
            for i in range(len(offsets) - 1):
                yield file, i, file["person/keypoints"][offsets[i] : offsets[i + 1]]


def expect(keypoints: np.ndarray) -> dict[str, np.ndarray]:
    """Make what can be made of stored keypoints alone, by hand: all but the field."""
    found = {
        "shapes_bins": np.zeros((17, 7), np.float32),
        "shapes_places": np.zeros((len(keypoints), 17, 2), np.int64),
        "shapes_sides": np.zeros((len(keypoints), 17), np.float32),
        "shapes_counts": np.zeros((1, 8, 12), np.uint8),
    }
    for n, person in enumerate(keypoints.tolist()):
        for k, (x, y, v) in enumerate(person):
            if v:
                found["shapes_bins"][k, min(6, max(0, int(y * 7 / 64)))] += 1
                found["shapes_places"][n, k] = int(max(y, 0)) * 1000 + int(max(x, 0)), 1
                found["shapes_sides"][n, k] = (x - 47.5) / 47.5
                if -0.5 <= x < 95.5 and -0.5 <= y < 63.5:
                    found["shapes_counts"][0, int((y + 0.5) / 8), int((x + 0.5) / 8)] += 1
    return found


def lay(values: np.ndarray, name: str, layout: str) -> np.ndarray:
    """Bring what was drawn into a layout: cells go before channels."""
    if layout == "chw" or name not in {"shapes_field", "shapes_counts"}:
        return values
    return np.moveaxis(values, (-2, -1), (0, 1))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_they_are_read_as_they_were_drawn(corpus: Coco, tmp_path: Path, layout: str) -> None:
    out = build(corpus, tmp_path / "out", **LAYOUTS[layout])
    data, raw = posegen.PoseDataset(out), posegen.PoseDataset(out, raw=True, fields=NAMES)
    unknown = 0
    for i, (_, _, keypoints) in enumerate(scenes(out)):
        sample = data[i]
        for name, values in expect(keypoints).items():
            expected = lay(values, name, layout)
            assert (sample[name].dtype, sample[name].shape) == (expected.dtype, expected.shape), name
            np.testing.assert_allclose(sample[name], expected, rtol=1e-5, atol=1e-6, err_msg=name)
            np.testing.assert_array_equal(raw[i][name], sample[name], name)
        field = sample["shapes_field"] if layout == "chw" else np.moveaxis(sample["shapes_field"], (0, 1), (-2, -1))
        assert field.shape == (17, 2, 8, 12)
        missing = ~(keypoints[..., 2] > 0).any(axis=0)
        np.testing.assert_array_equal(np.isnan(field), np.broadcast_to(missing[:, None, None, None], field.shape))
        unknown += missing.sum()
    assert unknown, "nothing was unknown"
    batch = data.batch([3, 0])
    for name in NAMES:
        for row, i in enumerate((3, 0)):
            np.testing.assert_array_equal(batch[name][row], data[i][name], name)
        assert isinstance(batch[name], list) is (name in BY_PERSON)
    assert data.fields["shapes_places"].shape == (None, 17, 2)
    assert data.fields["shapes_places"].dtype == "int64"


def test_a_plain_reader_finds_rows_between_the_offsets_of_people(corpus: Coco, tmp_path: Path) -> None:
    out = build(corpus, tmp_path / "out")
    for file, i, keypoints in scenes(out):
        offsets = file["person/offsets"][:]
        for name in BY_PERSON:
            assert len(file[name]) == offsets[-1]
            np.testing.assert_allclose(file[name][offsets[i] : offsets[i + 1]], expect(keypoints)[name], atol=1e-6)
        attributes = file["shapes_places"].attrs
        assert json.loads(attributes["axes"]) == ["keypoint", "value"]
        assert json.loads(attributes["inner"]) == [2]
        assert (attributes["by_person"], json.loads(attributes["dtype"])) == (1, "int64")
        assert file["shapes_field"].attrs["unknown"] == 1
        assert "shapes_places" not in file["checksum"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_flipping_is_drawing_the_flipped_sample(corpus: Coco, tmp_path: Path, layout: str) -> None:
    options = {**LAYOUTS[layout], "label_dtype": "float32"}
    names = [name for name in NAMES if name != "shapes_places"]
    out = build(corpus, tmp_path / "out", **options)
    views = build(corpus, tmp_path / "there", augment=Augmentation(flip=1.0), **options)
    there = posegen.PoseDataset(views, fields=[*names, "image_id"])
    flipped = posegen.PoseDataset(out, flip=True, fields=[*names, "image_id"])
    by_image = {sample["image_id"]: sample for sample in there}
    for sample in flipped:
        expected = by_image[sample["image_id"]]
        for name in names:
            if name == "shapes_counts":  # a keypoint between two cells goes to one side
                assert abs(int(sample[name].sum()) - int(expected[name].sum())) <= 1
            else:
                np.testing.assert_allclose(sample[name], expected[name], atol=1e-5, err_msg=name)
    with pytest.raises(ConfigError, match="'shapes_places' cannot be flipped as it is stored: it counts pixels"):
        posegen.PoseDataset(out, flip=True)


def test_they_are_verified_compared_described_and_drawn(corpus: Coco, tmp_path: Path, run: Run) -> None:
    out = build(corpus, tmp_path / "out", label_dtype="uint8")
    assert posegen.verify(out, deep=True, executor=HERE) == []
    assert posegen.compare(out, out, executor=HERE).equal
    changed = Path(shutil.copytree(out, tmp_path / "changed"))
    path = min(changed.glob("*.h5"))
    with h5py.File(path, "r+") as file:
        who = int(file["person/offsets"][0])
        file["shapes_places"][who, 3, 1] += 5
        person = int(file["person/annotation_id"][who])
    found = {array.array: array for array in posegen.compare(out, changed, executor=HERE).arrays}
    assert (found["shapes_places"].largest, found["shapes_places"].samples) == (5, 1)
    assert found["shapes_places"].where == f"person {person}, left_ear, value 1"
    assert [found[name].largest for name in NAMES if name != "shapes_places"] == [0] * 4
    what = [str(problem) for problem in posegen.verify(changed, deep=True, executor=HERE)]
    assert any("shapes_places of sample 0 is not what was annotated: it differs by up to 5" in line for line in what)
    shown = run("inspect", out).out
    assert all(name in shown for name in NAMES)
    assert run("inspect", out, "--sample", 0, "--save", tmp_path / "a.png").status == 0
    arrays = describe_label("shapes", FLIPPED.label_contexts(COCO_17)).arrays
    places = next(array for array in arrays if array.name == "shapes_places")
    assert (places.axes, places.dtype, places.by_person, places.shape) == (
        ("keypoint", "value"),
        "int64",
        True,
        (17, 2),
    )
    listed = run("labels", "shapes").out
    assert "Nx18x2" in listed
    assert "or unknown" in listed


def test_they_keep_the_contract() -> None:
    contract.check_label("shapes", registry.find_factory("shapes"))


def test_rows_are_held_against_people_by_the_contract_and_by_a_build(
    install: Install, corpus: Coco, tmp_path: Path
) -> None:
    fewer = CODE.replace("found[~scene.drawn] = 0\n        return found", "return found[1:]")
    assert fewer != CODE
    install("pose-shapes", fewer, version="2.0", shapes="pose_shapes:create")
    with pytest.raises(ContractError, match=r"shapes_places .* array: is of shape \(0, 3, 2\), .* says \(1, 3, 2\)"):
        contract.check_label("shapes", registry.find_factory("shapes"))
    with pytest.raises(ConfigError, match=r"label 'shapes_places' has \d rows for \d people"):
        build(corpus, tmp_path / "out")


def test_specifications_that_cannot_be_are_refused() -> None:
    good: dict[str, Any] = {"name": "a", "channels": ("b", "c"), "cells": (4, 5), "inner": (3,)}
    axes = ("k", "part", "y", "x")
    assert ArraySpec(**good, axes=axes).shape == (2, 3, 4, 5)
    assert ArraySpec(**good, axes=axes, mirror=ChannelMirror(order=(5, 4, 3, 2, 1, 0))).places == 6
    assert ArraySpec(name="a", channels=("b",), cells=(4, 5)).axes == ("channel", "y", "x")
    for changes, said in (
        ({}, "must have a name each"),
        ({"axes": ("k", "part", "y")}, "must have a name each"),
        ({"axes": ("k", "k", "y", "x")}, "must have a name each"),
        ({"axes": axes, "inner": (0,)}, "an inner axis has from 1 to"),
        ({"axes": axes, "inner": (2.0,)}, "an inner axis has from 1 to"),
        ({"axes": axes, "dtype": "float64"}, "its dtype must be one of"),
        ({"axes": axes, "dtype": "int64", "unknown": True}, "whole numbers, which cannot be unknown"),
        ({"axes": axes, "mirror": ChannelMirror(order=(0, 1, 2))}, "has 2 channels, its mirror 3"),
    ):
        with pytest.raises(ConfigError, match=said):
            ArraySpec(**good | changes)


def test_shards_that_say_something_else_of_their_axes_are_refused(corpus: Coco, tmp_path: Path) -> None:
    path = min(build(corpus, tmp_path / "out").glob("*.h5"))
    good = path.read_bytes()
    for name, key, value in (
        ("shapes_bins", "inner", b"[8]"), ("shapes_bins", "inner", b"[0]"), ("shapes_bins", "inner", b"7"),
        ("shapes_bins", "inner", b"[1000000000]"), ("shapes_bins", "axes", b'["a"]'), ("shapes_bins", "axes", b"3"),
        ("shapes_bins", "dtype", b'"int64"'), ("shapes_bins", "by_person", 1), ("shapes_places", "by_person", 0),
        ("shapes_places", "dtype", b'"float32"'), ("shapes_places", "by_person", 2), ("shapes_counts", "unknown", 1),
        ("shapes_counts", "dtype", b'["uint8"]'),
    ):  # fmt: skip
        path.write_bytes(good)
        with h5py.File(path, "r+") as file:
            file[name].attrs[key] = np.bytes_(value) if isinstance(value, bytes) else value
        with pytest.raises(ShardError, match=name):
            ShardReader(path)
