"""The scene that labels are drawn from, made of what a shard has of a sample."""

from __future__ import annotations

import numpy as np

from posegen.config import BuildConfig
from posegen.geometry import Affine
from posegen.images.augment import View
from posegen.shards.scene import find_spread, make_scene, see_people
from posegen.shards.versions import library_versions
from posegen.skeleton import COCO_17

KEYPOINTS = np.zeros((2, 17, 3), np.float32)
KEYPOINTS[0, :3] = [[10, 20, 2], [13, 24, 1], [0, 0, 0]]
KEYPOINTS[1, 4] = [5, 5, 2]
BOXES = np.array([[1, 2, 64, 16], [np.nan] * 4], np.float32)


def scene(**options):
    config = BuildConfig(skeleton=COCO_17, input_size=(64, 64), labels=("heatmap",), **options)
    return make_scene(
        config, COCO_17, KEYPOINTS, BOXES, affine=Affine(1, 0, 0, 0, 1, 0), image_size=(64, 64), ignored=None,
        unknown=np.ones((2, 17), np.uint8), ignored_boxes=BOXES[:1],
    )  # fmt: skip


def test_who_is_labelled_is_drawn_or_who_is_visible_alone():
    v = KEYPOINTS[..., 2]
    for visibility, drawn in (("labelled", v > 0), ("visible", v == 2)):
        made = scene(visibility=visibility)
        np.testing.assert_array_equal(made.drawn, drawn)
        np.testing.assert_array_equal(made.visible, v == 2)
        np.testing.assert_array_equal(made.drawn if made.labelled is None else made.labelled, v > 0)
        assert made.points.dtype == made.boxes.dtype == made.ignored_boxes.dtype == np.float64
        np.testing.assert_array_equal(made.points, KEYPOINTS[..., :2])
        np.testing.assert_array_equal(made.boxes, BOXES)
        np.testing.assert_array_equal(made.ignored_boxes, BOXES[:1])
        assert made.unknown.all()
        assert made.spread is None


def test_gaussians_follow_the_person_s_size_and_the_keypoint_and_never_become_too_narrow():
    sigmas = np.array(COCO_17.sigmas)
    for size in (False, True):
        for oks in (False, True):
            config = BuildConfig(
                skeleton=COCO_17, input_size=(64, 64), stride=4, labels=("heatmap",), sigma_px=100.0,
                sigma_scale="area" if size else "fixed", sigma_keypoints="oks" if oks else "equal",
            )  # fmt: skip
            found = find_spread(config, COCO_17, KEYPOINTS, BOXES)
            if not size and not oks:
                assert found is None
                continue
            # The root of 64 x 16, of 256; without a box that around two points, 3 x 4, or of one, which is none.
            expected = np.ones((2, 17)) * (np.array([[32 / 256], [0]]) if size else 1)
            expected = np.maximum(expected * (sigmas / sigmas.mean() if oks else 1), 0.7 / (100 / 4))
            np.testing.assert_allclose(found, expected)
    bare = np.full((2, 4), np.nan, np.float32)
    config = BuildConfig(
        skeleton=COCO_17, input_size=(64, 64), stride=(2, 4), labels=("heatmap",), sigma_px=9000.0, sigma_scale="area"
    )
    found = find_spread(config, COCO_17, KEYPOINTS, bare)
    np.testing.assert_allclose(found[:, 0], [np.sqrt(12) / 256, 0.7 / (9000 / 4)])


def test_people_are_seen_where_a_view_shows_them_and_change_sides_where_it_is_mirrored():
    for view in (View(), View(scale=2, shift=(3, -1)), View(flip=True)):
        affine = view.affine((64, 64))
        maps, flips = np.stack([affine.matrix] * len(KEYPOINTS)), np.full(len(KEYPOINTS), view.flip)
        points, boxes = see_people(KEYPOINTS, BOXES, maps, flips, COCO_17)
        assert points.dtype == boxes.dtype == np.float32
        order = list(COCO_17.mirrored) if view.flip else list(range(17))
        expected = np.concatenate([affine.apply(KEYPOINTS[:, order, :2]), KEYPOINTS[:, order, 2:]], axis=2)
        expected[expected[..., 2] == 0] = 0
        np.testing.assert_allclose(points, expected, atol=1e-4)
        corners = affine.apply(np.array([[1.0, 2], [65, 18]]) - 0.5) + 0.5
        low, high = corners.min(axis=0), corners.max(axis=0)
        np.testing.assert_allclose(boxes[0], [*low, *(high - low)], atol=1e-4)
        assert np.isnan(boxes[1]).all()
    assert KEYPOINTS[0, 0].tolist() == [10, 20, 2]


def test_versions_are_of_what_determines_bytes():
    import cv2
    import h5py

    import posegen

    assert library_versions() == {
        "posegen": posegen.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "hdf5": h5py.version.hdf5_version,
    }
