"""Which keypoints are unknown: neither labelled nor said to be absent."""

import itertools

import numpy as np

from posegen.skeleton import Skeleton
from posegen.skeleton.unknown import OF_PERSON, OF_SOURCE, derive_unknown

SKELETON = Skeleton(name="test", keypoints=("middle", "right", "all"), parents=(("l", "r"), ("r",), ("l", "r", "top")))
NAMES = ("top", "r", "l")


def derive(v, unknown=None):
    annotated = np.zeros((1, 3, 3))
    annotated[0, :, 2] = v
    given = None if unknown is None else np.array([unknown], np.uint8)
    found = derive_unknown(SKELETON, annotated, NAMES, given)
    assert found.dtype == np.uint8
    return found[0].tolist()


def test_a_keypoint_is_unknown_where_some_of_its_parents_alone_are_labelled():
    for top, right, left in itertools.product((0, 1, 2), repeat=3):
        between = [bool(right) != bool(left), False, len({bool(top), bool(right), bool(left)}) > 1]
        assert derive((top, right, left)) == [OF_PERSON if some else 0 for some in between]


def test_what_the_source_does_not_know_is_unknown_and_all_that_comes_of_it():
    assert derive((1, 0, 0), (0, OF_PERSON, 0)) == [OF_PERSON, OF_PERSON, OF_PERSON]
    assert derive((0, 0, 1), (0, OF_SOURCE, 0)) == [OF_SOURCE, OF_SOURCE, OF_SOURCE]
    assert derive((0, 0, 0), (OF_SOURCE, 0, OF_PERSON)) == [OF_PERSON, 0, OF_SOURCE]


def test_what_is_labelled_is_known_whatever_is_said_of_it():
    assert derive((1, 1, 1), (OF_SOURCE, OF_PERSON, OF_SOURCE)) == [0, 0, 0]


def test_of_nobody_nothing_is_unknown():
    assert derive_unknown(SKELETON, np.zeros((0, 3, 3)), NAMES).shape == (0, 3)
