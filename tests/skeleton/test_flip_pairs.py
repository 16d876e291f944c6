"""Which keypoints change places in a mirror, by their names."""

import itertools

from each import each

from posegen.skeleton import (
    find_flip_pairs,
)


@each(
    "left, right",
    [
        ("left_eye", "right_eye"),
        ("eye_left", "eye_right"),
        ("left eye", "right eye"),
        ("LeftEye", "RightEye"),
        ("l_eye", "r_eye"),
        ("L_eye", "R_eye"),
        ("eye_l", "eye_r"),
        ("eye-l", "eye-r"),
        ("eye l", "eye r"),
        ("eyeL", "eyeR"),
        ("eye_L", "eye_R"),
        ("left", "right"),
        ("LEFT_EYE", "RIGHT_EYE"),
        ("LEye", "REye"),
        ("lEye", "rEye"),
        ("eye.L", "eye.R"),
        ("L_F_Paw", "R_F_Paw"),
        ("paw_l_1", "paw_r_1"),
        ("L Eye", "R Eye"),
    ],
)
def test_left_and_right_names_are_a_flip_pair(left, right):
    for names, pair in (([left, "nose", right], (0, 2)), ([right, "nose", "tail", left], (0, 3))):
        assert find_flip_pairs(names) == (pair,)


@each(
    names=[
        ["left_eye", "right_ear"],
        ["left_eye", "left_ear"],
        ["tail", "tair"],
        ["lip", "rip"],
        ["Lip", "Rip"],
        ["LL", "RR"],
        ["TAIL", "TAIR"],
        ["left_eye"],
        ["nose", "neck"],
        [],
    ]
)
def test_names_that_only_look_alike_are_no_flip_pair(names):
    assert find_flip_pairs(names) == ()


def test_no_keypoint_is_in_two_flip_pairs():
    names = [f"{side}_eye_{corner}" for side, corner in itertools.product(("left", "right"), "lr")]
    pairs = find_flip_pairs(names)
    swapped = list(itertools.chain(*pairs))
    assert pairs
    assert len(swapped) == len(set(swapped))
