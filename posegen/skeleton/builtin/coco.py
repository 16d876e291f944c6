"""COCO's person, and the feet that were annotated for it later."""

from __future__ import annotations

from posegen.skeleton.flip_pairs import find_flip_pairs
from posegen.skeleton.skeleton import Skeleton

COCO_NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
COCO_LIMBS = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10),
    (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
)  # fmt: skip
COCO_SIGMAS = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089,
    0.089,
)  # fmt: skip

_JOINT_WEIGHTS = {"elbow": 1.2, "knee": 1.2, "wrist": 1.5, "ankle": 1.5}

COCO_17 = Skeleton(
    name="coco-17",
    keypoints=COCO_NAMES,
    limbs=COCO_LIMBS,
    flip_pairs=find_flip_pairs(COCO_NAMES),
    sigmas=COCO_SIGMAS,
    weights=tuple(_JOINT_WEIGHTS.get(name.partition("_")[2], 1.0) for name in COCO_NAMES),
)
"""COCO's person category (https://cocodataset.org/#format-data) with the sigmas of its evaluation (cocoeval.py)
and the weights of HRNet's training (`joints_weight` of its COCODataset)."""

FEET_NAMES = tuple(f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel"))
FEET_SIGMAS = (0.068, 0.066, 0.066, 0.092, 0.094, 0.094)

COCO_FOOT_23 = Skeleton(
    name="coco-foot-23",
    keypoints=(*COCO_NAMES, *FEET_NAMES),
    limbs=(*COCO_LIMBS, *((15, toe) for toe in (17, 18, 19)), *((16, toe) for toe in (20, 21, 22))),
    flip_pairs=find_flip_pairs((*COCO_NAMES, *FEET_NAMES)),
    sigmas=(*COCO_SIGMAS, *FEET_SIGMAS),
)
"""COCO's person with the feet of CMU's foot dataset (https://cmu-perceptual-computing-lab.github.io/foot_keypoint_dataset),
whose files have 23 keypoints; the feet's limbs and sigmas are those of COCO-WholeBody."""
