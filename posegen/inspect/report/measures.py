"""What a report says of people: counted and measured over all of them at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegen.inspect.bodies import Limbs, MeanPose, find_mean_pose, measure_crowding, measure_limbs
from posegen.inspect.people import People

PLACES = 32
"""Cells along each side of the map of where people stand."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measures:
    """Of N samples, M people, K keypoints and E limbs.

    Attributes
    ----------
    counts
        (N,) people a sample.
    visibility
        (K, 3) people by v: not labelled, labelled and occluded, visible.
    together
        (K, K) correlation of two keypoints' being not labelled; 0 where one of them always or never is.
    sizes
        (M,) the square root of the box's area, in pixels; NaN where nobody knows.
    aspects
        (M,) width by height of the box; NaN where nobody knows.
    crowding
        (N,) the crowd index.
    places
        (`PLACES`, `PLACES`) how many middles of boxes lie there in the frame, row by row.
    pose
        The mean pose, if somebody is whole enough.
    limbs
        Lengths of limbs.
    """

    counts: NDArray[np.int64]
    visibility: NDArray[np.int64]
    together: NDArray[np.float64]
    sizes: NDArray[np.float64]
    aspects: NDArray[np.float64]
    crowding: NDArray[np.float64]
    places: NDArray[np.float64]
    pose: MeanPose | None
    limbs: Limbs


def measure(people: People) -> Measures:
    """Measure people."""
    v = people.keypoints[..., 2]
    width, height = people.boxes[:, 2], people.boxes[:, 3]
    good = (width > 0) & (height > 0)
    width, height = np.where(good, width, np.nan), np.where(good, height, np.nan)
    return Measures(
        counts=people.count(),
        visibility=np.stack([(v <= 0).sum(axis=0), ((v > 0) & (v < 2)).sum(axis=0), (v >= 2).sum(axis=0)], axis=1),
        together=_correlate(~people.labelled),
        sizes=np.sqrt(width * height),
        aspects=width / height,
        crowding=measure_crowding(people),
        places=_place(people),
        pose=find_mean_pose(people),
        limbs=measure_limbs(people),
    )


def _correlate(missing: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Correlate the columns of (M, K)."""
    if not len(missing):
        return np.zeros((missing.shape[1],) * 2)
    away = missing.astype(np.float32) - missing.mean(axis=0, dtype=np.float64).astype(np.float32)
    products = (away.T @ away).astype(np.float64)
    norm = np.sqrt(np.diag(products))
    norm[norm < 1e-3 * len(missing) ** 0.5] = np.inf
    return products / norm[:, None] / norm


def _place(people: People) -> NDArray[np.float64]:
    middles = (people.boxes[:, :2] + people.boxes[:, 2:] / 2) / people.frames[people.owner]
    middles = middles[np.isfinite(middles).all(axis=1)].clip(0, 1)
    found, _, _ = np.histogram2d(middles[:, 1], middles[:, 0], PLACES, [[0, 1], [0, 1]])
    return found
