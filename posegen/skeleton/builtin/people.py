"""Bodies as other datasets define them: MPII, CrowdPose, AI Challenger, PoseTrack, JHMDB."""

from __future__ import annotations

from posegen.skeleton.builtin.coco import COCO_SIGMAS
from posegen.skeleton.builtin.openpose import NECK_SIGMA
from posegen.skeleton.flip_pairs import find_flip_pairs
from posegen.skeleton.skeleton import Skeleton

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
        0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089, 0.079, NECK_SIGMA,
    ),
)  # fmt: skip
"""CrowdPose (https://github.com/Jeff-sjtu/CrowdPose), whose files carry the limbs of COCO's other 17 keypoints."""

_AIC_NAMES = (
    "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist", "right_hip",
    "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "head_top", "neck",
)  # fmt: skip

AIC_14 = Skeleton(
    name="aic-14",
    keypoints=_AIC_NAMES,
    limbs=(
        (2, 1), (1, 0), (0, 13), (13, 3), (3, 4), (4, 5), (8, 7), (7, 6), (6, 9), (9, 10), (10, 11), (12, 13), (0, 6),
        (3, 9),
    ),
    flip_pairs=find_flip_pairs(_AIC_NAMES),
    sigmas=(
        0.01388152, 0.01515228, 0.01057665, 0.01417709, 0.01497891, 0.01402144, 0.03909642, 0.03686941, 0.01981803,
        0.03843971, 0.03412318, 0.02415081, 0.01291456, 0.01236173,
    ),
)  # fmt: skip
"""AI Challenger (https://github.com/AIChallenger/AI_Challenger_2017) with the sigmas of its evaluation
(keypoint_eval.py), where delta is twice a sigma."""

_POSETRACK_NAMES = (
    "nose", "head_bottom", "head_top", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip

POSETRACK_17 = Skeleton(
    name="posetrack-17",
    keypoints=_POSETRACK_NAMES,
    limbs=(
        (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10),
        (0, 1), (0, 2), (1, 5), (1, 6),
    ),
    flip_pairs=find_flip_pairs(_POSETRACK_NAMES),
    sigmas=COCO_SIGMAS,
)  # fmt: skip
"""PoseTrack 2018 (https://posetrack.net), whose files have COCO's list with two points of the head for the eyes, and
label no ears; the sigmas are COCO's in their order, as MMPose evaluates it."""

_JHMDB_NAMES = (
    "neck", "belly", "head", "right_shoulder", "left_shoulder", "right_hip", "left_hip", "right_elbow", "left_elbow",
    "right_knee", "left_knee", "right_wrist", "left_wrist", "right_ankle", "left_ankle",
)  # fmt: skip

JHMDB_15 = Skeleton(
    name="jhmdb-15",
    keypoints=_JHMDB_NAMES,
    limbs=(
        (13, 9), (9, 5), (5, 1), (1, 6), (6, 10), (10, 14), (1, 0), (0, 2), (0, 3), (3, 7), (7, 11), (0, 4), (4, 8),
        (8, 12),
    ),
    flip_pairs=find_flip_pairs(_JHMDB_NAMES),
    sigmas=(
        0.025, 0.107, 0.025, 0.079, 0.079, 0.107, 0.107, 0.072, 0.072, 0.087, 0.087, 0.062, 0.062, 0.089, 0.089,
    ),
)  # fmt: skip
"""Joint-annotated HMDB (http://jhmdb.is.tue.mpg.de); it has no sigmas, these are MMPose's, adapted from COCO's."""
