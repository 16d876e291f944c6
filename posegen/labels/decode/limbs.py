"""People from peaks and part affinity fields: which peaks a limb joins, and whose they are.

It is OpenPose's greedy parsing (arXiv:1611.08050, section II-D), with the numbers of its code: a limb between two peaks
counts if more than 8 of 10 samples of the field along it are above 0.05, and its score, their mean, lessened where it
is longer than half of the picture, is above 0. Limbs of a kind are taken from the best on, each peak once. A person has
at least 3 keypoints and a score of 0.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from posegen.labels.decode.protocols import Peaks

Points = NDArray[np.float64]
Limbs = Sequence[tuple[int, int]]

LEAST_KEYPOINTS = 3

_SAMPLES, _MORE_THAN, _LEAST, _LEAST_PERSON = 10, 8, 0.05, 0.2


class LimbJoiner:
    """What a label of part affinity fields has to be decoded; `to_field` says where its fields lie."""

    __slots__ = ()

    limbs: Limbs

    def to_field(self, points: Points) -> Points:
        """Map input pixels (..., 2) x, y to the field's cells."""
        raise NotImplementedError

    @property
    def decoder(self) -> str:
        """How a prediction is read."""
        return "people joined along the fields"

    @property
    def joins(self) -> str:
        """The array of the keypoints' heatmaps."""
        return "heatmap"

    def join(self, values: NDArray[np.float32], peaks: Peaks) -> tuple[Points, Points]:
        """Join peaks to people: (n, K, 3) x, y in input pixels, score; and (n,) scores."""
        return join_limbs(values, self.to_field(peaks.points), peaks, self.limbs)

    def joinable(self, drawn: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Tell of which of N people limbs join enough keypoints."""
        return find_joinable(drawn, self.limbs)

    def follow(self, values: NDArray[np.float32], points: Points, drawn: NDArray[np.bool_]) -> Points:
        """Measure how much the field (2E, h, w) points along each person's limbs: (N, E), about 1; NaN where none is.

        Parameters
        ----------
        points, drawn
            (N, K, 2) x, y in input pixels, and (N, K) which of them are drawn.
        """
        a, b = np.array(self.limbs, np.intp).reshape(-1, 2).T
        found = np.full((len(points), len(a)), np.nan)
        ends = self.to_field(points)
        for n, e in zip(*np.nonzero(drawn[:, a] & drawn[:, b]), strict=True):
            found[n, e] = _read_along(values[2 * e : 2 * e + 2], ends[n, a[e]], ends[n, b[e]])[0].mean()
        return found


def join_limbs(fields: NDArray[np.float32], places: Points, peaks: Peaks, limbs: Limbs) -> tuple[Points, Points]:
    """Join peaks to people.

    Parameters
    ----------
    fields
        (2E, h, w), channel 2e along x and 2e + 1 along y.
    places
        (P, 2) x, y of the peaks in the fields' cells.
    peaks
        Of the keypoints' heatmaps.
    limbs
        E pairs of keypoints.

    Returns
    -------
    (n, K, 3) x, y in input pixels, score, all 0 where there is none; and (n,) scores, the mean of what a person's
    keypoints and limbs scored, by keypoint.
    """

    def score(e: int, starts: NDArray[np.intp], stops: NDArray[np.intp]) -> Points:
        return _score(fields[2 * e : 2 * e + 2], places[starts][:, None], places[stops][None])

    return join_scored(score, peaks, limbs)


def join_scored(
    score_pairs: Callable[[int, NDArray[np.intp], NDArray[np.intp]], Points], peaks: Peaks, limbs: Limbs
) -> tuple[Points, Points]:
    """Join peaks to people, as `join_limbs`, of whom `score_pairs` scores limbs.

    It is given the number of a kind of limbs and which peaks are its starts (A,) and stops (B,), and returns the scores
    of all pairs (A, B), 0 where there is no limb.
    """
    groups, total = _Groups(peaks.channel), peaks.scores.copy()
    for e, (a, b) in enumerate(limbs):
        starts, stops = np.flatnonzero(peaks.channel == a), np.flatnonzero(peaks.channel == b)
        scores = score_pairs(e, starts, stops)
        for i, j in _match(scores):
            if groups.join(int(starts[i]), int(stops[j])):
                total[starts[i]] += scores[i, j]
    people, found = [], []
    for members in groups.list():
        score = total[members].sum() / len(members)
        if len(members) >= LEAST_KEYPOINTS and score >= _LEAST_PERSON:
            person = np.zeros((peaks.channels, 3))
            person[peaks.channel[members], :2] = peaks.points[members]
            person[peaks.channel[members], 2] = peaks.scores[members]
            people.append(person)
            found.append(score)
    return np.array(people).reshape(-1, peaks.channels, 3), np.array(found, np.float64)


def find_joinable(drawn: NDArray[np.bool_], limbs: Limbs) -> NDArray[np.bool_]:
    """Tell of which people, of whom the keypoints (N, K) are drawn, limbs join enough to be found: (N,)."""
    group = np.tile(np.arange(drawn.shape[1]), (len(drawn), 1))
    # Each limb gives both of its ends, and all that hangs on them, one name.
    for a, b in limbs:
        both = drawn[:, a] & drawn[:, b]
        old, new = np.maximum(group[:, a], group[:, b])[:, None], np.minimum(group[:, a], group[:, b])[:, None]
        group = np.where(both[:, None] & (group == old), new, group)
    together = (group[:, :, None] == group[:, None]) & drawn[:, None] & drawn[:, :, None]
    return np.asarray(together.sum(axis=2).max(axis=1, initial=0) >= LEAST_KEYPOINTS)


def _score(field: NDArray[np.float32], start: Points, stop: Points) -> Points:
    """Score limbs from (A, 1, 2) to (1, B, 2), in cells: (A, B), 0 where there is none."""
    along, length = _read_along(field, start, stop)
    with np.errstate(divide="ignore"):
        score = along.mean(axis=-1) + np.minimum(0.5 * field.shape[1] / length - 1, 0)
    good = ((along > _LEAST).sum(axis=-1) > _MORE_THAN) & (score > 0) & (length > 0)
    return np.where(good, score, 0)


def _read_along(field: NDArray[np.float32], start: Points, stop: Points) -> tuple[Points, Points]:
    """Read what of a field points along limbs, at samples (..., 10) from end to end; and the limbs' lengths (...)."""
    way = stop - start
    length = np.hypot(way[..., 0], way[..., 1])
    unit = way / np.maximum(length, 1e-9)[..., None]
    at = start[..., None, :] + way[..., None, :] * np.linspace(0, 1, _SAMPLES)[:, None]
    return (_sample(field, at) * unit[..., None, :]).sum(axis=-1), length


def _sample(field: NDArray[np.float32], at: Points) -> Points:
    """Read a field (2, h, w) at points (..., 2) x, y in cells, linearly between four cells: (..., 2)."""
    h, w = field.shape[1:]
    x, y = np.clip(at[..., 0], 0, w - 1), np.clip(at[..., 1], 0, h - 1)
    left, top = np.minimum(x.astype(np.intp), max(w - 2, 0)), np.minimum(y.astype(np.intp), max(h - 2, 0))
    right, bottom, fx, fy = np.minimum(left + 1, w - 1), np.minimum(top + 1, h - 1), x - left, y - top
    above = field[:, top, left] * (1 - fx) + field[:, top, right] * fx
    below = field[:, bottom, left] * (1 - fx) + field[:, bottom, right] * fx
    return np.moveaxis(above * (1 - fy) + below * fy, 0, -1)


def _match(scores: Points) -> list[tuple[int, int]]:
    """Choose pairs from the best score (A, B) on, none with an end that has been taken."""
    a, b = np.nonzero(scores > 0)
    taken_a, taken_b, found = set(), set(), []
    for k in np.argsort(-scores[a, b], kind="stable"):
        i, j = int(a[k]), int(b[k])
        if i not in taken_a and j not in taken_b:
            taken_a.add(i)
            taken_b.add(j)
            found.append((i, j))
    return found


class _Groups:
    """Peaks that belong to one person each, none of them with two of one keypoint."""

    def __init__(self, keypoints: NDArray[np.intp]) -> None:
        self._keypoints = keypoints
        self._of: dict[int, int] = {}
        self._members: dict[int, list[int]] = {}

    def join(self, a: int, b: int) -> bool:
        """Let two peaks, and who belongs to them, be one person; tell whether they are, without a keypoint twice."""
        for peak in (a, b):
            if peak not in self._of:
                self._of[peak] = peak
                self._members[peak] = [peak]
        keep, give = self._of[a], self._of[b]
        if keep == give:
            return True
        both = [*self._members[keep], *self._members[give]]
        if len({int(self._keypoints[peak]) for peak in both}) < len(both):
            return False
        self._of.update(dict.fromkeys(self._members.pop(give), keep))
        self._members[keep] = both
        return True

    def list(self) -> list[list[int]]:
        """List them, in the order in which they were begun."""
        return [members for members in self._members.values() if len(members) > 1]
