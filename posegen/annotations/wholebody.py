"""COCO-WholeBody's parts, whose keypoints stand in fields of their own beside the body's 17.

The format: https://github.com/jin-s13/COCO-WholeBody/blob/master/data_format.md
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.annotations.triplets import read_triplets
from posegen.skeleton import SKELETONS

_NAMES = SKELETONS["coco-wholebody-133"].keypoints


@dataclass(frozen=True, slots=True)
class Part:
    """A field of an annotation, the field that says whether it is valid, and the names of its keypoints."""

    field: str
    valid: str
    names: tuple[str, ...]


PARTS = (
    Part("foot_kpts", "foot_valid", _NAMES[17:23]),
    Part("face_kpts", "face_valid", _NAMES[23:91]),
    Part("lefthand_kpts", "lefthand_valid", _NAMES[91:112]),
    Part("righthand_kpts", "righthand_valid", _NAMES[112:]),
)
"""In the order in which they follow the body."""


def has_parts(entries: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether any annotation has a part."""
    return any(part.field in entry for entry in entries for part in PARTS)


def read_parts(entry: Mapping[str, Any]) -> tuple[NDArray[np.float64], list[str]]:
    """Read the 116 keypoints of the parts of one annotation.

    Returns
    -------
    (116, 3) x, y, v, with v = 0 where a part is missing or said not to be valid; and the fields of the parts that have
    keypoints but are said not to be valid.

    Raises
    ------
    ValueError
        If a part is not as many keypoints as it must be.
    """
    found, invalid = [], []
    for part in PARTS:
        try:
            triplets = read_triplets(entry.get(part.field), len(part.names))
        except ValueError as error:
            raise ValueError(f"{part.field}: {error}") from error
        if not entry.get(part.valid, True):
            if (triplets[:, 2] > 0).any():
                invalid.append(part.field)
            triplets = np.zeros_like(triplets)
        found.append(triplets)
    return np.concatenate(found), invalid
