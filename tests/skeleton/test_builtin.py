"""The built-in skeletons against the definitions that they are taken from."""

import re

import pytest
from each import each
from pycocotools.cocoeval import Params

from posegen.skeleton import (
    COCO_17,
    OPENPOSE_18,
    SKELETONS,
)

# As the definition of the labels has it.
OPENPOSE_NAMES = """
nose, neck, right shoulder, right elbow, right wrist, left shoulder, left elbow, left wrist, right hip, right knee,
right ankle, left hip, left knee, left ankle, right eye, left eye, right ear, left ear
"""

OPENPOSE_LIMBS = """
1-8 8-9 9-10 1-11 11-12 12-13 1-2 2-3 3-4 2-16 1-5 5-6 6-7 5-17 1-0 0-14 0-15 14-16 15-17
"""


# The person category of person_keypoints_val2017.json.
COCO_NAMES = [
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
]  # fmt: skip

COCO_SKELETON = [
    [16, 14], [14, 12], [17, 15], [15, 13], [12, 13], [6, 12], [7, 13], [6, 7], [6, 8], [7, 9], [8, 10], [9, 11],
    [2, 3], [1, 2], [1, 3], [2, 4], [3, 5], [4, 6], [5, 7],
]  # fmt: skip


def test_openpose_18_has_the_names_of_the_definition_in_its_order():
    names = [name.strip().replace(" ", "_") for name in OPENPOSE_NAMES.split(",")]
    assert list(OPENPOSE_18.keypoints) == names


def test_openpose_18_has_the_limbs_of_the_definition_in_its_order():
    limbs = [tuple(map(int, limb.split("-"))) for limb in OPENPOSE_LIMBS.split()]
    assert len(limbs) == 19
    assert list(OPENPOSE_18.limbs) == limbs


def test_openpose_18_derives_the_neck_only():
    parents = dict(zip(OPENPOSE_18.keypoints, OPENPOSE_18.parents, strict=True))
    assert set(parents.pop("neck")) == {"left_shoulder", "right_shoulder"}
    assert parents == {name: (name,) for name in parents}


def test_coco_17_is_the_person_category():
    assert list(COCO_17.keypoints) == COCO_NAMES
    assert [[a + 1, b + 1] for a, b in COCO_17.limbs] == COCO_SKELETON


@each(skeleton=SKELETONS)
def test_a_mirror_swaps_each_left_keypoint_with_the_right_one(skeleton):
    pairs = {frozenset((skeleton.keypoints[a], skeleton.keypoints[b])) for a, b in skeleton.flip_pairs}
    lefts = {name for name in skeleton.keypoints if name.startswith("left_")}
    assert len(pairs) == len(skeleton.flip_pairs)
    # Faces have numbers, or a letter for a side.
    assert {p for p in pairs if not any(re.search("^face-|^kpt-|(^|_)[lr]_", name) for name in p)} == {
        frozenset((name, name.replace("left_", "right_"))) for name in lefts
    }
    assert 2 * len(lefts) == sum(name.startswith(("left_", "right_")) for name in skeleton.keypoints)


def test_the_flip_pairs_of_coco_17_are_those_that_everybody_uses():
    expected = ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16))
    assert COCO_17.flip_pairs == expected


def test_the_built_in_skeletons_go_by_their_names():
    assert set(SKELETONS) == {
        "coco-17", "openpose-18", "mpii-16", "crowdpose-14", "coco-wholebody-133", "hand-21", "ap10k-17", "body-25",
        "coco-foot-23", "halpe-26", "halpe-136", "goliath-308", "aic-14", "posetrack-17", "jhmdb-15", "face-68",
        "wflw-98",
    }  # fmt: skip
    for name, skeleton in SKELETONS.items():
        assert skeleton.name == name
        assert len(skeleton.keypoints) == int(name.rsplit("-", 1)[1])


@each(skeleton=SKELETONS)
def test_the_limbs_of_a_built_in_skeleton_are_its_own_mirror_image(skeleton):
    mirror = {k: k for k in range(len(skeleton.keypoints))}
    for a, b in skeleton.flip_pairs:
        mirror |= {a: b, b: a}
    limbs = {frozenset(limb) for limb in skeleton.limbs}
    assert len(limbs) == len(skeleton.limbs)
    assert {frozenset(mirror[k] for k in limb) for limb in limbs} == limbs


def test_coco_17_has_the_sigmas_of_pycocotools():
    assert COCO_17.sigmas == pytest.approx(Params("keypoints").kpt_oks_sigmas, rel=1e-12)


def test_openpose_18_has_the_sigmas_of_coco_17_and_one_for_the_neck():
    sigmas = dict(zip(OPENPOSE_18.keypoints, OPENPOSE_18.sigmas, strict=True))
    assert sigmas.pop("neck") == 0.079
    assert sigmas == dict(zip(COCO_17.keypoints, COCO_17.sigmas, strict=True))


def test_coco_wholebody_133_begins_with_coco_17():
    whole = SKELETONS["coco-wholebody-133"]
    assert whole.keypoints[:17] == COCO_17.keypoints
    assert whole.limbs[:19] == COCO_17.limbs
    assert whole.sigmas[:17] == COCO_17.sigmas
    assert set(COCO_17.flip_pairs) <= set(whole.flip_pairs)


def test_coco_wholebody_133_joins_body_feet_face_and_hands_in_this_order():
    names = SKELETONS["coco-wholebody-133"].keypoints
    starts = (
        (17, "left_big_toe"),
        (20, "right_big_toe"),
        (23, "face-0"),
        (91, "left_hand_root"),
        (112, "right_hand_root"),
    )
    assert [names[k] for k, _ in starts] == [name for _, name in starts]
    assert [n.removeprefix("left_") for n in names[92:112]] == [n.removeprefix("right_") for n in names[113:]]
    assert [n.removeprefix("left_") for n in names[92:112]] == list(SKELETONS["hand-21"].keypoints[1:])


def test_a_mirror_leaves_the_midline_of_the_face_where_it_is():
    whole = SKELETONS["coco-wholebody-133"]
    swapped = {k for pair in whole.flip_pairs for k in pair}
    alone = {whole.keypoints[k] for k in range(133) if k not in swapped}
    # The chin, the bridge and the tip of the nose, the middles of the lips: the 68 points of iBUG 300-W.
    assert alone == {"nose", *(f"face-{i}" for i in (8, 27, 28, 29, 30, 33, 51, 57, 62, 66))}


def test_both_hands_of_coco_wholebody_133_are_hand_21_from_the_wrists_on():
    whole, hand = SKELETONS["coco-wholebody-133"], SKELETONS["hand-21"]
    for wrist, root in ((9, 91), (10, 112)):
        place = [wrist, *range(root + 1, root + 21)]
        assert {(place[a], place[b]) for a, b in hand.limbs} <= set(whole.limbs)
        assert whole.sigmas[root : root + 21] == hand.sigmas


def test_mpii_has_no_sigmas():
    assert SKELETONS["mpii-16"].sigmas == ()
