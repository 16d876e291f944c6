"""Keypoints put into a skeleton's order, and derived from those that are annotated."""

import numpy as np
import pytest
from conftest import KEYPOINTS
from each import each

from posegen.errors import AnnotationError
from posegen.skeleton import (
    COCO_17,
    OPENPOSE_18,
    Skeleton,
)


def person(**labelled):
    """One person's COCO keypoints, (1, 17, 3); what is not named is not labelled."""
    keypoints = np.zeros((1, 17, 3))
    for name, value in labelled.items():
        keypoints[0, KEYPOINTS.index(name)] = value
    return keypoints


def derive(keypoints):
    found = OPENPOSE_18.derive(keypoints, KEYPOINTS)
    return dict(zip(OPENPOSE_18.keypoints, found[0].tolist(), strict=True))


def test_keypoints_are_put_into_the_order_of_the_skeleton():
    keypoints = np.random.default_rng(0).uniform(1, 9, (4, 17, 3))
    found = OPENPOSE_18.derive(keypoints, KEYPOINTS)
    assert found.shape == (4, 18, 3)
    for k, name in enumerate(OPENPOSE_18.keypoints):
        if name != "neck":
            np.testing.assert_array_equal(found[:, k], keypoints[:, KEYPOINTS.index(name)])


def test_the_neck_is_the_mean_of_the_shoulders():
    found = derive(person(left_shoulder=(10, 40, 2), right_shoulder=(20, 44, 2)))
    assert found["neck"] == [15, 42, 2]


@each("left, right", [(1, 2), (2, 1), (1, 1)])
def test_the_neck_is_as_visible_as_the_less_visible_shoulder(left, right):
    found = derive(person(left_shoulder=(10, 40, left), right_shoulder=(20, 44, right)))
    assert found["neck"] == [15, 42, 1]


@each("left, right", [(0, 2), (2, 0), (0, 0)])
def test_there_is_no_neck_unless_both_shoulders_are_labelled(left, right):
    found = derive(person(left_shoulder=(10, 40, left), right_shoulder=(20, 44, right)))
    assert found["neck"] == [0, 0, 0]


def test_a_keypoint_at_the_origin_is_labelled_if_its_v_says_so():
    found = derive(person(left_shoulder=(0, 0, 2), right_shoulder=(4, 0, 2), nose=(0, 0, 1)))
    assert found["neck"] == [2, 0, 2]
    assert found["nose"] == [0, 0, 1]


def test_what_is_not_labelled_has_no_coordinates():
    found = derive(person(nose=(123, 45, 0)))
    assert found["nose"] == [0, 0, 0]


def test_several_parents_in_any_number_are_averaged():
    names = ["a", "b", "c", "unused"]
    skeleton = Skeleton(name="s", keypoints=("mid", "c"), parents=(("a", "b", "c"), ("c",)))
    annotated = np.array([[[0, 0, 2], [3, 6, 1], [6, 3, 2], [99, 99, 2]]], float)
    assert skeleton.derive(annotated, names).tolist() == [[[3, 3, 1], [6, 3, 2]]]


def test_one_person_does_not_change_another():
    both = np.concatenate(
        [
            person(left_shoulder=(10, 40, 2), right_shoulder=(20, 44, 2)),
            person(left_shoulder=(10, 40, 2)),
        ]
    )
    found = OPENPOSE_18.derive(both, KEYPOINTS)[:, 1]
    assert found.tolist() == [[15, 42, 2], [0, 0, 0]]


def test_nobody_has_no_keypoints():
    assert OPENPOSE_18.derive(np.zeros((0, 17, 3)), KEYPOINTS).shape == (0, 18, 3)


def test_deriving_leaves_the_annotations_alone():
    keypoints = person(nose=(5, 6, 0), left_shoulder=(1, 2, 2))
    kept = keypoints.copy()
    COCO_17.derive(keypoints, KEYPOINTS)
    np.testing.assert_array_equal(keypoints, kept)


def test_a_parent_that_is_not_annotated_is_named_with_what_there_is():
    names = ["nose", "left_sholder", "right_shoulder"]
    skeleton = Skeleton(name="mine", keypoints=("neck",), parents=(("left_shoulder", "right_shoulder"),))
    with pytest.raises(AnnotationError) as error:
        skeleton.derive(np.zeros((1, 3, 3)), names)
    for part in ("'mine'", "'left_shoulder'", "did you mean 'left_sholder'?", "nose, left_sholder, right_shoulder"):
        assert part in str(error.value)
