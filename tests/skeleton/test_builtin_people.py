"""Built-in skeletons of people, beside COCO's and OpenPose's first, against what their datasets and networks say."""

import numpy as np
import pytest
from each import each

from posegen.config import BuildConfig
from posegen.skeleton import BODY_25, COCO_17, SKELETONS

# As OpenPose's documentation of its output lists BODY_25.
BODY_25_NAMES = """
nose, neck, right shoulder, elbow, wrist, left shoulder, elbow, wrist, mid hip, right hip, knee, ankle, left hip, knee,
ankle, right eye, left eye, right ear, left ear, left big toe, small toe, heel, right big toe, small toe, heel
"""
BODY_25_FROM = "1 9 10 8 8 12 13 1 2 3 2 1 5 6 5 1 0 0 15 16 14 19 14 11 22 11"
BODY_25_TO = "8 10 11 9 12 13 14 2 3 4 17 5 6 7 18 0 15 16 17 18 19 20 21 22 23 24"

# Whose points each dataset has, in its order; L and R stand for both sides of what follows.
ORDERS = {
    "coco-foot-23": (
        "nose L_eye R_eye L_ear R_ear L_shoulder R_shoulder L_elbow R_elbow L_wrist R_wrist L_hip R_hip L_knee R_knee "
        "L_ankle R_ankle L_big_toe L_small_toe L_heel R_big_toe R_small_toe R_heel"
    ),
    "halpe-26": (
        "nose L_eye R_eye L_ear R_ear L_shoulder R_shoulder L_elbow R_elbow L_wrist R_wrist L_hip R_hip L_knee R_knee "
        "L_ankle R_ankle head neck hip L_big_toe R_big_toe L_small_toe R_small_toe L_heel R_heel"
    ),
    "aic-14": (
        "R_shoulder R_elbow R_wrist L_shoulder L_elbow L_wrist R_hip R_knee R_ankle L_hip L_knee L_ankle head_top neck"
    ),
    "posetrack-17": (
        "nose head_bottom head_top L_ear R_ear L_shoulder R_shoulder L_elbow R_elbow L_wrist R_wrist L_hip R_hip "
        "L_knee R_knee L_ankle R_ankle"
    ),
    "jhmdb-15": (
        "neck belly head R_shoulder L_shoulder R_hip L_hip R_elbow L_elbow R_knee L_knee R_wrist L_wrist R_ankle "
        "L_ankle"
    ),
}

# Each limb once, by what it joins; those of one side stand for both.
LIMBS = {
    "coco-foot-23": (
        "ankle-knee knee-hip hip+hip shoulder-hip shoulder+shoulder shoulder-elbow elbow-wrist eye+eye nose-eye "
        "eye-ear ear-shoulder ankle-big_toe ankle-small_toe ankle-heel"
    ),
    "halpe-26": (
        "ankle-knee knee-hip hip-!hip head-neck neck-!hip neck-shoulder shoulder-elbow elbow-wrist eye+eye nose-eye "
        "eye-ear ear-shoulder ankle-big_toe ankle-small_toe ankle-heel"
    ),
    "aic-14": ("wrist-elbow elbow-shoulder shoulder-neck ankle-knee knee-hip hip+hip head_top-neck shoulder-hip"),
    "posetrack-17": (
        "ankle-knee knee-hip hip+hip shoulder-hip shoulder+shoulder shoulder-elbow elbow-wrist nose-head_bottom "
        "nose-head_top head_bottom-shoulder"
    ),
    "jhmdb-15": ("ankle-knee knee-hip hip-belly belly-neck neck-head neck-shoulder shoulder-elbow elbow-wrist"),
}


def spell_out(name):
    side, _, rest = name.partition("_")
    return {"L": "left_", "R": "right_"}[side] + rest if side in {"L", "R"} else name


def test_body_25_has_the_names_of_the_network_in_its_order():
    side, names = "", []
    for name in BODY_25_NAMES.replace("\n", " ").split(","):
        words = name.split()
        if words[0] in {"left", "right"}:
            side = words.pop(0) + "_"
        names.append(("" if words[0] in {"nose", "neck", "mid"} else side) + "_".join(words))
    assert list(BODY_25.keypoints) == names


def test_body_25_has_the_limbs_of_the_network_in_its_order():
    limbs = list(zip(map(int, BODY_25_FROM.split()), map(int, BODY_25_TO.split()), strict=True))
    assert len(limbs) == 26
    assert list(BODY_25.limbs) == limbs


def test_body_25_derives_the_neck_and_the_middle_of_the_hips_only():
    derived = {n: set(p) for n, p in zip(BODY_25.keypoints, BODY_25.parents, strict=True) if p != (n,)}
    assert derived == {"neck": {"left_shoulder", "right_shoulder"}, "mid_hip": {"left_hip", "right_hip"}}


def test_body_25_can_be_derived_from_coco_wholebody_and_from_the_foot_dataset():
    for name in ("coco-wholebody-133", "coco-foot-23"):
        names = SKELETONS[name].keypoints
        points = np.zeros((1, len(names), 3))
        points[0, :, 0], points[0, :, 2] = range(len(names)), 2
        (x,) = BODY_25.derive(points, names)[..., 0]
        # The shoulders are 5 and 6, the hips 11 and 12, the left heel 19 in both.
        assert (x[1], x[8], x[21], x[24]) == (5.5, 11.5, 19, 22)


def test_the_sigmas_of_body_25_are_those_of_coco_wholebody_where_it_has_them():
    sigmas = dict(zip(BODY_25.keypoints, BODY_25.sigmas, strict=True))
    assert (sigmas.pop("neck"), sigmas.pop("mid_hip")) == (0.079, 0.107)
    whole = SKELETONS["coco-wholebody-133"]
    known = dict(zip(whole.keypoints, whole.sigmas, strict=True))
    assert sigmas == {name: known[name] for name in sigmas}


def test_the_preset_openpose_25_is_openpose_with_body_25():
    assert BuildConfig.preset("openpose-25") == BuildConfig.preset("openpose", skeleton=BODY_25)


@each("name, order", ORDERS.items())
def test_a_dataset_has_its_points_in_its_order(name, order):
    assert list(SKELETONS[name].keypoints) == [spell_out(point) for point in order.split()]


@each("name, limbs", LIMBS.items())
def test_a_dataset_has_its_limbs(name, limbs):
    skeleton = SKELETONS[name]
    midline = {point for point in skeleton.keypoints if not point.startswith(("left_", "right_"))}

    def place(point, side):
        if point.startswith("!"):
            return point[1:]
        return point if point in midline and f"left_{point}" not in skeleton.keypoints else f"{side}_{point}"

    expected = set()
    for limb in limbs.split():
        if "+" in limb:
            expected.add(frozenset({f"left_{limb.split('+')[0]}", f"right_{limb.split('+')[0]}"}))
        else:
            expected |= {frozenset(place(point, side) for point in limb.split("-")) for side in ("left", "right")}
    assert {frozenset(limb.split("-")) for limb in skeleton.limb_names} == expected
    assert len(skeleton.limbs) == len(expected)


def test_halpe_136_goes_on_with_face_and_hands_where_halpe_26_ends():
    whole, body, faces = (SKELETONS[name] for name in ("halpe-136", "halpe-26", "face-68"))
    assert whole.keypoints[:26] == body.keypoints
    assert whole.keypoints[26:94] == faces.keypoints
    wholebody = SKELETONS["coco-wholebody-133"]
    assert whole.keypoints[94:] == wholebody.keypoints[91:]
    assert whole.limbs[:27] == body.limbs
    fingers = {name for name in wholebody.limb_names if any(c.isdigit() for c in name)}
    assert set(whole.limb_names[27:]) == fingers
    assert len(fingers) == 40


# Typed from MMPose's records (configs/_base_/datasets): name, sum of the sigmas, and some of them by index.
SIGMAS = {
    "halpe-26": (1.73, {0: 0.026, 11: 0.107, 17: 0.026, 18: 0.026, 19: 0.066, 20: 0.079, 25: 0.079}),
    "halpe-136": (3.562, {9: 0.062, 17: 0.08, 19: 0.08, 20: 0.089, 25: 0.089, 26: 0.015, 135: 0.015}),
    "aic-14": (0.30056174, {0: 0.01388152, 6: 0.03909642, 9: 0.03843971, 11: 0.02415081, 13: 0.01236173}),
    "posetrack-17": (1.138, {0: 0.026, 1: 0.025, 2: 0.025, 11: 0.107, 16: 0.089}),
    "jhmdb-15": (1.149, {0: 0.025, 1: 0.107, 3: 0.079, 9: 0.087, 11: 0.062, 14: 0.089}),
}


@each("name, published", SIGMAS.items())
def test_sigmas_are_the_published_ones(name, published):
    total, some = published
    sigmas = SKELETONS[name].sigmas
    assert {k: sigmas[k] for k in some} == some
    assert sum(sigmas) == pytest.approx(total, rel=1e-9)


def test_sigmas_of_the_foot_dataset_are_those_of_coco_and_of_coco_wholebodys_feet():
    foot = SKELETONS["coco-foot-23"]
    assert foot.sigmas == (*COCO_17.sigmas, 0.068, 0.066, 0.066, 0.092, 0.094, 0.094)


def test_faces_have_the_points_of_their_annotation_schemes_on_the_midline():
    for name, midline in (
        # iBUG: chin, bridge and tip of the nose, its base, the middles of the lips.
        ("face-68", {8, 27, 28, 29, 30, 33, 51, 57, 62, 66}),
        # WFLW: chin, bridge of the nose 51 to 54, its base, the middles of the lips.
        ("wflw-98", {16, 51, 52, 53, 54, 57, 79, 85, 90, 94}),
    ):
        skeleton = SKELETONS[name]
        swapped = {k for pair in skeleton.flip_pairs for k in pair}
        assert set(range(len(skeleton.keypoints))) - swapped == midline


def test_wflw_swaps_jaw_brows_eyes_lips_and_pupils():
    # The ends of each part, as the picture of the 98 points has them.
    expected = {
        (0, 32), (15, 17), (33, 46), (37, 42), (38, 50), (41, 47), (55, 59), (60, 72), (64, 68), (61, 71), (65, 75),
        (67, 73), (76, 82), (78, 80), (83, 87), (88, 92), (93, 95), (96, 97),
    }  # fmt: skip
    assert expected <= set(SKELETONS["wflw-98"].flip_pairs)


def test_faces_are_those_of_coco_wholebody_where_they_are_68_points():
    whole, face = SKELETONS["coco-wholebody-133"], SKELETONS["face-68"]
    assert whole.keypoints[23:91] == face.keypoints
    assert whole.sigmas[23:91] == face.sigmas
    assert SKELETONS["wflw-98"].sigmas == ()
