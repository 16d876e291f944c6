"""The pairs of keypoints that a mirror swaps, from their names."""

from __future__ import annotations

import re
from collections.abc import Sequence

Limb = tuple[int, int]
"""Two zero-based keypoint indices."""

_TURNED = {"l": "r", "L": "R", "left": "right", "Left": "Right", "LEFT": "RIGHT"}
_MIRRORS = (
    r"left|Left|LEFT",
    r"(?<![^\W_])[lL](?![^\W_])",  # a letter of its own: l_eye, eye.L, L_F_Paw, paw_l_1
    r"^[lL](?=[A-Z])",  # LShoulder, lShoulder
    r"(?<=[a-z0-9])L$",  # shoulderL
)


def find_flip_pairs(names: Sequence[str]) -> tuple[Limb, ...]:
    """Find the pairs that a mirror swaps from left/right or l/r, in any case, in the names; as zero-based indices."""
    index = {name: i for i, name in enumerate(names)}
    pairs: list[Limb] = []
    paired: set[int] = set()
    for name, i in index.items():
        mirrored = (index.get(re.sub(pattern, _turn, name), i) for pattern in _MIRRORS)
        j = next((j for j in mirrored if j != i), None)
        if j is not None and paired.isdisjoint({i, j}):
            pairs.append((min(i, j), max(i, j)))
            paired |= {i, j}
    return tuple(sorted(pairs))


def is_left(name: str, other: str) -> bool:
    """Tell whether a name is the left one to another, the right one."""
    return name != other and any(re.sub(pattern, _turn, name) == other for pattern in _MIRRORS)


def _turn(side: re.Match[str]) -> str:
    return _TURNED[side[0]]
