"""People as published datasets and annotation tools write them: each is built, or is refused with a sentence."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from published import Dataset, check_person, make_person, points, triplets
from pycocotools import mask as coco_mask
from reading import afresh

from posegen.skeleton import SKELETONS, Skeleton


@pytest.fixture
def coco(tmp_path: Path) -> Dataset:
    return make_person(tmp_path)


LEFT_HALF = np.asfortranarray(np.repeat([[1] * 32 + [0] * 32], 48, axis=0).astype(np.uint8))
SEGMENTATIONS: dict[str, Any] = {
    "absent": ...,
    "null": None,
    "none": [],
    "polygon": [[-0.5, -0.5, 31.5, -0.5, 31.5, 47.5, -0.5, 47.5]],
    "polygons": [[0, 0, 16, 0, 16, 47.5, 0, 47.5], [16, 0, 31.5, 0, 31.5, 47.5, 16, 47.5]],
    "rle": {"size": [48, 64], "counts": [0, 32 * 48, 32 * 48]},
    "compressed": {"size": [48, 64], "counts": coco_mask.encode(LEFT_HALF)["counts"].decode()},
    "a point": [[5, 5]],
    "not in a list": [5, 5, 40, 5, 40, 40],
    "of another picture": {"size": [64, 64], "counts": [64 * 64]},
}
"""All of these are the left half of a picture, if a box that is stands in for what cannot be drawn."""


class TestFields:
    def test_nothing_is_needed_but_ids_file_names_and_keypoints(self, coco: Dataset) -> None:
        coco.document["images"] = [{"id": 1, "file_name": "a.png"}]
        coco.document["annotations"] = [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": points(17)}]
        coco.document["categories"] = [{"id": 1, "keypoints": list(SKELETONS["coco-17"].keypoints)}]
        sample, audit = coco.build()
        check_person(sample, points(17))
        for field in ("area", "bbox", "iscrowd", "num_keypoints", "segmentation"):
            assert audit["noticed"][f"no '{field}'"] == 1

    def test_what_is_about_the_file_is_not_asked_for(self, coco: Dataset) -> None:
        for field in afresh(coco, ["info", "licenses"]):
            coco.document[field] = "anything"
            check_person(coco.build()[0], points(17))

    def test_num_keypoints_is_not_trusted(self, coco: Dataset) -> None:
        for stated in (0, 3, 17, 99, None):
            coco.document["annotations"][0]["num_keypoints"] = stated
            check_person(coco.build()[0], points(17))

    def test_every_segmentation_of_somebody_drawn(self, coco: Dataset) -> None:
        for (name, segmentation), iscrowd in itertools.product(SEGMENTATIONS.items(), [..., 0, False]):
            coco.document["annotations"] = []
            coco.person(points(17), segmentation=segmentation, iscrowd=iscrowd, bbox=[0, 0, 32, 48])
            coco.person([0] * 51, iscrowd=1, bbox=[0, 0, 64, 48])
            sample, _ = coco.build()
            check_person(sample, points(17))
            np.testing.assert_allclose(
                sample["mask"][0], np.repeat([[1] * 4 + [0] * 4], 6, axis=0), atol=0.05, err_msg=name
            )

    def test_every_segmentation_of_somebody_ignored(self, coco: Dataset) -> None:
        reasons: list[tuple[Any, list[float]]] = [(1, points(17)), (1, [0] * 51), (0, [0] * 51), (..., [])]
        for (name, segmentation), (iscrowd, keypoints) in itertools.product(SEGMENTATIONS.items(), reasons):
            coco.document["annotations"] = []
            coco.person(points(17), bbox=[63, 0, 1, 1])
            coco.person(keypoints, segmentation=segmentation, iscrowd=iscrowd, bbox=[0, 0, 32, 48])
            sample, audit = coco.build()
            assert sum(audit["not_drawn"].values()) == 1
            np.testing.assert_allclose(
                sample["mask"][0], np.repeat([[0] * 4 + [1] * 4], 6, axis=0), atol=0.05, err_msg=name
            )

    def test_a_box_may_be_nothing(self, coco: Dataset) -> None:
        for bbox in (None, []):
            coco.document["annotations"][0]["bbox"] = bbox
            check_person(coco.build()[0], points(17))

    def test_fields_of_no_concern_are_ignored(self, coco: Dataset) -> None:
        coco.document["annotations"][0] |= {"attributes": {"occluded": False}, "track_id": "x", "score": None}
        coco.document["images"][0] |= {"crowdIndex": 0.6, "license": "?", "coco_url": 3, "date_captured": None}
        check_person(coco.build()[0], points(17))


class TestKeypoints:
    def test_they_may_be_a_list_for_each(self, coco: Dataset) -> None:
        coco.document["annotations"][0]["keypoints"] = triplets(points(17))
        sample, audit = coco.build()
        check_person(sample, points(17))
        assert audit["noticed"]["keypoints in a list for each"] == 1

    def test_lists_that_are_no_triplets_are_refused(self, coco: Dataset) -> None:
        coco.person(points(17))
        for nested in ([[1, 2]] * 17, [[1, 2, 2]] * 16, [[1, 2, 2]] * 16 + [[1, 2]], [[[1, 2, 2]]] * 17):
            coco.document["annotations"][0]["keypoints"] = nested
            assert "annotation 1: keypoints must be" in coco.refusal()

    def test_a_visibility_between_is_labelled_and_not_visible(self, coco: Dataset) -> None:
        keypoints = points(17)
        keypoints[2::3] = [0.02, 0.99, 1.5, 2, 1, 0, *[2] * 11]
        coco.document["annotations"][0]["keypoints"] = keypoints
        sample, audit = coco.build()
        assert sample["keypoints"][0, :6, 2].tolist() == [1, 1, 1, 2, 1, 0]
        assert audit["noticed"]["visibility between 0 and 2 that is no whole number; taken for 1"] == 1
        visible, _ = coco.build(visibility="visible")
        assert (visible["heatmap"][:3] == 0).all()
        assert visible["heatmap"][3].max() > 0.5

    def test_negative_coordinates_with_v_1_draw_what_reaches_inside(self, coco: Dataset) -> None:
        keypoints = points(17)
        keypoints[:3] = [-6, 20, 1]
        coco.document["annotations"][0]["keypoints"] = keypoints
        sample, audit = coco.build()
        assert sample["keypoints"][0, 0].tolist() == pytest.approx([-6, 20, 1])
        assert 0.1 < sample["heatmap"][0].max() < 1
        assert sample["heatmap"][0, :, 4:].max() == 0
        assert audit["noticed"]["keypoint outside the image"] == 1

    def test_where_nothing_is_labelled_coordinates_may_be_anything(self, coco: Dataset) -> None:
        for blank in (None, float("nan"), -1, 1e300):
            keypoints: list[Any] = points(17)
            keypoints[3:6] = [blank, blank, 0]
            coco.document["annotations"][0]["keypoints"] = keypoints
            sample, _ = coco.build()
            assert sample["keypoints"][0, 1].tolist() == [0, 0, 0]
            assert sample["keypoints"][0, 2, 2] == 2

    def test_coordinates_that_are_missing_but_labelled_are_refused(self, coco: Dataset) -> None:
        coco.document["annotations"][0]["keypoints"] = [None, None, 1, *points(16)]
        assert "annotation 1: keypoints must be finite numbers" in coco.refusal()

    def test_a_category_that_names_21_where_annotations_have_17_is_refused(self, coco: Dataset) -> None:
        coco.document["categories"] = []
        coco.category([f"p{i}" for i in range(21)], name="hand")
        message = coco.refusal()
        assert "category 'hand' names 21 keypoints, but its annotations have 17, as annotation 1 has" in message

    def test_one_annotation_of_another_count_is_refused_by_its_id(self, coco: Dataset) -> None:
        coco.person(points(16))
        assert "annotation 2: keypoints must be 51 numbers (x, y, v for each of 17), not 48" in coco.refusal()


PARTS = {"foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}


class TestWholeBody:
    @pytest.fixture
    def wholebody(self, coco: Dataset) -> Dataset:
        for start, (part, count) in zip((17, 23, 91, 112), PARTS.items(), strict=True):
            coco.document["annotations"][0][part] = points(133)[3 * start : 3 * (start + count)]
            coco.document["annotations"][0][part.replace("kpts", "valid")] = True
        return coco

    def test_parts_follow_the_body_in_the_order_of_the_skeleton(self, wholebody: Dataset) -> None:
        sample, audit = wholebody.build(skeleton=SKELETONS["coco-wholebody-133"])
        check_person(sample, points(133))
        assert "num_keypoints disagrees with the keypoints; they were counted" not in audit["noticed"]

    def test_num_keypoints_counts_the_body_alone(self, wholebody: Dataset) -> None:
        wholebody.document["annotations"][0]["num_keypoints"] = 17
        _, audit = wholebody.build(skeleton=SKELETONS["coco-wholebody-133"])
        assert not any(kind.startswith("num_keypoints") for kind in audit["noticed"])

    def test_a_part_that_is_not_valid_is_not_drawn(self, wholebody: Dataset) -> None:
        wholebody.document["annotations"][0]["lefthand_valid"] = False
        sample, audit = wholebody.build(skeleton=SKELETONS["coco-wholebody-133"])
        expected = np.reshape(points(133), (133, 3))
        expected[91:112] = 0
        check_person(sample, expected)
        assert audit["noticed"]["lefthand_kpts that are said not to be valid; not drawn"] == 1

    def test_a_part_that_is_missing_is_not_labelled(self, wholebody: Dataset) -> None:
        del wholebody.document["annotations"][0]["face_kpts"]
        sample, _ = wholebody.build(skeleton=SKELETONS["coco-wholebody-133"])
        assert (sample["keypoints"][0, 23:91] == 0).all()
        assert (sample["keypoints"][0, 91:, 2] == 2).all()

    def test_a_part_of_another_count_is_refused(self, wholebody: Dataset) -> None:
        wholebody.document["annotations"][0]["foot_kpts"] = points(5)
        message = wholebody.refusal(skeleton=SKELETONS["coco-wholebody-133"])
        assert "annotation 1: foot_kpts: keypoints must be 18 numbers (x, y, v for each of 6), not 15" in message

    def test_a_skeleton_may_take_some_of_it(self, wholebody: Dataset) -> None:
        feet = Skeleton(name="feet", keypoints=("left_heel", "left_ankle"), limbs=((0, 1),))
        sample, _ = wholebody.build(skeleton=feet)
        check_person(sample, [*points(133)[57:60], *points(133)[45:48]])

    def test_without_such_a_skeleton_the_parts_are_left_out_with_a_note(self, wholebody: Dataset) -> None:
        sample, audit = wholebody.build()
        check_person(sample, points(17))
        assert any("lefthand_kpts" in note and "coco-wholebody-133" in note for note in audit["notes"])
