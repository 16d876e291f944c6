"""Animals: AP-10K."""

from __future__ import annotations

from posegen.skeleton.flip_pairs import find_flip_pairs
from posegen.skeleton.skeleton import Skeleton

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
