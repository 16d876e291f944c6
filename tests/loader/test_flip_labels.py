"""Flipping labels that say how they mirror: one of another package, those of centres, and those of older shards."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import hdf5plugin  # noqa: F401 (registers the compressor)
import numpy as np
import pytest
from by_hand import sum_again
from pycocotools import mask as coco_mask
from test_flip import REACH, SIGMA, SIZES, build_both, pairs

import posegen
from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.inspect.rerender import LabelComparison
from posegen.labels import contract, registry
from posegen.shards import ShardReader

if TYPE_CHECKING:
    from conftest import Coco, Install, Run

LABEL = '''
from dataclasses import dataclass

import numpy as np

from posegen.labels import ArraySpec, ChannelMirror, Region


@dataclass(frozen=True)
class Sides:
    """The share of each cell that is ignored, times how many left and right eyes there are, and where they lie."""

    input_size: tuple
    cells: tuple
    eyes: tuple
    needs_ignored = True

    @property
    def spec(self):
        mirror = ChannelMirror(order=(1, 0, 2), negated=(2,))
        return ArraySpec(name="sides", channels=("l", "r", "x"), cells=self.cells, low=-9.0, high=9.0, mirror=mirror)

    def render(self, scene):
        share = np.zeros(self.cells)
        if scene.ignored is not None:
            back, (height, width) = scene.affine.inverse(), self.input_size
            corners = back.apply(np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]])) + 0.5
            (left, top), (right, bottom) = np.sort(corners, axis=0)
            ys, xs = np.linspace(top, bottom, self.cells[0] + 1), np.linspace(left, right, self.cells[1] + 1)
            share = scene.ignored.area(ys, xs) / ((ys[1] - ys[0]) * (xs[1] - xs[0]))
            share = share[:, ::-1] if scene.affine.xx < 0 else share
        middle = (self.input_size[1] - 1) / 2
        shown = scene.drawn[:, list(self.eyes)]
        ways = np.where(shown, scene.points[:, list(self.eyes), 0] - middle, 0)
        factors = (*shown.sum(axis=0), np.clip(ways.sum() / self.input_size[1], -9, 9))
        return np.stack([factor * share for factor in factors]).clip(-9, 9).astype(np.float32)


def create(context):
    eyes = tuple(context.skeleton.keypoints.index(name) for name in EYES)
    return (Sides(context.grid.input_size, context.grid.cells, eyes),)
'''
SIDES = f"{LABEL}\n\nEYES = ('left_eye', 'right_eye')\n"
OPTIONS: dict[str, Any] = {"label_dtype": "float32", "labels": ("sides",), "skeleton": None}


@pytest.fixture
def both(tmp_path: Path, install: Install) -> tuple[Path, Path]:
    """A dataset with a label of another package, which nothing else reads what is ignored for, and its mirror image."""
    install("pose-sides", SIDES, sides="pose_sides:create")
    return build_both(tmp_path, *SIZES["even"], **OPTIONS)


def find_region(root: Path, file_name: str) -> np.ndarray:
    """Find by pycocotools which pixels of a picture are ignored: of who has no keypoints, and of nobody else."""
    document = json.loads((root / "annotations" / "person_keypoints_train2017.json").read_text())
    image = next(i for i in document["images"] if i["file_name"] == file_name)
    size = image["height"], image["width"]
    found = {True: np.zeros(size, bool), False: np.zeros(size, bool)}
    for one in document["annotations"]:
        if one["image_id"] == image["id"]:
            drawn = any(v > 0 for v in one["keypoints"][2::3])
            found[drawn] |= coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(one["segmentation"], *size))) > 0
    return found[False] & ~found[True]


def test_a_foreign_label_is_built_with_what_is_ignored(both: tuple[Path, Path], tmp_path: Path) -> None:
    seen = 0
    for sample in posegen.PoseDataset(both[0]):
        share = find_region(tmp_path / "plain", sample["file_name"]).reshape(8, 8, 12, 8).mean(axis=(1, 3))
        for channel, eye in enumerate((1, 2)):
            count = (sample["keypoints"][:, eye, 2] > 0).sum()
            np.testing.assert_allclose(sample["sides"][channel], count * share, atol=1e-6)
            seen += bool(count and share.any())
    assert seen > 3


def test_a_foreign_label_is_flipped_as_it_says(both: tuple[Path, Path]) -> None:
    plain = posegen.PoseDataset(both[0])
    for before, (found, expected) in zip(plain, pairs(posegen.PoseDataset(both[0], flip=True), both[1]), strict=True):
        np.testing.assert_allclose(found["sides"], expected["sides"], atol=1e-5)
        np.testing.assert_array_equal(found["sides"][0], before["sides"][1][:, ::-1])
        np.testing.assert_array_equal(found["sides"][2], -before["sides"][2][:, ::-1])


def test_a_foreign_label_is_rendered_again_with_what_is_ignored_or_held_against_its_range(
    both: tuple[Path, Path], tmp_path: Path, run: Run
) -> None:
    def verify(*more: object) -> Any:
        return run("verify", both[0], "--deep", "--workers", 1, *more)

    root = tmp_path / "plain"
    alone, with_annotations = verify(), verify("--coco", root)
    assert (alone.status, with_annotations.status) == (0, 0), with_annotations.err
    assert "are not there: sides;" in alone.out
    assert "is not stored" not in with_annotations.out
    with h5py.File(next(both[0].glob("*.h5")), "r+") as file:
        file["sides"][0] += 0.25
    sum_again(next(both[0].glob("*.h5")))
    assert "is not what was annotated" not in verify().out
    assert "sides of sample 0 is not what was annotated: it differs by up to 0.25" in verify("--coco", root).out
    with h5py.File(next(both[0].glob("*.h5")), "r+") as file:
        file["sides"][0] = 9.5
    sum_again(next(both[0].glob("*.h5")))
    assert "sides of sample 0 is not what was annotated: it differs by up to 0.5" in verify().out


def test_a_foreign_label_keeps_the_contract(tmp_path: Path, install: Install) -> None:
    hands = f"{LABEL}\n\nEYES = ('left_hand', 'right_hand')\n"
    install("pose-sides", hands, sides="pose_sides:create")
    contract.check_label("sides", registry.find_factory("sides"))


def test_the_mirror_that_a_shard_tells_is_held_against_its_label(both: tuple[Path, Path]) -> None:
    shard = next(both[0].glob("*.h5"))
    with h5py.File(shard, "r+") as file:
        file["sides"].attrs["mirror"] = np.bytes_(b'{"negated":[2],"order":[0,1,2]}')
    with ShardReader(shard) as reader:
        found = [*LabelComparison(reader, None).compare(0, reader.sample(0), {})]
    assert found == ["sides is said to mirror otherwise than its label does"]


def forget_mirrors(directory: Path, shards: slice = slice(None)) -> None:
    """Make shards those of before labels said how they mirror."""
    for path in sorted(directory.glob("*.h5"))[shards]:
        size = path.stat().st_size
        with h5py.File(path, "r+") as file:
            for item in file.values():
                item.attrs.pop("mirror", None)
        assert path.stat().st_size == size


def test_shards_that_do_not_say_how_labels_mirror_are_flipped_as_the_labels_say_now(tmp_path: Path, coco: Coco) -> None:
    config = BuildConfig(
        skeleton=None, input_size=(64, 96), labels=("heatmap", "paf", "mask", "center", "weight"), shard_size=1,
        stride=(8.0, 4.0), label_options={"center": {"radius_cells": 3.0}},
    )  # fmt: skip
    posegen.build(coco.write(), tmp_path / "out", config, workers=1)
    expected = [*posegen.PoseDataset(tmp_path / "out", flip=True)]
    for shards in (slice(1, None), slice(None)):
        forget_mirrors(tmp_path / "out", shards)
        for found, sample in zip(posegen.PoseDataset(tmp_path / "out", flip=True), expected, strict=True):
            assert set(found) == set(sample)
            for name in ("heatmap_s8", "paf_s4", "mask_s8", "center_s8", "center_offset_s4", "weight_s8"):
                np.testing.assert_array_equal(found[name], sample[name], name)
    _, *problems = posegen.verify(tmp_path / "out", deep=True, workers=1)
    assert not [problem for problem in problems if "bytes" not in problem.what]


def test_older_shards_of_a_label_that_is_not_here_are_refused_but_not_their_other_labels(
    tmp_path: Path, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("pose-sides", SIDES, sides="pose_sides:create")
    plain, _ = build_both(tmp_path, *SIZES["even"], **OPTIONS | {"labels": ("sides", "heatmap")})
    forget_mirrors(plain)
    here = [sample["sides"] for sample in posegen.PoseDataset(plain, flip=True)]
    assert here[0].any()
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(tmp_path / "site")])
    registry._entries.cache_clear()
    with pytest.raises(ConfigError, match="'sides' cannot be flipped as it is stored: the label does not say how"):
        posegen.PoseDataset(plain, flip=True)
    posegen.PoseDataset(plain, flip=True, fields=["image", "heatmap"])[0]
    posegen.PoseDataset(plain)[0]


def find_windows(sample: dict[str, Any], *, mirrored: bool, size: tuple[int, int], stride: int) -> np.ndarray:
    """Find from the stored keypoints the cells (N, h, w) of people's windows, which a mirror may turn round."""
    cells, radius = [side // stride for side in size], 4
    windows = np.zeros((len(sample["keypoints"]), *cells), bool)
    for window, points in zip(windows, sample["keypoints"].astype(float), strict=True):
        shown = points[points[:, 2] > 0, :2]
        shown[:, 0] = size[1] - 1 - shown[:, 0] if mirrored else shown[:, 0]
        x, y = (shown.mean(axis=0) + 0.5) / stride - 0.5
        rows, columns = (slice(max(0, int(c - radius)), max(0, int(c + radius))) for c in (y, x))
        window[rows, columns] = True
    return windows[..., ::-1] if mirrored else windows


def test_ways_to_keypoints_are_those_of_the_mirrored_annotations_but_for_the_ends_of_windows_and_borders(
    tmp_path: Path,
) -> None:
    size, stride = (128, 192), 8
    options = {"label_dtype": "float32", "labels": ("center",), "skeleton": None}
    plain, mirrored = build_both(tmp_path, size, stride, **options)
    compared = 0
    for found, expected in pairs(posegen.PoseDataset(plain, flip=True), mirrored):
        # A centre's Gaussian is of twice the keypoints' sigma, and ends as theirs do.
        most = math.exp(-((2 * REACH - 1) ** 2) / (8 * SIGMA**2))
        np.testing.assert_allclose(found["center"], expected["center"], atol=most + 1e-6)
        assert expected["center"].max() > 0.5
        # Of people whose windows meet one counts, and which one does not change; but its window must be there.
        same = (
            find_windows(expected, mirrored=False, size=size, stride=stride)
            == find_windows(expected, mirrored=True, size=size, stride=stride)
        ).all(axis=0)
        assert 0 < same.mean() < 1
        cell = (expected["keypoints"][..., 0] + 0.5) / stride - 0.5
        far = (cell > 0) & (cell < size[1] / stride - 1) | (expected["keypoints"][..., 2] == 0)
        for k in np.flatnonzero(far.all(axis=0)):
            for name, channels in (("center_offset", slice(2 * k, 2 * k + 2)), ("center_weight", slice(k, k + 1))):
                one, other = found[name][channels][:, same], expected[name][channels][:, same]
                np.testing.assert_allclose(one, other, atol=1e-4, err_msg=name)
                compared += int((np.abs(other) > 0.01).sum())
    assert compared > 1000
