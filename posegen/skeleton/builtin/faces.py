"""Faces: the 68 points of iBUG, and the 98 of WFLW."""

from __future__ import annotations

from posegen.skeleton.skeleton import Skeleton

FACE_NAMES = tuple(f"face-{i}" for i in range(68))
FACE_SIGMAS = (
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


def _find_pairs(mirror: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Give the pairs of points that go to each other's place."""
    return tuple((a, b) for a, b in enumerate(mirror) if a < b)


FACE_68 = Skeleton(
    name="face-68",
    keypoints=FACE_NAMES,
    flip_pairs=_find_pairs(_FACE_MIRROR),
    sigmas=FACE_SIGMAS,
)
"""The 68 points of iBUG (https://ibug.doc.ic.ac.uk/resources/300-W), as 300-W, 300-VW, Menpo and COCO-WholeBody have
them; named as MMPose names those of COCO-WholeBody, whose sigmas these are."""

_WFLW_MIRROR = (
    *range(32, -1, -1), 46, 45, 44, 43, 42, 50, 49, 48, 47, 37, 36, 35, 34, 33, 41, 40, 39, 38, 51, 52, 53, 54, 59, 58,
    57, 56, 55, 72, 71, 70, 69, 68, 75, 74, 73, 64, 63, 62, 61, 60, 67, 66, 65, 82, 81, 80, 79, 78, 77, 76, 87, 86, 85,
    84, 83, 92, 91, 90, 89, 88, 95, 94, 93, 97, 96,
)  # fmt: skip

WFLW_98 = Skeleton(
    name="wflw-98",
    keypoints=tuple(f"kpt-{i}" for i in range(98)),
    flip_pairs=_find_pairs(_WFLW_MIRROR),
)
"""WFLW (https://wywu.github.io/projects/LAB/WFLW.html), its points named as in MMPose; it is scored by the distance
of the eyes and has no sigmas."""
