"""Which categories of a file are read, and what is made of what they have or lack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import KEYPOINTS, LIMBS

from posegen.annotations.coco.categories import Reading, choose_reading
from posegen.errors import AnnotationError, ConfigError
from posegen.skeleton import COCO_17, Skeleton

PERSON = {"id": 1, "name": "person", "keypoints": KEYPOINTS, "skeleton": LIMBS}
POSED = [1, 2, 2] * 17


def choose(categories: list[Any], *annotations: Any, wanted: tuple[str, ...] = (), skeleton: Any = None) -> Reading:
    entries = [{"id": 10 + i, "category_id": of, "keypoints": values} for i, (of, values) in enumerate(annotations)]
    document = {"categories": categories, "annotations": [*entries, 5]}
    return choose_reading(Path("a.json"), document, wanted, skeleton)


def test_what_is_no_category_is_passed_over() -> None:
    nameless = {"name": "nothing", "keypoints": ["a", "b"]}
    found = choose([3, nameless, {"id": True, **nameless}, {"id": "x", **nameless}, PERSON, None], (1, POSED))
    assert (found.categories, found.known, found.only) == ({1}, {1}, 1)
    assert (found.names, found.listed, found.skeleton.name) == (tuple(KEYPOINTS), 17, "person")
    assert found.notes == []
    assert [found.takes({"category_id": of}) for of in (1, None, 2, "1", True)] == [True, True, False, False, False]


def test_of_categories_that_name_no_keypoints_those_are_read_whose_annotations_have_some() -> None:
    cat, dog = {"id": 1, "name": "cat"}, {"id": 2, "name": "dog", "keypoints": []}
    five = [1, 2, 2] * 5
    for categories, entries, ids, name in (
        ([cat, dog], [(1, []), (2, five), (None, five)], {2}, "dog"),
        ([cat, dog], [(1, five), (2, five)], {1, 2}, "cat"),
        ([cat], [(None, five)], {1}, "cat"), ([cat], [(1, five), (None, None)], {1}, "cat"),
        ([], [(7, five)], None, "keypoints"), ([{"id": 1}], [(1, five)], {1}, "keypoints"),
    ):  # fmt: skip
        found = choose(categories, *entries)
        assert (found.categories, found.skeleton.name, found.listed) == (ids, name, 5)
        assert found.skeleton.keypoints == tuple(f"keypoint_{i}" for i in range(5))
        assert found.only == (1 if len(categories) == 1 else None)
        assert found.takes({"category_id": 1}) is (ids is None or 1 in ids)
    with pytest.raises(AnnotationError, match=r"^a\.json: no category has keypoints \(categories: cat, dog\)"):
        choose([cat, dog], (None, five))


def test_a_category_of_published_keypoints_has_what_is_published_of_them() -> None:
    found = choose([PERSON]).skeleton
    assert (found.sigmas, found.flip_pairs, found.weights) == (COCO_17.sigmas, COCO_17.flip_pairs, COCO_17.weights)
    assert found.limbs == tuple((a - 1, b - 1) for a, b in LIMBS)
    own = choose([{"id": 1, "name": "own", "keypoints": ["left_a", "right_a", "b"]}]).skeleton
    assert (own.name, own.sigmas) == ("own", Skeleton(name="own", keypoints=("left_a", "right_a", "b")).sigmas)
    given = choose([PERSON, {**PERSON, "id": 2, "name": "dog", "skeleton": [[1, 2]]}], skeleton=COCO_17)
    assert (given.skeleton, given.categories) == (COCO_17, {1, 2})
    like = {**PERSON, "id": 2, "name": "dog"}
    assert choose([PERSON, like], wanted=("dog",)).categories == {2}
    assert choose([PERSON, like, {**like, "id": 3}]).skeleton.name == "person and 2 more"
    bare = {key: value for key, value in PERSON.items() if key != "skeleton"}
    assert choose([{**PERSON, "skeleton": None}, {**bare, "id": 4}]).skeleton.limbs == ()


def test_categories_whose_annotations_have_other_numbers_of_keypoints_are_refused_by_name() -> None:
    four = [{**PERSON, "id": i, "name": f"c{i}"} for i in range(4)]
    for categories, names in ((four, "c0, c1, c2"), (four[:1], "c0")):
        with pytest.raises(AnnotationError) as caught:
            choose(categories, (0, [1, 2, 2] * 16), (0, [1, 2, 2] * 5))
        assert str(caught.value) == (
            f"a.json: category '{names}' names 17 keypoints, but its annotations have 5 or 16, as annotation 10 has; "
            "one of them belongs to another dataset"
        )
    choose(four, (0, [1, 2, 2] * 16), (0, POSED))  # each entry is refused by itself, then
    with pytest.raises(AnnotationError) as caught:
        choose([{**PERSON, "name": "\ud800"}])
    assert str(caught.value) == ("a.json: category '\\ud800': its names must be text, but one has half a character")
    with pytest.raises(ConfigError) as wrong:
        choose([PERSON, {"id": 2, "name": "dog"}], wanted=("person", "dog"))
    assert str(wrong.value) == "a.json: no category 'dog' with keypoints; there is person"
    assert choose([{**PERSON, "name": "a", "skeleton": [[1, 18]]}]).notes == [
        (
            "category 'a': its limbs are left out, as if there were none: 'skeleton' must be a list of pairs of "
            "keypoint numbers 1..17, but has [1, 18]"
        )
    ]
