"""Halpe, a whole body with other points in its middle than COCO-WholeBody."""

from __future__ import annotations

from posegen.skeleton.builtin.coco import COCO_NAMES, COCO_SIGMAS
from posegen.skeleton.builtin.faces import FACE_68, FACE_NAMES
from posegen.skeleton.builtin.wholebody import FINGER_NAMES, trace_fingers
from posegen.skeleton.flip_pairs import find_flip_pairs
from posegen.skeleton.skeleton import Skeleton

_HALPE_26_NAMES = (
    *COCO_NAMES, "head", "neck", "hip", "left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe",
    "left_heel", "right_heel",
)  # fmt: skip
_HALPE_26_LIMBS = (
    (15, 13), (13, 11), (11, 19), (16, 14), (14, 12), (12, 19), (17, 18), (18, 19), (18, 5), (5, 7), (7, 9), (18, 6),
    (6, 8), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6), (15, 20), (15, 22), (15, 24), (16, 21),
    (16, 23), (16, 25),
)  # fmt: skip

HALPE_26 = Skeleton(
    name="halpe-26",
    keypoints=_HALPE_26_NAMES,
    limbs=_HALPE_26_LIMBS,
    flip_pairs=find_flip_pairs(_HALPE_26_NAMES),
    sigmas=(*COCO_SIGMAS, 0.026, 0.026, 0.066, *(0.079,) * 6),
)
"""The body of Halpe-FullBody (https://github.com/Fang-Haoshu/Halpe-FullBody), of AlphaPose's and RTMPose's models; its
neck is annotated. Limbs and sigmas are those of MMPose's halpe26, which has them from Halpe's cocoeval.py."""

_HAND_NAMES = ("hand_root", *FINGER_NAMES)
_HALPE_136_NAMES = (
    *_HALPE_26_NAMES, *FACE_NAMES, *(f"{side}_{point}" for side in ("left", "right") for point in _HAND_NAMES),
)  # fmt: skip

HALPE_136 = Skeleton(
    name="halpe-136",
    keypoints=_HALPE_136_NAMES,
    limbs=(*_HALPE_26_LIMBS, *trace_fingers(9, 95), *trace_fingers(10, 116)),
    flip_pairs=tuple(sorted((*find_flip_pairs(_HALPE_136_NAMES), *((26 + a, 26 + b) for a, b in FACE_68.flip_pairs)))),
    sigmas=(*COCO_SIGMAS, *(0.08,) * 3, *(0.089,) * 6, *(0.015,) * 110),
)
"""All of Halpe-FullBody: body, face, left and right hand. A hand's first point is called as in COCO-WholeBody; MMPose's
halpe calls it `left_wrist`, as the body's. Limbs and sigmas are MMPose's."""
