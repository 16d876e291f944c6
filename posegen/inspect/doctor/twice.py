"""People who are annotated twice, and visibility that is not used as COCO does."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.inspect.doctor.shapes import suspect
from posegen.inspect.doctor.suspicion import Mend, Suspicion
from posegen.inspect.people import People

_ALIKE = 0.85
"""The object keypoint similarity from which on two are probably one."""
_SAME = 0.98
_LEAST_COMMON = 3
_CERTAIN_COMMON = 5
_OVERLAP = 0.6
_SIGMA = 0.05
"""Where the skeleton has no sigmas."""
_OUT = 1.0
"""Pixels outside the image that a rounding may cause."""
_FEW = 200
"""Of fewer people nobody can say that a visibility is never used."""


def find_twice(people: People) -> Iterator[Suspicion]:
    """Find people of one image whose keypoints and boxes nearly agree; the one with more keypoints stays."""
    sigmas = np.array(people.skeleton.sigmas or [_SIGMA] * len(people.skeleton.keypoints))
    count = people.labelled.sum(axis=1)
    taken: set[int] = set()
    for rows in people.groups():
        for a, b in itertools.combinations(range(rows.shape[1]), 2):
            i, j = rows[:, a], rows[:, b]
            alike, common = _compare(people, i, j, sigmas)
            overlap = _overlap(people.boxes[i], people.boxes[j])
            found = (alike > _ALIKE) & (common >= _LEAST_COMMON) & (overlap > _OVERLAP)
            # All that the one has the other has, too: or it is another person half behind.
            found &= common >= 0.7 * np.minimum(count[i], count[j])
            for at in np.flatnonzero(found).tolist():
                first, second = int(i[at]), int(j[at])
                kept, other = (first, second) if count[first] >= count[second] else (second, first)
                if other in taken:
                    continue
                taken.add(other)
                same = alike[at] > _SAME and common[at] >= max(_CERTAIN_COMMON, count[other]) and overlap[at] > 0.9
                said = (
                    f"has {common[at]} keypoints of annotation {people.ids[kept]}, with a similarity of {alike[at]:.2f}"
                )
                mend = Mend(what="remove") if same else None
                yield suspect(people, other, "twice", float(alike[at]), said, other=int(people.ids[kept]), mend=mend)


def find_misused(people: People, entries: Mapping[int, Mapping[str, Any]]) -> Iterator[Suspicion]:
    """Find keypoints that are labelled at 0,0, are said to be visible outside of the image, or have a place and v = 0.

    Parameters
    ----------
    people
        Of annotated images, by the file's own keypoints.
    entries
        The annotations as the file has them, by id.
    """
    names, misplaced = people.skeleton.keypoints, find_misplaced(people)
    origin = misplaced & (people.keypoints[..., :2] == 0).all(axis=-1)
    for found, said, score in (
        (origin, "labelled at exactly 0,0", 0.95),
        (misplaced & ~origin, "said to be visible outside of the image", 0.9),
    ):
        for person in np.flatnonzero(found.any(axis=1)).tolist():
            which = tuple(np.flatnonzero(found[person]).tolist())
            mend = Mend(what="unlabelled", keypoints=which) if found is origin else None
            listed = ", ".join(names[k] for k in which)
            yield suspect(people, person, "visibility", score, f"{listed} {said}", which, mend=mend)
    for person in range(len(people)):
        values = np.array(entries.get(int(people.ids[person]), {}).get("keypoints") or [], object)
        if values.shape == (3 * len(names),):
            triplets = np.asarray(values, np.float64).reshape(-1, 3)
            placed = np.flatnonzero((triplets[:, 2] <= 0) & (triplets[:, :2] != 0).any(axis=1))
            if len(placed):
                listed = ", ".join(names[k] for k in placed.tolist())
                said = f"{listed} said not to be labelled, and has a place"
                yield suspect(people, person, "visibility", 0.5, said, tuple(placed.tolist()))


def find_misplaced(people: People) -> NDArray[np.bool_]:
    """Tell which keypoints are labelled at 0,0, or said to be visible outside of the image: (M, K)."""
    points, frames = people.keypoints[..., :2], people.frames[people.owner][:, None]
    origin = people.labelled & (points == 0).all(axis=-1)
    beyond = ((points < -0.5 - _OUT) | (points > frames - 0.5 + _OUT)).any(axis=-1)
    return np.asarray(origin | (beyond & (people.keypoints[..., 2] >= 2)))


def note_visibility(people: People) -> list[str]:
    """Say of all people together where visibility tells nothing."""
    values = set(np.unique(people.keypoints[..., 2]).tolist())
    if len(people) < _FEW or values not in ({0.0, 2.0}, {0.0, 1.0}, {2.0}, {1.0}):
        return []
    missing = "occluded (v = 1)" if 2.0 in values else "visible (v = 2)"
    return [f"no keypoint of {len(people)} people is {missing}: visibility tells only what is labelled"]


def _compare(
    people: People, i: NDArray[np.int64], j: NDArray[np.int64], sigmas: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Compute the object keypoint similarity of pairs over what both have, and how many keypoints these are."""
    both = people.labelled[i] & people.labelled[j]
    squared = np.square(people.keypoints[i, :, :2] - people.keypoints[j, :, :2]).sum(axis=-1)
    area = np.minimum(people.boxes[i, 2] * people.boxes[i, 3], people.boxes[j, 2] * people.boxes[j, 3])
    alike = np.exp(-squared / (2 * np.square(2 * sigmas) * np.maximum(area, 1)[:, None])) * both
    common = both.sum(axis=1)
    return alike.sum(axis=1) / np.maximum(common, 1), common


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the intersection of boxes over their union."""
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    both = np.prod(np.maximum(high - low, 0), axis=1)
    total = a[:, 2] * a[:, 3] + b[:, 2] * b[:, 3] - both
    return np.asarray(both / np.maximum(total, 1e-9))
