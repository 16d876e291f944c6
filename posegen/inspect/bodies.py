"""How bodies are proportioned: a mean pose, how large each person is by it, and which limbs are too long for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegen.inspect.people import People

_ROUNDS = 6
_WHOLE = 0.6
"""Who has so many of the keypoints labelled tells what a whole pose is like."""
_LEAST_LIMBS = 3
"""A body of fewer limbs does not say how large it is."""
_LEAST_SPREAD = 1e-3
_LEAST_PX = 0.5
"""Shorter limbs are points: the logarithm of their length says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeanPose:
    """The mean of poses that were laid over each other.

    Attributes
    ----------
    points
        (K, 2) x, y; their centre is the origin, and their root mean square distance from it 1. NaN for a keypoint
        that is never labelled.
    spread
        (K, 2, 2) how the people's keypoints vary about it, as a covariance.
    people
        How many people it is made of.
    """

    points: NDArray[np.float64]
    spread: NDArray[np.float64]
    people: int

    def measure_distance(self, people: People) -> NDArray[np.float64]:
        """Measure how far people are from it: the mean over their keypoints of the Mahalanobis distance, (M,)."""
        points = people.keypoints[..., :2]
        weight = np.expand_dims(people.labelled & np.isfinite(self.points[:, 0]), -1)
        mean = np.nan_to_num(self.points)
        away = _lay(points, weight.astype(np.float64), mean) - mean
        inverse = np.linalg.inv(self.spread + _LEAST_SPREAD * np.eye(2))
        squared = np.einsum("mki,kij,mkj->mk", away, inverse, away) * weight[..., 0]
        return np.asarray(np.sqrt(np.maximum(squared, 0)).sum(axis=1) / np.maximum(weight[..., 0].sum(axis=1), 1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Limbs:
    """The lengths of E limbs of M people.

    Attributes
    ----------
    lengths
        (M, E) in pixels; NaN where an end is not labelled.
    ratios
        (M, E) length relative to what is usual of this limb for a body of this size; NaN where nobody can tell.
    usual
        (E,) the usual length of each limb, relative to the middle one.
    """

    lengths: NDArray[np.float64]
    ratios: NDArray[np.float64]
    usual: NDArray[np.float64]


def find_mean_pose(people: People) -> MeanPose | None:
    """Lay people over each other, moved and scaled but not turned, and take the mean; None if none is whole enough.

    It is a Procrustes analysis without rotation (Gower 1975, doi 10.1007/BF02291478), of points that may be missing:
    each person is fitted to the mean by the points that it has.
    """
    labelled = people.labelled
    chosen = labelled.mean(axis=1) >= _WHOLE if len(people) else np.zeros(0, bool)
    if not chosen.any():
        return None
    points, weight = people.keypoints[chosen, :, :2], labelled[chosen, :, None].astype(np.float64)
    mean = _first_mean(points, weight)
    laid = points
    for _ in range(_ROUNDS):
        laid = _lay(points, weight, mean)
        mean = _normalize(_average(laid, weight))
    known = np.asarray(weight[..., 0].any(axis=0))
    away = np.where(weight > 0, laid - mean, 0)
    spread = np.einsum("mki,mkj->kij", away, away) / np.maximum(weight.sum(axis=0), 1)[:, :, None]
    return MeanPose(points=np.where(known[:, None], mean, np.nan), spread=spread, people=int(chosen.sum()))


def measure_limbs(people: People) -> Limbs:
    """Measure limbs, and compare them with what is usual.

    The logarithm of a length is taken for the sum of the person's size, the limb's usual length and a rest, each found
    as a median in turn (Tukey's median polish), so that neither a few wrong limbs nor foreshortened ones move them.
    """
    ends = np.array(people.skeleton.limbs, np.intp).reshape(-1, 2)
    a, b = people.keypoints[:, ends[:, 0]], people.keypoints[:, ends[:, 1]]
    both = (a[..., 2] > 0) & (b[..., 2] > 0)
    lengths = np.where(both, np.hypot(*np.moveaxis(a[..., :2] - b[..., :2], -1, 0)), np.nan)
    logs = np.log(np.where(lengths >= _LEAST_PX, lengths, np.nan))
    limb, size = np.zeros(len(ends)), np.zeros(len(people))
    if logs.size:
        for _ in range(_ROUNDS):
            size = _median(logs - limb, axis=1)
            limb = np.nan_to_num(_median(logs - size[:, None], axis=0))
        limb -= np.median(limb)
        size = _median(logs - limb, axis=1)
        size[np.isfinite(logs).sum(axis=1) < _LEAST_LIMBS] = np.nan
    return Limbs(lengths=lengths, ratios=np.exp(logs - size[:, None] - limb), usual=np.exp(limb))


def measure_crowding(people: People) -> NDArray[np.float64]:
    """Measure how crowded each sample is, (N,), from 0 to 1: CrowdPose's crowd index.

    It is the mean, over the people of an image, of the number of keypoints in a person's box that are others', over the
    number of its own (Li et al. 2019, arXiv 1812.00324, eq. 7).
    """
    found = np.zeros(people.samples)
    for rows in people.groups():
        points, labelled, boxes = people.keypoints[rows], people.labelled[rows], people.boxes[rows]
        x, y, w, h = np.moveaxis(boxes[:, :, None, None] + np.array([0.5, 0.5, 0, 0]), -1, 0)
        px, py = points[:, None, ..., 0] + 1, points[:, None, ..., 1] + 1
        inside = (px >= x) & (px <= x + w + 1) & (py >= y) & (py <= y + h + 1) & labelled[:, None]
        counts = inside.sum(axis=-1).astype(np.float64)
        own = np.einsum("snn->sn", counts)
        others = counts.sum(axis=-1) - own
        found[people.owner[rows[:, 0]]] = np.minimum(others / np.maximum(own, 1), 1).mean(axis=1)
    return found


def _first_mean(points: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make a first mean of whole poses, each about its own centre and of its own size."""
    middle = (points * weight).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
    centred = (points - middle) * weight
    size = np.sqrt(np.square(centred).sum(axis=(1, 2), keepdims=True) / weight.sum(axis=1, keepdims=True))
    return _normalize(_average(centred / np.maximum(size, 1e-9), weight))


def _lay(points: NDArray[np.float64], weight: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move and scale poses (M, K, 2) so that they lie nearest to the mean (K, 2), by the points that they have."""
    total = np.maximum(weight.sum(axis=1, keepdims=True), 1)
    middle, mean_middle = (
        (points * weight).sum(axis=1, keepdims=True) / total,
        (mean * weight).sum(axis=1, keepdims=True) / total,
    )
    centred, target = (points - middle) * weight, (mean - mean_middle) * weight
    scale = (centred * target).sum(axis=(1, 2)) / np.maximum(np.square(centred).sum(axis=(1, 2)), 1e-9)
    # Who stands on its head would be mirrored in its middle: it keeps its size instead.
    size = np.sqrt(np.square(target).sum(axis=(1, 2)) / np.maximum(np.square(centred).sum(axis=(1, 2)), 1e-9))
    scale = np.where(scale > 0.2 * size, scale, size)
    return (points - middle) * scale[:, None, None] + mean_middle


def _average(points: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((points * weight).sum(axis=0) / np.maximum(weight.sum(axis=0), 1))


def _normalize(points: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = points - points.mean(axis=0)
    return np.asarray(centred / max(float(np.sqrt(np.square(centred).sum(axis=1).mean())), 1e-9))


def _median(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Take medians without what is NaN; NaN where there is nothing else. NumPy's own takes twenty times as long."""
    ordered = np.sort(values, axis=axis)  # NaN last
    count = np.isfinite(values).sum(axis=axis, keepdims=True)
    low, high = (
        np.take_along_axis(ordered, np.maximum(at, 0), axis) for at in ((count - 1) // 2, count // 2 * (count > 0))
    )
    return np.asarray(np.where(count > 0, (low + high) / 2, np.nan).squeeze(axis))
