"""The pairs of keypoints that a mirror swaps, from their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

Limb = tuple[int, int]
"""Two zero-based keypoint indices."""

_SIDES = (
    ("left", "right"),
    ("near", "off"),  # of a horse: the side where one mounts, and the other
    ("link", "recht"),  # linkes_auge
    ("gauche", "droite"),
    ("gauche", "droit"),
    ("izquierd", "derech"),
    ("esquerd", "direit"),
    ("sinistr", "destr"),
    ("左", "右"),
)
"""Words for the left side and for the right, by which stems keypoints are called in other languages, too."""
_LETTERS = (
    r"(?<![^\W_])[lL](?![^\W_])",  # a letter of its own: l_eye, eye.L, L_F_Paw, paw_l_1
    r"^[lL](?=[A-Z])",  # LShoulder, lShoulder
    r"(?<=[a-z0-9])L$",  # shoulderL
    r"(?<=(?<![^\W_])[BFHMRbfhmr])[lL](?![^\W_])",  # FL_toe, of the front, back, hind, middle, rear
)
_WEAK = (
    r"^l(?=[a-z])",  # lsho
    r"(?<=[a-z])l$",  # shol
)
"""What makes a pair of lip and rip, too: such pairs count where they are not alone."""


def find_flip_pairs(names: Sequence[str]) -> tuple[Limb, ...]:
    """Find the pairs that a mirror swaps from left/right, near/off or l/r in the names; as zero-based indices.

    The words may be in any case and in some other languages. A letter must be set apart, as in `l_eye`, `FL_toe` or
    `shoulderL`, or be the first or the last as in `lsho`, if other names are paired, too.
    """
    index = {name: i for i, name in enumerate(names)}
    strong = _pair(index, _mirror)
    taken = {k for pair in strong for k in pair}
    weak = _pair({name: i for name, i in index.items() if i not in taken}, _mirror_weakly)
    return tuple(sorted([*strong, *weak] if len(strong) + len(weak) > 1 else strong))


def _pair(index: Mapping[str, int], mirror: Callable[[str], Iterator[str]]) -> list[Limb]:
    pairs: list[Limb] = []
    paired: set[int] = set()
    for name, i in index.items():
        j = next((j for j in (index.get(other, i) for other in mirror(name)) if j != i), None)
        if j is not None and paired.isdisjoint({i, j}):
            pairs.append((min(i, j), max(i, j)))
            paired |= {i, j}
    return pairs


def is_left(name: str, other: str) -> bool:
    """Tell whether a name is the left one to another, the right one."""
    return name != other and any(other in mirror(name) for mirror in (_mirror, _mirror_weakly))


def _mirror(name: str) -> Iterator[str]:
    """Yield what the right one of a pair may be called, if a name is the left one's."""
    for left, right in _SIDES:
        for turn in (str.lower, str.capitalize, str.upper):
            if turn(left) in name:
                yield name.replace(turn(left), turn(right))
    for pattern in _LETTERS:
        yield re.sub(pattern, lambda side: "r" if side[0] == "l" else "R", name)


def _mirror_weakly(name: str) -> Iterator[str]:
    for pattern in _WEAK:
        yield re.sub(pattern, "r", name)
