"""Flipping against building the mirrored annotations from the mirrored pictures."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import KEYPOINTS, Coco, encode
from numpy.typing import NDArray

import posegen
from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.skeleton import OPENPOSE_18, Skeleton

SIGMA = 5.0
REACH = math.sqrt(2 * 4.6052) * SIGMA
HALF_WIDTH = 6.0
SIZES = {"even": ((64, 96), 8), "odd": ((63, 99), 9)}
"""Input sizes (height, width) and strides: columns of pixels and of cells are even in number, or odd."""

OTHER_SIDE = [KEYPOINTS.index(k.replace("left", "?").replace("right", "left").replace("?", "right")) for k in KEYPOINTS]


def write_both(root: Path, size: tuple[int, int]) -> tuple[Path, Path]:
    """Write annotated pictures of the input's size, and the same seen in a mirror."""
    height, width = size
    plain, mirrored = Coco(root / "plain", seed=5), Coco(root / "mirrored")
    for people in (1, 3, 2, 4):
        picture = plain.random.integers(0, 256, (height, width, 3), np.uint8)
        image = plain.image(width, height, f"{people}.png", data=encode(picture, ".png"))
        for _ in range(people):
            keypoints = np.zeros((17, 3))
            keypoints[:, 0] = plain.random.uniform(-4, width + 3, 17)
            keypoints[:, 1] = plain.random.uniform(-4, height + 3, 17)
            keypoints[:, 2] = plain.random.integers(0, 3, 17)
            keypoints[5:7, 2] = 2
            keypoints[keypoints[:, 2] == 0] = 0
            plain.person(image, keypoints.ravel().tolist())
        x, y = plain.random.uniform(0, 30, 2).tolist()
        hidden = [[x, y, x + 41.5, y + 3.25, x + 20.75, y + 28]]
        plain.person(image, [0] * 51, segmentation=hidden, bbox=[x, y, 41.5, 28])
        assert mirrored.image(width, height, f"{people}.png", data=encode(picture[:, ::-1], ".png")) == image
    mirrored.document["annotations"] = [mirror(a, width) for a in plain.document["annotations"]]
    return plain.write(), mirrored.write()


def mirror(annotation: dict[str, Any], width: int) -> dict[str, Any]:
    """Mirror an annotation: pixels are counted from their middles, boxes and outlines from the picture's edge."""
    keypoints = np.reshape(annotation["keypoints"], (17, 3)).astype(float)[OTHER_SIDE]
    labelled = keypoints[:, 2] > 0
    keypoints[labelled, 0] = width - 1 - keypoints[labelled, 0]
    x, y, w, h = annotation["bbox"]
    outlines = [np.array(ring).reshape(-1, 2) * (-1, 1) + (width, 0) for ring in annotation["segmentation"]]
    return annotation | {
        "keypoints": keypoints.ravel().tolist(),
        "bbox": [width - x - w, y, w, h],
        "segmentation": [outline.ravel().tolist() for outline in outlines],
    }


def build_both(root: Path, size: tuple[int, int], stride: int, **options: Any) -> tuple[Path, Path]:
    config = BuildConfig(
        input_size=size,
        stride=stride,
        sigma_px=SIGMA,
        half_width_px=HALF_WIDTH,
        image_encoding="png",
        shard_size=3,
        **options,
    )
    outs = []
    for coco in write_both(root, size):
        outs.append(root / f"{coco.name}-built")
        posegen.build(coco, outs[-1], config, workers=1)
    return outs[0], outs[1]


@pytest.fixture(scope="module", params=SIZES)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A dataset and the one of its mirror image, with exact labels."""
    return build_both(tmp_path_factory.mktemp("both"), *SIZES[request.param], label_dtype="float32")


def pairs(flipped: posegen.PoseDataset, mirrored: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    found = [*zip(flipped, posegen.PoseDataset(mirrored), strict=True)]
    assert len(found) == 4
    return found


def near_columns(columns: NDArray[np.floating], width: int, cells: int) -> NDArray[np.bool_]:
    """Find the cells that read one of some pixel columns: those next to (i + 0.5) (N / n) - 0.5."""
    middles = (np.arange(cells) + 0.5) * (width / cells) - 0.5
    return (np.abs(middles[:, None] - columns.ravel()) < 1).any(axis=1)


def test_pictures_people_and_boxes_are_those_of_the_mirrored_annotations(both: tuple[Path, Path]) -> None:
    for found, expected in pairs(posegen.PoseDataset(both[0], flip=True), both[1]):
        assert found["file_name"] == expected["file_name"]
        np.testing.assert_array_equal(found["image"], expected["image"])
        np.testing.assert_allclose(found["keypoints"], expected["keypoints"], atol=1e-4)
        np.testing.assert_allclose(found["bbox"], expected["bbox"], atol=1e-4)
        np.testing.assert_array_equal(found["annotation_id"], expected["annotation_id"])


def test_the_mask_is_that_of_the_mirrored_annotations(both: tuple[Path, Path]) -> None:
    for found, expected in pairs(posegen.PoseDataset(both[0], flip=True), both[1]):
        assert 0 < found["mask"].mean() < 1
        np.testing.assert_allclose(found["mask"], expected["mask"], atol=1e-6)


def test_heatmaps_are_those_of_the_mirrored_annotations_but_for_a_column_where_gaussians_end(
    both: tuple[Path, Path],
) -> None:
    # The window of a Gaussian, [int(c - r), int(c + r)), leaves out its last column to the right alone: there the
    # Gaussian is no more than at r - 1.
    most = math.exp(-((REACH - 1) ** 2) / (2 * SIGMA**2))
    for found, expected in pairs(posegen.PoseDataset(both[0], flip=True), both[1]):
        x = expected["keypoints"][expected["keypoints"][..., 2] > 0][:, 0].astype(float)
        ends = near_columns(np.concatenate([np.ceil(x - REACH), np.floor(x + REACH)]), found["image"].shape[1],
                            found["heatmap"].shape[2])  # fmt: skip
        difference = np.abs(found["heatmap"] - expected["heatmap"])
        assert difference.max() <= most + 1e-6
        assert difference[..., ~ends].max(initial=0) <= 2e-6
        assert expected["heatmap"][:18].max() > 0.5


def test_part_affinity_fields_are_those_of_the_mirrored_annotations_but_for_the_ends_of_a_limbs_box(
    both: tuple[Path, Path],
) -> None:
    # A limb's box is rounded down at both ends, which is outwards to the left and inwards to the right.
    limbs = np.array(OPENPOSE_18.limbs)
    compared = 0
    for found, expected in pairs(posegen.PoseDataset(both[0], flip=True), both[1]):
        for e, limb in enumerate(limbs):
            ends = expected["keypoints"][:, limb]
            x = ends[(ends[..., 2] > 0).all(axis=1)][..., 0].astype(float)
            low, high = x.min(axis=1) - HALF_WIDTH, x.max(axis=1) + HALF_WIDTH
            rounded = np.concatenate([np.floor(low), np.ceil(low), np.floor(high), np.ceil(high)])
            elsewhere = ~near_columns(rounded, found["image"].shape[1], found["paf"].shape[2])
            of_limb = slice(2 * e, 2 * e + 2)
            np.testing.assert_allclose(
                found["paf"][of_limb][..., elsewhere], expected["paf"][of_limb][..., elsewhere], atol=2e-6
            )
            compared += int((np.abs(expected["paf"][of_limb][..., elsewhere]) > 0.1).sum())
    assert compared > 500


def test_stored_labels_are_as_near_as_their_storage(tmp_path: Path) -> None:
    plain, mirrored = build_both(tmp_path, *SIZES["even"], label_dtype="uint8", labels=("mask",))
    for found, expected in pairs(posegen.PoseDataset(plain, flip=True), mirrored):
        np.testing.assert_allclose(found["mask"], expected["mask"], atol=1 / 255 + 1e-6)


@pytest.mark.parametrize(("dtype", "layout"), [("float16", "chw"), ("uint8", "hwc"), ("float32", "hwc")])
def test_labels_are_mirrored_channel_by_channel_however_they_are_stored(
    tmp_path: Path, coco: Coco, dtype: str, layout: str
) -> None:
    config = BuildConfig(skeleton=None, label_dtype=dtype, layout=layout, input_size=(64, 96))
    posegen.build(coco.write(), tmp_path / "out", config, workers=1)
    for raw in (False, True):
        plain, flipped = (posegen.PoseDataset(tmp_path / "out", raw=raw, flip=flip) for flip in (False, True))
        limbs = plain.skeleton.limbs
        assert (5, 6) in limbs, "a limb that is its own mirror image, but for its direction"
        for i in range(2):
            before, after = (
                {
                    name: np.moveaxis(sample[name], -1, 0) if layout == "hwc" else sample[name]
                    for name in ("heatmap", "paf")
                }
                for sample in (plain[i], flipped[i])
            )
            for k, name in enumerate(KEYPOINTS):
                np.testing.assert_array_equal(after["heatmap"][k], before["heatmap"][OTHER_SIDE[k]][:, ::-1], name)
            np.testing.assert_array_equal(after["heatmap"][17], before["heatmap"][17][:, ::-1])
            for e, (a, b) in enumerate(limbs):
                there = OTHER_SIDE[a], OTHER_SIDE[b]
                backwards = there not in limbs
                other = limbs.index(there[::-1] if backwards else there)
                x, y = before["paf"][2 * other][:, ::-1], before["paf"][2 * other + 1][:, ::-1]
                np.testing.assert_array_equal(after["paf"][2 * e], x if backwards else -x)
                np.testing.assert_array_equal(after["paf"][2 * e + 1], -y if backwards else y)


def test_limb_and_offset_maps_are_those_of_the_mirrored_annotations(tmp_path: Path) -> None:
    plain, mirrored = build_both(
        tmp_path, *SIZES["odd"], label_dtype="float32", labels=("limb", "offset"), skeleton=None
    )
    for found, expected in pairs(posegen.PoseDataset(plain, flip=True), mirrored):
        for name in ("limb", "offset"):
            np.testing.assert_allclose(found[name], expected[name], atol=1e-5, err_msg=name)
            assert (np.abs(expected[name]) > 0.1).sum() > 20


def test_the_affine_map_leads_from_the_original_to_the_mirrored_input(dataset: Path) -> None:
    for before, after in zip(posegen.PoseDataset(dataset), posegen.PoseDataset(dataset, flip=True), strict=True):
        corners = np.array([[0, 0, 1], [before["width"] - 1, 3, 1], [17, before["height"], 1]])
        plain, flipped = corners @ before["affine"].T, corners @ after["affine"].T
        np.testing.assert_allclose(flipped, plain * (-1, 1) + (368 - 1, 0), atol=1e-9)


def test_a_jpeg_is_mirrored_after_it_is_decoded(dataset: Path) -> None:
    before, after = posegen.PoseDataset(dataset)[1], posegen.PoseDataset(dataset, flip=True)[1]
    np.testing.assert_array_equal(after["image"], cv2.flip(before["image"], 1))


@pytest.mark.parametrize("fields", [["weight"], ["heatmap", "weight"]])
def test_weights_change_places_with_their_keypoints(tmp_path: Path, coco: Coco, fields: list[str]) -> None:
    config = dataclasses.replace(BuildConfig.preset("udp"), shard_size=2)
    posegen.build(coco.write(), tmp_path / "out", config, workers=1)
    plain, flipped = (posegen.PoseDataset(tmp_path / "out", fields=fields, flip=flip) for flip in (False, True))
    for before, after in zip(plain, flipped, strict=True):
        assert 0 < before["weight"].sum() < 17
        np.testing.assert_array_equal(after["weight"], before["weight"][OTHER_SIDE])


def test_a_limb_without_a_mirror_image_is_an_error_before_anything_is_read(tmp_path: Path, coco: Coco) -> None:
    skeleton = Skeleton(name="half", keypoints=("nose", "left_eye", "right_eye"), limbs=((0, 1),), flip_pairs=((1, 2),))
    posegen.build(coco.write(), tmp_path / "out", BuildConfig(skeleton=skeleton), workers=1)
    with pytest.raises(
        ConfigError, match=r"'half' cannot be flipped: it has the limb nose-left_eye, but not .* nose-r"
    ):
        posegen.PoseDataset(tmp_path / "out", flip=True)
    posegen.PoseDataset(tmp_path / "out", flip=True, fields=["image", "heatmap"])[0]


@pytest.mark.parametrize(("preset", "label"), [("msra", "heatmap"), ("megvii", "heatmap"), ("openpose", "paf")])
def test_labels_that_are_not_the_same_to_both_sides_are_refused(
    tmp_path: Path, coco: Coco, preset: str, label: str
) -> None:
    posegen.build(coco.write(), tmp_path / "out", BuildConfig.preset(preset), workers=1)
    with pytest.raises(ConfigError, match=f"'{label}' cannot be flipped as it is stored"):
        posegen.PoseDataset(tmp_path / "out", flip="random")
    posegen.PoseDataset(tmp_path / "out", flip=True, fields=["image", "keypoints"])[0]
