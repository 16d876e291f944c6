"""The pairs of keypoints that a mirror swaps, from their names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

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
    r"^l(?=[a-z])",  # lsho
    r"(?<=[a-z])l$",  # shol
)
"""Where a letter tells the side; the later ones fit many names that tell none, and count where the other is there."""


def find_flip_pairs(names: Sequence[str]) -> tuple[Limb, ...]:
    """Find the pairs that a mirror swaps from left/right, near/off or l/r in the names; as zero-based indices.

    The words may be in any case and in some other languages; a letter must be set apart, as in `l_eye`, `FL_toe` or
    `shoulderL`, or be the first or the last of a name of which there are both, as in `lsho` and `rsho`.
    """
    index = {name: i for i, name in enumerate(names)}
    pairs: list[Limb] = []
    paired: set[int] = set()
    for name, i in index.items():
        j = next((j for j in (index.get(other, i) for other in _mirror(name)) if j != i), None)
        if j is not None and paired.isdisjoint({i, j}):
            pairs.append((min(i, j), max(i, j)))
            paired |= {i, j}
    return tuple(sorted(pairs))


def is_left(name: str, other: str) -> bool:
    """Tell whether a name is the left one to another, the right one."""
    return name != other and other in _mirror(name)


def _mirror(name: str) -> Iterator[str]:
    """Yield what the right one of a pair may be called, if a name is the left one's."""
    for left, right in _SIDES:
        for turn in (str.lower, str.capitalize, str.upper):
            if turn(left) in name:
                yield name.replace(turn(left), turn(right))
    for pattern in _LETTERS:
        yield re.sub(pattern, lambda side: "r" if side[0] == "l" else "R", name)
