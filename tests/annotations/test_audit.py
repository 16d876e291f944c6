"""What the audit notices in annotations: each oddity by kind, how often, and where."""

from __future__ import annotations

import json

import numpy as np

from posegen.annotations.audit import Audit

WHOLE = {"area": 1.0, "bbox": [10, 10, 20, 20], "iscrowd": 0, "num_keypoints": 1, "segmentation": []}
IMAGE = (100, 200)


def person(x: float, y: float, v: float = 2) -> np.ndarray:
    keypoints = np.zeros((3, 3))
    keypoints[0] = x, y, v
    return keypoints


def noticed(entry: dict, keypoints: np.ndarray) -> set[str]:
    audit = Audit()
    audit.check({"id": 7, **entry}, keypoints, IMAGE)
    assert all(ids == [7] for ids in audit.examples.values())
    return set(audit.noticed)


def test_nothing_is_noticed_about_an_ordinary_person() -> None:
    assert noticed(WHOLE, person(15, 15)) == set()


def test_a_missing_optional_field_is_noticed_by_name() -> None:
    for key in WHOLE:
        assert noticed({k: v for k, v in WHOLE.items() if k != key}, person(15, 15)) == {f"no '{key}'"}


def test_a_wrong_number_of_keypoints_is_noticed() -> None:
    assert noticed({**WHOLE, "num_keypoints": 2}, person(15, 15)) == {
        "num_keypoints disagrees with the keypoints; they were counted"
    }


def test_a_labelled_keypoint_outside_the_image_is_noticed() -> None:
    for point in [(-1, 5), (5, -1), (200, 5), (5, 100)]:
        assert noticed(WHOLE, person(*point)) == {"keypoint outside the image"}


def test_a_keypoint_on_the_image_s_border_is_not_outside() -> None:
    for point in [(0, 1), (199, 99), (-0.5, -0.5), (199.5, 99.5)]:
        assert noticed(WHOLE, person(*point)) == set()


def test_where_an_unlabelled_keypoint_lies_is_nobody_s_business() -> None:
    assert noticed({**WHOLE, "num_keypoints": 0}, person(-50, 500, 0)) == set()


def test_a_box_that_reaches_out_of_the_image_is_noticed() -> None:
    for box in [[-2, 0, 10, 10], [0, -2, 10, 10], [195, 0, 7, 10], [0, 95, 10, 7]]:
        assert noticed({**WHOLE, "bbox": box}, person(15, 15)) == {"box reaches out of the image"}


def test_a_box_that_fills_the_image_or_is_missing_is_not_remarked() -> None:
    for box in [[0, 0, 200, 100], [-0.5, -0.5, 201, 101], None]:
        assert noticed({**WHOLE, "bbox": box}, person(15, 15)) == set()


def test_left_and_right_at_one_point_are_noticed_only_if_both_are_labelled() -> None:
    audit = Audit()
    keypoints = np.array([[4.0, 4, 2], [4, 4, 1], [0, 0, 0], [0, 0, 0]])
    audit.check_pairs(1, keypoints, [(2, 3)])
    assert not audit.noticed
    audit.check_pairs(2, keypoints, [(0, 1), (2, 3)])
    assert audit.examples == {"left and right keypoint at one point": [2]}


def test_a_person_drawn_twice_is_noticed_once() -> None:
    audit = Audit()
    audit.check_people([1, 2, 3], np.stack([person(1, 1), person(2, 2), person(1, 1)]))
    assert audit.examples == {"person with the same keypoints as another": [3]}


def test_kinds_are_counted_in_full_and_shown_with_three_examples() -> None:
    audit = Audit()
    for annotation_id in range(5):
        audit.notice("odd", annotation_id)
    assert audit.noticed == {"odd": 5}
    assert audit.describe_noticed() == ["noticed: odd: 5 annotations, such as 0, 1, 2"]


def test_what_was_left_out_is_described_with_totals() -> None:
    audit = Audit(images=9, annotations=20)
    audit.left_out.update({"no people on it": 3, "beyond the limit": 1})
    assert audit.describe_left_out() == ["4 of 9 images left out: 1 beyond the limit; 3 no people on it"]


def test_an_audit_survives_json() -> None:
    audit = Audit(images=2, annotations=3)
    audit.notice("odd", 5)
    audit.not_drawn["crowd"] += 1
    assert Audit.from_dict(json.loads(json.dumps(audit.to_dict()))) == audit


def test_notes_come_first_and_are_read_back() -> None:
    audit = Audit(images=1, annotations=1, notes=["paf is left out: no limbs"])
    audit.notice("no 'area'", 3)
    assert audit.describe_noticed()[0] == "note: paf is left out: no limbs"
    assert Audit.from_dict(audit.to_dict()) == audit


def test_num_keypoints_may_be_about_the_first_keypoints_alone() -> None:
    audit = Audit()
    keypoints = np.array([[1, 1, 2], [2, 2, 2], [3, 3, 2]], float)
    audit.check({"id": 7, **WHOLE, "bbox": [0, 0, 9, 9], "num_keypoints": 2}, keypoints, IMAGE, 2)
    assert not audit.noticed


def test_what_follows_from_each_kind_is_said_in_whole_sentences() -> None:
    audit = Audit()
    audit.check({"id": 7}, person(15, 15), IMAGE, picture="a.jpg")
    audit.check({"id": 8, **WHOLE, "bbox": [-2, 50, 10, 10], "num_keypoints": 2}, person(0, 0), IMAGE)
    audit.check({"id": 9, **WHOLE}, person(300, 15), IMAGE)
    twice = np.concatenate([person(5, 5)[:1], person(5, 5)[:1]])
    audit.check_pairs(10, twice, [(0, 1)])
    audit.check_people([11, 12], np.stack([twice, twice]))
    beside = np.array([[90.0, 90, 2], [91, 91, 2], [15, 15, 2]])
    audit.check({"id": 13, **WHOLE, "num_keypoints": 3}, beside, IMAGE)
    drawn = "drawn there, unless by --origin unlabelled"
    assert audit.describe() == [
        "noticed: box reaches out of the image; cut at the edge: 1 annotation, such as 8",
        f"noticed: keypoint labelled at exactly 0,0; {drawn}: 1 annotation, such as 8",
        "noticed: keypoint outside the image; drawn where it is said to be: 1 annotation, such as 9",
        "noticed: left and right keypoint at one point; both are drawn: 1 annotation, such as 10",
        "noticed: most keypoints lie outside the person's box; crops by it miss them: 1 annotation, such as 13",
        "noticed: no 'area'; that of the box stands in: 1 annotation, such as 7 (a.jpg)",
        "noticed: no 'bbox'; that of the keypoints stands in where one is needed: 1 annotation, such as 7 (a.jpg)",
        "noticed: no 'iscrowd'; taken for 0: 1 annotation, such as 7 (a.jpg)",
        "noticed: no 'num_keypoints'; they were counted: 1 annotation, such as 7 (a.jpg)",
        "noticed: no 'segmentation'; the box stands in where it is masked: 1 annotation, such as 7 (a.jpg)",
        "noticed: num_keypoints disagrees with the keypoints; they were counted: 1 annotation, such as 8",
        "noticed: person with the same keypoints as another; both are drawn: 1 annotation, such as 12",
    ]


def test_ten_pictures_that_cannot_be_used_are_named_and_the_rest_counted() -> None:
    for count, more in ((10, []), (12, ["  ... and 2 more"])):
        audit = Audit(bad_pictures={f"{k}.jpg": f"{k}.jpg: no such file" for k in range(count)})
        named = [f"  {k}.jpg: no such file" for k in range(10)]
        assert audit.describe() == [f"{count} pictures cannot be used:", *named, *more]
