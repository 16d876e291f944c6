"""Keypoints as annotation files write them: x, y, v in one flat list, or in a list for each keypoint.

COCO-WholeBody has parts whose keypoints stand in fields of their own beside the body's 17; the format:
https://github.com/jin-s13/COCO-WholeBody/blob/master/data_format.md
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.annotations.coco.checks import are_numbers, brief, is_number
from posegen.skeleton import SKELETONS
from posegen.skeleton.unknown import OF_PERSON

_NAMES = SKELETONS["coco-wholebody-133"].keypoints
_WHOLE = frozenset({0, 1, 2})
_MOST_VISIBLE = 2


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


def count_keypoints(values: Any) -> int | None:
    """Tell how many keypoints a value is for, flat or nested; 0 for nothing, None where it cannot be any."""
    if values is None:
        return 0
    if not isinstance(values, list):
        return None
    if is_nested(values):
        return len(values)
    return None if len(values) % 3 else len(values) // 3


def is_nested(values: Any) -> bool:
    """Tell whether keypoints are a list for each, not one flat list."""
    return isinstance(values, list) and bool(values) and all(isinstance(v, list) for v in values)


def are_pairs(values: Any, count: int) -> bool:
    """Tell whether a value is x, y of `count` keypoints, flat or nested, without v."""
    if is_nested(values):
        return len(values) == count and all(len(pair) == 2 for pair in values)
    return isinstance(values, list) and len(values) == 2 * count


def is_whole(visibility: Iterable[float]) -> bool:
    """Tell whether all visibilities are 0, 1 or 2, as nearly all are: for so few, NumPy takes longer."""
    return _WHOLE.issuperset(visibility)


def read_triplets(values: Any, count: int) -> NDArray[np.float64]:
    """Read the keypoints of one annotation.

    Parameters
    ----------
    values
        3 `count` numbers, or `count` lists of three, or nothing: None or an empty list.
    count
        How many keypoints there must be.

    Returns
    -------
    (count, 3) float64 x, y, v; v up to 2, and below 0 only where the file has it. x and y are finite; those of v = 0
    may be anything.

    Raises
    ------
    ValueError
        If it is none of that; says what was expected.
    """
    if values is None or values == []:
        return np.zeros((count, 3))
    if is_nested(values):
        values = [number for triplet in values for number in triplet] if all(len(t) == 3 for t in values) else values
    if not isinstance(values, list) or len(values) != 3 * count:
        found = f"{len(values)}" if isinstance(values, list) else brief(values)
        if are_pairs(values, count):
            found += ": these are x, y without v; write a v behind each pair, 2 where it is seen, 0 where it is unknown"
        raise ValueError(f"keypoints must be {3 * count} numbers (x, y, v for each of {count}), not {found}")
    if not are_numbers(values):
        values = _blank_unlabelled(values)
    visibility = values[2::3]
    if not any(visibility):
        return np.zeros((count, 3))
    triplets = np.array(values, np.float64).reshape(-1, 3)
    if is_whole(visibility):
        return triplets
    v = triplets[:, 2]
    if (v > _MOST_VISIBLE).any():
        raise ValueError(f"a keypoint's visibility must be 0, 1 or 2, or between, not {v[v > _MOST_VISIBLE][0]:g}")
    return triplets


def has_parts(entries: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether any annotation has a part."""
    return any(part.field in entry for entry in entries for part in PARTS)


def read_parts(entry: Mapping[str, Any]) -> tuple[NDArray[np.float64], list[str], NDArray[np.uint8]]:
    """Read the 116 keypoints of the parts of one annotation.

    Returns
    -------
    (116, 3) x, y, v, with v = 0 where a part is missing or said not to be valid; the fields of the parts that have
    keypoints but are said not to be valid; and (116,) uint8 `OF_PERSON` where a part is missing or not valid, else 0.

    Raises
    ------
    ValueError
        If a part is not as many keypoints as it must be.
    """
    found, invalid, unknown = [], [], []
    for part in PARTS:
        try:
            triplets = read_triplets(entry.get(part.field), len(part.names))
        except ValueError as error:
            raise ValueError(f"{part.field}: {error}") from error
        if not entry.get(part.valid, True):
            if (triplets[:, 2] > 0).any():
                invalid.append(part.field)
            triplets = np.zeros_like(triplets)
        known = entry.get(part.field) and entry.get(part.valid, True)
        unknown.append(np.full(len(part.names), 0 if known else OF_PERSON, np.uint8))
        found.append(triplets)
    return np.concatenate(found), invalid, np.concatenate(unknown)


def _blank_unlabelled(values: list[Any]) -> list[float]:
    """Write 0, 0 for the coordinates of keypoints that are not labelled: some files have null or NaN there."""
    blanked: list[float] = []
    for i in range(0, len(values), 3):
        unlabelled = is_number(values[i + 2]) and values[i + 2] == 0
        blanked += [0, 0, 0] if unlabelled else values[i : i + 3]
    if not are_numbers(blanked):
        raise ValueError("keypoints must be finite numbers")
    return blanked
