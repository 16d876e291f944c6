"""What is taken for the keypoints of one person, and what is said of the rest."""

import re

import numpy as np
import pytest
from each import each

from posegen.annotations.coco.keypoints import read_triplets


@each(
    "values, found",
    [
        (3, "3"),
        ("1, 2, 2", "'1, 2, 2'"),
        ({"x": 1}, "{'x': 1}"),
        ([1, 2, 2], "3"),
        ([1, 2, 2] * 3, "9"),
        ([[1, 2, 2]] * 3, "9"),
        ([1, 2, 3, 4], "4: these are x, y without v; write a v behind each pair, .*"),
        ([[1, 2], [3, 4]], "2: these are x, y without v; write a v behind each pair, .*"),
    ],
)
def test_what_is_no_triplet_for_each_keypoint_is_refused_and_shown(values, found):
    message = r"keypoints must be 6 numbers \(x, y, v for each of 2\), not "
    with pytest.raises(ValueError, match=f"^{message}{found if '.*' in found else re.escape(found)}$"):
        read_triplets(values, 2)


@each(values=[None, [], [0] * 6, [7, 8, 0, 9, 1, 0]])
def test_nothing_and_nothing_labelled_are_zeros(values):
    np.testing.assert_array_equal(read_triplets(values, 2), np.zeros((2, 3)))


@each(values=[[1, 2, 2, 3.5, 4, 1], [[1, 2, 2], [3.5, 4, 1]]])
def test_triplets_may_be_flat_or_nested(values):
    np.testing.assert_array_equal(read_triplets(values, 2), [[1, 2, 2], [3.5, 4, 1]])
