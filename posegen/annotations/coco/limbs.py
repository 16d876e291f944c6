"""The limbs of a category, which COCO counts from 1, and other tools from 0, or by name."""

from __future__ import annotations

from typing import Any

from posegen.annotations.coco.checks import as_whole, brief

Pair = list[int]


def read_limbs(value: Any, names: Any) -> tuple[list[Pair] | None, str]:
    """Read a category's `skeleton`.

    Parameters
    ----------
    value
        Pairs of the keypoints' numbers from 1 or from 0, or of their names; or nothing.
    names
        The category's K keypoints.

    Returns
    -------
    Pairs of numbers from 1, or None if they cannot be limbs of these keypoints; and what the user should know, if
    anything.
    """
    if not value:
        return [], ""
    if not isinstance(names, list):
        return None, "its limbs are left out: its keypoints are no list"
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        return (
            None,
            f"its limbs are left out: they must be pairs of keypoint numbers 1..{len(names)}, not {brief(value)}",
        )
    index = {name: k for k, name in enumerate(names, start=1) if isinstance(name, str)}
    pairs: list[Pair] = []
    for pair in value:
        found = [index.get(end) if isinstance(end, str) and end in index else as_whole(end) for end in pair]
        if None in found or not all(0 <= k <= len(names) for k in found if k is not None):
            why = f"'skeleton' must be a list of pairs of keypoint numbers 1..{len(names)}, but has {brief(pair)}"
            return None, f"its limbs are left out, as if there were none: {why}"
        pairs.append([k for k in found if k is not None])
    said = []
    if any(0 in pair for pair in pairs):
        if any(len(names) in pair for pair in pairs):
            why = f"they have both 0 and {len(names)}, so they count neither from 1 nor from 0"
            return None, f"its limbs are left out, as if there were none: {why}"
        pairs = [[a + 1, b + 1] for a, b in pairs]
        said.append(f"its limbs count keypoints from 0, as {brief(value[0])}; so they were read")
    joined = [pair for pair in pairs if pair[0] != pair[1]]
    if len(joined) < len(pairs):
        said.append(f"{len(pairs) - len(joined)} of its limbs join a keypoint with itself, and are left out")
    return joined, "; ".join(said)
