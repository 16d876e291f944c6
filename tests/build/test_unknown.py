"""What is unknown of people, from the annotations to the masks that are read: stored, seen from all sides, verified."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import KEYPOINTS, Coco
from executors import InProcess

import posegen
from posegen.build.batches import cut_batches
from posegen.build.pipeline import audit
from posegen.config import BuildConfig
from posegen.images.augment import Augmentation
from posegen.inspect.diff import compare
from posegen.inspect.drawing.sample import draw_sample
from posegen.inspect.verify import verify
from posegen.shards import ShardReader
from posegen.skeleton import Skeleton, load_skeleton

NECK, NOSE = 1, 0
SIZE = (128, 128)
CONFIG = BuildConfig(input_size=SIZE, labels=("heatmap", "paf", "heatmap_mask", "paf_mask"), label_dtype="float32")


def person(**points: tuple[float, float]) -> list[float]:
    """A person of whom some keypoints are labelled, as they are written."""
    return [number for name in KEYPOINTS for number in ((*points[name], 2) if name in points else (0, 0, 0))]


@pytest.fixture
def coco(tmp_path: Path) -> Coco:
    """A dataset in which nothing is yet."""
    return Coco(tmp_path / "coco")


@pytest.fixture
def half(coco: Coco) -> Path:
    """Three people: with both shoulders, with one, and with none."""
    image = coco.image(128, 128)
    coco.person(image, person(left_shoulder=(20, 30), right_shoulder=(40, 30), nose=(30, 10), left_hip=(25, 70)))
    coco.person(image, person(left_shoulder=(90, 30), nose=(100, 10), right_hip=(90, 90)))
    coco.person(image, person(nose=(60, 110), left_hip=(64, 120)))
    return coco.write()


def build(source: Path, out: Path, config: BuildConfig = CONFIG, **changes: Any) -> posegen.PoseDataset:
    posegen.build(source, out, dataclasses.replace(config, **changes), executor=InProcess())
    return posegen.PoseDataset(out)


def test_a_neck_between_one_shoulder_is_unknown_and_masked(half: Path, tmp_path: Path) -> None:
    data = build(half, tmp_path / "out")
    (sample,) = data
    expected = np.zeros((3, 18), np.uint8)
    expected[1, NECK] = 1
    np.testing.assert_array_equal(sample["unknown"], expected)
    masks, skeleton = sample["heatmap_mask"], data.skeleton
    assert masks.shape == sample["heatmap"].shape
    # The second one's box: x from 90 to 100, made 40 wide, y from 10 to 90, and 0.3 of these on each side.
    assert masks[NECK, 4, 12] == 0 == masks[-1, 4, 12]
    assert masks[NECK, 4, 2] == 1
    hidden = (masks == 0).any(axis=(1, 2))
    assert np.flatnonzero(hidden).tolist() == [NECK, 18]
    of_limbs = (sample["paf_mask"] == 0).any(axis=(1, 2)).reshape(-1, 2)
    assert [limb.tolist() for limb in of_limbs] == [[NECK in limb] * 2 for limb in skeleton.limbs]
    (note,) = [note for note in audit(half).notes if "unknown" in note]
    assert note.startswith("of 1 of 3 people it is unknown whether keypoints are there: neck of 1;")
    assert not data.manifest.audit["notes"], "it asks nothing of whoever builds"


def test_masks_are_stored_as_bytes_whatever_else_is(half: Path, tmp_path: Path) -> None:
    for dtype in ("float16", "float32", "uint8"):
        data = build(half, tmp_path / dtype, label_dtype=dtype)
        raw = posegen.PoseDataset(tmp_path / dtype, raw=True)
        assert raw[0]["heatmap_mask"].dtype == raw[0]["paf_mask"].dtype == np.uint8
        assert data[0]["heatmap_mask"].dtype == np.float32
        np.testing.assert_allclose(data[0]["heatmap_mask"], raw[0]["heatmap_mask"] / 255, atol=1e-7)
        assert set(np.unique(raw[0]["heatmap_mask"])) == {0, 255}


def test_masks_are_verified_with_the_annotations_and_without(half: Path, tmp_path: Path) -> None:
    views = Augmentation(scale=(0.6, 1.2), rotate=30, shift=20, flip=0.5)
    build(half, tmp_path / "out", stride=(4, 8), copies=4, augment=views)
    assert verify(tmp_path / "out", deep=True, coco=half, executor=InProcess()) == []
    assert verify(tmp_path / "out", deep=True, executor=InProcess()) == []
    assert compare(tmp_path / "out", tmp_path / "out", executor=InProcess()).equal


def test_a_flipped_view_is_unknown_on_the_other_side(half: Path, tmp_path: Path) -> None:
    skeleton = Skeleton(
        name="ribs",
        keypoints=("left_rib", "right_rib", "nose"),
        limbs=((0, 2), (1, 2)),
        flip_pairs=((0, 1),),
        parents=(("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"), ("nose",)),
    )
    plain = build(half, tmp_path / "plain", skeleton=skeleton)
    np.testing.assert_array_equal(plain[0]["unknown"], [[0, 1, 0], [1, 1, 0], [1, 0, 0]])
    turned = build(half, tmp_path / "turned", skeleton=skeleton, augment=Augmentation(flip=1.0))
    np.testing.assert_array_equal(turned[0]["unknown"], plain[0]["unknown"][:, [1, 0, 2]])
    flipped = posegen.PoseDataset(tmp_path / "plain", flip=True)
    np.testing.assert_array_equal(flipped[0]["unknown"], turned[0]["unknown"])
    # Boxes are counted in whole cells from the left: they can end a cell beside.
    for name in ("heatmap_mask", "paf_mask"):
        assert (flipped[0][name] != turned[0][name]).mean() < 0.1


def test_parts_that_are_not_valid_are_unknown(coco: Coco, tmp_path: Path) -> None:
    image = coco.image(128, 128)
    points = [number for k in range(6) for number in (60 + k, 100, 2)]
    whole = {
        part: [0] * 3 * count for part, count in (("face_kpts", 68), ("lefthand_kpts", 21), ("righthand_kpts", 21))
    }
    valid = {"face_valid": True, "lefthand_valid": True, "righthand_valid": True}
    keypoints = person(nose=(60, 20), left_hip=(70, 80))
    coco.person(image, keypoints, foot_kpts=points, foot_valid=False, **whole, **valid)
    coco.person(image, keypoints, foot_kpts=points, foot_valid=True, **whole, **valid)
    skeleton = load_skeleton("coco-wholebody-133")
    data = build(coco.write(), tmp_path / "out", skeleton=skeleton, labels=("heatmap_mask",))
    unknown = data[0]["unknown"]
    assert np.flatnonzero(unknown[0]).tolist() == [*range(17, 23)]
    assert not unknown[1].any()
    hidden = (data[0]["heatmap_mask"] == 0).any(axis=(1, 2))
    assert np.flatnonzero(hidden).tolist() == [*range(17, 23), 133]


def test_shards_without_such_labels_do_not_have_the_column(half: Path, tmp_path: Path) -> None:
    data = build(half, tmp_path / "out", labels=("heatmap", "mask"))
    assert "unknown" not in data.fields
    assert "unknown" not in data[0]


def test_preset_openpose_has_the_masks_and_draws_them(half: Path, tmp_path: Path) -> None:
    data = build(half, tmp_path / "out", BuildConfig.preset("openpose", input_size=SIZE))
    assert [name for name in data.fields if name.endswith("mask")] == ["mask", "heatmap_mask", "paf_mask"]
    with ShardReader(next((tmp_path / "out").glob("*.h5"))) as reader:
        drawn = draw_sample(reader, 0)
    plain = build(half, tmp_path / "plain", BuildConfig.preset("openpose", input_size=SIZE, labels=("heatmap", "paf")))
    with ShardReader(next(plain.path.glob("*.h5"))) as reader:
        # Six panels, and three: the picture, heatmaps, fields.
        assert draw_sample(reader, 0).shape[1] < drawn.shape[1] * 0.51


def test_the_digest_knows_what_is_unknown(coco: Coco, tmp_path: Path) -> None:
    image = coco.image(128, 128)
    coco.person(image, person(nose=(60, 20), left_hip=(70, 80)), foot_kpts=[0] * 18, foot_valid=True)
    skeleton, digests = load_skeleton("coco-wholebody-133"), []
    for valid in (True, False):
        coco.document["annotations"][0]["foot_valid"] = valid
        out = tmp_path / str(valid)
        build(coco.write(), out, skeleton=skeleton, labels=("heatmap_mask",))
        digests.append(json.loads((out / "manifest.json").read_text())["shards"][0]["sha256"])
    assert digests[0] != digests[1]


def test_masks_are_drawn_with_as_many_samples_at_once_as_the_labels_that_they_are_for():
    base = BuildConfig.preset("openpose")

    def cut(*labels: str) -> list[int]:
        made = dataclasses.replace(base, labels=labels).create_labels(load_skeleton("openpose-18"))
        return [len(batch) for batch in cut_batches(range(20), made)]

    # Of 46 x 46 cells 57 channels take 482,448 bytes as float32: 8 samples have room in 4 MiB.
    assert cut("heatmap", "paf") == cut("heatmap", "paf", "heatmap_mask", "paf_mask") == [8, 8, 4]
    assert cut("heatmap_mask", "paf_mask") == [16, 4]
