"""What a person is made of: the names of the keypoints, the limbs between them, the pairs a mirror swaps.

A `Skeleton` describes the keypoints of the *labels*. Each of them names its parents among the keypoints of
the *annotations*: one parent is the keypoint itself, several are averaged (the neck). So reordering, leaving out
and deriving keypoints are one operation, `Skeleton.derive`.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.errors import AnnotationError, ConfigError
from posegen.files import load_toml

Limb = tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Skeleton:
    """Names, limbs and flip pairs of K keypoints, and how they come from the annotations.

    Parameters
    ----------
    name
        What the skeleton is called in messages and records.
    keypoints
        The K names, in channel order.
    limbs
        E pairs of zero-based keypoint indices (from, to), in channel order of the part affinity fields.
    flip_pairs
        Pairs of zero-based keypoint indices that a mirror swaps, lower index first.
    parents
        For each keypoint the names of the annotated keypoints whose mean it is.

    Raises
    ------
    ConfigError
        If names repeat, or an index points to no keypoint.
    """

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[Limb, ...] = ()
    flip_pairs: tuple[Limb, ...] = ()
    parents: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        count = len(self.keypoints)
        if not count:
            raise ConfigError(f"skeleton '{self.name}' has no keypoints")
        if repeated := sorted({n for n in self.keypoints if self.keypoints.count(n) > 1}):
            raise ConfigError(f"skeleton '{self.name}' names {', '.join(repeated)} more than once")
        if not self.parents:
            object.__setattr__(self, "parents", tuple((n,) for n in self.keypoints))
        if len(self.parents) != count or not all(self.parents):
            raise ConfigError(f"skeleton '{self.name}' needs at least one parent for each of its {count} keypoints")
        for what, pairs in (("limb", self.limbs), ("flip pair", self.flip_pairs)):
            for a, b in pairs:
                if not (0 <= a < count and 0 <= b < count) or a == b:
                    raise ConfigError(
                        f"skeleton '{self.name}': {what} {a}-{b} must join two different keypoints of 0..{count - 1}"
                    )
        swapped = [k for pair in self.flip_pairs for k in pair]
        if len(set(swapped)) != len(swapped):
            raise ConfigError(f"skeleton '{self.name}': a keypoint is in more than one flip pair")

    @property
    def limb_names(self) -> tuple[str, ...]:
        """The E limbs as `from-to`."""
        return tuple(f"{self.keypoints[a]}-{self.keypoints[b]}" for a, b in self.limbs)

    def derive(self, annotated: NDArray[np.float64], names: Sequence[str]) -> NDArray[np.float64]:
        """Compute the skeleton's keypoints from the annotated ones.

        Parameters
        ----------
        annotated
            (N, K0, 3) x, y, v per person and annotated keypoint, in any coordinate frame.
        names
            The K0 names of the annotated keypoints.

        Returns
        -------
        (N, K, 3) float64. A keypoint with several parents is their mean; its v is the minimum of theirs, and where a
        parent is not labelled it is 0, 0, 0.

        Raises
        ------
        AnnotationError
            If a parent is not among `names`.
        """
        index = {name: i for i, name in enumerate(names)}
        for parent in itertools.chain(*self.parents):
            if parent not in index:
                raise AnnotationError(
                    f"skeleton '{self.name}' needs the keypoint '{parent}', which the annotations do not have"
                    f"{_nearest(parent, names)}; they name {', '.join(names)}. The preset 'coco' takes these as they "
                    "are, and a skeleton file can choose among them"
                )
        derived = annotated.take([index[parents[0]] for parents in self.parents], axis=1)
        for k, parents in enumerate(self.parents):
            if len(parents) > 1:
                group = annotated[:, [index[parent] for parent in parents]]
                derived[:, k, :2] = group[..., :2].mean(axis=1)
                derived[:, k, 2] = group[..., 2].min(axis=1)
        derived[derived[..., 2] <= 0] = 0
        return derived

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and strings, for JSON."""
        return {
            "name": self.name,
            "keypoints": list(self.keypoints),
            "limbs": [list(limb) for limb in self.limbs],
            "flip_pairs": [list(pair) for pair in self.flip_pairs],
            "parents": [list(names) for names in self.parents],
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Skeleton:
        """Read what `to_dict` wrote. Raises `ConfigError` where it is not that."""
        try:
            return cls(
                name=str(record["name"]),
                keypoints=tuple(map(str, record["keypoints"])),
                limbs=tuple((int(a), int(b)) for a, b in record["limbs"]),
                flip_pairs=tuple((int(a), int(b)) for a, b in record["flip_pairs"]),
                parents=tuple(tuple(map(str, names)) for names in record["parents"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"a stored skeleton cannot be read: {error!r}") from error

    @classmethod
    def from_category(cls, category: Mapping[str, Any]) -> Skeleton:
        """Take the names and limbs of a COCO category, whose `skeleton` counts keypoints from 1.

        Raises
        ------
        AnnotationError
            If its `keypoints` or `skeleton` are not lists of names and of pairs of their numbers.
        """
        where = f"category '{category.get('name', '?')}'"
        names = category.get("keypoints")
        if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
            raise AnnotationError(f"{where}: 'keypoints' must be a list of names")
        limbs = category.get("skeleton") or []
        if not isinstance(limbs, list) or not all(_is_pair(limb, len(names)) for limb in limbs):
            raise AnnotationError(f"{where}: 'skeleton' must be a list of pairs of keypoint numbers 1..{len(names)}")
        try:
            return cls(
                name=str(category.get("name", "keypoints")),
                keypoints=tuple(names),
                limbs=tuple((a - 1, b - 1) for a, b in limbs),
                flip_pairs=find_flip_pairs(names),
            )
        except ConfigError as error:
            raise AnnotationError(f"{where}: {error}") from error

    @classmethod
    def from_toml(cls, path: Path) -> Skeleton:
        """Read a skeleton file.

        The file has `keypoints` (names in channel order) and may have `name`, `limbs` (pairs of names), `flip_pairs`
        (pairs of names; found from left/right in the names if absent) and a table `[derived]` of
        `keypoint = ["parent", ...]`.

        Raises
        ------
        ConfigError
            If the file cannot be read, or names something that is not there; the message names the nearest valid name.
        """
        table = load_toml(path)
        if unknown := sorted(set(table) - {"name", "keypoints", "limbs", "flip_pairs", "derived"}):
            raise ConfigError(
                f"{path}: unknown key '{unknown[0]}'"
                f"{_nearest(unknown[0], ['name', 'keypoints', 'limbs', 'flip_pairs', 'derived'])}"
            )
        names = table.get("keypoints")
        if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
            raise ConfigError(f'{path}: \'keypoints\' must be a list of names, as in keypoints = ["nose", "neck"]')
        derived = table.get("derived", {})
        if not isinstance(derived, dict):
            raise ConfigError(f'{path}: \'derived\' must be a table, as in [derived] and neck = ["a", "b"]')
        for name, parents in derived.items():
            if name not in names:
                raise ConfigError(f"{path}: derived keypoint '{name}' is not in 'keypoints'{_nearest(name, names)}")
            if not isinstance(parents, list) or not parents or not all(isinstance(p, str) for p in parents):
                raise ConfigError(f"{path}: derived keypoint '{name}' must be a list of its parents' names")
        limbs = _indices(path, "limbs", table.get("limbs"), names) or ()
        pairs = _indices(path, "flip_pairs", table.get("flip_pairs"), names)
        try:
            return cls(
                name=str(table.get("name", path.stem)),
                keypoints=tuple(names),
                limbs=limbs,
                flip_pairs=find_flip_pairs(names) if pairs is None else tuple((min(p), max(p)) for p in pairs),
                parents=tuple(tuple(derived.get(n, [n])) for n in names),
            )
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error


def find_flip_pairs(names: Sequence[str]) -> tuple[Limb, ...]:
    """Find the pairs that a mirror swaps from left/right, l_/r_ or a final L/R in the names, as zero-based indices."""
    index = {name: i for i, name in enumerate(names)}
    pairs: list[Limb] = []
    paired: set[int] = set()
    for name, i in index.items():
        mirrored = (index.get(re.sub(pattern, replacement, name), i) for pattern, replacement in _MIRRORS)
        j = next((j for j in mirrored if j != i), None)
        if j is not None and paired.isdisjoint({i, j}):
            pairs.append((min(i, j), max(i, j)))
            paired |= {i, j}
    return tuple(sorted(pairs))


_MIRRORS = (
    (r"left", "right"),
    (r"Left", "Right"),
    (r"^([lL])(?=_)", lambda m: "r" if m[1] == "l" else "R"),
    (r"(?<=[-_ ])l$", "r"),
    (r"L$", "R"),
)


def _is_pair(limb: object, count: int) -> bool:
    return (
        isinstance(limb, list)
        and len(limb) == 2
        and all(isinstance(k, int) and not isinstance(k, bool) and 1 <= k <= count for k in limb)
        and limb[0] != limb[1]
    )


def _nearest(name: str, valid: Sequence[str]) -> str:
    found = difflib.get_close_matches(name, valid, n=1)
    return f" (did you mean '{found[0]}'?)" if found else ""


def _indices(path: Path, key: str, pairs: Any, names: Sequence[str]) -> tuple[Limb, ...] | None:
    if pairs is None:
        return None
    if not isinstance(pairs, list):
        raise ConfigError(f'{path}: \'{key}\' must be a list of pairs of names, as in {key} = [["nose", "neck"]]')
    index = {name: i for i, name in enumerate(names)}
    found = []
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ConfigError(f"{path}: {key}: {pair!r} is not a pair of names")
        for name in pair:
            if not isinstance(name, str) or name not in index:
                raise ConfigError(f"{path}: {key}: '{name}' is not in 'keypoints'{_nearest(str(name), names)}")
        found.append((index[pair[0]], index[pair[1]]))
    return tuple(found)


COCO_17 = Skeleton.from_category(
    {
        "name": "coco-17",
        "keypoints": [
            "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
            "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee",
            "left_ankle", "right_ankle",
        ],
        "skeleton": [
            [16, 14], [14, 12], [17, 15], [15, 13], [12, 13], [6, 12], [7, 13], [6, 7], [6, 8], [7, 9], [8, 10],
            [9, 11], [2, 3], [1, 2], [1, 3], [2, 4], [3, 5], [4, 6], [5, 7],
        ],
    }
)  # fmt: skip
"""The keypoints and limbs of COCO's person category (https://cocodataset.org/#format-data)."""

_OPENPOSE_NAMES = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
    "right_ear", "left_ear",
)  # fmt: skip

OPENPOSE_18 = Skeleton(
    name="openpose-18",
    keypoints=_OPENPOSE_NAMES,
    limbs=(
        (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 2), (2, 3), (3, 4), (2, 16), (1, 5), (5, 6), (6, 7),
        (5, 17), (1, 0), (0, 14), (0, 15), (14, 16), (15, 17),
    ),
    flip_pairs=find_flip_pairs(_OPENPOSE_NAMES),
    parents=tuple(("left_shoulder", "right_shoulder") if n == "neck" else (n,) for n in _OPENPOSE_NAMES),
)  # fmt: skip
"""The 18 keypoints and 19 limbs of OpenPose's COCO model, which tf-pose-estimation took over (arXiv:1611.08050)."""

SKELETONS = {skeleton.name: skeleton for skeleton in (COCO_17, OPENPOSE_18)}
"""The built-in skeletons by name."""
