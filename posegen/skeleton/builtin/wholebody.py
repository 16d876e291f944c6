"""COCO-WholeBody, and a hand as it has two."""

from __future__ import annotations

from posegen.skeleton.builtin.coco import COCO_LIMBS, COCO_NAMES, COCO_SIGMAS, FEET_NAMES, FEET_SIGMAS
from posegen.skeleton.builtin.faces import FACE_68, FACE_NAMES, FACE_SIGMAS
from posegen.skeleton.flip_pairs import Limb, find_flip_pairs
from posegen.skeleton.skeleton import Skeleton

FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
FINGER_NAMES = tuple(f"{finger}{joint}" for finger in FINGERS for joint in range(1, 5))
HAND_SIGMAS = (
    0.029, 0.022, 0.035, 0.037, 0.047, 0.026, 0.025, 0.024, 0.035, 0.018, 0.024, 0.022, 0.026, 0.017, 0.021, 0.021,
    0.032, 0.020, 0.019, 0.022, 0.031,
)  # fmt: skip


def trace_fingers(wrist: int, first: int) -> tuple[Limb, ...]:
    """Give the 20 limbs from the wrist along the five fingers, whose 20 points start at `first`."""
    return tuple(
        (wrist if joint == 0 else first + 4 * finger + joint - 1, first + 4 * finger + joint)
        for finger in range(5)
        for joint in range(4)
    )


HAND_21 = Skeleton(
    name="hand-21",
    keypoints=("wrist", *FINGER_NAMES),
    limbs=trace_fingers(0, 1),
    sigmas=HAND_SIGMAS,
)
"""One hand, left or right, as OneHand10K, FreiHAND and others annotate it; sigmas of COCO-WholeBody's hands."""

_WHOLEBODY_NAMES = (
    *COCO_NAMES, *FEET_NAMES, *FACE_NAMES,
    *(f"{side}_{point}" for side in ("left", "right") for point in ("hand_root", *FINGER_NAMES)),
)  # fmt: skip

COCO_WHOLEBODY_133 = Skeleton(
    name="coco-wholebody-133",
    keypoints=_WHOLEBODY_NAMES,
    limbs=(
        *COCO_LIMBS, *((15, toe) for toe in (17, 18, 19)), *((16, toe) for toe in (20, 21, 22)),
        *trace_fingers(9, 92), *trace_fingers(10, 113),
    ),
    flip_pairs=tuple(
        sorted((*find_flip_pairs(_WHOLEBODY_NAMES), *((23 + a, 23 + b) for a, b in FACE_68.flip_pairs)))
    ),
    sigmas=(*COCO_SIGMAS, *FEET_SIGMAS, *FACE_SIGMAS, *HAND_SIGMAS, *HAND_SIGMAS),
)  # fmt: skip
"""COCO-WholeBody (https://github.com/jin-s13/COCO-WholeBody): body, feet, face, left and right hand."""
