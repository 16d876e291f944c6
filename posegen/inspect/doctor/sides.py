"""Left and right swapped: of a whole person, of a pair of keypoints, or of all that hangs on a pair.

Nobody says here what a person looks like. The annotations tell: how the line from right to left of one pair (shoulders)
usually lies to that of the next (hips), and on which side of the line between two (eyes) a single one (the nose) lies.
A person is suspected where swapping a set of pairs makes these far likelier. Each is taken for a normal distribution
about its median, as wide as the median absolute deviation, with a share for limbs that cross and a floor for the rare.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegen.inspect.people import People
from posegen.skeleton import Skeleton

_PRIOR = 3.4
"""One set in thirty is swapped: the logarithm of that."""
_LEAST_SEEN = 20
"""Of fewer people nobody can say what is usual."""
_LEAST_WIDTH = 0.12
_LEAST_RARE = 0.01
_REVERSED = -0.2
"""What lies farther the other way round is counted as rare, and not as swapped, if many do."""
_CROSSED = 0.25
"""Limbs that cross lie the other way round by so much; a swapped pair by as much as a right one the right way."""
_SURE = 1.5
_CERTAIN = 2.0
_FACE = 4.0
_LEAST_PX = 2.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Swapped:
    """Who has which sides swapped.

    Attributes
    ----------
    person
        Index into the people.
    pairs
        Of the skeleton, left and right, that are swapped.
    odds
        The logarithm of how much likelier it is that they are than that they are not.
    certain
        Whether a face says so, and nothing else would do as well.
    """

    person: int
    pairs: tuple[tuple[int, int], ...]
    odds: float
    certain: bool


def find_swapped(people: People) -> Iterator[Swapped]:
    """Find people whose sides are probably swapped; the skeleton has to know its flip pairs."""
    pairs = people.skeleton.flip_pairs
    if not pairs or not len(people):
        return
    links, through = _find_links(people.skeleton)
    lines, both = _measure_pairs(people)
    gains, ends = [], []
    for (p, q), between in zip(links, through, strict=True):
        known = both[:, p] & both[:, q]
        if between is not None:
            known &= ~both[:, between]
        gain = _weigh((lines[:, p] * lines[:, q]).sum(axis=-1), known)
        if gain is not None:
            gains.append(gain)
            ends.append((p, q))
    faces, of_face = _weigh_faces(people, both)
    sets = _list_sets(len(pairs), links[: sum(between is None for between in through)])
    crossing = np.array([[(p in chosen) != (q in chosen) for p, q in ends] for chosen in sets], np.float64)
    facing = np.array([[p in chosen for p in of_face] for chosen in sets], np.float64)
    odds = (
        np.stack([*gains, np.zeros(len(people))], axis=1) @ np.pad(crossing.reshape(len(sets), -1), ((0, 0), (0, 1))).T
    )
    told = np.stack([*faces, np.zeros(len(people))], axis=1) @ np.pad(facing.reshape(len(sets), -1), ((0, 0), (0, 1))).T
    total = odds + told - _PRIOR
    best = total.argmax(axis=1)
    for person in np.flatnonzero(total.max(axis=1) > _SURE).tolist():
        chosen = [p for p in sorted(sets[best[person]]) if both[person, p]]
        if chosen:
            value = float(total[person, best[person]])
            others = [0.0]
            for which, some in enumerate(sets):
                if {p for p in some if both[person, p]} != set(chosen):
                    others.append(float(total[person, which]))
            certain = float(told[person, best[person]]) > _FACE and value - max(others) > _CERTAIN
            yield Swapped(person=person, pairs=tuple(pairs[p] for p in chosen), odds=value, certain=certain)


def _find_links(skeleton: Skeleton) -> tuple[list[tuple[int, int]], list[int | None]]:
    """List the pairs that limbs join, and those that they join by way of another, which stand in if it is not there."""
    of = {k: p for p, pair in enumerate(skeleton.flip_pairs) for k in pair}
    joined = sorted(
        {(min(of[a], of[b]), max(of[a], of[b])) for a, b in skeleton.limbs if a in of and b in of and of[a] != of[b]}
    )
    near: dict[int, set[int]] = {p: set() for p in range(len(skeleton.flip_pairs))}
    for p, q in joined:
        near[p].add(q)
        near[q].add(p)
    links: list[tuple[int, int]] = list(joined)
    through: list[int | None] = [None] * len(joined)
    for p, direct in near.items():
        for q in sorted(set().union(*(near[m] for m in direct)) - direct):
            if p < q:
                links.append((p, q))
                through.append(min(direct & near[q]))
    return links, through


def _measure_pairs(people: People) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Measure the lines from right to left of P pairs, (M, P, 2), and whether both ends are labelled, (M, P).

    The usual length, for the size of the person, is 1; longer lines are no clearer than that.
    """
    ends = np.array(people.skeleton.flip_pairs)
    both = people.labelled[:, ends[:, 0]] & people.labelled[:, ends[:, 1]]
    lines = people.keypoints[:, ends[:, 0], :2] - people.keypoints[:, ends[:, 1], :2]
    size = np.sqrt(people.boxes[:, 2] * people.boxes[:, 3])[:, None]
    both &= size > 0
    length = np.hypot(lines[..., 0], lines[..., 1])
    share = length / np.where(size > 0, size, 1)
    usual = np.array([np.median(s[b]) if b.any() else 1.0 for s, b in zip(share.T, both.T, strict=True)])
    strength = np.minimum(share / np.maximum(usual, 1e-6), 1)
    return lines / np.maximum(length, 1e-9)[..., None] * strength[..., None], both


def _weigh_faces(people: People, both: NDArray[np.bool_]) -> tuple[list[NDArray[np.float64]], list[int]]:
    """Weigh on which side of each pair the single keypoint lies that limbs join both of its ends to."""
    skeleton, found, of = people.skeleton, [], []
    joined = {frozenset(limb) for limb in skeleton.limbs}
    paired = {k for pair in skeleton.flip_pairs for k in pair}
    # A face that is labelled from behind, as occluded, looks the other way.
    seen = people.keypoints[..., 2] >= min(2.0, float(people.keypoints[..., 2].max(initial=0)))
    for p, (left, right) in enumerate(skeleton.flip_pairs):
        for k in sorted(set(range(len(skeleton.keypoints))) - paired):
            if not {frozenset((k, left)), frozenset((k, right))} <= joined:
                continue
            middle = (people.keypoints[:, left, :2] + people.keypoints[:, right, :2]) / 2
            away = people.keypoints[:, k, :2] - middle
            length = np.hypot(away[:, 0], away[:, 1])
            line = people.keypoints[:, left, :2] - people.keypoints[:, right, :2]
            apart = np.hypot(line[:, 0], line[:, 1])
            known = both[:, p] & seen[:, [left, right, k]].all(axis=1) & (np.minimum(length, apart) >= _LEAST_PX)
            side = (line[:, 0] * away[:, 1] - line[:, 1] * away[:, 0]) / np.maximum(length * apart, 1e-9)
            gain = _weigh(side, known)
            if gain is not None:
                found.append(gain)
                of.append(p)
    return found, of


def _weigh(values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Weigh how much likelier values from -1 to 1 would be with the other sign: the logarithm, 0 where not known."""
    seen = values[known]
    if len(seen) < _LEAST_SEEN:
        return None
    middle = float(np.median(seen))
    if middle <= 0:
        return None
    width = max(_LEAST_WIDTH, 1.4826 * float(np.median(np.abs(seen - middle))))
    rare = max(_LEAST_RARE, float((seen < _REVERSED).mean()))

    def density(x: NDArray[np.float64]) -> NDArray[np.float64]:
        normal = np.exp(-0.5 * np.square((x - middle) / width)) / (width * np.sqrt(2 * np.pi))
        crossed = np.exp(-0.5 * np.square(x / _CROSSED)) / (_CROSSED * np.sqrt(2 * np.pi))
        return np.asarray((1 - rare - _LEAST_RARE) * normal + rare * crossed + _LEAST_RARE / 2)

    return np.where(known, np.log(density(-values) / density(values)), 0)


def _list_sets(pairs: int, links: list[tuple[int, int]]) -> list[frozenset[int]]:
    """List what may be swapped together, small sets first: each pair, all beyond each link, all."""
    sets = [frozenset({p}) for p in range(pairs)]
    for cut in links:
        rest = [link for link in links if link != cut]
        for start in cut:
            reached, ahead = {start}, [start]
            while ahead:
                at = ahead.pop()
                for p, q in rest:
                    for a, b in ((p, q), (q, p)):
                        if a == at and b not in reached:
                            reached.add(b)
                            ahead.append(b)
            sets.append(frozenset(reached))
    sets.append(frozenset(range(pairs)))
    return sorted(dict.fromkeys(sets), key=len)
