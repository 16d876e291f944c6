"""The skeletons of published datasets, each as its dataset defines it.

Names and their order are those of the annotation files, so that a file's category and the skeleton agree. Limbs are the
file's own or, where it has none of use, those of MMPose (github.com/open-mmlab/mmpose, configs/_base_/datasets), whose
records the sigmas are checked against, too.
"""

from __future__ import annotations

from posegen.skeleton.flip_pairs import Limb, find_flip_pairs
from posegen.skeleton.skeleton import Skeleton

_COCO_NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
_COCO_LIMBS = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10),
    (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
)  # fmt: skip
_COCO_SIGMAS = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089,
    0.089,
)  # fmt: skip

_JOINT_WEIGHTS = {"elbow": 1.2, "knee": 1.2, "wrist": 1.5, "ankle": 1.5}

COCO_17 = Skeleton(
    name="coco-17",
    keypoints=_COCO_NAMES,
    limbs=_COCO_LIMBS,
    flip_pairs=find_flip_pairs(_COCO_NAMES),
    sigmas=_COCO_SIGMAS,
    weights=tuple(_JOINT_WEIGHTS.get(name.partition("_")[2], 1.0) for name in _COCO_NAMES),
)
"""COCO's person category (https://cocodataset.org/#format-data) with the sigmas of its evaluation (cocoeval.py)
and the weights of HRNet's training (`joints_weight` of its COCODataset)."""

_OPENPOSE_NAMES = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
    "right_ear", "left_ear",
)  # fmt: skip

_NECK_SIGMA = 0.079
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
    sigmas=tuple(_NECK_SIGMA if n == "neck" else _COCO_SIGMAS[_COCO_NAMES.index(n)] for n in _OPENPOSE_NAMES),
)  # fmt: skip
"""The 18 keypoints and 19 limbs of OpenPose's COCO model, which tf-pose-estimation took over (arXiv:1611.08050)."""

_MPII_NAMES = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax", "upper_neck",
    "head_top", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
)  # fmt: skip

MPII_16 = Skeleton(
    name="mpii-16",
    keypoints=_MPII_NAMES,
    limbs=(
        (0, 1), (1, 2), (2, 6), (6, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 9), (8, 12), (12, 11), (11, 10), (8, 13),
        (13, 14), (14, 15),
    ),
    flip_pairs=find_flip_pairs(_MPII_NAMES),
)  # fmt: skip
"""MPII Human Pose (http://human-pose.mpi-inf.mpg.de); it is scored by the head's length and has no sigmas."""

_CROWDPOSE_NAMES = (
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip",
    "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "head", "neck",
)  # fmt: skip

CROWDPOSE_14 = Skeleton(
    name="crowdpose-14",
    keypoints=_CROWDPOSE_NAMES,
    limbs=(
        (10, 8), (8, 6), (11, 9), (9, 7), (6, 7), (0, 6), (1, 7), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (12, 13),
        (1, 13), (0, 13),
    ),
    flip_pairs=find_flip_pairs(_CROWDPOSE_NAMES),
    sigmas=(
        0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089, 0.079, _NECK_SIGMA,
    ),
)  # fmt: skip
"""CrowdPose (https://github.com/Jeff-sjtu/CrowdPose), whose files carry the limbs of COCO's other 17 keypoints."""

_FEET_NAMES = tuple(f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel"))
_FEET_SIGMAS = (0.068, 0.066, 0.066, 0.092, 0.094, 0.094)
_FACE_NAMES = tuple(f"face-{i}" for i in range(68))
_FACE_SIGMAS = (
    0.042, 0.043, 0.044, 0.043, 0.040, 0.035, 0.031, 0.025, 0.020, 0.023, 0.029, 0.032, 0.037, 0.038, 0.043, 0.041,
    0.045, 0.013, 0.012, 0.011, 0.011, 0.012, 0.012, 0.011, 0.011, 0.013, 0.015, 0.009, 0.007, 0.007, 0.007, 0.012,
    0.009, 0.008, 0.016, 0.010, 0.017, 0.011, 0.009, 0.011, 0.009, 0.007, 0.013, 0.008, 0.011, 0.012, 0.010, 0.034,
    0.008, 0.008, 0.009, 0.008, 0.008, 0.007, 0.010, 0.008, 0.009, 0.009, 0.009, 0.007, 0.007, 0.008, 0.011, 0.008,
    0.008, 0.008, 0.010, 0.008,
)  # fmt: skip
_FACE_MIRROR = (
    16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 27, 28, 29, 30,
    35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55,
    64, 63, 62, 61, 60, 67, 66, 65,
)  # fmt: skip
"""To which of the face's 68 points each goes in a mirror."""

_FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
_FINGER_NAMES = tuple(f"{finger}{joint}" for finger in _FINGERS for joint in range(1, 5))
_HAND_SIGMAS = (
    0.029, 0.022, 0.035, 0.037, 0.047, 0.026, 0.025, 0.024, 0.035, 0.018, 0.024, 0.022, 0.026, 0.017, 0.021, 0.021,
    0.032, 0.020, 0.019, 0.022, 0.031,
)  # fmt: skip


def _trace_fingers(wrist: int, first: int) -> tuple[Limb, ...]:
    """Give the 20 limbs from the wrist along the five fingers, whose 20 points start at `first`."""
    return tuple(
        (wrist if joint == 0 else first + 4 * finger + joint - 1, first + 4 * finger + joint)
        for finger in range(5)
        for joint in range(4)
    )


HAND_21 = Skeleton(
    name="hand-21",
    keypoints=("wrist", *_FINGER_NAMES),
    limbs=_trace_fingers(0, 1),
    sigmas=_HAND_SIGMAS,
)
"""One hand, left or right, as OneHand10K, FreiHAND and others annotate it; sigmas of COCO-WholeBody's hands."""

_WHOLEBODY_NAMES = (
    *_COCO_NAMES, *_FEET_NAMES, *_FACE_NAMES,
    *(f"{side}_{point}" for side in ("left", "right") for point in ("hand_root", *_FINGER_NAMES)),
)  # fmt: skip

COCO_WHOLEBODY_133 = Skeleton(
    name="coco-wholebody-133",
    keypoints=_WHOLEBODY_NAMES,
    limbs=(
        *_COCO_LIMBS, *((15, toe) for toe in (17, 18, 19)), *((16, toe) for toe in (20, 21, 22)),
        *_trace_fingers(9, 92), *_trace_fingers(10, 113),
    ),
    flip_pairs=tuple(
        sorted((*find_flip_pairs(_WHOLEBODY_NAMES), *((23 + a, 23 + b) for a, b in enumerate(_FACE_MIRROR) if a < b)))
    ),
    sigmas=(*_COCO_SIGMAS, *_FEET_SIGMAS, *_FACE_SIGMAS, *_HAND_SIGMAS, *_HAND_SIGMAS),
)  # fmt: skip
"""COCO-WholeBody (https://github.com/jin-s13/COCO-WholeBody): body, feet, face, left and right hand."""

_AP10K_NAMES = (
    "left_eye", "right_eye", "nose", "neck", "root_of_tail", "left_shoulder", "left_elbow", "left_front_paw",
    "right_shoulder", "right_elbow", "right_front_paw", "left_hip", "left_knee", "left_back_paw", "right_hip",
    "right_knee", "right_back_paw",
)  # fmt: skip

AP10K_17 = Skeleton(
    name="ap10k-17",
    keypoints=_AP10K_NAMES,
    limbs=(
        (0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (3, 5), (5, 6), (6, 7), (3, 8), (8, 9), (9, 10), (4, 11), (11, 12),
        (12, 13), (4, 14), (14, 15), (15, 16),
    ),
    flip_pairs=find_flip_pairs(_AP10K_NAMES),
    sigmas=(
        0.025, 0.025, 0.026, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089,
        0.089,
    ),
)  # fmt: skip
"""AP-10K, animals (https://github.com/AlexTheBad/AP-10K); the sigmas are those its evaluation in MMPose uses, COCO's in
their order, not made for these points."""

SKELETONS = {
    skeleton.name: skeleton
    for skeleton in (COCO_17, OPENPOSE_18, MPII_16, CROWDPOSE_14, COCO_WHOLEBODY_133, HAND_21, AP10K_17)
}
"""The built-in skeletons by name."""
