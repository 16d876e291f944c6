"""What OpenPose's networks find: its COCO model, and BODY_25."""

from __future__ import annotations

from posegen.skeleton.builtin.coco import COCO_NAMES, COCO_SIGMAS, FEET_NAMES, FEET_SIGMAS
from posegen.skeleton.flip_pairs import find_flip_pairs
from posegen.skeleton.skeleton import Skeleton

_OPENPOSE_NAMES = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
    "right_ear", "left_ear",
)  # fmt: skip

NECK_SIGMA = 0.079
"""CrowdPose's, whose neck is annotated; COCO has none."""

OPENPOSE_18 = Skeleton(
    name="openpose-18",
    keypoints=_OPENPOSE_NAMES,
    limbs=(
        (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 2), (2, 3), (3, 4), (2, 16), (1, 5), (5, 6), (6, 7),
        (5, 17), (1, 0), (0, 14), (0, 15), (14, 16), (15, 17),
    ),
    flip_pairs=find_flip_pairs(_OPENPOSE_NAMES),
    parents=tuple(("left_shoulder", "right_shoulder") if n == "neck" else (n,) for n in _OPENPOSE_NAMES),
    sigmas=tuple(NECK_SIGMA if n == "neck" else COCO_SIGMAS[COCO_NAMES.index(n)] for n in _OPENPOSE_NAMES),
)  # fmt: skip
"""The 18 keypoints and 19 limbs of OpenPose's COCO model, which tf-pose-estimation took over (arXiv:1611.08050)."""

_BODY_25_NAMES = (
    *_OPENPOSE_NAMES[:8], "mid_hip", *_OPENPOSE_NAMES[8:], *FEET_NAMES,
)  # fmt: skip
_BODY_25_PARENTS = {"neck": ("left_shoulder", "right_shoulder"), "mid_hip": ("left_hip", "right_hip")}
_BODY_25_SIGMAS = {
    **dict(zip(COCO_NAMES, COCO_SIGMAS, strict=True)),
    **dict(zip(FEET_NAMES, FEET_SIGMAS, strict=True)),
    "neck": NECK_SIGMA,
    "mid_hip": COCO_SIGMAS[COCO_NAMES.index("left_hip")],
}

BODY_25 = Skeleton(
    name="body-25",
    keypoints=_BODY_25_NAMES,
    limbs=(
        (1, 8), (9, 10), (10, 11), (8, 9), (8, 12), (12, 13), (13, 14), (1, 2), (2, 3), (3, 4), (2, 17), (1, 5), (5, 6),
        (6, 7), (5, 18), (1, 0), (0, 15), (0, 16), (15, 17), (16, 18), (14, 19), (19, 20), (14, 21), (11, 22), (22, 23),
        (11, 24),
    ),
    flip_pairs=find_flip_pairs(_BODY_25_NAMES),
    parents=tuple(_BODY_25_PARENTS.get(name, (name,)) for name in _BODY_25_NAMES),
    sigmas=tuple(_BODY_25_SIGMAS[name] for name in _BODY_25_NAMES),
)  # fmt: skip
"""The 25 keypoints and 26 limbs of OpenPose's BODY_25 (poseParameters.cpp): the neck and the middle of the hips are
means, the feet are annotated in COCO-WholeBody and in CMU's foot dataset. OpenPose has no sigmas: these are COCO's,
COCO-WholeBody's for the feet, CrowdPose's for the neck, and that of a hip for the middle of both."""
