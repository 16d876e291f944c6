"""People from peaks and their tags: associative embedding (arXiv:1611.05424), with the numbers of HigherHRNet's code.

Keypoint by keypoint, peaks are given to the people that there are so that the cost is least of all together; what is
given to nobody begins a person of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posegen.labels.decode.protocols import Peaks

Floats = NDArray[np.float64]

MOST_PEAKS = 30
"""Of a channel that are read, the highest, and people that are found."""

_NEAR, _PER_TAG, _NOBODY = 1.0, 100.0, 1e10

_HIPS_FIRST = (0, 1, 2, 3, 4, 5, 6, 11, 12, 7, 8, 9, 10, 13, 14, 15, 16)
"""The order of COCO's keypoints: the hips before the elbows and wrists, which are mistaken more easily."""


def group_tags(peaks: Peaks, tags: Floats, keypoints: int) -> tuple[Floats, Floats]:
    """Group peaks to people.

    Parameters
    ----------
    peaks
        P of them.
    tags
        (P, L) of each.
    keypoints
        K. Of more than 17 the first are taken for COCO's.

    Returns
    -------
    (n, K, 3) x, y in input pixels, score, all 0 where there is none; and (n,) scores, the means over all K.
    """
    members: list[dict[int, int]] = []
    for k in _order(keypoints):
        mine = np.flatnonzero(peaks.channel == k)
        mine = mine[np.argsort(-peaks.scores[mine], kind="stable")][:MOST_PEAKS]
        if not len(mine):
            continue
        known = members[:MOST_PEAKS]
        if known:
            means = np.array([tags[[*person.values()]].mean(axis=0) for person in known])
            distance = np.linalg.norm(tags[mine][:, None] - means[None], axis=2)
            cost = np.rint(distance) * _PER_TAG - peaks.scores[mine][:, None]
            spare = np.full((len(mine), max(0, len(mine) - len(known))), _NOBODY)
            chosen = assign(np.concatenate([cost, spare], axis=1))
        else:
            distance, chosen = np.zeros((len(mine), 0)), np.zeros(len(mine), np.intp)
        for peak, person in enumerate(chosen.tolist()):
            if person < len(known) and distance[peak, person] < _NEAR:
                known[person][k] = int(mine[peak])
            else:
                members.append({k: int(mine[peak])})
    members = members[:MOST_PEAKS]
    people = np.zeros((len(members), keypoints, 3))
    for n, person in enumerate(members):
        at = [*person.values()]
        people[n, [*person]] = np.column_stack([peaks.points[at], peaks.scores[at]])
    return people, people[..., 2].mean(axis=1)


def assign(cost: Floats) -> NDArray[np.intp]:
    """Give each of n rows a column of its own, of m >= n columns, so that the sum of the costs (n, m) is least: (n,).

    By shortest augmenting paths (Jonker and Volgenant, Computing 38, 1987). SciPy has it, but is larger than all else
    that posegen needs.
    """
    n, m = cost.shape
    of_row, of_column = np.zeros(n), np.zeros(m)
    row_of = np.full(m, -1)
    for start in range(n):
        least, before = np.full(m, np.inf), np.full(m, -1)
        done = np.zeros(m, bool)
        row, column = start, -1
        while row >= 0:
            way = cost[row] - of_row[row] - of_column
            way = np.where(done, np.inf, way + (0.0 if column < 0 else least[column]))
            nearer = way < least
            least[nearer], before[nearer] = way[nearer], column
            column = int(np.where(done, np.inf, least).argmin())
            done[column] = True
            row = int(row_of[column])
        # The prices move by what the path was shorter, or longer.
        shortest = least[column]
        some = np.flatnonzero(done)
        some = some[some != column]
        of_row[start] += shortest
        of_row[row_of[some]] += shortest - least[some]
        of_column[some] -= shortest - least[some]
        while column >= 0:
            previous = int(before[column])
            row_of[column] = start if previous < 0 else row_of[previous]
            column = previous
    found = np.zeros(n, np.intp)
    taken = np.flatnonzero(row_of >= 0)
    found[row_of[taken]] = taken
    return found


def _order(keypoints: int) -> list[int]:
    """List K keypoints in the order in which people are put together."""
    if keypoints < len(_HIPS_FIRST):
        return [*range(keypoints)]
    return [*_HIPS_FIRST, *range(len(_HIPS_FIRST), keypoints)]
