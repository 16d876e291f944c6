"""Keypoints and people from composite fields: cells vote for where keypoints are, and for which of them limbs join.

openpifpaf (arXiv:2103.02440) adds up votes on a map of pixels and grows one person after the other; here votes are
gathered where they fall, and people are joined as those of part affinity fields are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posegen.labels.decode.limbs import join_scored
from posegen.labels.decode.peaks import LEAST_SCORE
from posegen.labels.decode.protocols import Peaks

Floats = NDArray[np.float64]

_PATCH = 16
"""Cells that vote for a keypoint."""

_LEAST_RADIUS, _LEAST_SPREAD = 0.5, 1.0
"""In cells: within which votes are for one place, and how wide the Gaussian is by which an end is near a peak."""


def find_intensity_peaks(values: NDArray[np.float32], stride: Floats) -> Peaks:
    """Find keypoints in composite intensity fields.

    Parameters
    ----------
    values
        (K, 5, h, w): intensity, x, y, b, scale.
    stride
        Input pixels a cell along x and y.
    """
    channel, points, scores = [], [], []
    for k, field in enumerate(values):
        for place, score in _gather(*_list_votes(field, 0.0)):
            channel.append(k)
            points.append(place)
            scores.append(score)
    at = np.array(points, np.float64).reshape(-1, 2)
    cells = np.clip(np.rint(at[:, ::-1]), 0, np.array(values.shape[2:]) - 1).astype(np.intp)
    return Peaks(
        channels=len(values),
        channel=np.array(channel, np.intp),
        cells=cells,
        points=at * stride,
        scores=np.array(scores, np.float64),
    )


def join_associations(
    values: NDArray[np.float32], places: Floats, peaks: Peaks, limbs: Sequence[tuple[int, int]]
) -> tuple[Floats, Floats]:
    """Join peaks to people by composite association fields.

    Parameters
    ----------
    values
        (E, 9, h, w): intensity, x1, y1, x2, y2, b1, b2, scale 1, scale 2.
    places
        (P, 2) x, y of the peaks in cells.
    peaks, limbs
        As for `posegen.labels.decode.limbs.join_limbs`, which says what is returned.
    """

    def score(e: int, starts: NDArray[np.intp], stops: NDArray[np.intp]) -> Floats:
        votes = []
        for ways, scale, some in (((1, 2), 7, starts), ((3, 4), 8, stops)):
            field = values[e, [0, *ways, 0, scale]]
            ends, weights, spread = _list_votes(field, _LEAST_SPREAD)
            distance = np.linalg.norm(ends[:, None] - places[some], axis=-1)
            votes.append(np.exp(-0.5 * (distance / spread[:, None]) ** 2))
        found = (votes[0] * weights[:, None]).T @ votes[1]
        return np.where(found >= 1, found / max(found.max(initial=0.0), 1.0), 0.0)

    return join_scored(score, peaks, limbs)


def _list_votes(field: NDArray[np.float32], least: float) -> tuple[Floats, Floats, Floats]:
    """List the votes of a field (5, h, w): where they fall (M, 2), what they weigh and how wide they are (M,)."""
    row, column = np.nonzero(np.nan_to_num(field[0]) > LEAST_SCORE)
    weight, x, y, _, scale = field[:, row, column].astype(np.float64)
    places = np.stack([column + np.nan_to_num(x), row + np.nan_to_num(y)], axis=-1)
    return places, weight, np.maximum(np.nan_to_num(scale), least)


def _gather(places: Floats, weights: Floats, scales: Floats) -> list[tuple[Floats, float]]:
    """Gather votes to places and scores, the highest first, until there are no more."""
    found = []
    radius = np.maximum(scales, _LEAST_RADIUS)
    near = np.linalg.norm(places[:, None] - places[None], axis=-1) <= radius[:, None]
    left = weights.copy()
    while len(left):
        sums = near @ left
        best = int(sums.argmax())
        mine = near[best] & (left > 0)
        score = min(float(sums[best]) / _PATCH, 1.0)
        if score <= LEAST_SCORE:
            break
        found.append(((places[mine] * left[mine, None]).sum(axis=0) / left[mine].sum(), score))
        left[mine] = 0
    return found
