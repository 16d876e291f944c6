"""Who becomes a sample of one person, and which box it is cropped by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from posegen.annotations import Sample
from posegen.annotations.audit import Audit
from posegen.build.persons import find_box, split_people
from posegen.errors import ConfigError

NAN = float("nan")


def make_sample(*people: tuple[list[float], list[tuple[float, float, int]]], **changes: Any) -> Sample:
    """An image of 100 x 80 pixels with people given by their boxes and three keypoints each."""
    entries: dict[str, Any] = {
        "image_id": 5,
        "file_name": "5.jpg",
        "width": 100,
        "height": 80,
        "keypoints": np.array([keypoints for _, keypoints in people], float).reshape(-1, 3, 3),
        "bboxes": np.array([box for box, _ in people], float).reshape(-1, 4),
        "annotation_ids": np.arange(len(people)) + 10,
    }
    return Sample(**(entries | changes))


POINTS = [(20.0, 30.0, 2), (0.0, 0.0, 0), (26.0, 41.0, 1)]
AT_ONE_SPOT = [(20.0, 30.0, 2), (0.0, 0.0, 0), (0.0, 0.0, 0)]
NO_BOX = [NAN] * 4


def test_the_box_is_the_annotations_within_the_image_or_that_of_the_labelled_keypoints() -> None:
    for box, expected in [
        ([10, 20, 30, 40], (10, 20, 30, 40)),
        ([-5, 20, 30, 40], (0, 20, 25, 40)),
        ([90.5, 70, 30, 40], (90.5, 70, 9.5, 10)),
        ([-5, -5, 200, 200], (0, 0, 100, 80)),
        ([10, 20, 0, 40], (10, 20, 0, 40)),
        ([10, 20, 0, 0], (20, 30, 6, 11)),
        ([150, 20, 30, 40], (20, 30, 6, 11)),
        ([100, 80, 3, 3], (20, 30, 6, 11)),
        (NO_BOX, (20, 30, 6, 11)),
    ]:
        assert find_box(make_sample((box, POINTS))) == expected


def test_a_person_without_any_box_cannot_be_cropped() -> None:
    with pytest.raises(ConfigError, match="annotation 10 has no box"):
        find_box(make_sample((NO_BOX, AT_ONE_SPOT)))


def test_people_become_samples_in_their_order() -> None:
    audit = Audit()
    people = split_people([make_sample(([1, 2, 3, 4], POINTS), ([5, 6, 7, 8], POINTS))], audit)
    assert [p.annotation_ids.tolist() for p in people] == [[10], [11]]
    assert [p.bboxes.tolist() for p in people] == [[[1, 2, 3, 4]], [[5, 6, 7, 8]]]
    assert not audit.noticed
    assert not audit.not_drawn


def test_who_has_no_box_is_noticed_and_who_cannot_be_cropped_is_counted() -> None:
    audit = Audit()
    people = split_people([make_sample((NO_BOX, POINTS), (NO_BOX, AT_ONE_SPOT), ([1, 2, 3, 4], AT_ONE_SPOT))], audit)
    assert [p.annotation_ids.tolist() for p in people] == [[10], [12]]
    assert audit.noticed == {"no box in the image; that of the keypoints stands in": 1}
    assert audit.examples == {"no box in the image; that of the keypoints stands in": [10]}
    assert audit.not_drawn == {"their box is empty or outside the image, and their keypoints span none to crop by": 1}


def test_an_image_on_which_nobody_can_be_cropped_is_left_out_by_reason() -> None:
    audit = Audit()
    assert split_people([make_sample((NO_BOX, AT_ONE_SPOT))], audit) == ()
    assert audit.left_out == {"nobody on it can be cropped": 1}
