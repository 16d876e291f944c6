"""The whole body with its face in 238 points, of Sapiens."""

from __future__ import annotations

import itertools

from posegen.skeleton.builtin.coco import COCO_LIMBS, COCO_NAMES, FEET_NAMES
from posegen.skeleton.builtin.wholebody import COCO_WHOLEBODY_133, FINGERS
from posegen.skeleton.flip_pairs import Limb, find_flip_pairs
from posegen.skeleton.skeleton import Skeleton

_JOINTS = ("4", "3", "2", "_third_joint")
"""Of a finger, from its tip."""
_ARMS = ("olecranon", "cubital_fossa", "acromion")
_BODY = (
    *(name for name in COCO_NAMES if "wrist" not in name),
    *FEET_NAMES,
    *(
        name
        for side in ("right", "left")
        for name in (*(f"{side}_{finger}{joint}" for finger in FINGERS for joint in _JOINTS), f"{side}_wrist")
    ),
    *(f"{side}_{point}" for point in _ARMS for side in ("left", "right")),
    "neck",
)

_MIDLINE = (
    "center_of_glabella", "center_of_nose_root", "tip_of_nose_bridge", "midpoint_1_of_nose_bridge",
    "midpoint_2_of_nose_bridge", "midpoint_3_of_nose_bridge", "center_of_labiomental_groove", "tip_of_chin",
)  # fmt: skip
_BROW = (
    "upper_startpoint", "lower_startpoint", "end", "upper_midpoint_1", "lower_midpoint_1", "upper_midpoint_2",
    "upper_midpoint_3", "lower_midpoint_2", "lower_midpoint_3",
)  # fmt: skip
_OF_A_LINE = {"i": "inner_end", "o": "outer_end", "c": "centerpoint"} | {str(k): f"midpoint_{k}" for k in range(1, 7)}
_ORDERS = {"l": ("ioc216543", "o625c413", "625c413"), "r": ("ioc123456", "o314c526", "314c526")}
"""In which order the points of lash, eyelid and crease lines come."""
_NOSE = (
    "tip_of_nose", "bottom_center_of_nose", "r_outer_corner_of_nose", "l_outer_corner_of_nose",
    *(f"{corner}_corner_of_{side}_nostril" for side in "rl" for corner in ("inner", "outer", "upper")),
)  # fmt: skip
_EAR = (
    "top_end_of_inferior_crus", "top_end_of_superior_crus", "start_of_antihelix", "end_of_antihelix",
    "midpoint_1_of_antihelix", "midpoint_1_of_inferior_crus", "midpoint_2_of_antihelix", "midpoint_3_of_antihelix",
    "point_1_of_inner_helix", "point_{0}_of_inner_helix", *(f"point_{k}_of_inner_helix" for k in range(3, 8)),
    "highest_point_of_antitragus", "bottom_point_of_tragus", "protruding_point_of_tragus", "top_point_of_tragus",
    "start_point_of_crus_of_helix", "deepest_point_of_concha", "tip_of_ear_lobe", "midpoint_between_22_15",
    "bottom_connecting_point_of_ear_lobe", "top_connecting_point_of_helix", "point_{1}_of_inner_helix",
)  # fmt: skip
_RING = ("3", "midpoint_1", "12", "midpoint_4", "9", "midpoint_3", "6", "midpoint_2")


def _trace_lines(where: str, lines: tuple[str, ...]) -> tuple[str, ...]:
    """Name the points of the lines above or below both eyes."""
    return tuple(
        f"{side}_{_OF_A_LINE[point]}_of_{where}_{line}_line"
        for side, orders in _ORDERS.items()
        for line, order in zip(lines, orders, strict=False)
        for point in order
    )


def _trace_lips(which: str, upper_centre: str) -> tuple[str, ...]:
    """Name the points of the outer or inner lips' outline."""
    midpoints = [(where, k) for few in ((1, 2), (3, 4, 5, 6)) for where in ("upper", "lower") for k in few]
    return (
        f"r_{which}_corner_of_mouth",
        f"l_{which}_corner_of_mouth",
        upper_centre,
        f"center_of_lower_{which}_lip",
        *(f"midpoint_{k}_of_{where}_{which}_lip" for where, k in midpoints),
    )


_FACE = (
    *_MIDLINE,
    *(f"{point}_of_{side}_eyebrow" for side in "rl" for point in _BROW),
    *_trace_lines("upper", ("lash", "eyelid", "crease")),
    *_trace_lines("lower", ("lash", "eyelid")),
    *_NOSE,
    *_trace_lips("outer", "center_of_cupid_bow"),
    *_trace_lips("inner", "center_of_upper_inner_lip"),
    *(f"l_{point.format(2, 8)}" for point in _EAR),
    *(f"r_{point.format(8, 2)}" for point in _EAR),
    *(
        name
        for part in ("iris", "pupil")
        for side in "lr"
        for name in (f"{side}_center_of_{part}", *(f"{side}_border_of_{part}_{place}" for place in _RING))
    ),
)

_NAMES = (*_BODY, *_FACE)
_SIGMAS = {
    **dict(zip(COCO_WHOLEBODY_133.keypoints, COCO_WHOLEBODY_133.sigmas, strict=True)),
    "neck": 0.079,
    **{
        f"{side}_{finger}_third_joint": sigma
        for side in ("left", "right")
        for finger, sigma in zip(FINGERS, (0.022, 0.026, 0.018, 0.017, 0.020), strict=True)
    },
    **{
        f"{side}_{point}": sigma
        for side in ("left", "right")
        for point, sigma in zip(_ARMS, (0.072, 0.072, 0.079), strict=True)
    },
}
_OTHER_SIGMA = 0.010


def _find_limbs() -> tuple[Limb, ...]:
    """Give the limbs of COCO, of the feet, and along the fingers."""
    named = [(COCO_NAMES[a], COCO_NAMES[b]) for a, b in COCO_LIMBS]
    named += [(f"{name.partition('_')[0]}_ankle", name) for name in FEET_NAMES]
    for side in ("left", "right"):
        for finger in FINGERS:
            chain = [f"{side}_wrist", *(f"{side}_{finger}{joint}" for joint in reversed(_JOINTS))]
            named += itertools.pairwise(chain)
    index = {name: k for k, name in enumerate(_NAMES)}
    return tuple((index[a], index[b]) for a, b in named)


GOLIATH_308 = Skeleton(
    name="goliath-308",
    keypoints=_NAMES,
    limbs=_find_limbs(),
    flip_pairs=find_flip_pairs(_NAMES),
    sigmas=tuple(_SIGMAS.get(name, _OTHER_SIGMA) for name in _NAMES),
)
"""The 308 points of Sapiens (https://github.com/facebookresearch/sapiens, pose/configs/_base_/datasets/goliath.py,
without the teeth), with its limbs and sigmas. A mirror swaps those whose names are a pair, the eyebrows, too, which
that file forgets; which of the lips' 24 midpoints are each other's image is published nowhere: they stay, as there."""
