"""What a skeleton is, and how it is stored and made from a category."""

import dataclasses
import json

import pytest
from each import each

from posegen.errors import AnnotationError, ConfigError
from posegen.skeleton import (
    COCO_17,
    SKELETONS,
    Skeleton,
)


def test_a_limb_is_named_after_its_ends():
    skeleton = Skeleton(name="s", keypoints=("a", "b", "c"), limbs=((0, 1), (2, 0)))
    assert skeleton.limb_names == ("a-b", "c-a")


@each(
    "fields, message",
    [
        ({"keypoints": ()}, "no keypoints"),
        ({"keypoints": ("a", "b", "a", "b", "c")}, "a, b more than once"),
        ({"parents": (("a",),)}, "at least one parent for each of its 3"),
        ({"parents": (("a",), (), ("c",))}, "at least one parent for each of its 3"),
        ({"limbs": ((0, 3),)}, r"limb 0-3 .* 0\.\.2"),
        ({"limbs": ((0, 1), (-1, 2))}, r"limb -1-2 .* 0\.\.2"),
        ({"limbs": ((1, 1),)}, "limb 1-1 must join two different"),
        ({"flip_pairs": ((0, 5),)}, r"flip pair 0-5 .* 0\.\.2"),
        ({"flip_pairs": ((2, 2),)}, "flip pair 2-2 must join two different"),
        ({"flip_pairs": ((0, 1), (1, 2))}, "more than one flip pair"),
        ({"flip_pairs": ((0, 1), (0, 1))}, "more than one flip pair"),
    ],
)
def test_a_skeleton_that_cannot_be_is_refused_and_named(fields, message):
    with pytest.raises(ConfigError, match=message) as error:
        Skeleton(**{"name": "mine", "keypoints": ("a", "b", "c"), **fields})
    assert "'mine'" in str(error.value)


def test_a_skeleton_without_parents_takes_the_keypoints_themselves():
    assert Skeleton(name="s", keypoints=("a", "b")).parents == (("a",), ("b",))


def test_a_skeleton_cannot_be_changed_and_can_be_a_key():
    with pytest.raises(dataclasses.FrozenInstanceError):
        COCO_17.name = "other"
    assert {COCO_17: 1}[Skeleton.from_dict(COCO_17.to_dict())] == 1


@each(skeleton=SKELETONS)
def test_a_skeleton_is_read_back_from_json(skeleton):
    assert Skeleton.from_dict(json.loads(json.dumps(skeleton.to_dict()))) == skeleton


@each(missing=["name", "keypoints", "limbs", "flip_pairs", "parents"])
def test_a_stored_skeleton_with_a_part_missing_is_refused(missing):
    record = COCO_17.to_dict()
    del record[missing]
    with pytest.raises(ConfigError, match=f"stored skeleton cannot be read.*{missing}"):
        Skeleton.from_dict(record)


@each(
    change=[
        {"limbs": [[1]]},
        {"limbs": [["a", "b"]]},
        {"limbs": 3},
        {"keypoints": None},
        {"parents": [1]},
        {"flip_pairs": [1]},
    ]
)
def test_a_stored_skeleton_of_the_wrong_form_is_refused(change):
    with pytest.raises(ConfigError, match="stored skeleton cannot be read"):
        Skeleton.from_dict({**COCO_17.to_dict(), **change})


def test_a_category_counts_its_keypoints_from_one():
    skeleton = Skeleton.from_category({"name": "dog", "keypoints": ["a", "b", "c"], "skeleton": [[1, 2], [3, 1]]})
    assert skeleton.limbs == ((0, 1), (2, 0))
    assert skeleton.name == "dog"


@each(limbs=[{}, {"skeleton": []}, {"skeleton": None}])
def test_a_category_need_not_have_limbs(limbs):
    assert Skeleton.from_category({"name": "dog", "keypoints": ["a", "b"], **limbs}).limbs == ()


@each(
    "change, message",
    [
        ({"keypoints": None}, "'keypoints' must be a list of names"),
        ({"keypoints": []}, "'keypoints' must be a list of names"),
        ({"keypoints": "abc"}, "'keypoints' must be a list of names"),
        ({"keypoints": ["a", 2]}, "'keypoints' must be a list of names"),
        ({"keypoints": ["a", "b", "a"]}, "names a more than once"),
        ({"skeleton": [[0, 1]]}, r"numbers 1\.\.3"),
        ({"skeleton": [[1, 4]]}, r"numbers 1\.\.3"),
        ({"skeleton": [[2, 2]]}, r"numbers 1\.\.3"),
        ({"skeleton": [[1, 2, 3]]}, r"numbers 1\.\.3"),
        ({"skeleton": [[1.0, 2.0]]}, r"numbers 1\.\.3"),
        ({"skeleton": [[True, 2]]}, r"numbers 1\.\.3"),
        ({"skeleton": [["a", "b"]]}, r"numbers 1\.\.3"),
        ({"skeleton": "1-2"}, r"numbers 1\.\.3"),
    ],
)
def test_a_category_of_the_wrong_form_is_refused_and_named(change, message):
    with pytest.raises(AnnotationError, match=message) as error:
        Skeleton.from_category({"name": "dog", "keypoints": ["a", "b", "c"], **change})
    assert "category 'dog'" in str(error.value)


def test_a_category_without_keypoints_or_name_is_refused():
    with pytest.raises(AnnotationError, match="'keypoints' must be a list of names"):
        Skeleton.from_category({})


def test_a_skeleton_of_a_hundred_thousand_keypoints_is_refused_at_once():
    names = tuple(f"point_{n}" for n in range(100_000))
    with pytest.raises(ConfigError, match="has 100000 keypoints, more than 10000"):
        Skeleton(name="crowd", keypoints=names)
